"""Waiting for something, unless the program is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from .standard import PipeError

T = TypeVar("T")


async def unless_stopped(
    work: Coroutine[Any, Any, T], stop: asyncio.Event, *, before: str = "anybody had answered"
) -> T:
    """Return what ``work`` returns.

    Args:
        work: it is cancelled when we are asked to stop.
        stop: it is set then.
        before: what had not happened yet, for the error's words.

    Raises:
        PipeError: we are asked to stop before; nothing was done, and that is no success.
    """
    task, asked = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise PipeError(f"interrupted before {before}")
    finally:
        for one in (task, asked):
            one.cancel()
        await asyncio.gather(task, asked, return_exceptions=True)
