"""This project, through its public door: over TCP, over TLS, over WebSocket."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import landline

from .halls import COUNTS, Hall, Line
from .load import Talk, publishers, session, talking, topic
from .peer import MESSAGE, Caller, Calls, Copier, Listener, Peer, Play, Pourer, Reader
from .secure import certified

PIECE = 256 * 1024
"""Bytes of a file that are sent as one item."""

END = b"end"
TOPIC = "t.bench"


def _roomy() -> landline.Limits:
    return landline.Limits(max_connections=100_000, max_sessions=100_000)


@asynccontextmanager
async def _certificate(*, is_secure: bool) -> AsyncIterator[landline.ServerTLS | None]:
    if is_secure:
        async with certified() as tls:
            yield tls
    else:
        yield None


def _place(listening: landline.Listening, tls: landline.ServerTLS | None, scheme: str = "tcp") -> str:
    """Return the address, and behind it what a client must know of the certificate, if there is one."""
    scheme = "tls" if tls is not None else scheme
    address = listening.addresses[0].replace("tcp://", f"{scheme}://", 1)
    return address if tls is None else f"{address} {tls.fingerprint}"


@asynccontextmanager
async def _connect(place: str) -> AsyncIterator[landline.Session]:
    address, _, fingerprint = place.partition(" ")
    tls = landline.ClientTLS(fingerprint=fingerprint) if fingerprint else None
    async with landline.connect(address, tls=tls, limits=_roomy()) as session:
        yield session


# Messages...


@asynccontextmanager
async def serve_messages(scheme: str) -> AsyncIterator[str]:
    def broadcast(everybody: list[landline.Session], data: bytes) -> None:
        for each in everybody:
            _ = each.send_nowait(data)

    hall = Hall(broadcast)

    async def program(session: landline.Session) -> None:
        hall.everybody.append(session)
        try:
            async for message in session:
                if message in COUNTS:
                    await hall.tell(message)
                else:
                    _ = await session.send(message)
        finally:
            hall.everybody.remove(session)

    async with (
        _certificate(is_secure=scheme == "tls") as tls,
        landline.serve(program, "tcp://127.0.0.1:0", tls=tls, limits=_roomy()) as listening,
    ):
        yield _place(listening, tls, scheme)


@asynccontextmanager
async def connect_messages(place: str) -> AsyncIterator[Line]:
    async with _connect(place) as session:
        yield session


def talk(place: str) -> Talk:
    address = urlsplit(place)
    return session(address.port or 0, is_web=address.scheme == "ws")


def _loaded(scheme: str) -> dict[str, Play]:
    play = Play(partial(serve_messages, scheme), talking(talk))
    return {
        "trips": play,
        "crowds": play,
        "fan-out": Play(partial(serve_topic, scheme), talking(talk_of_topic)),
    }


# What one publishes, told to all who subscribe...


@asynccontextmanager
async def serve_topic(scheme: str) -> AsyncIterator[str]:
    server = landline.Server(limits=_roomy())
    server.topic(TOPIC)
    async with server.listen("tcp://127.0.0.1:0") as listening:
        yield _place(listening, None, scheme)


def talk_of_topic(place: str) -> Talk:
    address = urlsplit(place)
    return topic(address.port or 0, TOPIC, is_web=address.scheme == "ws")


# Calls and streams...


@asynccontextmanager
async def serve_calls(scheme: str) -> AsyncIterator[str]:
    server = landline.Server()

    @server.method
    async def echo(data: bytes) -> bytes:
        return data

    @server.method
    async def items(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield MESSAGE

    async with server.listen("tcp://127.0.0.1:0") as listening:
        yield _place(listening, None, scheme)


@asynccontextmanager
async def connect_calls(place: str) -> AsyncIterator[Caller]:
    async with _connect(place) as session:
        yield Calls(partial(session.call, "echo"))


@asynccontextmanager
async def connect_streams(place: str) -> AsyncIterator[Reader]:
    async with _connect(place) as session:
        yield _Reading(session)


class _Reading:
    def __init__(self, session: landline.Session) -> None:
        self._session = session

    async def read(self, count: int) -> None:
        arrived = 0
        async with self._session.stream("items", count) as stream:
            async for _ in stream:
                arrived += 1
        if arrived != count:
            raise ValueError("not all of them have come")


# Durable publishes...


@asynccontextmanager
async def serve_durable() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        server = landline.Server(storage=str(Path(folder) / "store.db"), limits=_roomy())
        server.topic("t.*")
        async with server.listen("tcp://127.0.0.1:0") as listening:
            yield _place(listening, None)


@asynccontextmanager
async def connect_durable(place: str) -> AsyncIterator[Listener]:
    async with _connect(place) as session:
        yield _Publishing(session)


def talk_of_publishers(place: str) -> Talk:
    return publishers(urlsplit(place).port or 0, TOPIC)


class _Publishing:
    def __init__(self, session: landline.Session) -> None:
        self._session = session
        self.publish = partial(session.publish, TOPIC)

    def listen(self) -> landline.Subscription:
        return self._session.subscribe(TOPIC, "start")


# Bulk...


@asynccontextmanager
async def serve_bulk(*, is_secure: bool = False) -> AsyncIterator[str]:
    async def program(session: landline.Session) -> None:
        arrived = 0
        async for message in session:
            if message == END:
                _ = await session.send(arrived)
                arrived = 0
            else:
                arrived += len(message)

    async with (
        _certificate(is_secure=is_secure) as tls,
        landline.serve(program, "tcp://127.0.0.1:0", tls=tls) as listening,
    ):
        yield _place(listening, tls)


@asynccontextmanager
async def connect_bulk(place: str) -> AsyncIterator[Pourer]:
    async with _connect(place) as session:
        yield _Pouring(session)


class _Pouring:
    def __init__(self, session: landline.Session) -> None:
        self._session = session

    async def pour(self, piece: bytes, count: int) -> None:
        for _ in range(count):
            _ = await self._session.send(piece)
        _ = await self._session.send(END)
        if await self._session.receive() != len(piece) * count:
            raise ValueError("not all of it has come")


# Files as they are meant to be sent: hashed, brought to the disk, and gone on with wherever they stopped.


@asynccontextmanager
async def serve_files(*, is_secure: bool = False) -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory() as folder:

        async def take(session: landline.Session) -> None:
            async with session.files() as offers:
                async for offer in offers:
                    await offer.accept(folder)

        async with (
            _certificate(is_secure=is_secure) as tls,
            landline.serve(take, "tcp://127.0.0.1:0", tls=tls) as listening,
        ):
            yield _place(listening, tls)


@asynccontextmanager
async def connect_files(place: str) -> AsyncIterator[Copier]:
    yield _Sending(place)


class _Sending:
    def __init__(self, place: str) -> None:
        self._place = place

    async def copy(self, source: Path, name: str) -> None:
        async with _connect(self._place) as session:
            sent = await session.send_file(source, name=name)
        if sent.name != name:
            raise ValueError("it has another name there")


# Files without that: a stream of pieces, which are written as they come.


@asynccontextmanager
async def serve_uploads(*, is_secure: bool = False) -> AsyncIterator[str]:
    async with _certificate(is_secure=is_secure) as tls:
        server = landline.Server(tls=tls)
        with tempfile.TemporaryDirectory() as folder:

            @server.method
            async def upload(stream: landline.Stream, name: str) -> None:
                written = 0
                with (Path(folder) / Path(name).name).open("wb") as file:
                    async for piece in stream:
                        written += file.write(piece)
                await stream.send(written)

            async with server.listen("tcp://127.0.0.1:0") as listening:
                yield _place(listening, tls)


@asynccontextmanager
async def connect_uploads(place: str) -> AsyncIterator[Copier]:
    yield _Uploading(place)


class _Uploading:
    def __init__(self, place: str) -> None:
        self._place = place

    async def copy(self, source: Path, name: str) -> None:
        async with _connect(self._place) as session, session.stream("upload", name) as stream:
            with source.open("rb") as file:
                while piece := file.read(PIECE):
                    await stream.send(piece)
            stream.end()
            if await stream.receive() != source.stat().st_size:
                raise ValueError("not all of it has come")


OVER_TCP = Peer(
    "landline",
    {
        "messages": Play(partial(serve_messages, "tcp"), connect_messages),
        **_loaded("tcp"),
        "calls": Play(partial(serve_calls, "tcp"), connect_calls),
        "streams": Play(partial(serve_calls, "tcp"), connect_streams),
        "durable": Play(serve_durable, connect_durable),
        "publishes": Play(serve_durable, talking(talk_of_publishers)),
        "durable topics": Play(serve_durable, connect_durable),
        "bulk": Play(serve_bulk, connect_bulk),
    },
    is_ours=True,
)
SENDS = Peer(
    "landline, a send to each",
    {"fan-out": Play(partial(serve_messages, "tcp"), talking(talk))},
    is_ours=True,
)
"""Fan-out by a program that sends to each of its sessions, as who has no topics does."""
OVER_TLS = Peer(
    "landline with TLS",
    {
        "messages with TLS": Play(partial(serve_messages, "tls"), connect_messages),
        "bulk with TLS": Play(partial(serve_bulk, is_secure=True), connect_bulk),
    },
    is_ours=True,
)
SENDS_OVER_WEBSOCKET = Peer(
    "landline, a send to each",
    {"fan-out": Play(partial(serve_messages, "ws"), talking(talk))},
    is_ours=True,
)
OVER_WEBSOCKET = Peer(
    "landline",
    {
        "messages": Play(partial(serve_messages, "ws"), connect_messages),
        **_loaded("ws"),
        "calls": Play(partial(serve_calls, "ws"), connect_calls),
    },
    is_ours=True,
)

# Beside scp, which encrypts: what does so too stands first.
SEND_FILE_OVER_TLS = Peer(
    "landline send_file with TLS",
    {"files": Play(partial(serve_files, is_secure=True), connect_files)},
    is_ours=True,
)
STREAM_OVER_TLS = Peer(
    "landline stream with TLS",
    {"files": Play(partial(serve_uploads, is_secure=True), connect_uploads)},
    is_ours=True,
)
SEND_FILE = Peer("landline send_file", {"files": Play(serve_files, connect_files)}, is_ours=True)
STREAM = Peer("landline stream", {"files": Play(serve_uploads, connect_uploads)}, is_ours=True)
