"""Every door that a session may come by, each on a real socket: what a server is to keep to holds at all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn

import landline

DOORS: Final = ("tcp", "tls", "ws", "wss", "unix", "asgi")
"""``asgi`` is a WebSocket in uvicorn, which brings it in."""

BOUND: Final = 20.0


class Uvicorn(uvicorn.Server):
    """Uvicorn, in this process, that says when it serves."""

    def __init__(self, app: Any) -> None:
        super().__init__(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=5))
        self.serves = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.serves.set()

    @property
    def port(self) -> int:
        port = self.servers[0].sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    """Uvicorn serves an application; its port."""
    server = Uvicorn(app)
    running = asyncio.ensure_future(server._serve())
    async with asyncio.timeout(BOUND):
        await server.serves.wait()
    try:
        yield server.port
    finally:
        server.should_exit = True
        async with asyncio.timeout(BOUND):
            await running


@asynccontextmanager
async def open_door(door: str, server: landline.Server, folder: Path) -> AsyncIterator[str]:
    """Serve by one door, ``server`` having TLS where it takes that; the address to dial."""
    if door == "asgi":
        async with serving(landline.asgi(server)) as port:
            yield f"ws://127.0.0.1:{port}/"
    elif door == "unix":
        async with server.listen(f"unix://{folder}/door") as listening:
            yield listening.addresses[0]
    else:
        async with server.listen("tcp://127.0.0.1:0") as listening:
            yield f"{door}://{listening.addresses[0].removeprefix('tcp://')}"
