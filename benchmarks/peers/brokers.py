"""Servers that bring what one publishes to all who subscribed: redis and mosquitto; NATS, which takes calls as well, is ``nats``.

Each is started on loopback, keeps nothing on the disk, and drops nothing for a slow subscriber: their limits on that are lifted, since a message
that is dropped would count as quick. A round trip is what a client is told of what it published itself.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from .load import Talk, talking
from .peer import MESSAGE, Peer, Play, Publisher, environment_of_programs, find_program

BOUND = 20.0
"""Seconds that a server may take to come up."""
TOPIC = b"bench"
MANY = (1, 64)
"""Messages that an order may be about."""


@asynccontextmanager
async def started(program: str, port: int, arguments: Sequence[str]) -> AsyncIterator[str]:
    """Start a server, and give its port and its process once it listens."""
    server = await asyncio.create_subprocess_exec(
        str(find_program(program)), *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        env=environment_of_programs(),
    )  # fmt: skip
    try:
        async with asyncio.timeout(BOUND):
            await is_up(port)
        yield f"{port} {server.pid}"
    finally:
        server.terminate()
        await server.wait()


async def is_up(port: int) -> None:
    """Wait until somebody listens at a port; the caller bounds it."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def talk_of(place: str, **what: Any) -> Talk:
    """Return a talk with a server of which ``started`` has told the place."""
    port, pid = place.split()
    return Talk(int(port), pid=int(pid))._replace(**what)


def orders_of(publish: bytes) -> dict[int, bytes]:
    """Return orders that are the messages themselves."""
    return {count: publish * count for count in MANY}


# Redis...


@asynccontextmanager
async def serve_redis(*, is_durable: bool = False) -> AsyncIterator[str]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        options = {
            "bind": "127.0.0.1", "port": str(port), "maxclients": "20000", "client-output-buffer-limit": "pubsub 0 0 0",
            "dir": folder, "save": "", "appendonly": "yes" if is_durable else "no", "appendfsync": "always",
        }  # fmt: skip
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        async with started("redis-server", port, arguments) as place:
            yield place


def _redis(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def redis_told(place: str) -> Talk:
    return talk_of(
        place,
        greeting=((_redis(b"SUBSCRIBE", TOPIC), _redis(b"subscribe", TOPIC).replace(b"*2", b"*3") + b":1\r\n"),),
        speaker=((_redis(b"PING"), b"+PONG\r\n"),),
        orders=orders_of(_redis(b"PUBLISH", TOPIC, MESSAGE)),
        delivery=len(_redis(b"message", TOPIC, MESSAGE)),
    )  # fmt: skip


def redis_trips(place: str) -> Talk:
    """By the third version of its protocol, in which who subscribed may publish."""
    subscribed = _redis(b"subscribe", TOPIC).replace(b"*2", b">3") + b":1\r\n"
    return talk_of(
        place,
        greeting=((_redis(b"HELLO", b"3") + _redis(b"SUBSCRIBE", TOPIC), subscribed),),
        say=_redis(b"PUBLISH", TOPIC, MESSAGE),
        answer=len(_redis(b"message", TOPIC, MESSAGE) + b":1\r\n"),
    )


def _append(data: bytes) -> bytes:
    return _redis(b"XADD", TOPIC, b"*", b"d", data)


def redis_publishes(place: str) -> Talk:
    """The answer is the new entry's name, of any length: a line with its size, and itself."""
    return talk_of(
        place, greeting=((_redis(b"PING"), b"+PONG\r\n"),), say=_append(MESSAGE), answer=2, is_text=True
    )


@asynccontextmanager
async def connect_durable(place: str) -> AsyncIterator[Publisher]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(place.split(maxsplit=1)[0]))
    try:
        yield _RedisPublisher(reader, writer)
    finally:
        writer.close()


class _RedisPublisher:
    """Appends to a redis stream; the answer comes when that is on the disk."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def publish(self, data: bytes) -> None:
        self._writer.write(_append(data))
        size = await self._reader.readline()  # of the new entry's name, which follows
        if not size.startswith(b"$"):
            raise ValueError(size.decode())
        await self._reader.readline()


# Mosquitto: MQTT 3.1.1 with QoS 0...


@asynccontextmanager
async def serve_mosquitto() -> AsyncIterator[str]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "settings"
        settings.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_dest none\n"
            "max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 0\npersistence false\n"
        )
        async with started("mosquitto", port, ["-c", str(settings)]) as place:
            yield place


def _mqtt(kind: int, body: bytes) -> bytes:
    assert len(body) < 128  # so that its length is one byte
    return bytes((kind, len(body))) + body


def _mqtt_text(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


_CONNECT = _mqtt(0x10, _mqtt_text(b"MQTT") + b"\x04\x02\x00\x00" + _mqtt_text(b""))
_CONNACK = b"\x20\x02\x00\x00"
_SUBSCRIBE = _mqtt(0x82, b"\x00\x01" + _mqtt_text(TOPIC) + b"\x00")
_SUBACK = b"\x90\x03\x00\x01\x00"
_PUBLISH = _mqtt(0x30, _mqtt_text(TOPIC) + MESSAGE)


def mosquitto_told(place: str) -> Talk:
    return talk_of(
        place,
        greeting=((_CONNECT + _SUBSCRIBE, _SUBACK),),
        speaker=((_CONNECT, _CONNACK),),
        orders=orders_of(_PUBLISH),
        delivery=len(_PUBLISH),
    )


def mosquitto_trips(place: str) -> Talk:
    return mosquitto_told(place)._replace(speaker=(), say=_PUBLISH, answer=len(_PUBLISH))


REDIS = Peer(
    "redis",
    {
        "trips": Play(serve_redis, talking(redis_trips)),
        "fan-out": Play(serve_redis, talking(redis_told)),
        "durable": Play(partial(serve_redis, is_durable=True), connect_durable),
        "publishes": Play(partial(serve_redis, is_durable=True), talking(redis_publishes)),
    },
    programs=("redis-server",),
)
MOSQUITTO = Peer(
    "mosquitto",
    {
        "trips": Play(serve_mosquitto, talking(mosquitto_trips)),
        "fan-out": Play(serve_mosquitto, talking(mosquitto_told)),
    },
    programs=("mosquitto",),
)
