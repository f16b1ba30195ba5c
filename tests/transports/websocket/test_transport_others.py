"""Our WebSocket talks to those of others, at either end: the packages ``websockets`` and ``aiohttp``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import websockets.asyncio.client
import websockets.asyncio.server
from aiohttp import web

from benchmarks.websocket.server import listen
from landline.testing.transport_conformance import BOUND, Recorder
from landline.transports import Transport, parse_address
from landline.transports.websocket.client import open_transport

SIZES = (1, 125, 126, 65535, 65536, 300_000)


class Echo(Recorder):
    """Sends back what it is sent, and closes when the other end does."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self.transport = transport
        transport.start(self)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        super().data_received(data)

    def data_ended(self) -> None:
        self.transport.close()
        super().data_ended()


def payload(size: int) -> bytes:
    return bytes(range(256)) * (size // 256) + bytes(size % 256)


# Their servers...


@asynccontextmanager
async def server_of_websockets() -> AsyncIterator[int]:
    async def talk(socket: Any) -> None:
        async for message in socket:
            await socket.send(message)
        await socket.wait_closed()

    async with websockets.asyncio.server.serve(talk, "127.0.0.1", 0) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@asynccontextmanager
async def server_of_aiohttp() -> AsyncIterator[int]:
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/", talk)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("serve", [server_of_websockets, server_of_aiohttp])
async def test_our_client_talks_to_their_servers(serve: Any) -> None:
    """Messages of every kind of length; our Close is answered, and it all ends in an orderly way."""
    async with asyncio.timeout(BOUND), serve() as port:
        transport = await open_transport(parse_address(f"ws://127.0.0.1:{port}"))
        hears = Recorder()
        transport.start(hears)
        for size in SIZES:
            hears.data.clear()
            transport.write(payload(size))
            await hears.until(lambda size=size: len(hears.data) == size)  # type: ignore[misc]
            assert hears.data == payload(size)
        transport.end()
        await hears.until_told("ended")
        transport.close()
        await hears.until_told("lost")

    assert hears.error is None


@pytest.mark.parametrize("serve", [server_of_websockets, server_of_aiohttp])
async def test_their_servers_are_told_of_our_close(serve: Any) -> None:
    """Which they answer, so that nobody waits."""
    async with asyncio.timeout(BOUND), serve() as port:
        transport = await open_transport(parse_address(f"ws://127.0.0.1:{port}"))
        hears = Recorder()
        transport.start(hears)
        transport.close()
        await hears.until_told("lost")

    assert (hears.told, hears.error) == (["lost"], None)


# Their clients...


@asynccontextmanager
async def our_server() -> AsyncIterator[tuple[str, list[Echo]]]:
    echoes: list[Echo] = []
    listener = await listen("ws://127.0.0.1:0", lambda transport: echoes.append(Echo(transport)))
    try:
        yield listener.addresses[0], echoes
    finally:
        listener.close()


async def test_websockets_talks_to_our_server() -> None:
    """It offers compression, and does without; fragments, pings and the Close are its own."""
    async with asyncio.timeout(BOUND), our_server() as (address, echoes):
        async with websockets.asyncio.client.connect(address, max_size=None) as socket:
            assert socket.response is not None and "Sec-WebSocket-Extensions" not in socket.response.headers
            for size in SIZES:
                await socket.send(payload(size))
                assert await _all(socket.recv, size) == payload(size)
            await socket.send([b"in ", b"frag", b"ments"])
            assert await _all(socket.recv, 12) == b"in fragments"
            await (await socket.ping(b"there?"))
        await echoes[0].until_told("lost")

        assert (socket.close_code, echoes[0].error) == (1000, None)


async def test_websockets_is_told_what_we_do_not_take() -> None:
    """Text, by a code."""
    async with asyncio.timeout(BOUND), our_server() as (address, echoes):
        async with websockets.asyncio.client.connect(address) as socket:
            await socket.send("text")
            with pytest.raises(websockets.exceptions.ConnectionClosedError):
                await socket.recv()
        await echoes[0].until_told("lost")

    assert socket.close_code == 1003
    assert str(echoes[0].error) == socket.close_reason == "a text message, where only binary ones are taken"


async def test_aiohttp_talks_to_our_server() -> None:
    """It offers compression, and does without; its Close is answered."""
    async with asyncio.timeout(BOUND), our_server() as (address, echoes):
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{address.replace('ws', 'http', 1)}/", compress=15, max_msg_size=0) as socket,
        ):
            for size in SIZES:
                await socket.send_bytes(payload(size))
                assert await _all(socket.receive_bytes, size) == payload(size)
            await socket.ping(b"there?")
        await echoes[0].until_told("lost")

        assert (socket.close_code, echoes[0].error) == (1000, None)


async def _all(receive: Any, size: int) -> bytes:
    """Receive messages until they have so many bytes: an echo comes in as many as it arrived in."""
    found = b""
    while len(found) < size:
        found += await receive()
    return found
