"""What a client shows of itself: a value, or a function that is asked for one each time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any, Final

from ..errors import DataError, LandlineError
from ..limits import SESSION
from ..protocol.codec import encode_data

MAX_CREDENTIALS: Final = SESSION.credentials


async def current(credentials: Any, timeout: float) -> Any:
    """Return what is to be shown now: the value, or what the function returns, which may be async and take so many seconds.

    Raises:
        DataError: it cannot be sent.
        TimeoutError: it took too long. Whatever else the function raises is raised here.
    """
    if callable(credentials):
        credentials = credentials()
        if inspect.isawaitable(credentials):
            async with asyncio.timeout(timeout):
                credentials = await _had(credentials)
    check(credentials)
    return credentials


async def _had(credentials: Awaitable[Any]) -> Any:
    try:
        return await credentials
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise LandlineError("what the credentials were to come from was cancelled") from None


def check(credentials: Any) -> None:
    """Raise what these cannot be sent for.

    Raises:
        DataError: they are of no kind that can be sent, or too large.
    """
    try:
        encode_data(credentials, MAX_CREDENTIALS)
    except DataError as error:
        raise DataError(f"these credentials cannot be sent: {error}") from error
