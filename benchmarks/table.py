"""The figures as one table: a row for each job and each peer beside us, the ratio first, then the medians and between which values they lie."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from .jobs import JOBS
from .peers.peer import Peer
from .ratios import advantage, ratio
from .targets import TARGETS, Target, measured_of

Figures = dict[str, dict[str, list[float]]]
"""By job, then by peer, a value for each round."""

HEAD = (
    "| work | ours ÷ theirs | beside | theirs | ours | target |",
    "| --- | ---: | --- | ---: | ---: | --- |",
)


def table(
    figures: Figures, peers: list[Peer], targets: Sequence[Target] = TARGETS, *, is_short: bool = False
) -> Iterator[str]:
    """Yield the lines. A ratio is bold where we are ahead; ↑ is more is better, ↓ less."""
    yield from HEAD
    for job, by_peer in figures.items():
        name = (
            f"{JOBS[job].row(is_short=is_short)}: {JOBS[job].unit} {'↑' if JOBS[job].is_more_better else '↓'}"
        )
        pairs = _pairs(by_peer, peers)
        first = pairs[0][1] if pairs else ""  # beside whom the target of a figure stands that is no ratio
        for own, other in pairs:
            ours, theirs = by_peer[own], by_peer.get(other)
            title = "" if own == peers[0].name else f"{own}: "
            wanted = [
                target
                for target in targets
                if (target.job, target.ours) == (job, own) and (target.beside or first) == other
            ]
            cells = [
                name,
                _ratio(ours, theirs, is_more_better=JOBS[job].is_more_better),
                other or "–",
                spread(theirs) if theirs else "–",
                f"{title}{spread(ours)}",
                wanted[0].words(measured_of(wanted[0], figures)) if wanted else "",
            ]
            yield f"| {' | '.join(cells)} |"
            name = ""


def price(figures: Figures, ours: str, bare: str, sends: str) -> Iterator[str]:
    """Yield what a session costs above the same frames on a bare protocol, as a share of the time of each message.

    In a fan-out the bare protocol sends to each of its lines, so beside it stands ``sends``, which does as well, and not a topic.
    """
    for job, by_peer in figures.items():
        own = sends if JOBS[job].kind == "fan-out" else ours
        if own in by_peer and bare in by_peer and JOBS[job].unit != "KiB":
            found = ratio(by_peer[own], by_peer[bare])
            share = 1 / advantage(found, is_more_better=JOBS[job].is_more_better) - 1
            yield f"{job}: {share * 100:+,.0f} %"


def ratios_of(by_peer: dict[str, list[float]], peers: list[Peer]) -> dict[str, float]:
    """Return the ratios of a job's medians, by their names."""
    return {
        f"{own} ÷ {other}": ratio(by_peer[own], by_peer[other])
        for own, other in _pairs(by_peer, peers)
        if other
    }


def spread(values: list[float]) -> str:
    """Return the median, and the least and the most."""
    median, least, most = (_short(value) for value in (statistics.median(values), min(values), max(values)))
    return f"{median} ({least}–{most})" if len(values) > 1 else median


def _pairs(by_peer: dict[str, list[float]], peers: list[Peer]) -> list[tuple[str, str]]:
    """Ours, each beside every other; alone where there is nobody else."""
    played = [peer for peer in peers if peer.name in by_peer]
    others = [peer.name for peer in played if not peer.is_ours] or [""]
    return [(own.name, other) for own in played if own.is_ours for other in others]


def _ratio(ours: list[float], theirs: list[float] | None, *, is_more_better: bool) -> str:
    if not theirs:
        return "–"
    found = ratio(ours, theirs)
    text = f"{found:,.2f}×"
    return f"**{text}**" if advantage(found, is_more_better=is_more_better) > 1 else text


def _short(value: float) -> str:
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"
