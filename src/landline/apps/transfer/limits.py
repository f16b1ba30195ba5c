"""Every limit of the two commands, as one table; all of it is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from landline.limits import FIXED, LimitGroup, limit, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLimits:
    """What a transfer holds, and how long its steps may take."""

    # What is on its way.
    window: int = limit(
        8 << 20,
        "bytes",
        "sent and not yet on the receiver's disk: a tenth of a second of a long line at 80 MB/s",
    )
    outbox: int = limit(1 << 20, "bytes", "of a file that wait for credit; what is read ahead, besides that")

    receivers: int = limit(
        64, "receivers", "that were told the same, and run at the same time: each has its own port and secret"
    )

    # How long anything may take.
    close_timeout: float = limit(10.0, "seconds", "an orderly close, delivery of what was sent included")
    redial_max: float = limit(2.0, "seconds", "the pause between dials: one sender is no crowd")
    redial_reset: float = limit(1.0, "seconds", "a line that held this long starts the pauses anew")
    patience: float = limit(
        3600.0, "seconds", "that a sender tries to reach a receiver that is gone; it may be started again"
    )
    farewell: float = limit(
        10.0,
        "seconds",
        "that a sender, all of whose files are there, tries to tell the receiver that this was all",
    )
    retry: float = limit(1.0, "seconds", "between such tries")
    share_tries: int = limit(
        50, "tries", "to share a folder with another receiver that forgets just then what came"
    )
    share_retry: float = limit(0.02, "seconds", "between such tries")

    # What is shown.
    bar_interval: float = limit(0.1, "seconds", "between two looks of a bar in a terminal")
    line_interval: float = limit(10.0, "seconds", "between two lines where there is no terminal")


TRANSFER: Final = TransferLimits()

GROUPS: Final[tuple[LimitGroup, ...]] = (LimitGroup("Transfers", FIXED, rows(TransferLimits, "transfer.")),)
