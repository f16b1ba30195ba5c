"""The floors, without acks, resume or limits: a bare ``Protocol`` with frames, and for bulk the loop's own way to take bytes in.

The frame is four bytes of length, then the message. The loop is uvloop, unless ``--loop asyncio``.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from .halls import COUNTS, Hall, Line
from .load import framed, talking
from .peer import MESSAGE, Peer, Play, Pourer

_LENGTH: Final = struct.Struct("!I")
LARGE: Final = 16 * 1024
"""From here on it costs less to write header and payload than to join them."""
AT_ONCE: Final = 256 * 1024
"""Bytes that are written at once, about."""

# Messages...


@asynccontextmanager
async def serve_messages(
    tls: ssl.SSLContext | None = None, *, is_awaited: bool = False
) -> AsyncIterator[str]:
    def broadcast(everybody: list[_Bare], data: bytes) -> None:
        frame = _LENGTH.pack(len(data)) + data
        for line in everybody:
            line.write_frame(frame)

    hall = Hall(broadcast)

    class ServerLine(_Bare):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            hall.everybody.append(self)
            if is_awaited:
                self._answering = self._loop.create_task(self._answer())

        def connection_lost(self, exc: Exception | None) -> None:
            hall.everybody.remove(self)
            if is_awaited:
                self._answering.cancel()

        def message(self, data: bytes) -> None:
            if is_awaited:
                super().message(data)
            elif data in COUNTS:
                for _ in range(COUNTS[data]):
                    broadcast(hall.everybody, MESSAGE)
            else:
                self.write(data)

        async def _answer(self) -> None:
            while True:
                await self.send(await self.receive())

    loop = asyncio.get_running_loop()
    server = await loop.create_server(ServerLine, "127.0.0.1", 0, backlog=4096, ssl=tls)
    try:
        yield str(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@asynccontextmanager
async def connect_messages(place: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Line]:
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(_Bare, "127.0.0.1", int(place), ssl=tls)
    try:
        yield line
    finally:
        line.transport.close()


class _Bare(asyncio.Protocol):
    """Frames both ways; writes are joined once per tick, as ours are, so that like is compared with like."""

    def __init__(self) -> None:
        self._buffer = b""
        self._out: list[bytes] = []
        self._inbox: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        at, end = 0, len(data)
        while end - at >= 4:
            stop = at + 4 + _LENGTH.unpack_from(data, at)[0]
            if stop > end:
                break
            self.message(data[at + 4 : stop])
            at = stop
        self._buffer = data[at:]

    def message(self, data: bytes) -> None:
        self._inbox.append(data)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def write(self, data: bytes) -> None:
        self.write_frame(_LENGTH.pack(len(data)) + data)

    def write_frame(self, frame: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)

    def _flush(self) -> None:
        out, self._out = self._out, []
        self.transport.write(b"".join(out))

    async def send(self, data: bytes) -> None:
        self.write(data)
        if len(self._out) > 4096:
            await asyncio.sleep(0)
        await self._can_write.wait()

    async def receive(self) -> bytes:
        while not self._inbox:
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._inbox.popleft()


# Bulk: how many bytes come is said first, and one byte back says that all have...


class _Taking(asyncio.BufferedProtocol):
    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(256 * 1024))
        self._head = bytearray()
        self._left = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if not self._left:
            self._head += self._buffer[:nbytes]
            if len(self._head) < 8:
                return
            self._left = int.from_bytes(self._head[:8], "big")
            nbytes = len(self._head) - 8
            self._head.clear()
        self._left -= nbytes
        if not self._left:
            self._transport.write(b"!")


class _Pouring(asyncio.Protocol):
    def __init__(self) -> None:
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._answered = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def data_received(self, data: bytes) -> None:
        self._answered.set()

    async def pour(self, piece: bytes, count: int) -> None:
        self._answered.clear()
        self.transport.write((len(piece) * count).to_bytes(8, "big"))
        for _ in range(count):
            self.transport.write(piece)
            await self._can_write.wait()
        await self._answered.wait()


class _Large(_Pouring):
    """The same in frames, at both ends: an empty one is the last. What is large is not joined when it is written.

    What is read is joined and then cut, which copies it twice, and was half as quick again as to cut each message out of the pieces once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._held = 0
        self._needed = _LENGTH.size
        self._out: list[bytes] = []
        self._sum: asyncio.Future[int] | None = None
        self._arrived = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held += len(data)
        if self._held < self._needed:
            return
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        at, end, stop = 0, len(data), _LENGTH.size
        while end - at >= _LENGTH.size:
            stop = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
            if stop > end:
                break
            self.message(data[at + _LENGTH.size : stop])
            at, stop = stop, stop + _LENGTH.size
        self._needed = stop - at
        self._pieces, self._held = [data[at:]], end - at

    def message(self, data: bytes) -> None:
        if self._sum is not None:
            self._sum.set_result(int(data))
        elif data:
            self._arrived += len(data)
        else:
            self.write(b"%d" % self._arrived)
            self._arrived = 0

    def write(self, data: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out += (_LENGTH.pack(len(data)), data)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if len(out[1]) < LARGE:
            self.transport.write(b"".join(out))
        else:
            self.transport.writelines(out)

    async def pour(self, piece: bytes, count: int) -> None:
        self._sum = self._loop.create_future()
        at_once = max(1, AT_ONCE // len(piece))
        for number in range(1, count + 1):
            self.write(piece)
            if number % at_once == 0:
                await asyncio.sleep(0)
            await self._can_write.wait()
        self.write(b"")
        if await self._sum != len(piece) * count:
            raise ValueError("not all of it has come")


@asynccontextmanager
async def serve_bulk(
    tls: ssl.SSLContext | None = None, *, taking: type[asyncio.BaseProtocol] = _Taking
) -> AsyncIterator[str]:
    server = await asyncio.get_running_loop().create_server(taking, "127.0.0.1", 0, ssl=tls)
    try:
        yield str(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@asynccontextmanager
async def connect_bulk(
    place: str, tls: ssl.SSLContext | None = None, *, pouring: type[_Pouring] = _Pouring
) -> AsyncIterator[Pourer]:
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(pouring, "127.0.0.1", int(place), ssl=tls)
    try:
        yield line
    finally:
        line.transport.close()


_LOADED = Play(serve_messages, talking(lambda place: framed(int(place))))
_PLAYS = {
    "messages": Play(serve_messages, connect_messages),
    "trips": _LOADED,
    "crowds": _LOADED,
    "fan-out": _LOADED,
    "bulk": Play(partial(serve_bulk, taking=_Large), partial(connect_bulk, pouring=_Large)),
}
BARE = Peer("bare protocol", _PLAYS)
_AWAITED = partial(serve_messages, is_awaited=True)
_AWAITED_LOADED = Play(_AWAITED, talking(lambda place: framed(int(place))))
BARE_AWAITED = Peer(
    "bare protocol, awaited",
    {
        "messages": Play(_AWAITED, connect_messages),
        "trips": _AWAITED_LOADED,
        "crowds": _AWAITED_LOADED,
    },
)
"""Its server is a coroutine for each connection, as programs are written: what that costs by itself."""
BARE_ON_ASYNCIO = Peer("bare protocol on asyncio", _PLAYS, loop="asyncio")
RAW = Peer("raw loop", {"bulk": Play(serve_bulk, connect_bulk)})
