"""The one way in which figures are compared: medians, ours ÷ theirs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

_LEAST = 1e-9
"""So that nothing is divided by nothing."""


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return what ours is of theirs."""
    return statistics.median(ours) / max(statistics.median(theirs), _LEAST)


def advantage(found: float, *, is_more_better: bool) -> float:
    """Return how many times as good ours is, where it is so much of theirs: half the microseconds is twice as good."""
    return found if is_more_better else 1 / max(found, _LEAST)
