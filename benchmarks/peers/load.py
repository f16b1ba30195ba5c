"""The load in C, from Python: what it is to say to a server, and what it found out.

Where a server is used over WebSocket, or talks a protocol of its own, all that a client says is known beforehand, and so is the size of every
answer; so the load only counts bytes. Of our sessions it counts messages or publications, and acks them.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import NamedTuple

from landline.protocol.frames import MAGIC, CloseCode, FrameType, encode_frame
from landline.protocol.handshake import Close, Hello, Open, encode_payload
from landline.protocol.publish import OUTBOX_ID_SIZE, PUBLISH_PURPOSE, Opening, Publish
from landline.protocol.subscription import SUBSCRIBE_PURPOSE, After, Subscribe, encode, wrap
from landline.transports.websocket.frames import BINARY, encode_close
from landline.transports.websocket.frames import encode_frame as encode_message

from ..native.compiled import compiled
from .halls import COUNTS
from .peer import MESSAGE

WINDOW = 256 * 1024
"""As in session.c."""
KEY = b"\x1b\x2c\x3d\x4e"

Steps = tuple[tuple[bytes, bytes], ...]
"""Of a greeting: what is said, and the last bytes of the answer."""


class Talk(NamedTuple):
    """How a load talks to one server."""

    port: int
    greeting: Steps = ()
    say: bytes = b""
    """What is answered; also said once when a line is new, where a server knows only then that it is there."""
    answer: int = 0
    """Bytes of the answer, or lines; of a session, messages, or answers to what it publishes."""
    orders: dict[int, bytes] = {}  # noqa: RUF012  never changed
    """By how many messages everybody is to be told at once: what has it done."""
    delivery: int = 0
    """Bytes of one message that everybody is told; of a session, messages."""
    speaker: Steps = ()
    """The greeting of whoever gives the orders, if it is another."""
    bye: bytes = b""
    pid: int | None = None
    """The server's process, if it is not the one that the place was told by."""
    hello: bytes = b""
    """The first that a session says."""
    is_web: bool = False
    """Whether the session's frames are in WebSocket messages."""
    opening: bytes = b""
    """The two frames that open a flow in which a session is told what is published."""
    publisher: bytes = b""
    """Likewise, of whoever publishes: the first session, or every one where none is told.

    What it says and its orders are what it publishes; the load writes an outbox of its own into this, and the numbers into those.
    """
    is_text: bool = False
    """Whether the answer has a size that nobody knows, so that its lines are counted; one that begins with a minus is a failure."""

    def arguments(self) -> list[str]:
        """Return what the program understands, but for orders and counts."""
        steps = [f"greet={said.hex()}/{until.hex()}" for said, until in self.greeting]
        steps += [f"speaker={said.hex()}/{until.hex()}" for said, until in self.speaker]
        texts = {
            "say": self.say, "bye": self.bye, "hello": self.hello, "opening": self.opening, "publisher": self.publisher,
        }  # fmt: skip
        return [
            f"port={self.port}", f"answer={self.answer}", f"session={int(bool(self.hello))}", f"web={int(self.is_web)}",
            f"text={int(self.is_text)}", f"outbox={OUTBOX_ID_SIZE if self.publisher else 0}", *steps, *(f"{name}={text.hex()}" for name, text in texts.items()),
        ]  # fmt: skip


@asynccontextmanager
async def _connected(talk: Callable[[str], Talk], place: str) -> AsyncIterator[Talk]:
    yield talk(place)


def talking(talk: Callable[[str], Talk]) -> Callable[[str], AbstractAsyncContextManager[Talk]]:
    """Make of a function that knows a server's talk by its place what a job connects with."""
    return partial(_connected, talk)


# The talks that several servers understand...


def framed(port: int) -> Talk:
    """Four bytes of length, then the message: the floor, and the bare protocol."""

    def frame(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    orders = {count: frame(order) for order, count in COUNTS.items()}
    size = len(frame(MESSAGE))
    return Talk(port, say=frame(MESSAGE), answer=size, orders=orders, delivery=size)


def upgrade(port: int, path: str = "/") -> tuple[bytes, bytes]:
    """Return the step that makes a WebSocket of a line."""
    key = base64.b64encode(bytes(16)).decode()
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    return request.encode(), b"\r\n\r\n"


def web(port: int, path: str = "/") -> Talk:
    """Binary WebSocket messages."""
    orders = {count: encode_message(BINARY, order, KEY) for order, count in COUNTS.items()}
    size = len(encode_message(BINARY, MESSAGE))
    return Talk(
        port, (upgrade(port, path),), encode_message(BINARY, MESSAGE, KEY), size, orders, size, bye=encode_close(1000, "", KEY)
    )  # fmt: skip


def session(port: int, *, is_web: bool = False) -> Talk:
    """A session of ours."""

    def data(payload: bytes) -> bytes:
        return encode_frame(FrameType.BYTES, 0, payload)

    hello = Hello(life=b"\x01" * 16, window=WINDOW, max_message=1 << 20)
    bye = encode_payload(FrameType.CLOSE, Close(code=CloseCode.NORMAL))
    if is_web:
        bye = encode_message(BINARY, bye, KEY) + encode_close(1000, "", KEY)
    return Talk(
        port,
        (upgrade(port),) if is_web else (),
        say=data(MESSAGE),
        answer=1,
        orders={count: data(order) for order, count in COUNTS.items()},
        delivery=1,
        bye=bye,
        hello=MAGIC + encode_payload(FrameType.HELLO, hello),
        is_web=is_web,
    )


def topic(port: int, name: str, *, is_web: bool = False) -> Talk:
    """Sessions of ours that are told what is published to a topic; the first of them publishes."""
    publishing = publishers(port, name, is_web=is_web)
    return publishing._replace(
        say=b"",
        opening=_opening(SUBSCRIBE_PURPOSE, Subscribe(name, After.NOW)),
        orders={count: publishing.say * count for count in COUNTS.values()},
    )


def publishers(port: int, name: str, *, is_web: bool = False) -> Talk:
    """Sessions of ours that all publish to a topic, each from an outbox of its own."""
    # With numbers that take as many bytes as any will.
    publish = Publish(1 << 62, 1 << 62, name, wrap(FrameType.BYTES, MESSAGE))
    return session(port, is_web=is_web)._replace(
        say=encode_frame(FrameType.BYTES, 1, encode(publish)),
        publisher=_opening(PUBLISH_PURPOSE, Opening(bytes(OUTBOX_ID_SIZE))),
    )


def _opening(purpose: str, said: Subscribe | Opening) -> bytes:
    opened = encode_payload(FrameType.OPEN, Open(purpose=purpose, window=WINDOW), 1)
    return opened + encode_frame(FrameType.BYTES, 1, encode(said))


# Running it...


async def rate(talk: Talk, job: str, *, lines: int, count: int, messages: int = 0) -> float:
    """Run a job to its end, and return how many times a second it was done; ``messages`` are told at once, in a fan-out.

    Raises:
        ValueError: it failed; the message says how.
    """
    more = [f"lines={lines}", f"count={count}"]
    if messages:
        more += [f"order={talk.orders[messages].hex()}", f"delivery={talk.delivery * messages}"]
    (found,) = await _run(talk, job, more)
    return found


async def publishes(talk: Talk, *, lines: int, count: int) -> tuple[float, float]:
    """Have every line publish once, and then so many times in all, each again when its last is acknowledged.

    Returns:
        How many a second, and how long the slowest of each hundred acknowledgements takes, in milliseconds.

    Raises:
        ValueError: it failed; the message says how.
    """
    found, slowest = await _run(talk, "publishes", [f"lines={lines}", f"count={count}"])
    return found, slowest


async def _run(talk: Talk, job: str, more: list[str]) -> list[float]:
    load = await asyncio.create_subprocess_exec(
        str(compiled("load")), job, *talk.arguments(), *more,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, complaint = await load.communicate()
    if load.returncode:
        raise ValueError(complaint.decode().strip() or f"the load ended with {load.returncode}")
    return [float(figure) for figure in said.split()]


@asynccontextmanager
async def held(talk: Talk, lines: int) -> AsyncIterator[None]:
    """Hold so many lines, each answered once."""
    load = await asyncio.create_subprocess_exec(
        str(compiled("load")), "hold", *talk.arguments(), f"lines={lines}",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert load.stdout is not None and load.stderr is not None
    try:
        if not await load.stdout.readline():
            raise ValueError((await load.stderr.read()).decode().strip() or "the load held nothing")
        yield
    finally:
        if load.returncode is None:
            load.kill()
        await load.wait()
