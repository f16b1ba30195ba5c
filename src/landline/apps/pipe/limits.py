"""Every limit of the pipe, as one table: name, default, unit and reason. What the session beneath may take is in ``landline.Limits``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from landline.limits import Limit, limit, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Limits of the programs ``landline listen`` and ``landline connect``."""

    opening_timeout: float = limit(10.0, "seconds", "for the other side's first message")
    backlog: int = limit(16, "callers", "of a bare socket that wait in the kernel")
    chunk: int = limit(
        256 << 10,
        "bytes",
        "of one message: large enough for full speed, small enough that a slow line (10 KB/s) carries one before it counts as stuck",
    )
    pipe: int = limit(
        1 << 20, "bytes", "that a pipe at our standard input or output holds, where it can be chosen"
    )
    farewell: float = limit(0.5, "seconds", "for the other side to hear that we go, when nothing was piped")
    drain_timeout: float = limit(
        5.0, "seconds", "that what was read may take to be sent, when we are asked to stop"
    )


FIXED: Final = Fixed()

LIMITS: Final[tuple[Limit, ...]] = rows(Fixed, is_fixed=True)
