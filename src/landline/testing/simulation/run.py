"""Runs worlds: one seed, or many in a few processes; a seed that fails is run again, shrunk, and told as a schedule that replays it."""

from __future__ import annotations

import contextlib
import gc
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

import msgspec

from .faults import make_world
from .hub import SMALL
from .line import Violation
from .schedule import Shape, Step, draw_world, shrink
from .switched_off import patched

STEPS = 1000
"""Steps of a schedule, where nobody says otherwise."""

_BATCH = 20

_COLLECTING = (30_000, 3, 5)


class Result(msgspec.Struct, frozen=True):
    """What one seed came to.

    Attributes:
        trace: the hash of everything that arrived anywhere, and when: the same seed gives the same.
        faults: how many of each kind took effect.
        delivered: messages that were handed to programs.
        sessions: how many began.
        seconds: of virtual time.
        is_stored: the server had a disk.
        lines: how many were dialled, by what carried them.
        changed: sessions that went on over a carrier of another kind; changes: how often.
        told: what became of calls, as their callers were told; and how many items of streams were read.
        seen: how many changes of groups were told, by their kinds.
        sent: what became of files.
    """

    seed: int
    trace: str
    faults: Counter[str]
    delivered: int
    sessions: int
    seconds: float
    is_stored: bool
    lines: Counter[str]
    changed: int
    changes: int
    told: Counter[str]
    seen: Counter[str]
    sent: Counter[str]


class Failure(msgspec.Struct, frozen=True):
    """A seed that failed.

    Attributes:
        what: which promise was not kept, or what was raised.
        schedule: the shortest schedule that was found to fail in the same way; None where none was looked for.
    """

    seed: int
    steps: int
    what: str
    schedule: tuple[Step, ...] | None = None

    def __str__(self) -> str:
        """The report that a person reads."""
        lines = [f"seed {self.seed}: {self.what}"]
        if self.schedule is not None:
            lines.append(f"shrunk to {len(self.schedule)} of {self.steps} steps:")
            lines += [f"  {name} {a} {b}" for name, a, b in self.schedule]
        lines.append(
            f"replay: python -m landline.testing.simulation --first {self.seed} --seeds 1 --steps {self.steps}"
        )
        return "\n".join(lines)


@dataclass(slots=True)
class Total:
    """What many seeds came to."""

    seeds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    delivered: int = 0
    sessions: int = 0
    lines: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    changes: int = 0
    told: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    busy: float = 0.0
    """Seconds of processor time."""
    bare_faults: int = 0
    bare_busy: float = 0.0
    """The same of the worlds without a disk: frames and nothing else."""
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Total) -> None:
        """Take in what another process found."""
        self.seeds += other.seeds
        self.faults.update(other.faults)
        self.delivered += other.delivered
        self.sessions += other.sessions
        self.lines.update(other.lines)
        self.changed += other.changed
        self.changes += other.changes
        self.told.update(other.told)
        self.seen.update(other.seen)
        self.sent.update(other.sent)
        self.seconds += other.seconds
        self.busy += other.busy
        self.bare_faults += other.bare_faults
        self.bare_busy += other.bare_busy
        self.failures += other.failures


def run(seed: int, steps: int = STEPS) -> Result:
    """Play the world of one seed.

    Raises:
        Violation: something that must always be true was not.
    """
    shape, schedule = draw_world(seed, steps)
    return play(seed, shape, schedule)


def play(seed: int, shape: Shape, schedule: Sequence[Step]) -> Result:
    """Play a world by a schedule of one's own."""
    with patched(SMALL):
        world = make_world(seed, shape)
        world.run(schedule)
    return Result(
        seed,
        world.trace.hexdigest(),
        world.faults,
        sum(sum(talk.heard) for talk in world.server.lives.values()),
        world.sessions,
        world.now,
        shape.commit_pause is not None,
        world.lines,
        world.changed,
        world.changes,
        Counter() if world.calls is None else world.calls.counts,
        Counter() if world.presence is None else world.presence.told,
        Counter() if world.files is None else world.files.told,
    )


def find_fault(seed: int, steps: int = STEPS, *, is_shrunk: bool = True) -> Result | Failure:
    """Play the world of one seed; return its result, or how it failed."""
    shape, schedule = draw_world(seed, steps)
    what = _failure_of(seed, shape, schedule)
    if isinstance(what, Result):
        return what
    short: tuple[Step, ...] | None = None
    if is_shrunk:
        kind = _kind(what)

        def fails(steps: Sequence[Step]) -> bool:
            again = _failure_of(seed, shape, steps)
            return isinstance(again, str) and _kind(again) == kind

        short = tuple(shrink(schedule, fails))
    return Failure(seed, steps, what, short)


def _kind(what: str) -> str:
    """The sentence without what is particular to a run: numbers, and what follows a colon."""
    return re.sub(r"\d+", "", what.split(":", maxsplit=1)[0])


def _failure_of(seed: int, shape: Shape, schedule: Sequence[Step]) -> Result | str:
    try:
        return play(seed, shape, schedule)
    except Violation as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - any exception out of the protocol is what we are looking for
        return f"{type(error).__name__}: {error}"


def run_batch(first: int, count: int, steps: int, is_shrunk: bool = True) -> Total:
    """Play the worlds of some seeds, in this process."""
    total = Total()
    began = time.process_time()
    with rarely_collecting():
        for seed in range(first, first + count):
            begun = time.process_time()
            result = find_fault(seed, steps, is_shrunk=is_shrunk)
            total.seeds += 1
            if isinstance(result, Failure):
                total.failures.append(result)
                continue
            total.faults.update(result.faults)
            total.delivered += result.delivered
            total.sessions += result.sessions
            total.lines.update(result.lines)
            total.changed += result.changed
            total.changes += result.changes
            total.told.update(result.told)
            total.seen.update(result.seen)
            total.sent.update(result.sent)
            total.seconds += result.seconds
            if not result.is_stored:
                total.bare_faults += sum(result.faults.values())
                total.bare_busy += time.process_time() - begun
    total.busy = time.process_time() - began
    return total


@contextlib.contextmanager
def rarely_collecting() -> Iterator[None]:
    """Look for cycles a few times per world: it is full of them while it lives, and garbage only as a whole, afterwards."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_COLLECTING)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def run_many(
    first: int,
    count: int,
    steps: int = STEPS,
    *,
    processes: int = 1,
    is_enough: Callable[[Total], bool] = lambda total: bool(total.failures),
    tell: Callable[[Total], None] = lambda total: None,
) -> Total:
    """Play many seeds; stop early when it ``is_enough`` (by default at the first failure).

    Args:
        first: the first seed.
        count: how many.
        steps: of each seed's schedule.
        processes: how many work at once; 1 stays in this one.
        is_enough: asked with the total so far, after every few seeds.
        tell: called with the total so far, after every few seeds.
    """
    total = Total()
    batches = ((at, min(_BATCH, first + count - at)) for at in range(first, first + count, _BATCH))
    if processes == 1:
        for at, size in batches:
            total.add(run_batch(at, size, steps))
            tell(total)
            if is_enough(total):
                break
        return total
    with ProcessPoolExecutor(processes) as pool:
        for part in _in_turn(pool, batches, steps, processes):
            total.add(part)
            tell(total)
            if is_enough(total):
                pool.shutdown(wait=False, cancel_futures=True)
                break
    return total


def _in_turn(
    pool: ProcessPoolExecutor, batches: Iterator[tuple[int, int]], steps: int, processes: int
) -> Iterator[Total]:
    """Keep every process busy, without queueing millions of seeds."""
    working: set[Future[Total]] = set()
    for at, size in batches:
        working.add(pool.submit(run_batch, at, size, steps))
        if len(working) > 2 * processes:
            done, working = wait(working, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    for future in working:
        yield future.result()
