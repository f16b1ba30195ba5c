"""The ``aiohttp`` library, without compression and without a log of who came."""

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
    from aiohttp import web

    async def broadcast(everybody: list[Any], data: bytes) -> None:
        for socket in everybody:
            await socket.send_bytes(data)

    hall = Hall(broadcast)

    async def talk(request: Any) -> Any:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        hall.everybody.append(socket)
        try:
            async for message in socket:
                if message.data in COUNTS:
                    await hall.tell(message.data)
                else:
                    await socket.send_bytes(message.data)
        finally:
            hall.everybody.remove(socket)
        return socket

    app = web.Application()
    app.router.add_get("/", talk)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connect_messages(place: str) -> AsyncIterator[Line]:
    import aiohttp

    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(place, compress=0) as socket,
    ):
        yield _AiohttpLine(socket)


class _AiohttpLine:
    def __init__(self, socket: Any) -> None:
        self.send = socket.send_bytes
        self.receive = socket.receive_bytes


_LOADED = Play(serve_messages, talking(lambda place: web(urlsplit(place).port or 0)))
PEER = Peer(
    "aiohttp",
    {
        "messages": Play(serve_messages, connect_messages),
        "trips": _LOADED,
        "crowds": _LOADED,
        "fan-out": _LOADED,
    },
    modules=("aiohttp",),
)
