"""What both commands share: what a person asked for, the limits of a pipe's session, and the words about its line on stderr."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from msgspec import field

import landline

from .limits import PIPE

DROP_TOLD_AFTER: Final = 1.0
"""Seconds that a line is down before a person hears of it: what comes back at once is no news."""


class Pipe(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        address: where to listen, or whom to dial.
        is_plain: over a bare socket, without a session.
        is_kept: serve one caller after the other.
        is_quiet: say errors only.
        limits: of the session.
        sockets: listening sockets that we were started with; they must be the address's.
    """

    address: str
    is_plain: bool = False
    is_kept: bool = False
    is_quiet: bool = False
    limits: landline.Limits = field(default_factory=landline.Limits)
    sockets: tuple[landline.ListeningSocket, ...] = ()

    def say(self, text: str) -> None:
        """Tell a person, on stderr; stdout is for data."""
        if not self.is_quiet and sys.stderr is not None:
            with contextlib.suppress(OSError):
                print(text, file=sys.stderr, flush=True)


def pipe_limits(resume_window: float) -> landline.Limits:
    """Return the limits of a pipe.

    There is room for a long fast line (a tenth of a second at 80 MB/s), about 20 MiB at one end at most. It is redialled sooner than the
    library would: one caller is no crowd, and the producer waits.

    Args:
        resume_window: seconds that the listening side waits for a caller whose line dropped.
    """
    return landline.Limits(
        window=PIPE.window,
        outbox_bytes=PIPE.outbox_bytes,
        close_timeout=PIPE.close_timeout,
        redial_max=PIPE.redial_max,
        redial_reset=PIPE.redial_reset,
        resume_window=resume_window,
    )


@asynccontextmanager
async def told_of_drops(pipe: Pipe, session: landline.Session) -> AsyncIterator[None]:
    """Within the block, tell a person when the session's line drops for long, and when it is back."""
    task = asyncio.create_task(_tell(pipe, session), name="pipe news")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _tell(pipe: Pipe, session: landline.Session) -> None:
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None
    is_told = False

    def tell(reason: str) -> None:
        nonlocal is_told
        is_told = True
        pipe.say(
            f"{reason[:1].upper()}{reason[1:] or 'The line dropped'}. It goes on where it stopped when it is back."
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
                pipe.say(f"The line is back after {change.lasted:.0f} s.")
    finally:
        if timer is not None:
            timer.cancel()
