"""Durable sends at their sender: messages in an outbox of their own, which outlives sessions, and the processes of both ends where they keep it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from ..errors import PublishFailed, PublishUnknown
from ..protocol.publish import Answer, Code, Published
from ..sessions.bare import BareSession
from .messages import ACKED, Outcome, Receipt
from .outgoing import Outgoing
from .publications import encode_stored
from .topics import Publishing


class DurableReceipt(Receipt):
    """The receipt of a durable send."""

    __slots__ = ("_answer",)

    def __init__(self, answer: asyncio.Future[Answer]) -> None:
        self._answer = answer

    @property
    def outcome(self) -> Outcome | None:
        """What became of the message, or None while that is not known."""
        if not self._answer.done():
            return None
        error = self._answer.exception()
        if isinstance(error, PublishUnknown | PublishFailed):
            return Outcome("unknown" if isinstance(error, PublishUnknown) else "failed", error.reason)
        answer = self._answer.result()
        if isinstance(answer, Published):
            return ACKED
        return Outcome("unknown" if answer.code is Code.UNKNOWN else "failed", answer.reason)

    def __await__(self) -> Generator[Any, None, Outcome]:
        if not self._answer.done():
            yield from asyncio.wait([self._answer]).__await__()
        outcome = self.outcome
        if outcome is None:
            raise AssertionError("an outcome was announced and is not there")
        return outcome


class Sending:
    """What one session sends durably.

    Args:
        bare: the session.
        open_outgoing: opens its outbox when it is first needed.
    """

    def __init__(self, bare: BareSession, open_outgoing: Callable[[], Awaitable[Outgoing]]) -> None:
        self._bare = bare
        self._open = open_outgoing
        self._opening = asyncio.Lock()
        self._outgoing: Outgoing | None = None

    async def send(self, value: Any) -> Receipt:
        """Have a message in the outbox, on the disk where that is kept; return its receipt."""
        stored = encode_stored(value, self._bare.core.max_message)
        outgoing = await self._opened()
        number, answer = await outgoing.add("", stored)
        await outgoing.wait_kept(number)
        return DurableReceipt(answer)

    async def go_on(self) -> None:
        """Send what is in the outbox from before.

        Raises:
            StorageError: it cannot be read.
        """
        await self._opened()

    @property
    def is_awaited(self) -> bool:
        """Whether something that was sent is not answered."""
        return self._outgoing is not None and bool(self._outgoing.awaited)

    async def wait_answered(self) -> None:
        """Wait until all that was sent is answered, or the session is over."""
        if self._outgoing is not None:
            await self._outgoing.wait_answered()

    async def flush(self) -> None:
        """Wait until all is answered that was sent so far, by earlier lives of this process too.

        Raises:
            SessionClosed, SessionLost: the session ended before that was known.
        """
        if self._outgoing is not None:
            await self._outgoing.flush()

    async def wait_closed(self) -> None:
        """Wait until nothing of it is at work any more, once the session is over."""
        if self._outgoing is not None:
            await self._outgoing.wait_closed()

    async def _opened(self) -> Outgoing:
        async with self._opening:
            if self._outgoing is None:
                self._outgoing = await self._open()
            return self._outgoing


async def settle(
    bare: BareSession, sending: Sending | None, publishing: Publishing | None, seconds: float
) -> None:
    """Before a session is closed: wait until what was sent and published is answered, and what was received is stored; that long at the most."""
    waiting: list[Coroutine[Any, Any, None]] = []
    if sending is not None and sending.is_awaited:
        waiting.append(sending.wait_answered())
    if publishing is not None and publishing.outgoing.awaited:
        waiting.append(publishing.outgoing.wait_answered())
    if bare.intake is not None:
        waiting.append(bare.intake.settled())
    if waiting:  # who closes in the same breath in which it sent is heard so
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*waiting)
