"""A WebSocket that another server speaks, as a transport: what ASGI's ``websocket`` scope gives and takes.

What is written at once is one binary message, or a few if it is large. Neither end can end one direction alone here: ASGI knows only a close of both.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from ..errors import ProtocolError
from ..limits import TRANSPORT
from ..transports.address import Address
from ..transports.base import Borrower, Receiver, Transport, joined, nothing
from ..transports.tcp_listener import source_of
from .types import Message, Receive, Scope, Send

log = logging.getLogger("landline.web")

HIGH_WATER: Final = TRANSPORT.backlog
LINGER: Final = TRANSPORT.linger

_PIECE: Final = 16 << 10
"""Bytes of one message: of those that wait, only whole messages are seen to go, and a slow line must not look like a dead one."""

_NORMAL: Final = 1000
_NO_TEXT: Final = 1003
_ORDERLY: Final = {_NORMAL, 1001, 1005}


class AsgiTransport:
    """One WebSocket, from its acceptance on; ``run`` is what the ASGI application does for it."""

    wrapping = 0  # the server puts it around, and says nothing of it

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        kind = "wss" if scope.get("scheme") == "wss" else "ws"
        self.peer = str(Address(kind, host=client[0], port=client[1])) if client else ""
        self.source = source_of(client[0]) if client else ""
        self.on_lost: Callable[[Transport], None] = nothing
        self.backlog = 0
        self._receive = receive
        self._send = send
        self._receiver: Receiver | None = None
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._may_read = asyncio.Event()
        self._may_write = asyncio.Event()
        self._gone = asyncio.Event()
        self._is_held = False
        self._is_closing = False
        self._is_lost = False
        self._code = _NORMAL
        self._error: Exception | None = None
        self._linger: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Move messages both ways until either end has closed; then the receiver has been told."""
        tasks = [asyncio.ensure_future(self._read()), asyncio.ensure_future(self._write())]
        for task in tasks:
            task.add_done_callback(self._done)
        try:
            await self._gone.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._lose()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._gone.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a WebSocket failed", exc_info=error)

    # What the writer sees...

    @property
    def is_writable(self) -> bool:
        """Whether more should be written now."""
        return not self._is_closing and self.backlog <= HIGH_WATER

    def start(self, receiver: Receiver) -> None:
        """Tell ``receiver`` from now on."""
        self._receiver = receiver
        self.hold(self._is_held)

    def hold(self, is_held: bool) -> None:
        """Read no more for now, or read on."""
        self._is_held = is_held
        if self._receiver is not None and (self._is_closing or not is_held):
            self._may_read.set()
        else:
            self._may_read.clear()

    def widen(self, borrower: Borrower) -> None:
        """Nothing is read here: what was written comes as it was."""

    def write(self, *pieces: bytes) -> None:
        """Send them."""
        data = joined(pieces)
        if data and not self._is_closing:
            self._waiting += [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
            self.backlog += len(data)
            self._may_write.set()

    def end(self) -> None:
        """Close: there is no end of one direction here."""
        self.close()

    def close(self) -> None:
        """Send what waits, and then a close; whoever takes nothing is left after two seconds."""
        if not self._is_closing:
            self._is_closing = True
            self._may_write.set()
            self._linger = self._loop.call_later(LINGER, self._gone.set)

    def abort(self) -> None:
        """Go at once; the server is left to tell the other end."""
        self._is_closing = True
        self._waiting.clear()
        self.backlog = 0
        self._gone.set()

    # What ASGI gives and takes...

    async def _read(self) -> None:
        while True:
            await self._may_read.wait()
            message = await self._receive()
            await self._may_read.wait()
            if message["type"] == "websocket.disconnect":
                self._hear_close(message)
                return
            if self._is_closing or self._receiver is None:
                continue
            if message.get("bytes") is None:
                self._error = ProtocolError("a text message came, where sessions are binary")
                self._code = _NO_TEXT
                self._waiting.clear()
                self.close()
            else:
                self._receiver.data_received(message["bytes"])

    def _hear_close(self, message: Message) -> None:
        code = message.get("code", _NORMAL)
        if code not in _ORDERLY and self._error is None:
            self._error = ProtocolError(f"the other end closed its WebSocket with {code}")
        if self._receiver is not None and not self._is_closing and self._error is None:
            self._receiver.data_ended()

    async def _write(self) -> None:
        # The server raises what it likes for a WebSocket that has gone; that it has, its receive says too.
        with contextlib.suppress(Exception):
            while True:
                await self._may_write.wait()
                self._may_write.clear()
                while self._waiting:
                    await self._write_one()
                if self._is_closing:
                    break
            await self._send({"type": "websocket.close", "code": self._code})

    async def _write_one(self) -> None:
        data = self._waiting.popleft()
        await self._send({"type": "websocket.send", "bytes": data})
        was_full = self.backlog > HIGH_WATER
        self.backlog = max(0, self.backlog - len(data))
        if was_full and self.is_writable and self._receiver is not None:
            self._receiver.writable()

    def _lose(self) -> None:
        if self._is_lost:
            return
        self._is_lost = self._is_closing = True
        self._waiting.clear()
        self.backlog = 0
        if self._linger is not None:
            self._linger.cancel()
        if self._receiver is not None:
            self._receiver.lost(self._error)
        self.on_lost(self)
