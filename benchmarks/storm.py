"""``python -m benchmarks.storm``: 10,000 sessions lose their lines at once; when is each of them back, and what of the work that goes on meanwhile?

Server and crowd are processes of their own; the crowd has something to say in each session the moment its line is gone, and a session is back when the answer is
there. Meanwhile other sessions, whose lines hold, go on talking, and new ones come and go. All limits are those that there are by default,
but for the number of sessions. Where this system does not let a process hold so many, it is fewer, and that is said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import landline

from .processes import run

SESSIONS: Final = 10_000
SHORT: Final = 300
TALKING: Final = 10
"""Sessions whose lines hold."""
COMING: Final = 2
"""That come, say something, and go, again and again."""
BEFORE: Final = 5.0
"""Seconds of work before the storm, to compare with."""
LONGEST: Final = 280.0
"""Seconds: within the window in which a session can be resumed."""
HOSTS: Final = 4
AT_ONCE: Final = 50
EACH_KIB: Final = 80
"""Of memory, for both ends of a session."""


def roomy(count: int) -> landline.Limits:
    """Return the limits of the server: room for so many sessions, and for those besides."""
    return landline.Limits(max_sessions=count + 1000, max_connections=2 * count + 1000)


async def serve(count: int) -> None:
    """Be the server until standard input ends."""

    async def program(session: landline.Session) -> None:
        async for message in session:
            _ = await session.send(message)

    addresses = [f"tcp://127.0.0.{number}:0" for number in range(1, HOSTS + 1)]
    async with landline.serve(program, *addresses, limits=roomy(count)) as listening:
        print(json.dumps(listening.addresses), flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def crowd(count: int, addresses: list[str]) -> None:
    """Hold so many sessions; when told to, drop all lines at once, and say when each session was back."""
    sessions: list[landline.Session] = []
    while len(sessions) < count:
        some = range(len(sessions), min(len(sessions) + AT_ONCE, count))
        sessions += await asyncio.gather(*(landline.connect(addresses[n % len(addresses)]) for n in some))
    print(json.dumps({"sessions": len(sessions)}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    identities = [session.id for session in sessions]
    began = time.perf_counter()
    for session in sessions:
        session.drop()
    dropped = time.perf_counter() - began
    waits: list[float] = []
    ends: Counter[str] = Counter()

    async def come_back(number: int) -> None:
        session = sessions[number]
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + LONGEST):
                _ = await session.send(number)
                answer = await session.receive()
        except (landline.LandlineError, TimeoutError) as error:
            ends[type(error).__name__] += 1
            return
        waits.append(time.perf_counter() - began)
        ends["resumed" if answer == number and session.id == identities[number] else "mistaken"] += 1

    await asyncio.gather(*map(come_back, range(count)))
    print(json.dumps({"dropped": dropped, "waits": waits, "ends": ends}), flush=True)
    await asyncio.gather(*(session.close() for session in sessions))


class Work:
    """What goes on beside the storm: talk over lines that hold, and sessions that come and go."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses
        self.answers: list[tuple[float, float]] = []
        """When it came, and after how many seconds."""
        self.visits: list[tuple[float, float]] = []
        """Likewise: a new session, something said in it, and its end."""
        self.failures: Counter[str] = Counter()

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Within the block it goes on."""
        sessions = [await landline.connect(self._addresses[0]) for _ in range(TALKING)]
        tasks = [asyncio.create_task(self._talk(session)) for session in sessions]
        tasks += [asyncio.create_task(self._come_and_go()) for _ in range(COMING)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(session.close() for session in sessions))

    async def _talk(self, session: landline.Session) -> None:
        try:
            while True:
                began = time.perf_counter()
                _ = await session.send(b"x" * 64)
                await session.receive()
                now = time.perf_counter()
                self.answers.append((now, now - began))
        except landline.LandlineError as error:
            self.failures[f"{type(error).__name__} on a line that held"] += 1

    async def _come_and_go(self) -> None:
        while True:
            began = time.perf_counter()
            try:
                async with landline.connect(self._addresses[1]) as session:
                    _ = await session.send(b"x" * 64)
                    await session.receive()
            except landline.LandlineError as error:
                self.failures[type(error).__name__] += 1
                await asyncio.sleep(0.05)
            else:
                now = time.perf_counter()
                self.visits.append((now, now - began))


async def play(count: int, loop: str) -> dict[str, Any]:
    """Return the figures of one storm."""
    async with _started(loop, "--serve", str(count)) as server:
        assert server.stdout is not None
        addresses = json.loads(await server.stdout.readline())
        async with _started(loop, "--crowd", str(count), *addresses) as many:
            assert many.stdout is not None and many.stdin is not None
            await many.stdout.readline()
            work = Work(addresses)
            async with work.going_on():
                start = time.perf_counter()
                await asyncio.sleep(BEFORE)
                begun = time.perf_counter()
                many.stdin.write(b"drop\n")
                told = json.loads(await many.stdout.readline())
                over = time.perf_counter()
    waits = sorted(told["waits"])
    return {
        "sessions": count,
        "ends": told["ends"],
        "dropped within": told["dropped"],
        "half back": _at(waits, 0.5),
        "99 % back": _at(waits, 0.99),
        "all back": waits[-1] if waits else None,
        "before": _during(work, start, begun),
        "meanwhile": _during(work, begun, over),
        "failures": dict(work.failures),
    }


def _at(waits: list[float], part: float) -> float | None:
    return waits[min(len(waits) - 1, int(len(waits) * part))] if waits else None


def _during(work: Work, start: float, end: float) -> dict[str, float | None]:
    answers = sorted(took for when, took in work.answers if start <= when < end)
    visits = sorted(took for when, took in work.visits if start <= when < end)
    return {
        "answers a second": len(answers) / (end - start),
        "an answer, median": _at(answers, 0.5),
        "an answer, 99 %": _at(answers, 0.99),
        "new sessions a second": len(visits) / (end - start),
        "a new session, median": _at(visits, 0.5),
        "a new session, 99 %": _at(visits, 0.99),
    }


@asynccontextmanager
async def _started(loop: str, *arguments: str) -> AsyncIterator[Process]:
    command = (sys.executable, "-m", "benchmarks.storm", "--loop", loop, *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=1 << 24)
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 60)
        except TimeoutError:
            process.kill()
            await process.wait()


def possible(wanted: int) -> int:
    """Return how many sessions this system lets a process hold, at most those that are wanted; raise our limit so far."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    memory = wanted
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            memory = int(line.split()[1]) // 2 // EACH_KIB
    # Until the end of its old line is read, a session has two.
    found = max(1, min(wanted, hard * 2 // 3 - 100, memory))
    if found < wanted:
        print(f"{found:,} sessions instead of {wanted:,}: {hard:,} descriptors, memory for {memory:,}")
    return found


def main() -> int:
    """Play it, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.storm", description=__doc__)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--short", action="store_true", help=f"{SHORT} sessions: to see that it works")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--crowd", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run(options.loop, serve(options.serve))
        return 0
    if options.crowd:
        run(options.loop, crowd(int(options.crowd[0]), options.crowd[1:]))
        return 0
    found = run(options.loop, play(possible(SHORT if options.short else options.sessions), options.loop))
    print_table(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 0 if found["ends"] == {"resumed": found["sessions"]} and not found["failures"] else 1


def print_table(found: dict[str, Any]) -> None:
    """Print what is told of a storm; times in seconds and milliseconds."""
    ends = ", ".join(f"{count:,} {how}" for how, count in found["ends"].items())
    print(f"{found['sessions']:,} sessions, all lines dropped within {found['dropped within']:.2f} s: {ends}")
    print(
        ", ".join(
            f"{name} after {found[name]:.1f} s"
            for name in ("half back", "99 % back", "all back")
            if found[name]
        )
        + f"; refused or failed meanwhile: {found['failures'] or 'nobody'}"
    )
    print("\n| work beside it | before | meanwhile |\n| --- | ---: | ---: |")
    for name, before in found["before"].items():
        meanwhile = found["meanwhile"][name]
        is_rate = name.endswith("a second")
        cells = [
            "–" if value is None else f"{value:,.0f}" if is_rate else f"{value * 1e3:,.1f} ms"
            for value in (before, meanwhile)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    sys.exit(main())
