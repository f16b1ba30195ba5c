"""Every limit of the command line itself, as one table; all of it is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from landline.limits import FIXED, LimitGroup, limit, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class CliLimits:
    """What the log and a program's end are held to."""

    log_lines: int = limit(10, "lines", "of the log a second, of one source and kind; the rest is counted")
    log_kinds: int = limit(
        1024, "kinds", "and sources that are remembered; the one unheard of longest goes first"
    )
    log_message: int = limit(4096, "characters", "one line's message; a longer one is cut")
    cancel_timeout: float = limit(
        2.0, "seconds", "that a cancelled program has to restore the terminal and go; then it is left"
    )
    kept_memory: int = limit(32 << 20, "bytes", "freed buffers that a pipe has the C library keep at hand")


CLI: Final = CliLimits()

GROUPS: Final[tuple[LimitGroup, ...]] = (LimitGroup("The command line", FIXED, rows(CliLimits, "cli.")),)
