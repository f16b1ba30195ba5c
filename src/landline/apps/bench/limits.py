"""Every limit of these commands, as one table; all of it is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from landline.limits import FIXED, LimitGroup, limit, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchLimits:
    """What is measured at the most, and how often that is told."""

    exchanges: int = limit(
        5000,
        "exchanges",
        "in each way: a connection that was closed holds its port for a minute, and the system has some 28,000",
    )
    bar_interval: float = limit(0.1, "seconds", "between two looks of the progress bar")


BENCH: Final = BenchLimits()

GROUPS: Final[tuple[LimitGroup, ...]] = (LimitGroup("Benchmarks", FIXED, rows(BenchLimits, "bench.")),)
