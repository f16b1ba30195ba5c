"""What a person is told of a session's line, while a program does its work: that it is down for long, and that it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import landline

from .printable import printable

Say = Callable[[str], object]
"""Tells a person something, on stderr: stdout is for data."""

DROP_TOLD_AFTER: Final = 1.0
"""Seconds that a line is down before a person hears of it: what comes back at once is no news."""


@asynccontextmanager
async def told_of_drops(say: Say, session: landline.Session) -> AsyncIterator[None]:
    """Within the block, tell a person when the session's line drops for long, and when it is back."""
    task = asyncio.create_task(_tell(say, session), name="line news")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _tell(say: Say, session: landline.Session) -> None:
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None
    is_told = False

    def tell(reason: str) -> None:
        nonlocal is_told
        is_told = True
        say(
            f"{printable(reason[:1].upper() + reason[1:]) or 'The line dropped'}. It goes on where it stopped when it is back."
        )

    try:
        async for change in session.states():
            if change.state is change.previous:
                continue
            if timer is not None:
                timer.cancel()
            if change.state is landline.State.RECONNECTING:
                timer = loop.call_later(DROP_TOLD_AFTER, tell, change.reason)
            elif change.state is landline.State.CONNECTED and is_told:
                is_told = False
                say(f"The line is back after {change.lasted:.0f} s.")
    finally:
        if timer is not None:
            timer.cancel()
