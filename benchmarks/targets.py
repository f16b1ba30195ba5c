"""What we want to reach beside others, what was reached where that is less, and the gate that CI keeps.

Fan-out is by a topic. A target is a ratio of medians of one run, ours ÷ theirs, so it depends little on how quick a machine is; what a connection
holds of memory is a figure. The gate fails below 0.7 of a target: half of what a shared machine does to a figure is chance. It fails as well where too
little was measured to say anything: ours is missing, or a peer that can be had anywhere, or more than half of what should be compared. Where we are
not yet at a target, it is kept at 0.7 of what was reached, and both are printed, so that nobody takes one for the other. On some machines an
interpreter is far slower beside the kernel and what is compiled than on others: such a ratio is kept at 0.7 of what it was on the worst of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from .jobs import JOBS, jobs_named
from .peers import OVER
from .ratios import ratio

GATE: Final = 0.7
ENOUGH: Final = 0.5
"""The part of the targets that must be measured; of other peers some may not be had on a machine."""


class Target(NamedTuple):
    """What is wanted of one job."""

    job: str
    beside: str | None
    """The peer that ours is divided by; None where the figure itself is meant."""
    wanted: float
    """At least, or at most where less is better."""
    reached: float | None = None
    """Where we are not yet there: how far we had come on a quiet machine."""
    worst: float | None = None
    """Where that depends much on the machine: what it was on the one that was worst for us."""
    ours: str = "landline"
    is_gated: bool = True

    def bound(self) -> float:
        """Return what the gate lets through."""
        start = next(each for each in (self.worst, self.reached, self.wanted) if each is not None)
        return start * GATE if JOBS[self.job].is_more_better else start / GATE

    def words(self, measured: float | None = None) -> str:
        """Return it as it stands in a table; what was reached before stands there unless the target is reached by what was measured."""
        unit = "×" if self.beside else f" {JOBS[self.job].unit}"
        sign = "≥" if JOBS[self.job].is_more_better else "≤"
        wanted = f"{sign} {_number(self.wanted)}{unit}"
        if measured is not None and self._is_reached_by(measured, self.wanted):
            return wanted
        if self.reached is not None:
            wanted += f"; not yet, had {_number(self.reached)}{unit}"
        elif measured is not None:
            wanted += "; not here"
        return wanted if self.worst is None else f"{wanted}, at worst {_number(self.worst)}{unit}"

    def passes(self, measured: float) -> bool:
        """Return whether the gate lets that through."""
        return self._is_reached_by(measured, self.bound())

    def _is_reached_by(self, measured: float, bound: float) -> bool:
        return measured >= bound if JOBS[self.job].is_more_better else measured <= bound


PRICE: Final = 1 / 1.15
"""A session may cost 15 % more than the same frames on a bare protocol."""

TARGETS: Final = (
    Target("round trip", "websockets", 0.40, reached=0.92),
    Target("round trip, C client", "C epoll", 1.5, reached=1.61, worst=3.4),
    Target("pipelined", "websockets", 9, reached=5.5),
    Target("pipelined", "picows", 2.5, reached=1.19, worst=0.75),
    Target("pipelined", "bare protocol", PRICE, reached=0.32),
    Target("100 connections, C client", "C epoll", 0.5, worst=0.25),
    Target("fan-out to 1,000", "redis", 1.0, reached=0.87),
    Target("fan-out to 1,000", "nats-server", 2.0, reached=1.6),
    Target("fan-out to 1,000, one at a time", "redis", 0.85, reached=0.51, worst=0.42),
    Target("calls, one after the other, 64 B", "grpcio", 1 / 9, reached=0.20, worst=0.30),
    Target("calls, 100 at once, 64 B", "grpcio", 50, reached=23, worst=16.6),
    Target("idle, 10,000 connections", None, 6),
    Target("connects, C client", "websockets", 5, reached=1.08),
    Target("bulk, 256 KiB, one core", "raw loop", 0.9, reached=0.85, worst=0.43),
    Target("durable, 100 publishers, C client", None, 20_000, is_gated=False),
    Target("durable, 100 publishers, the 99th of 100, C client", None, 20, is_gated=False),
)
"""Those for pure Python on uvloop. What a disk does is no ratio, so no gate."""


def gated(only: str, targets: Sequence[Target] = TARGETS) -> list[Target]:
    """Return what the gate judges of the jobs whose name contains ``only``."""
    jobs = jobs_named(only)
    return [target for target in targets if target.is_gated and target.job in jobs]


def wanted_of(targets: Sequence[Target] = TARGETS) -> dict[str, set[str]]:
    """Return what the gate must measure: by job, the peers."""
    found: dict[str, set[str]] = {}
    for target in targets:
        if target.is_gated:
            found.setdefault(target.job, {target.ours}).update(filter(None, [target.beside]))
    return found


def measured_of(target: Target, figures: Mapping[str, Mapping[str, Sequence[float]]]) -> float | None:
    """Return the ratio or the figure that was measured, or None where it was not."""
    by_peer = figures.get(target.job, {})
    ours = by_peer.get(target.ours)
    if not ours:
        return None
    if target.beside is None:
        return statistics.median(ours)
    theirs = by_peer.get(target.beside)
    return ratio(ours, theirs) if theirs else None


def judged(
    figures: Mapping[str, Mapping[str, Sequence[float]]], targets: Sequence[Target] = TARGETS
) -> Iterator[tuple[Target, float | None, bool]]:
    """Yield each target of the gate, what was measured, and whether that passes; where a peer cannot be had, it does."""
    anywhere = {peer.name for peer in OVER["tcp"] if peer.is_anywhere}
    for target in targets:
        if target.is_gated:
            measured = measured_of(target, figures)
            if measured is None:
                is_ours_there = bool(figures.get(target.job, {}).get(target.ours))
                passes = is_ours_there and target.beside not in anywhere
            else:
                passes = target.passes(measured)
            yield target, measured, passes


def lets_through(
    figures: Mapping[str, Mapping[str, Sequence[float]]], targets: Sequence[Target] = TARGETS
) -> bool:
    """Return whether there are targets, every one passes, and enough of them were measured."""
    found = list(judged(figures, targets))
    measured = sum(each is not None for _, each, _ in found)
    return bool(found) and all(passes for *_, passes in found) and measured >= len(found) * ENOUGH


def gate_table(
    figures: Mapping[str, Mapping[str, Sequence[float]]], targets: Sequence[Target] = TARGETS
) -> Iterator[str]:
    """Yield the lines of what the gate found; it plays the short sizes."""
    results = list(judged(figures, targets))
    yield "| gate | beside | measured | target | the gate lets through | |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for target, measured, passes in results:
        unit = "×" if target.beside else f" {JOBS[target.job].unit}"
        found = "not measured" if measured is None else f"{_number(measured)}{unit}"
        verdict = "**fails**" if not passes else "–" if measured is None else "passes"
        yield (
            f"| {JOBS[target.job].row(is_short=True)} | {target.beside or '–'} | {found} | {target.words(measured)} | {_number(target.bound())}{unit} | {verdict} |"
        )
    count = sum(measured is not None for _, measured, _ in results)
    yield ""
    yield f"{count} of {len(results)} targets were measured; the gate fails with fewer than {ENOUGH:.0%} of them."


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
