"""What carries our sessions over WebSocket, without one: each message is a WebSocket message, and whoever is cut off has lost what was on its way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from landline.transports import Transport, open_transport, parse_address

from ..websocket.server import listen
from .halls import COUNTS, Hall, Line
from .load import talking, web
from .peer import MESSAGE, Peer, Play


@asynccontextmanager
async def serve_messages() -> AsyncIterator[str]:
    def broadcast(everybody: list[Transport], data: bytes) -> None:
        for transport in everybody:
            transport.write(data)

    hall = Hall(broadcast)

    def accept(transport: Transport) -> None:
        transport.start(_Answering(transport, hall))

    listener = await listen("ws://127.0.0.1:0", accept)
    try:
        yield f"{listener.addresses[0]}/"
    finally:
        listener.close()


@asynccontextmanager
async def connect_messages(place: str) -> AsyncIterator[Line]:
    transport = await open_transport(parse_address(place))
    line = _CarrierLine(transport)
    transport.start(line)
    try:
        yield line
    finally:
        transport.abort()


class _Receiving:
    """Several messages may be told at once: all here have one size, but for the two orders."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def data_ended(self) -> None:
        self._transport.close()

    def writable(self) -> None: ...

    def lost(self, error: Exception | None) -> None: ...


class _Answering(_Receiving):
    def __init__(self, transport: Transport, hall: Hall) -> None:
        super().__init__(transport)
        self._hall = hall
        hall.everybody.append(transport)

    def data_received(self, data: bytes) -> None:
        if data in COUNTS:
            _run(self._hall.tell(data))
            return
        for at in range(0, len(data), len(MESSAGE)):
            self._transport.write(data[at : at + len(MESSAGE)])

    def lost(self, error: Exception | None) -> None:
        self._hall.everybody.remove(self._transport)


class _CarrierLine(_Receiving):
    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    async def send(self, data: bytes) -> None:
        while not self._transport.is_writable:
            self._room = self._loop.create_future()
            await self._room
        self._transport.write(data)

    async def receive(self) -> bytes:
        if not self._arrived:
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._arrived.popleft()

    def data_received(self, data: bytes) -> None:
        self._arrived += [data[at : at + len(MESSAGE)] for at in range(0, len(data), len(MESSAGE))]
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def writable(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)


def _run(answering: Coroutine[Any, Any, None]) -> None:
    """Run what never waits."""
    try:
        answering.send(None)
    except StopIteration:
        return
    raise RuntimeError("an answer that waits")


_LOADED = Play(serve_messages, talking(lambda place: web(urlsplit(place).port or 0)))
PEER = Peer(
    "our WebSocket alone",
    {
        "messages": Play(serve_messages, connect_messages),
        "trips": _LOADED,
        "crowds": _LOADED,
        "fan-out": _LOADED,
    },
    is_ours=True,
)
