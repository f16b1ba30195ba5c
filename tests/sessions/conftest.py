"""A client of the wire: says bytes to a server and reads the frames that come back. With it, tests break every rule they like."""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest

import landline
from landline.protocol.decoder import FrameDecoder
from landline.protocol.frames import COUNT, COUNTS, MAGIC, FrameType, encode_frame
from landline.protocol.handshake import Close, Hello, Refusal, Resume, Welcome, decode_payload, encode_payload
from landline.transports import Transport, open_transport, parse_address
from landline.transports.base import Borrower

BOUND = 20.0
"""Seconds that anything here may take before a test counts as failed."""

Said = TypeVar("Said", Welcome, Refusal, Close)


class Wire:
    """One line to a server, spoken frame by frame."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.raw = bytearray()
        self.frames: deque[tuple[int, int, bytes]] = deque()
        self.is_over = False
        self._decoder = FrameDecoder(1 << 20)
        self._news = asyncio.Event()
        transport.start(self)

    # Saying...

    def say(self, data: bytes) -> None:
        self.transport.write(data)

    def frame(self, kind: int, number: int = 0, payload: bytes = b"") -> None:
        self.say(encode_frame(kind, number, payload))

    def hello(self, **fields: Any) -> None:
        self.say(hello(**fields))

    def resume(
        self, welcome: Welcome, attempt: int, *, received: int = 0, token: bytes = b"", **fields: Any
    ) -> None:
        resume = Resume(
            session=welcome.session,
            token=token or welcome.token,
            attempt=attempt,
            life=welcome.life,
            received=received,
            **fields,
        )
        self.say(MAGIC + encode_payload(FrameType.RESUME, resume))

    def confirm(self, welcome: Welcome) -> None:
        self.frame(FrameType.CONFIRM, 0, welcome.token)

    # Hearing...

    async def next(self, *skip: FrameType) -> tuple[FrameType, int, bytes]:
        """The next frame, those of the types to skip left out."""
        while True:
            await self._until(lambda: bool(self.frames))
            kind, number, payload = self.frames.popleft()
            if kind not in skip:
                return FrameType(kind), number, payload

    async def expect(self, kind: FrameType) -> bytes:
        """The payload of the next frame of this type; others are passed over."""
        while True:
            found, _, payload = await self.next()
            if found is kind:
                return payload

    async def welcome(self) -> Welcome:
        return decode_payload(Welcome, await self.expect(FrameType.WELCOME))

    async def refusal(self) -> Refusal:
        return decode_payload(Refusal, await self.expect(FrameType.REFUSE))

    async def close(self) -> Close:
        return decode_payload(Close, await self.expect(FrameType.CLOSE))

    async def over(self) -> None:
        """The server hangs up."""
        await self._until(lambda: self.is_over)

    async def until_raw(self, size: int) -> bytes:
        await self._until(lambda: len(self.raw) >= size)
        return bytes(self.raw)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND):
            while not is_so():
                if self.is_over:
                    raise EOFError(f"the server hung up; it said {bytes(self.raw)!r}")
                self._news.clear()
                await self._news.wait()

    # The transport tells...

    def data_received(self, data: bytes) -> None:
        had = max(0, len(self.raw) - len(MAGIC))
        self.raw += data
        if self.raw.startswith(MAGIC):
            self.frames += self._decoder.feed(bytes(self.raw[len(MAGIC) + had :]))
        self._news.set()

    def data_ended(self) -> None:
        self.is_over = True
        self.transport.close()
        self._news.set()

    def writable(self) -> None:
        self._news.set()

    def lost(self, error: Exception | None) -> None:
        self.is_over = True
        self._news.set()


def hello(**fields: Any) -> bytes:
    """The bytes of a HELLO, magic included."""
    fields = {"life": b"l" * 16, "window": 1 << 18, "max_message": 1 << 20, **fields}
    return MAGIC + encode_payload(FrameType.HELLO, Hello(**fields))


def text(words: str) -> bytes:
    return encode_frame(FrameType.TEXT, 0, words.encode())


def ack(received: int, sent: int) -> bytes:
    return encode_frame(FrameType.ACK, 0, COUNTS.pack(received, sent))


def handled(count: int) -> bytes:
    return encode_frame(FrameType.HANDLED, 0, COUNT.pack(count))


class Place:
    """A server for one test, and lines to it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.sessions: list[landline.Session] = []
        self.ends: list[BaseException | None] = []
        self.got: list[Any] = []
        self.address = ""
        self.listening: landline.Listening
        self._stack = stack
        self._lines: list[Wire] = []
        self._news = asyncio.Event()

    async def serve(
        self, address: str = "memory://place", program: Any = None, plain: Any = None, **options: Any
    ) -> None:
        server = landline.Server(program or self.keep, **options)
        if plain is not None:
            server.plain(plain)
        self.listening = await self._stack.enter_async_context(server.listen(address))
        self.address = self.listening.addresses[0]

    def hang_up(self) -> None:
        """End every line that the test opened."""
        for wire in self._lines:
            wire.transport.abort()

    async def keep(self, session: landline.Session) -> None:
        """Write down all that arrives, and how it ended."""
        self.sessions.append(session)
        self._news.set()
        try:
            while True:
                self.got.append(await session.receive())
                self._news.set()
        except landline.SessionEnded as error:
            self.ends.append(error)
        finally:
            self._news.set()

    async def stop(self) -> None:
        """Drain now."""
        await self._stack.aclose()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def line(self) -> Wire:
        wire = Wire(await open_transport(parse_address(self.address)))
        self._lines.append(wire)
        return wire

    async def session(self, **fields: Any) -> tuple[Wire, Welcome]:
        """A line that is in, and its welcome."""
        wire = await self.line()
        wire.hello(**fields)
        welcome = await wire.welcome()
        wire.confirm(welcome)
        count = len(self.sessions)
        await self.until(lambda: len(self.sessions) > count)
        return wire, welcome

    async def still_serves(self) -> None:
        """A well-behaved client gets in and is heard."""
        async with landline.connect(self.address) as session:
            await session.send("still served?")
            await session.flush()
        assert self.got[-1] == "still served?"


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        place = Place(stack)
        yield place
        place.hang_up()


class FromAfar:
    """A transport of a stranger, as far as a server looks at it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.peer = f"tcp://{source}:1"
        self.backlog = 0
        self.wrapping = 0
        self.is_writable = True
        self.on_lost: Any = None
        self.is_open = True
        self._receiver: Any = None

    def start(self, receiver: Any) -> None:
        self._receiver = receiver

    def hold(self, is_held: bool) -> None: ...

    def widen(self, borrower: Borrower) -> None: ...

    def write(self, *pieces: bytes) -> None: ...

    def end(self) -> None: ...

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self.is_open:
            self.is_open = False
            if self._receiver is not None:
                self._receiver.lost(None)
                self.on_lost(self)


@pytest.fixture
def wired() -> Any:
    """This module's words, for tests that speak the wire."""
    import types

    return types.SimpleNamespace(hello=hello, text=text, ack=ack, handled=handled, FromAfar=FromAfar)
