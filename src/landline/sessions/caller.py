"""A bare line without a session: bytes in, bytes out. Who comes through the plain-text door is one, and so is what ``landline.dial`` opens."""

from __future__ import annotations

import asyncio
from collections import deque

from ..limits import SESSION
from ..transports import Transport
from .signal import Signal

HELD_ABOVE = SESSION.caller_bytes

CHUNK_COST = 64
"""What a chunk counts there besides its bytes: who sends them one by one fills no memory with it."""


class Caller:
    """One line of bytes. Use it from one task for reading; writing never waits, ``drain`` does.

    Attributes:
        peer: the other end's address, as text.
    """

    def __init__(self, transport: Transport, first: bytes = b"") -> None:
        self.peer = transport.peer
        self._transport = transport
        self._chunks: deque[bytes] = deque([first] if first else [])
        self._size = len(first) + CHUNK_COST if first else 0
        self._is_held = False
        self._has_ended = False
        self._is_lost = False
        self._news = Signal()
        self._room = Signal()
        self._gone = Signal()
        transport.start(self)

    async def receive(self, timeout: float | None = None) -> bytes:
        """Return a chunk as it arrived; ``b""`` at the end of what the other one says, and ever after.

        Raises:
            TimeoutError: nothing came within ``timeout`` seconds; nothing is lost by it.
        """
        async with asyncio.timeout(timeout):
            while not self._chunks and not self._has_ended:
                await self._news.wait()
        if not self._chunks:
            return b""
        chunk = self._chunks.popleft()
        self._size -= len(chunk) + CHUNK_COST
        if self._is_held and self._size <= HELD_ABOVE // 2:
            self._is_held = False
            self._transport.hold(False)
        return chunk

    def send(self, data: bytes) -> None:
        """Write ``data`` as one piece; dropped when the line is gone."""
        self._transport.write(data)

    @property
    def backlog(self) -> int:
        """Bytes sent and not yet given to the kernel: look at it before sending more to somebody who may not read."""
        return self._transport.backlog

    @property
    def is_gone(self) -> bool:
        """Whether the line is gone in both directions."""
        return self._is_lost

    async def drain(self) -> None:
        """Wait until the line takes more."""
        while not self._transport.is_writable and not self._is_lost:
            await self._room.wait()

    def end(self) -> None:
        """Say no more: what waits is written, then the other end is told. What it says can still be received."""
        self._transport.end()

    async def wait_closed(self) -> None:
        """Wait until the line is gone in both directions, whoever hangs up."""
        while not self._is_lost:
            await self._gone.wait()

    async def close(self) -> None:
        """Write what waits, and hang up; waits for the other end a moment (two seconds at most, four over WebSocket)."""
        self._transport.close()
        await self.wait_closed()

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    # The transport tells...

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        self._chunks.append(data)
        self._size += len(data) + CHUNK_COST
        if self._size > HELD_ABOVE and not self._is_held:
            self._is_held = True
            self._transport.hold(True)
        self._news.wake()

    def data_ended(self) -> None:
        """The other end says no more."""
        self._has_ended = True
        self._news.wake()

    def writable(self) -> None:
        """The line takes more."""
        self._room.wake()

    def lost(self, error: Exception | None) -> None:
        """The line is gone."""
        self._has_ended = self._is_lost = True
        self._news.wake()
        self._room.wake()
        self._gone.wake()
