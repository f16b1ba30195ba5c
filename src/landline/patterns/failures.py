"""What a failure of the storage, or of a server's own program, means for publishes and subscriptions, and what clients are told of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..errors import DataError, LandlineError, StorageDamaged, StorageError, StorageFailed, StorageFull
from ..protocol.handshake import clean_reason

log = logging.getLogger("landline.topics")


def is_certain(error: Exception) -> bool:
    """Whether nothing of a write that failed so was stored."""
    return isinstance(error, StorageError | DataError) and not isinstance(error, StorageFailed)


def is_cancelled(error: BaseException) -> bool:
    """Whether this task was cancelled; a program may raise the same of something else that was."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def clause(error: Exception) -> str:
    """Return what publishers and subscribers are told: which file it is, and where, is for the log alone."""
    if isinstance(error, StorageFull):
        return "the disk of the server's topics is full; there must be room before more can be published"
    if isinstance(error, StorageFailed | StorageDamaged):
        return "the store of the server's topics failed; that server must be started again"
    return "the server's topics are not to be had now"


def refusal(error: BaseException, on_failure: Callable[[str, BaseException], object]) -> str:
    """Return what a client is told whose publish was vetted in vain; what it is not told goes to ``on_failure``."""
    if isinstance(error, LandlineError | ValueError):
        try:
            return clean_reason(str(error))
        except Exception as second:  # noqa: BLE001 - the words are the program's own code, too
            error = second
    on_failure("a publication could not be vetted", error)
    return "internal error"
