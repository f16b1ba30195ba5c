"""Every limit of a pipe, as one table; all but the resume window, which is a setting, is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from landline.limits import FIXED, LimitGroup, limit, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class PipeLimits:
    """What a pipe holds, and how long its steps may take."""

    # What it holds.
    window: int = limit(
        8 << 20, "bytes", "received and not yet written out: a tenth of a second of a long line at 80 MB/s"
    )
    outbox_bytes: int = limit(8 << 20, "bytes", "sent and not yet received by the peer, likewise")
    backlog: int = limit(16, "callers", "of a bare socket that wait in the kernel")

    # How long anything may take.
    opening_timeout: float = limit(
        10.0, "seconds", "for the other side's first word, which says that it is a pipe"
    )
    drain_timeout: float = limit(5.0, "seconds", "for what was read to be sent, when we are told to stop")
    close_timeout: float = limit(10.0, "seconds", "an orderly close, delivery of what was sent included")
    farewell: float = limit(0.5, "seconds", "for the other side to hear that we go, when nothing was piped")
    redial_max: float = limit(
        2.0, "seconds", "the pause between dials: one caller is no crowd, and the producer waits"
    )
    redial_reset: float = limit(1.0, "seconds", "a line that held this long starts the pauses anew")


PIPE: Final = PipeLimits()

GROUPS: Final[tuple[LimitGroup, ...]] = (LimitGroup("Pipes", FIXED, rows(PipeLimits, "pipe.")),)
