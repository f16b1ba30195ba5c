"""A transport that can be awaited: the bytes that arrived and nobody took yet, bounded, and the pressure in both directions.

Waiting has an end: whoever waits for bytes says when, and an answer that nobody takes gives up by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ..limits import WEB
from ..transports.base import Transport

AHEAD: Final = WEB.ahead
WRITE_TIMEOUT: Final = WEB.write_timeout

_LOOK: Final = 0.05
"""Seconds between looks whether everything has gone to the kernel, of which nobody tells."""


class ByteStream:
    """Receives a transport. One task reads, one writes.

    Attributes:
        buffer: what arrived and was not taken; whoever takes from it says ``taken`` then.
        on_gone: called once when the other end says no more, or is gone.
    """

    def __init__(self, transport: Transport, first: bytes) -> None:
        self.transport = transport
        self.buffer = bytearray(first)
        self.on_gone: Callable[[], None] = _nothing
        self.is_lost = False
        self.has_ended = False
        self._is_held = False
        self._is_over = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        transport.start(self)

    # Reading...

    async def more(self, deadline: float) -> bool:
        """Wait until more has arrived; False when nothing more will.

        Raises:
            TimeoutError: nothing came until ``deadline``, a time of the loop.
        """
        had = len(self.buffer)
        async with asyncio.timeout_at(deadline):
            while len(self.buffer) == had and not self.has_ended:
                self._news.clear()
                await self._news.wait()
        return len(self.buffer) > had

    def take(self, size: int) -> bytes:
        """Return at most ``size`` bytes of what arrived."""
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        self.taken()
        return data

    def put_back(self, data: bytes) -> None:
        """Have ``data`` be the next that is taken."""
        self.buffer[:0] = data

    def taken(self) -> None:
        """Read on if there is room again."""
        if self._is_held and len(self.buffer) <= AHEAD // 2:
            self._is_held = False
            self.transport.hold(False)

    def stop(self) -> None:
        """Expect nothing more: whoever waits for it is told that it ended."""
        self.has_ended = True
        self._news.set()

    def let_go(self) -> None:
        """Take nothing more in: the transport may go on for a while, and what a caller said is not kept for that long."""
        self._is_over = True
        self.buffer = bytearray()
        self.stop()

    def hand_over(self) -> bytes:
        """Return what nobody took; from now on somebody else receives the transport, and must start it."""
        rest = bytes(self.buffer)
        self.buffer.clear()
        self.taken()
        return rest

    # Writing...

    async def write(self, data: bytes) -> None:
        """Write, and wait until there is room for more.

        Raises:
            TimeoutError: the other end takes nothing any more.
        """
        self.transport.write(data)
        while not self.transport.is_writable and not self.is_lost:
            waiting = self.transport.backlog
            self._room.clear()
            try:
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await self._room.wait()
            except TimeoutError:
                if self.transport.backlog >= waiting:
                    raise

    async def flush(self) -> None:
        """Wait until all that was written has gone to the kernel.

        Raises:
            TimeoutError: the other end takes nothing any more.
        """
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        waiting, since = self.transport.backlog, loop.time()
        while not self.is_lost and self.transport.backlog:
            await asyncio.sleep(_LOOK)
            if self.transport.backlog < waiting:
                waiting, since = self.transport.backlog, loop.time()
            elif loop.time() >= since + WRITE_TIMEOUT:
                raise TimeoutError

    # The transport tells...

    def data_received(self, data: bytes) -> None:
        """These bytes arrived."""
        if self._is_over:
            return
        self.buffer += data
        if len(self.buffer) > AHEAD and not self._is_held:
            self._is_held = True
            self.transport.hold(True)
        self._news.set()

    def data_ended(self) -> None:
        """The other end says no more; it may still read."""
        self.stop()
        self.on_gone()

    def writable(self) -> None:
        """The transport takes more."""
        self._room.set()

    def lost(self, error: Exception | None) -> None:
        """The transport is gone."""
        had_ended, self.is_lost = self.has_ended, True
        self.stop()
        self._room.set()
        if not had_ended:
            self.on_gone()


def _nothing() -> None:
    pass
