"""The ``websockets`` library, compression off, as its documentation recommends for small messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from .halls import COUNTS, Hall, Line
from .load import talking, web
from .peer import Peer, Play


@asynccontextmanager
async def serve_messages() -> AsyncIterator[str]:
    from websockets.asyncio.server import broadcast, serve

    hall = Hall(broadcast)

    async def program(socket: Any) -> None:
        hall.everybody.append(socket)
        try:
            async for message in socket:
                if message in COUNTS:
                    await hall.tell(message)
                else:
                    await socket.send(message)
        finally:
            hall.everybody.remove(socket)

    async with serve(program, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def connect_messages(place: str) -> AsyncIterator[Line]:
    from websockets.asyncio.client import connect

    async with connect(place, compression=None, ping_interval=None) as socket:
        yield _WebsocketsLine(socket)


class _WebsocketsLine:
    def __init__(self, socket: Any) -> None:
        self.send = socket.send
        self.receive = socket.recv


_LOADED = Play(serve_messages, talking(lambda place: web(urlsplit(place).port or 0)))
PEER = Peer(
    "websockets",
    {
        "messages": Play(serve_messages, connect_messages),
        "trips": _LOADED,
        "crowds": _LOADED,
        "fan-out": _LOADED,
    },
    modules=("websockets",),
)
