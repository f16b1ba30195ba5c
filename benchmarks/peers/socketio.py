"""Socket.IO: ``AsyncClient.call`` and its ack, under uvicorn; WebSocket from the start, no compression, msgpack for bytes, no logs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .peer import Caller, Calls, Peer, Play


@asynccontextmanager
async def serve_calls() -> AsyncIterator[str]:
    import socketio
    import uvicorn

    server = socketio.AsyncServer(
        async_mode="asgi", serializer="msgpack", transports=["websocket"], http_compression=False
    )

    @server.event  # type: ignore[untyped-decorator, unused-ignore]
    async def echo(sid: str, data: bytes) -> bytes:
        return data

    config = uvicorn.Config(
        socketio.ASGIApp(server),
        lifespan="off",
        access_log=False,
        log_level="error",
        ws_per_message_deflate=False,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    web = uvicorn.Server(config)
    serving = asyncio.ensure_future(web.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        web.should_exit = web.force_exit = True
        await serving


@asynccontextmanager
async def connect_calls(place: str) -> AsyncIterator[Caller]:
    import socketio

    client = socketio.AsyncClient(serializer="msgpack", reconnection=False)
    await client.connect(place, transports=["websocket"])

    async def call(data: bytes) -> bytes:
        result: bytes = await client.call("echo", data)
        return result

    try:
        yield Calls(call)
    finally:
        await client.disconnect()


PEER = Peer(
    "python-socketio",
    {"calls": Play(serve_calls, connect_calls)},
    modules=("socketio", "msgpack", "aiohttp", "uvicorn"),
)
