"""Dialling a WebSocket: what is said of those who answer otherwise, and that nothing stays open of a dial that failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from benchmarks.websocket.server import listen
from landline.errors import ConnectError
from landline.testing.transport_conformance import BOUND, Recorder
from landline.transports import Transport, parse_address
from landline.transports.websocket import accept_key, encode_answer
from landline.transports.websocket.client import open_transport
from landline.transports.websocket.frames import BINARY, encode_frame

if TYPE_CHECKING:
    from tests.transports.conftest import Authority

Answer = Callable[[bytes], bytes | None]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, list[asyncio.StreamReader]]]:
    """Serve one answer to each request, or an end of the line for None; yield the address and the lines."""
    lines: list[asyncio.StreamReader] = []
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(reader)
        request = await reader.readuntil(b"\r\n\r\n")
        said = answer(request)
        if said is None:
            writer.close()
            return
        writer.write(said)
        await over.wait()
        writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with asyncio.timeout(BOUND):
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}", lines
        over.set()
    listening.close()
    await listening.wait_closed()


def key_of(request: bytes) -> str:
    lines = request.decode().split("\r\n")
    return next(line.partition(": ")[2] for line in lines if line.startswith("Sec-WebSocket-Key"))


async def test_what_comes_behind_the_answer_waits_for_the_start() -> None:
    """In the same packet; the transport's peer is the address that was dialled."""

    def answer(request: bytes) -> bytes:
        assert request.startswith(b"GET /there?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")
        return encode_answer(key_of(request)) + encode_frame(BINARY, b"early")

    async with server(answer) as (address, _):
        transport = await open_transport(parse_address(f"{address}/there?x=1"))
        await asyncio.sleep(0)
        hears = Recorder()
        transport.start(hears)
        await hears.until_told("data")

        assert hears.data == b"early"
        assert transport.peer == f"{address}/there?x=1"
        transport.abort()
        await hears.until_told("lost")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\nnothing", "a web server answered 404 there, and no landline server"),
        (b"220 smtp.example ESMTP\r\n", "what answered there speaks no HTTP, and so no WebSocket"),
        (encode_answer(accept_key("")), "what answered there did not read our request"),
        (None, "the line was closed there before anything answered"),
    ],
)
async def test_who_is_no_websocket_is_told_apart_and_left(answer: bytes | None, reason: str) -> None:
    """The reason says who answered; nothing stays open."""
    async with server(lambda _: answer) as (address, lines):
        with pytest.raises(ConnectError) as caught:
            await open_transport(parse_address(address))
        assert await _rest(lines[0]) == b""

    assert caught.value.address == address
    assert caught.value.reason.startswith(reason)


async def test_nobody_is_there() -> None:
    """The reason is TCP's, the address the one that was dialled."""
    async with server(lambda _: None) as (address, _):
        pass
    with pytest.raises(ConnectError) as caught:
        await open_transport(parse_address(f"{address}/x"))

    assert (caught.value.address, caught.value.reason) == (f"{address}/x", "nobody listens there")


async def test_whom_we_do_not_trust_is_not_asked(authority: Authority, stranger: Authority) -> None:
    """The reason is TLS's, the address the one that was dialled."""

    def accept(transport: Transport) -> None:
        raise AssertionError

    listener = await listen("wss://127.0.0.1:0", accept, tls=authority.server())
    address = f"{listener.addresses[0]}/x"
    async with asyncio.timeout(BOUND):
        with pytest.raises(ConnectError, match="certificate") as caught:
            await open_transport(parse_address(address), stranger.client())
    listener.close()

    assert caught.value.address == address


async def test_a_dial_that_is_given_up_leaves_no_socket() -> None:
    """However far it came: the other end sees the line go."""
    asked = asyncio.Event()

    def answer(request: bytes) -> bytes:
        asked.set()
        return b"HTTP/1.1 101 Switching Pro"

    async with server(answer) as (address, lines):
        dial = asyncio.ensure_future(open_transport(parse_address(address)))
        await asked.wait()
        dial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dial

        assert await _rest(lines[0]) == b""


async def _rest(line: asyncio.StreamReader) -> bytes:
    """Read on until the line is gone, whichever way."""
    try:
        return await line.read()
    except ConnectionResetError:
        return b""
