"""NATS: requests and replies by ``nats-py`` through ``nats-server``, which is a third process on the same core; and what it tells subscribers.

A subscriber that is slow may have any amount waiting, as with the other brokers.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from .brokers import BOUND, TOPIC, orders_of, talk_of
from .load import Talk, talking
from .peer import MESSAGE, Caller, Calls, Peer, Play, Publisher, find_program


@asynccontextmanager
async def serve(more: str = "") -> AsyncIterator[str]:
    """Start the server, with more settings; give its port and its process."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        settings = folder / "settings"
        settings.write_text('max_pending: 4GB\nwrite_deadline: "60s"\n' + more.format(folder=folder))
        server = await asyncio.create_subprocess_exec(
            str(find_program("nats-server")), "--config", str(settings),
            *("--addr", "127.0.0.1", "--port", "-1", "--ports_file_dir", made),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(BOUND):
                port = await _port(folder)
            yield f"{port} {server.pid}"
        finally:
            server.terminate()
            await server.wait()


async def _port(folder: Path) -> str:
    """Wait for the file in which the server tells its port."""
    while True:
        for file in folder.glob("*.ports"):
            if text := file.read_text():
                return str(json.loads(text)["nats"][0]).rpartition(":")[2]
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _connect(url: str) -> AsyncIterator[Any]:
    import nats

    client = await nats.connect(url)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def serve_calls() -> AsyncIterator[str]:
    async def answer(message: Any) -> None:
        await message.respond(message.data)

    async with serve() as place:
        url = f"nats://127.0.0.1:{place.split()[0]}"
        async with _connect(url) as responder:
            await responder.subscribe("echo", cb=answer)
            await responder.flush()
            yield url


@asynccontextmanager
async def connect_calls(place: str) -> AsyncIterator[Caller]:
    async with _connect(place) as client:

        async def call(data: bytes) -> bytes:
            reply: bytes = (await client.request("echo", data, timeout=30)).data
            return reply

        yield Calls(call)


# JetStream, which brings each publish to the disk before it answers...


@asynccontextmanager
async def serve_durable() -> AsyncIterator[str]:
    async with serve('jetstream {{ store_dir: "{folder}", sync_interval: always }}\n') as place:
        url = f"nats://127.0.0.1:{place.split()[0]}"
        async with _connect(url) as client:
            await client.jetstream().add_stream(name="bench", subjects=["t.*"])
        yield url


@asynccontextmanager
async def connect_durable(place: str) -> AsyncIterator[Publisher]:
    async with _connect(place) as client:
        yield _NatsPublisher(client.jetstream())


class _NatsPublisher:
    def __init__(self, jetstream: Any) -> None:
        self.publish = partial(jetstream.publish, "t.bench", timeout=30)


_PUBLISH = b"PUB %b %d\r\n%b\r\n" % (TOPIC, len(MESSAGE), MESSAGE)
_TOLD = b"MSG %b 1 %d\r\n%b\r\n" % (TOPIC, len(MESSAGE), MESSAGE)
_CONNECT = b'CONNECT {"verbose":false,"pedantic":false}\r\n'


def told(place: str) -> Talk:
    return talk_of(
        place,
        greeting=((_CONNECT + b"SUB %b 1\r\nPING\r\n" % TOPIC, b"PONG\r\n"),),
        speaker=((_CONNECT + b"PING\r\n", b"PONG\r\n"),),
        orders=orders_of(_PUBLISH),
        delivery=len(_TOLD),
    )


def trips(place: str) -> Talk:
    return told(place)._replace(speaker=(), say=_PUBLISH, answer=len(_TOLD))


PEER = Peer(
    "nats-py",
    {"calls": Play(serve_calls, connect_calls), "durable": Play(serve_durable, connect_durable)},
    modules=("nats",),
    programs=("nats-server",),
)
SERVER = Peer(
    "nats-server",
    {"trips": Play(serve, talking(trips)), "fan-out": Play(serve, talking(told))},
    programs=("nats-server",),
)
