"""This project, through its public door: over TCP, over TLS, over WebSocket."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import landline

from .halls import Hall, Line
from .load import Talk, session, talking
from .peer import Caller, Calls, Copier, Peer, Play, Pourer

PIECE = 256 * 1024
"""Bytes of a file that are sent as one item."""

END = b"end"


def _roomy() -> landline.Limits:
    return landline.Limits(max_connections=100_000, max_sessions=100_000)


def _reached(listening: landline.Listening, scheme: str) -> str:
    return listening.addresses[0].replace("tcp://", f"{scheme}://", 1)


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
                await hall.answer(session, message, session.send)
        finally:
            hall.everybody.remove(session)

    async with landline.serve(program, "tcp://127.0.0.1:0", limits=_roomy()) as listening:
        yield _reached(listening, scheme)


@asynccontextmanager
async def connect_messages(place: str) -> AsyncIterator[Line]:
    async with landline.connect(place, limits=_roomy()) as session:
        yield session


def talk(place: str) -> Talk:
    address = urlsplit(place)
    return session(address.port or 0, is_web=address.scheme == "ws")


def _loaded(scheme: str) -> dict[str, Play]:
    play = Play(partial(serve_messages, scheme), talking(talk))
    return {"trips": play, "crowds": play, "fan-out": play}


# Calls...


@asynccontextmanager
async def serve_calls(scheme: str) -> AsyncIterator[str]:
    server = landline.Server()

    @server.method
    async def echo(data: bytes) -> bytes:
        return data

    async with server.listen("tcp://127.0.0.1:0") as listening:
        yield _reached(listening, scheme)


@asynccontextmanager
async def connect_calls(place: str) -> AsyncIterator[Caller]:
    async with landline.connect(place) as session:
        yield Calls(partial(session.call, "echo"))


# Bulk...


@asynccontextmanager
async def serve_bulk() -> AsyncIterator[str]:
    async def program(session: landline.Session) -> None:
        arrived = 0
        async for message in session:
            if message == END:
                _ = await session.send(arrived)
                arrived = 0
            else:
                arrived += len(message)

    async with landline.serve(program, "tcp://127.0.0.1:0") as listening:
        yield _reached(listening, "tcp")


@asynccontextmanager
async def connect_bulk(place: str) -> AsyncIterator[Pourer]:
    async with landline.connect(place) as session:
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


# Files: a stream of pieces, which are written as they come.


@asynccontextmanager
async def serve_files(*, is_secure: bool = False) -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        tls = landline.make_certificate(Path(folder) / "tls", ["localhost"]) if is_secure else None
        server = landline.Server(tls=tls)

        @server.method
        async def upload(stream: landline.Stream, name: str) -> None:
            written = 0
            with (Path(folder) / Path(name).name).open("wb") as file:
                async for piece in stream:
                    written += file.write(piece)
            await stream.send(written)

        async with server.listen("tcp://127.0.0.1:0") as listening:
            if tls is None:
                yield _reached(listening, "tcp")
            else:
                yield f"{_reached(listening, 'tls')} {tls.fingerprint}"


@asynccontextmanager
async def connect_files(place: str) -> AsyncIterator[Copier]:
    yield _Copying(place)


class _Copying:
    def __init__(self, place: str) -> None:
        self._address, _, fingerprint = place.partition(" ")
        self._tls = landline.ClientTLS(fingerprint=fingerprint) if fingerprint else None

    async def copy(self, source: Path, name: str) -> None:
        async with (
            landline.connect(self._address, tls=self._tls) as session,
            session.stream("upload", name) as stream,
        ):
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
        "bulk": Play(serve_bulk, connect_bulk),
        "files": Play(serve_files, connect_files),
    },
    is_ours=True,
)
OVER_TLS = Peer(
    "landline with TLS",
    {"files": Play(partial(serve_files, is_secure=True), connect_files)},
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
