"""The limits of what all programs share, as one table; all of it is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from landline.limits import FIXED, LimitGroup, limit, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardLimits:
    """What is held of standard input and output."""

    chunk: int = limit(
        256 << 10,
        "bytes",
        "one message of a pipe: enough for full speed, and a slow line (10 KB/s) carries it before it counts as stuck",
    )
    read_ahead: int = limit(
        1 << 20, "bytes", "read and not yet sent; then nothing is read, and the producer waits"
    )
    pipe: int = limit(
        1 << 20, "bytes", "that a pipe at our standard input or output holds, where it can be chosen"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """How it is found out how fast something goes."""

    over: float = limit(5.0, "seconds", "that a rate is measured over")


STANDARD: Final = StandardLimits()
RATES: Final = RateLimits()

GROUPS: Final[tuple[LimitGroup, ...]] = (
    LimitGroup("Standard input and output", FIXED, rows(StandardLimits, "standard.")),
    LimitGroup("Rates", FIXED, rows(RateLimits, "rate.")),
)
