"""What a failure of a method means for whoever called it: what is told of it, and what is raised there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ...errors import CallFailed, CallNotAllowed, CallTimeout, NotAllowed, ProtocolError
from ...hits import Lines
from ...protocol.calls import decode_value

log = logging.getLogger("landline.calls")

INTERNAL: Final = "internal error"
NOT_ALLOWED: Final = "not allowed"
TIMED_OUT: Final = "timed out"

_CLASSES: Final[dict[str, type[CallFailed]]] = {NOT_ALLOWED: CallNotAllowed, TIMED_OUT: CallTimeout}


def failed(kind: str, message: str, data: msgspec.Raw) -> CallFailed:
    """Return the error that tells of a failure at the other end."""
    try:
        value = decode_value(data)
    except ProtocolError:
        value = None
    return _CLASSES.get(kind, CallFailed)(message, type=kind, data=value)


class Failures:
    """What failed of the methods of one end: what callers are told of it, and what is for the log alone.

    Who calls a method that has a bug can call it again and again: of each method and kind of error the first is logged in full, and then how many more there were.

    Args:
        clock: seconds of any clock that only rises.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._lines = Lines(clock)

    def told_of(self, error: BaseException, method: str, *, is_late: bool) -> tuple[str, str, Any]:
        """Return what the caller is told of a failure: type, message and data; what the program did not mean to tell is for the log alone."""
        if isinstance(error, CallFailed):
            return error.type, error.message, error.data
        if isinstance(error, NotAllowed):
            return NOT_ALLOWED, str(error), None
        if is_late and isinstance(error, asyncio.CancelledError | TimeoutError):
            return TIMED_OUT, f"{method} was stopped: its time was over", None
        self.log(f"the method {method} failed", error)
        return INTERNAL, f"{method} failed", None

    def log(self, what: str, error: BaseException) -> None:
        """Log what a method did, as a clause with its name in it, with the traceback where it is the first of its kind."""
        kind = type(error)
        due = self._lines.due((what, kind))
        if due is None:
            return
        if due.is_first:
            log.error("%s", what, exc_info=error)
        else:
            log.error(
                "%s: %s, %s more since the last such line", what, kind.__qualname__, f"{due.more + 1:,}"
            )

    def close(self) -> None:
        """Log what was counted and not told yet."""
        for about, more in self._lines.rest():
            what, kind = about if isinstance(about, tuple) else ("methods failed", Exception)
            log.error("%s: %s, %s more since the last such line", what, kind.__qualname__, f"{more:,}")
