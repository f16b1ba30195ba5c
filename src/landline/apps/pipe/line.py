"""What carries the bytes between two pipes: a session (``SessionLine``), or a bare socket (``PlainLine``).

Over a session, bytes are bytes and words are text: each side opens with ``OPEN``, says ``END`` when its input has ended, and both hang up
when they have said and heard it. Who hangs up earlier has been cut short, and the other one knows: a stream that was broken off never
looks like a whole one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, NamedTuple, Protocol

import landline

from .limits import PIPE

OPEN: Final = "landline pipe 1"
"""The first message of each side; the number rises when sides would no longer understand each other."""

END: Final = "end"
"""The last message of each side: its input has ended, nothing was left out."""

OPENING_TIMEOUT: Final = PIPE.opening_timeout

_FLUSH_LOOK: Final = 0.02


class Account(NamedTuple):
    """What became of the bytes that a line was given."""

    delivered: int
    """Certainly written at the other end."""
    unknown: int
    """Written there or not: nobody can know."""
    undelivered: int
    """Certainly not written there."""


class HungUp(landline.LandlineError):
    """The line ended before both sides had said everything; the message says how, as a clause."""


class Line(Protocol):
    """Carries bytes both ways, each direction with an end of its own."""

    async def send(self, data: bytes) -> None:
        """Send ``data``, waiting while there is no room; raises HungUp."""

    async def end(self) -> None:
        """Say that nothing more comes; the other direction goes on."""

    async def receive(self) -> bytes:
        """Return the next piece, ``b""`` at the end; asking says that the piece before is written; raises HungUp."""

    async def wait_gone(self) -> None:
        """Wait until the line has ended in both directions, whoever did it."""

    async def finish(self) -> None:
        """Both directions have ended: see that everything arrived, and hang up; raises HungUp."""

    async def hang_up(self, reason: str) -> None:
        """End it early; what was sent is delivered first, within a bounded time. Never raises."""

    @property
    def account(self) -> Account | None:
        """What became of what was sent; None where nobody can say anything of it."""


class SessionLine:
    """A session as a line, once it is opened.

    Args:
        session: its messages are ours from now on.
    """

    def __init__(self, session: landline.Session) -> None:
        self._session = session
        self._sent: deque[tuple[landline.Receipt, int]] = deque()
        self._delivered = 0

    async def open(self) -> None:
        """Say the first word and hear the other side's; for the end that dialled.

        Raises:
            Refused: the other side is busy, or no pipe.
        """
        session = self._session
        peer = session.peer
        try:
            async with asyncio.timeout(OPENING_TIMEOUT):
                _ = await session.send(OPEN)
                word = await session.receive()
        except TimeoutError:
            word = None
        except landline.SessionClosed as error:
            raise landline.Refused(peer, error.reason, "busy") from None
        except landline.SessionLost as error:
            raise landline.Refused(peer, error.reason) from None
        if word != OPEN:
            raise landline.Refused(peer, "what answers there is no `landline listen`")

    async def send(self, data: bytes) -> None:
        """Send ``data`` as one message; waits while the outbox is full, also while the line is down."""
        try:
            receipt = await self._session.send(data)
        except landline.SessionEnded as error:
            raise _hung_up(error) from error
        self._sent.append((receipt, len(data)))
        self._settle()

    async def end(self) -> None:
        """Say that our input has ended."""
        try:
            _ = await self._session.send(END)
        except landline.SessionEnded as error:
            raise _hung_up(error) from error

    async def receive(self) -> bytes:
        """Return the next piece, or ``b""`` once the other side has said that its input ended."""
        try:
            message = await self._session.receive()
        except landline.SessionEnded as error:
            raise _hung_up(error) from error
        if message == END:
            self._session.ack()
            return b""
        if not isinstance(message, bytes):
            raise HungUp("the other side is no `landline listen` or `landline connect`")
        return message

    async def wait_gone(self) -> None:
        """Wait until the session is over."""
        await self._session.wait_closed()

    async def finish(self) -> None:
        """Wait until the other side has written everything, then close."""
        try:
            await self._session.flush()
        except landline.SessionEnded as error:
            raise _hung_up(error) from error
        await self._session.close("both sides have said everything")

    async def hang_up(self, reason: str) -> None:
        """Close early: the other side hears the reason."""
        await self._session.close(reason)

    @property
    def account(self) -> Account:
        """What became of our bytes, as far as it is known now."""
        self._settle()
        unknown = undelivered = 0
        delivered = self._delivered
        for receipt, size in self._sent:
            status = receipt.outcome.status if receipt.outcome else "unknown"
            delivered += size * (status == "acked")
            unknown += size * (status == "unknown")
            undelivered += size * (status == "failed")
        return Account(delivered, unknown, undelivered)

    def _settle(self) -> None:
        """Let go of the receipts whose outcome is good: what is kept is what the outbox and the other side's window hold."""
        sent = self._sent
        while sent and (outcome := sent[0][0].outcome) is not None and outcome.is_acked:
            self._delivered += sent.popleft()[1]


class PlainLine:
    """A bare socket as a line: what nc has. Nobody says what arrived, and a broken stream may look like a whole one.

    Args:
        caller: read by nobody else.
    """

    account: Account | None = None

    def __init__(self, caller: landline.Caller) -> None:
        self._caller = caller
        self._has_said_all = False

    async def send(self, data: bytes) -> None:
        """Send ``data``; waits while the socket takes nothing."""
        self._caller.send(data)
        await self._caller.drain()
        if self._caller.is_gone:
            raise HungUp("the other side hung up")

    async def end(self) -> None:
        """End our direction of the socket, once everything is written."""
        self._caller.end()
        self._has_said_all = True

    async def receive(self) -> bytes:
        """Return the next piece, ``b""`` at the end."""
        data = await self._caller.receive()
        if not data and self._caller.is_gone and not self._has_said_all:
            raise HungUp("the other side hung up")
        return data

    async def wait_gone(self) -> None:
        """Wait until the socket is closed in both directions."""
        await self._caller.wait_closed()

    async def finish(self) -> None:
        """Hang up, once the kernel has all of what we sent: a slow reader may take its time."""
        while self._caller.backlog and not self._caller.is_gone:  # noqa: ASYNC110 - a socket does not say when it has written its last byte
            await asyncio.sleep(_FLUSH_LOOK)
        await self._caller.close()

    async def hang_up(self, reason: str) -> None:
        """Hang up; a bare socket can tell no reason."""
        await self._caller.close()


def _hung_up(error: landline.SessionEnded) -> HungUp:
    """Return how a session ended, as a clause."""
    if isinstance(error, landline.SessionLost):
        return HungUp(f"the session was lost ({error.reason})")
    reason = f" ({error.reason})" if isinstance(error, landline.SessionClosed) and error.reason else ""
    return HungUp(f"the other side hung up{reason}")
