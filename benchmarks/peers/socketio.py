"""Socket.IO: an echo by events, calls by ``AsyncClient.call`` and its ack, under uvicorn.

WebSocket from the start, no compression, msgpack, no logs.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from landline.transports.websocket.frames import BINARY, encode_close, encode_frame

from .halls import COUNTS, Hall, Line
from .load import KEY, Talk, talking, upgrade
from .peer import MESSAGE, Caller, Calls, Peer, Play


@asynccontextmanager
async def serve() -> AsyncIterator[str]:
    import socketio
    import uvicorn

    server = socketio.AsyncServer(
        async_mode="asgi", serializer="msgpack", transports=["websocket"], http_compression=False
    )

    async def broadcast(everybody: list[Any], data: bytes) -> None:
        await server.emit("message", data)

    hall = Hall(broadcast)

    @server.event  # type: ignore[untyped-decorator, unused-ignore]
    async def message(sid: str, data: bytes) -> None:
        if data in COUNTS:
            await hall.tell(data)
        else:
            await server.emit("message", data, to=sid)

    @server.event  # type: ignore[untyped-decorator, unused-ignore]
    async def echo(sid: str, data: bytes) -> bytes:
        return data

    config = uvicorn.Config(
        socketio.ASGIApp(server),
        lifespan="off",
        access_log=False,
        log_level="error",
        ws_per_message_deflate=False,
        backlog=4096,
    )
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    web = uvicorn.Server(config)
    serving = asyncio.ensure_future(web.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        web.should_exit = web.force_exit = True
        await serving


@asynccontextmanager
async def _connect(place: str) -> AsyncIterator[Any]:
    import socketio

    client = socketio.AsyncClient(serializer="msgpack", reconnection=False)
    await client.connect(place, transports=["websocket"])
    try:
        yield client
    finally:
        await client.disconnect()


@asynccontextmanager
async def connect_messages(place: str) -> AsyncIterator[Line]:
    async with _connect(place) as client:
        yield _SocketioLine(client)


class _SocketioLine:
    def __init__(self, client: Any) -> None:
        arrived: asyncio.Queue[bytes] = asyncio.Queue()
        client.on("message", arrived.put)
        self.send = partial(client.emit, "message")
        self.receive = arrived.get


@asynccontextmanager
async def connect_calls(place: str) -> AsyncIterator[Caller]:
    async with _connect(place) as client:

        async def call(data: bytes) -> bytes:
            result: bytes = await client.call("echo", data)
            return result

        yield Calls(call)


def talk(place: str) -> Talk:
    """Engine.IO opens with a text that ends in ``}``, and Socket.IO greets with a map whose last pair is the namespace ``/``."""
    from socketio.msgpack_packet import MsgPackPacket
    from socketio.packet import CONNECT

    def event(data: bytes) -> bytes:
        packed: bytes = MsgPackPacket(data=["message", data], namespace="/").encode()
        return packed

    port = urlsplit(place).port or 0
    asked, _ = upgrade(port, "/socket.io/?EIO=4&transport=websocket")
    connect = encode_frame(BINARY, MsgPackPacket(packet_type=CONNECT, data={}, namespace="/").encode(), KEY)
    size = len(encode_frame(BINARY, event(MESSAGE)))
    return Talk(
        port,
        greeting=((asked, b"}"), (connect, b"\xa3nsp\xa1/")),
        say=encode_frame(BINARY, event(MESSAGE), KEY),
        answer=size,
        orders={count: encode_frame(BINARY, event(order), KEY) for order, count in COUNTS.items()},
        delivery=size,
        bye=encode_close(1000, "", KEY),
    )


_LOADED = Play(serve, talking(talk))
PEER = Peer(
    "python-socketio",
    {
        "messages": Play(serve, connect_messages),
        "trips": _LOADED,
        "crowds": _LOADED,
        "fan-out": _LOADED,
        "calls": Play(serve, connect_calls),
    },
    modules=("socketio", "msgpack", "aiohttp", "uvicorn"),
)
