"""Every limit of these commands, as one table; all of it is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from landline.limits import FIXED, LimitGroup, limit, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramLimits:
    """What is read and under way at once, and how long its steps may take."""

    line: int = limit(
        8 << 20,
        "bytes",
        "one line of standard input: the largest message, and what JSON needs more for the worst",
    )
    in_flight: int = limit(
        256, "publications", "sent and not answered; then no more is read: as many as are stored at once"
    )
    in_flight_bytes: int = limit(
        4 << 20, "bytes", "likewise, in bytes of their lines; a single one is always let through"
    )
    outbox_bytes: int = limit(
        24 << 20,
        "bytes",
        "room for all of it, however much longer it gets: none ever waits, so none overtakes",
    )
    drain_timeout: float = limit(
        5.0, "seconds", "for what is under way to be answered, when we are told to stop"
    )
    redial_max: float = limit(
        2.0, "seconds", "the pause between dials: one caller is no crowd, and what feeds it waits"
    )
    redial_reset: float = limit(1.0, "seconds", "a line that held this long starts the pauses anew")
    told_errors: int = limit(10, "errors", "that are told of one run; what is under way may fail as a whole")


PROGRAM: Final = ProgramLimits()

GROUPS: Final[tuple[LimitGroup, ...]] = (
    LimitGroup("Commands of programs", FIXED, rows(ProgramLimits, "program.")),
)
