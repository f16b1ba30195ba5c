"""A door for one test, and callers who speak HTTP to it byte by byte.

A module that says ``VIRTUAL_TIME = True`` runs on a loop whose clock jumps, with memory transports. ``place.line()`` is a caller there;
``peer()`` is a plain socket to a real listener.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import h11
import pytest
import pytest_asyncio

from landline.limits import Limits
from landline.testing.clock import VirtualLoop
from landline.transports import Transport, open_listener, open_transport, parse_address
from landline.web.answers import answer
from landline.web.door import WebDoor
from landline.web.types import App, Message, Receive, Scope, Send

BOUND = 20.0
"""Seconds after which anything here counts as failed."""

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> Generator[None, Any, Any]:
    """Virtual time for the modules that ask for it, whatever loop the run is for."""
    others = yield
    module = getattr(item, "module", None) or getattr(item.getparent(pytest.Module), "obj", None)
    if getattr(module, "VIRTUAL_TIME", False):
        return {"virtual": VirtualLoop}
    return others or {"asyncio": asyncio.new_event_loop}


@dataclass
class Answer:
    """One answer."""

    status: int
    fields: dict[bytes, bytes]
    body: bytes = b""
    is_whole: bool = False


class Line:
    """One caller, byte by byte; what it hears is read as HTTP."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.raw = bytearray()
        self.has_ended = False
        self.is_lost = False
        self._most = 1 << 60
        self._news = asyncio.Event()
        transport.start(self)

    def say(self, data: bytes) -> None:
        self.transport.write(data)

    async def ask(self, data: bytes = GET) -> Answer:
        """Say a request, and return its answer."""
        self.say(data)
        return await self.answer(is_head=data.startswith(b"HEAD "))

    async def answer(self, *, is_head: bool = False, body: bytes = b"") -> Answer:
        """Return the next answer, as far as it comes."""
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="HEAD" if is_head else "GET", target="/", headers=[("host", "x")]))
        reader.send(h11.EndOfMessage())
        found: Answer | None = None
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                await self._until(lambda: bool(self.raw) or self.has_ended)
                if not self.raw:
                    assert found is not None, "it hung up without an answer"
                    return found
                reader.receive_data(bytes(self.raw))
                self.raw.clear()
            elif isinstance(event, h11.Response):
                found = Answer(event.status_code, dict(event.headers))
            elif isinstance(event, h11.Data):
                assert found is not None
                found.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert found is not None
                self.raw[:0] = reader.trailing_data[0]
                found.is_whole = True
                return found

    async def room(self) -> None:
        """Wait until more may be said."""
        await self._until(lambda: self.transport.is_writable or self.has_ended)

    async def until(self, text: bytes) -> bytes:
        """Wait until this was heard."""
        await self._until(lambda: text in self.raw or self.has_ended)
        assert text in self.raw, bytes(self.raw)
        return bytes(self.raw)

    async def until_size(self, size: int) -> None:
        """Wait until so many bytes were heard; then no more is read."""
        self._most = size
        await self._until(lambda: len(self.raw) >= size)

    async def over(self) -> bytes:
        """Wait until the server hangs up; return what it said last."""
        await self._until(lambda: self.has_ended)
        return bytes(self.raw)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(10_000 if isinstance(asyncio.get_running_loop(), VirtualLoop) else BOUND):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    # The transport tells...

    def data_received(self, data: bytes) -> None:
        self.raw += data
        if len(self.raw) >= self._most:
            self.transport.hold(True)
        self._news.set()

    def data_ended(self) -> None:
        self.has_ended = True
        self.transport.close()
        self._news.set()

    def writable(self) -> None:
        self._news.set()

    def lost(self, error: Exception | None) -> None:
        self.has_ended = self.is_lost = True
        self._news.set()


class Place:
    """A door with an application, at an address."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.door: WebDoor
        self.address = ""
        self.hits: list[str] = []
        self.charged: list[Transport] = []
        self.upgraded: asyncio.Queue[Transport] = asyncio.Queue()
        self._stack = stack
        self.accepted: list[Transport] = []
        self._head = b""
        self._is_secure = False

    async def serve(
        self,
        app: App,
        *,
        address: str = "memory://web",
        head: bytes = b"",
        is_secure: bool = False,
        limits: Limits | None = None,
        **options: Any,
    ) -> None:
        self._head, self._is_secure = head, is_secure
        self.door = WebDoor(
            app,
            limits or Limits(),
            upgrade=self.upgraded.put_nowait,
            charge=self.charged.append,
            hit=lambda source, limit, what: self.hits.append(limit),
            **options,
        )
        listener = await open_listener(parse_address(address), self._accept, backlog=128)
        self.address = listener.addresses[0]
        self._stack.callback(listener.close)
        self._stack.push_async_callback(self.door.close)

    def _accept(self, transport: Transport) -> None:
        self.accepted.append(transport)
        self.door.serve(transport, self._head, is_secure=self._is_secure)

    async def line(self) -> Line:
        line = Line(await open_transport(parse_address(self.address)))
        self._stack.callback(line.transport.abort)
        return line

    def peer(self) -> socket.socket:
        """A plain socket to it."""
        where = parse_address(self.address)
        peer = socket.create_connection((where.host, where.port))
        peer.setblocking(False)
        self._stack.callback(peer.close)
        return peer

    async def empty(self) -> None:
        """Wait until nobody is served any more."""
        async with asyncio.timeout(1000 if isinstance(asyncio.get_running_loop(), VirtualLoop) else BOUND):
            while self.door.connections:
                await asyncio.wait(list(self.door._running.values()))

    def hang_up(self) -> None:
        for transport in self.accepted:
            transport.abort()


@pytest_asyncio.fixture
async def place(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Place]:
    """A place to serve at; nothing may be logged there as a mistake of ours, unless the test takes it off the log."""
    caplog.set_level(logging.WARNING)
    async with AsyncExitStack() as stack:
        place = Place(stack)
        yield place
        place.hang_up()
    mistakes = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert mistakes == []


class Apps:
    """Applications, and what they were told."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.told: list[Message] = []
        self.news = asyncio.Event()

    async def hello(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers without reading."""
        self.scopes.append(scope)
        await answer(send, 200, "hello")

    async def echo(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with the whole body, and stays silent for a caller that goes before."""
        self.scopes.append(scope)
        body, is_more = b"", True
        while is_more:
            message = await receive()
            self.told.append(message)
            self.news.set()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            is_more = message["more_body"]
        await answer(send, 200, body)


@pytest.fixture
def apps() -> Apps:
    return Apps()


Calls = Callable[..., Awaitable[tuple[int, dict[bytes, bytes], bytes]]]


async def call(
    app: App, path: str = "/", *, method: str = "GET", headers: dict[str, str] | None = None, **scope: Any
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Run an application for one request without a connection; return status, fields and body."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    fields = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    target = path.partition("?")[0]
    await app(
        {
            "type": "http",
            "method": method,
            "path": target,
            "raw_path": target.encode(),
            "headers": fields,
            "client": ("127.0.0.1", 1),
            **scope,
        },
        receive,
        send,
    )
    assert sent[0]["type"] == "http.response.start" and not sent[-1].get("more_body", False)
    body = b"".join(message["body"] for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


@pytest.fixture(name="call")
def call_fixture() -> Calls:
    return call


@pytest.fixture
def get() -> bytes:
    """The bytes of the plainest request."""
    return GET
