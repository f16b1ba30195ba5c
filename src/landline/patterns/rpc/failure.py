"""What a failure of a method means for whoever called it: what is told of it, and what is raised there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ... import hits
from ...errors import CallFailed, CallNotAllowed, CallTimeout, NotAllowed, ProtocolError
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


class Failures(hits.Failures):
    """What failed of the methods of one end: what callers are told of it, and what is for the log alone.

    Args:
        clock: seconds of any clock that only rises.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(log, clock)

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
