"""The figures as tables, a table for each kind of work: ratios first, then medians and between which values they lie."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from .jobs import JOBS
from .peers.peer import Peer

Figures = dict[str, dict[str, list[float]]]
"""By job, then by peer, a value for each round."""


def tables(figures: Figures, peers: list[Peer]) -> Iterator[str]:
    """Yield the lines."""
    for kind in dict.fromkeys(JOBS[job].kind for job in figures):
        rows = {job: by_peer for job, by_peer in figures.items() if JOBS[job].kind == kind}
        played = [peer for peer in peers if any(peer.name in by_peer for by_peer in rows.values())]
        pairs = _pairs(played)
        ratios = [f"{own} ÷ {other}" for own, other in pairs]
        yield f"| work | {' | '.join([*ratios, *(peer.name for peer in played)])} |"
        yield "| --- " * (1 + len(pairs) + len(played)) + "|"
        for job, by_peer in rows.items():
            cells = [_ratio(by_peer.get(own), by_peer.get(other)) for own, other in pairs]
            cells += [_spread(by_peer.get(peer.name)) for peer in played]
            better = "more is better" if JOBS[job].is_more_better else "less is better"
            yield f"| {job}: {JOBS[job].unit}, {better} | {' | '.join(cells)} |"
        yield ""


def ratios_of(by_peer: dict[str, list[float]], peers: list[Peer]) -> dict[str, float]:
    """Return the ratios of a job's medians, by their names."""
    pairs = _pairs([peer for peer in peers if peer.name in by_peer])
    return {
        f"{own} ÷ {other}": statistics.median(by_peer[own]) / max(statistics.median(by_peer[other]), 1e-9)
        for own, other in pairs
    }


def _pairs(peers: list[Peer]) -> list[tuple[str, str]]:
    """Ours, each beside every other."""
    others = [peer.name for peer in peers if not peer.is_ours]
    return [(own.name, other) for own in peers if own.is_ours for other in others]


def _ratio(own: list[float] | None, other: list[float] | None) -> str:
    if not own or not other:
        return "–"
    return f"{statistics.median(own) / max(statistics.median(other), 1e-9):.2f}×"


def _spread(values: list[float] | None) -> str:
    if not values:
        return "–"
    median, least, most = (_short(value) for value in (statistics.median(values), min(values), max(values)))
    return f"{median} ({least}–{most})"


def _short(value: float) -> str:
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"
