"""A WebSocket that another server speaks: the promises of every transport, over two of them that are wired to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from landline.errors import ConnectError, ListenError, ProtocolError
from landline.limits import TRANSPORT
from landline.testing.transport_conformance import Line, Recorder, TransportConformance
from landline.transports import Accept
from landline.web import asgi_transport as module
from landline.web.asgi_transport import AsgiTransport

HOST = ("127.0.0.1", 7)
ADDRESS = "ws://127.0.0.1:7"


class Wire:
    """One end of a WebSocket as a server has it: what ``receive`` gives and ``send`` takes, one message at a time."""

    def __init__(self) -> None:
        self.other: Wire
        self.arrived: asyncio.Queue[dict[str, Any]] = asyncio.Queue(1)
        self.sent: list[dict[str, Any]] = []
        self.closed_with: int | None = None
        self.is_over = asyncio.Event()
        self.transport = AsgiTransport(
            {"type": "websocket", "client": HOST, "scheme": "ws"}, self.receive, self.send
        )
        self.running = asyncio.ensure_future(self.run())

    async def run(self) -> None:
        try:
            await self.transport.run()
        finally:
            self.close(1006)

    async def receive(self) -> dict[str, Any]:
        if self.arrived.empty() and not self.is_over.is_set():
            getting = asyncio.ensure_future(self.arrived.get())
            over = asyncio.ensure_future(self.is_over.wait())
            try:
                await asyncio.wait([getting, over], return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    return getting.result()
            finally:
                over.cancel()
                getting.cancel()
        if not self.arrived.empty():
            return self.arrived.get_nowait()
        return {"type": "websocket.disconnect", "code": self.closed_with}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "websocket.close":
            self.close(message["code"])
        elif self.is_over.is_set():
            raise OSError("gone")
        else:
            await self.other.arrived.put({"type": "websocket.receive", "bytes": message["bytes"]})

    def close(self, code: int) -> None:
        for end in (self, self.other):
            if end.closed_with is None:
                end.closed_with = code
                end.is_over.set()


class Listening:
    """Where a test's transports are accepted."""

    taken: Listening | None = None

    def __init__(self, accept: Accept) -> None:
        self.addresses = [ADDRESS]
        self.accept = accept
        Listening.taken = self

    def start(self, accept: Accept, gate: Any = None) -> None: ...

    def hand_over(self) -> list[Any]:
        return []

    def close(self) -> None:
        Listening.taken = None

    async def wait_closed(self) -> None: ...


class TestAsgiTransport(TransportConformance):
    """The suite."""

    scheme = "ws"
    has_halves = False

    @pytest.fixture
    def address(self) -> str:
        return ADDRESS

    @pytest.fixture(autouse=True)
    def nobody_listens(self) -> Iterator[None]:
        Listening.taken = None
        yield
        Listening.taken = None

    async def open_listener(self, address: str, accept: Accept) -> Any:
        if Listening.taken is not None:
            raise ListenError(address, "it is taken")
        return Listening(accept)

    async def open_transport(self, address: str) -> AsgiTransport:
        if Listening.taken is None:
            raise ConnectError(address, "nobody listens there")
        ours, theirs = Wire(), Wire()
        ours.other, theirs.other = theirs, ours
        Listening.taken.accept(theirs.transport)
        return ours.transport

    async def test_one_direction_ends_and_the_other_goes_on(self, line: Line, hears: Recorder) -> None:
        """Not here: ASGI knows only a close of both, behind what was written."""
        line.ours.start(hears)
        line.ours.write(b"all of it")
        line.ours.end()
        line.ours.write(b"too late")
        await line.hears.until_told("lost")
        await hears.until_told("lost")

        assert line.hears.data == b"all of it"


class Server:
    """What a test says by hand, and what is sent to it."""

    def __init__(self, **scope: Any) -> None:
        self.arriving: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.may_send = asyncio.Event()
        self.may_send.set()
        self.transport = AsgiTransport({"client": HOST, **scope}, self.arriving.get, self.send)
        self.hears = Recorder()

    async def send(self, message: Any) -> None:
        await self.may_send.wait()
        self.sent.append(message)

    async def run(self) -> None:
        self.transport.start(self.hears)
        async with asyncio.timeout(10):
            await self.transport.run()


async def test_a_write_is_a_message() -> None:
    """As it was written, and what waits is counted."""
    server = Server()
    server.transport.write(b"one")
    server.transport.write(b"two")

    assert server.transport.backlog == 6

    server.transport.close()
    await server.run()

    assert server.sent == [
        {"type": "websocket.send", "bytes": b"one"},
        {"type": "websocket.send", "bytes": b"two"},
        {"type": "websocket.close", "code": 1000},
    ]
    assert server.hears.told == ["lost"] and server.hears.error is None


async def test_of_a_large_write_parts_are_seen_to_go() -> None:
    """Who judges by the backlog whether a line is dead sees one that is slow: it does not wait for all of a write."""
    server = Server()
    data = bytes(range(256)) * 256
    is_stuck = iter([False, False, True])

    async def send(message: Any) -> None:
        if next(is_stuck, False):
            server.may_send.clear()
            server.arriving.put_nowait({"type": "websocket.receive", "bytes": b"now"})
        await server.send(message)

    server.transport._send = send
    server.transport.write(data)
    running = asyncio.ensure_future(server.run())
    await server.hears.until_told("data")

    assert 0 < server.transport.backlog < len(data)

    server.may_send.set()
    server.transport.close()
    await running

    assert b"".join(message.get("bytes", b"") for message in server.sent) == data


async def test_text_is_refused() -> None:
    """A session is binary; who sends text speaks something else."""
    server = Server()
    server.arriving.put_nowait({"type": "websocket.receive", "text": "hello"})
    await server.run()

    assert server.sent == [{"type": "websocket.close", "code": 1003}]
    assert server.hears.told == ["lost"] and isinstance(server.hears.error, ProtocolError)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (1000, ["ended", "lost"]),
        (1001, ["ended", "lost"]),
        (1005, ["ended", "lost"]),
        (1006, ["lost"]),
        (1012, ["lost"]),
    ],
)
async def test_how_the_other_end_went_is_told(code: int, told: list[str]) -> None:
    """In good order, or cut."""
    server = Server()
    server.arriving.put_nowait({"type": "websocket.disconnect", "code": code})
    await server.run()

    assert server.hears.told == told
    assert (server.hears.error is None) is ("ended" in told)


async def test_who_takes_nothing_is_left_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A close waits for what was written, and not for ever."""
    monkeypatch.setattr(module, "LINGER", 0.01)
    server = Server()
    server.may_send.clear()
    server.transport.write(b"x")
    server.transport.close()
    await server.run()

    assert server.sent == [] and server.transport.backlog == 0


async def test_a_server_that_raises_ends_one_transport() -> None:
    """Whatever it raises: its own word for a WebSocket that has gone."""
    server = Server()

    async def send(message: Any) -> None:
        raise RuntimeError("gone")

    server.transport._send = send
    server.transport.write(b"x")
    await server.run()

    assert server.hears.told == ["lost"]


async def test_our_own_mistake_ends_one_transport(caplog: pytest.LogCaptureFixture) -> None:
    """And is logged."""
    server = Server()

    def fails(data: bytes) -> None:
        raise ZeroDivisionError

    server.hears.data_received = fails  # type: ignore[method-assign]
    server.arriving.put_nowait({"type": "websocket.receive", "bytes": b"x"})
    await server.run()

    assert server.hears.told == ["lost"]
    assert "ZeroDivisionError" in caplog.text


async def test_what_comes_to_a_transport_that_is_held_waits() -> None:
    """Also where the server was asked for it before."""
    server = Server()
    running = asyncio.ensure_future(server.run())
    for _ in range(5):
        await asyncio.sleep(0)
    server.transport.hold(True)
    server.arriving.put_nowait({"type": "websocket.receive", "bytes": b"x"})
    for _ in range(5):
        await asyncio.sleep(0)

    assert server.hears.told == []

    server.transport.hold(False)
    await server.hears.until_told("data")
    server.transport.abort()
    await running


async def test_a_full_transport_is_not_writable() -> None:
    """Until enough of it went; then that is told."""
    server = Server()
    server.may_send.clear()
    server.transport.write(b"x" * TRANSPORT.backlog)

    was_writable = server.transport.is_writable
    server.transport.write(b"x")

    is_writable = server.transport.is_writable

    assert was_writable and not is_writable

    running = asyncio.ensure_future(server.run())
    server.may_send.set()
    await server.hears.until_told("writable")
    server.transport.abort()
    await running

    assert server.hears.told == ["writable", "lost"]


@pytest.mark.parametrize(
    ("scope", "peer", "source"),
    [
        ({"scheme": "wss"}, "wss://127.0.0.1:7", ""),
        ({"client": ("192.0.2.1", 7)}, "ws://192.0.2.1:7", "192.0.2.1"),
        ({"client": ("2001:db8:1:2:3::4", 7)}, "ws://[2001:db8:1:2:3::4]:7", "2001:db8:1:2::/64"),
        ({"client": None}, "", ""),
    ],
)
async def test_a_peer_is_who_the_server_says(scope: Any, peer: str, source: str) -> None:
    """Limits per source count by it; a Unix socket has none."""
    transport = Server(**scope).transport

    assert (transport.peer, transport.source) == (peer, source)
