"""Much over TLS without a session: the loop's own TLS under its protocols, asyncio's streams, and our transport alone.

How many bytes come is said first, and one byte back says that all have, as in ``bare``.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import landline
from landline.transports import TlsTransport, Transport, open_listener, open_transport, parse_address

from . import bare
from .halls import Line
from .peer import Peer, Play, Pourer

SIZE = 8
READ = 256 * 1024


@asynccontextmanager
async def certified() -> AsyncIterator[landline.ServerTLS]:
    """Make a certificate, as ours use it."""
    with tempfile.TemporaryDirectory() as folder:
        yield landline.make_certificate(Path(folder), ["localhost"])


def unverified() -> ssl.SSLContext:
    """Return what takes any certificate: who the other end is costs nothing here."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


# The loop's own...


@asynccontextmanager
async def serve_bulk() -> AsyncIterator[str]:
    async with certified() as certificate, bare.serve_bulk(certificate.context) as place:
        yield place


@asynccontextmanager
async def connect_bulk(place: str) -> AsyncIterator[Pourer]:
    async with bare.connect_bulk(place, unverified()) as pourer:
        yield pourer


@asynccontextmanager
async def serve_messages() -> AsyncIterator[str]:
    async with certified() as certificate, bare.serve_messages(certificate.context) as place:
        yield place


@asynccontextmanager
async def connect_messages(place: str) -> AsyncIterator[Line]:
    async with bare.connect_messages(place, unverified()) as line:
        yield line


# Streams...


@asynccontextmanager
async def serve_streams() -> AsyncIterator[str]:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(SIZE):
            left = int.from_bytes(head + await reader.readexactly(SIZE - len(head)), "big")
            while left:
                left -= len(await reader.read(min(left, READ)))
            writer.write(b"!")
        writer.close()

    async with certified() as certificate:
        server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=certificate.context)
        try:
            yield str(server.sockets[0].getsockname()[1])
        finally:
            server.close()


@asynccontextmanager
async def connect_streams(place: str) -> AsyncIterator[Pourer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(place), ssl=unverified())
    try:
        yield _Streaming(reader, writer)
    finally:
        writer.close()


class _Streaming:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def pour(self, piece: bytes, count: int) -> None:
        self._writer.write((len(piece) * count).to_bytes(SIZE, "big"))
        for _ in range(count):
            self._writer.write(piece)
            await self._writer.drain()
        await self._reader.readexactly(1)


# Our transport...


class _Receiving:
    """Takes bytes in and says so at the end; at the other end, hears of that and of room."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._left = 0
        self._head = b""
        self.has_room = asyncio.Event()
        self.answered = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        if not self._left:
            self._head += data
            if len(self._head) < SIZE:
                return
            self._left, data, self._head = int.from_bytes(self._head[:SIZE], "big"), self._head[SIZE:], b""
        self._left -= len(data)
        if not self._left:
            self._transport.write(b"!")

    def data_ended(self) -> None:
        self._transport.close()

    def writable(self) -> None:
        self.has_room.set()

    def lost(self, error: Exception | None) -> None:
        self.has_room.set()


class _Pouring(_Receiving):
    def data_received(self, data: bytes) -> None:
        self.answered.set()

    async def pour(self, piece: bytes, count: int) -> None:
        self.answered.clear()
        self._transport.write((len(piece) * count).to_bytes(SIZE, "big"))
        for _ in range(count):
            while not self._transport.is_writable:
                self.has_room.clear()
                await self.has_room.wait()
            self._transport.write(piece)
        await self.answered.wait()


@asynccontextmanager
async def serve_transport() -> AsyncIterator[str]:
    async with certified() as certificate:

        def accept(inner: Transport) -> None:
            transport = TlsTransport(inner, certificate.context)
            transport.start(_Receiving(transport))

        listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=1)
        try:
            yield f"{listener.addresses[0].replace('tcp://', 'tls://', 1)} {certificate.fingerprint}"
        finally:
            listener.close()


@asynccontextmanager
async def connect_transport(place: str) -> AsyncIterator[Pourer]:
    address, fingerprint = place.split()
    transport: Any = await open_transport(parse_address(address), landline.ClientTLS(fingerprint=fingerprint))
    pouring = _Pouring(transport)
    transport.start(pouring)
    try:
        yield pouring
    finally:
        transport.abort()


RAW = Peer(
    "raw loop with TLS",
    {
        "bulk with TLS": Play(serve_bulk, connect_bulk),
        "messages with TLS": Play(serve_messages, connect_messages),
    },
)
STREAMS = Peer(
    "asyncio streams with TLS", {"bulk with TLS": Play(serve_streams, connect_streams)}, loop="asyncio"
)
TRANSPORT = Peer("our TLS alone", {"bulk with TLS": Play(serve_transport, connect_transport)}, is_ours=True)
