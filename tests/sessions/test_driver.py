"""The driver: one write a tick, events in order, and a failure that ends one connection only."""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.events import ConnectionEnded, Event
from landline.protocol.frames import CloseCode
from landline.protocol.handshake import ID_SIZE, TOKEN_SIZE, Welcome
from landline.protocol.session import Session
from landline.protocol.states import Role
from landline.sessions.driver import Driver

if TYPE_CHECKING:
    from .conftest import Place

VIRTUAL_TIME = True

WELCOME = Welcome(
    session=bytes(ID_SIZE),
    token=bytes(TOKEN_SIZE),
    life=bytes(ID_SIZE),
    received=0,
    resumed=False,
    window=1,
    max_message=1,
    heartbeat=1.0,
    dead_after=1.0,
    resume_window=1.0,
)


class Paper:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.peer = "paper"
        self.source = ""
        self.on_lost: Any = None
        self.is_writable = True
        self.backlog = 0
        self.written: list[bytes] = []
        self.calls: list[str] = []

    def start(self, receiver: Any) -> None:
        self.calls.append("start")

    def hold(self, is_held: bool) -> None: ...

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def end(self) -> None:
        self.calls.append("end")

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")


async def test_what_one_tick_sends_is_one_write(place: Place) -> None:
    """However many messages: one call to the kernel."""
    await place.serve()
    wire, _ = await place.session()
    await asyncio.sleep(1)
    before = len(wire.raw)
    chunks: list[int] = []
    wire.transport.start(_Counting(wire, chunks))
    for number in range(50):
        place.sessions[0].send_nowait(number)
    await asyncio.sleep(0.01)

    assert len(chunks) == 1
    assert chunks[0] > 50
    assert before


class _Counting:
    """Passes what arrives on, and counts the chunks."""

    def __init__(self, wire: Any, chunks: list[int]) -> None:
        self._wire, self._chunks = wire, chunks

    def data_received(self, data: bytes) -> None:
        self._chunks.append(len(data))
        self._wire.data_received(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)


async def test_a_failure_in_delivery_ends_this_connection(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the connection is broken off; nothing is raised into the loop."""
    events: list[Event] = []

    def deliver(event: Event) -> None:
        events.append(event)
        if len(events) == 1:
            raise RuntimeError("a bug of ours")

    paper = Paper()
    driver = Driver(Connection(Role.SERVER, Limits(), 0.0), paper, deliver)
    driver.start(b"\xfeLNDLN\0\1")
    driver.data_received(b"\0\0\0\0\6\0\0\0\0")
    await asyncio.sleep(1)

    assert "a bug of ours" in caplog.text
    assert isinstance(events[0], ConnectionEnded)
    assert paper.calls == ["start", "close"]


async def test_the_timer_ends_who_is_too_slow() -> None:
    """Time that passes is the connection's business, and the driver tells it."""
    events: list[Event] = []
    paper = Paper()
    driver = Driver(Connection(Role.SERVER, Limits(handshake_timeout=10), 0.0), paper, events.append)
    driver.start(b"\xfe")
    await asyncio.sleep(9.9)
    assert events == []
    await asyncio.sleep(0.2)

    assert [event.code for event in events if isinstance(event, ConnectionEnded)] == [CloseCode.TIMED_OUT]
    assert paper.calls == ["start", "close"]
    assert driver._timer is None or driver._timer.cancelled()


async def test_an_abort_is_the_end_of_the_line() -> None:
    """Reported once, however often the transport says so too."""
    events: list[Event] = []
    paper = Paper()
    driver = Driver(Connection(Role.SERVER, Limits(), 0.0), paper, events.append)
    driver.start()
    driver.abort()
    driver.abort()
    driver.data_ended()
    driver.lost(None)
    driver.writable()
    await asyncio.sleep(1)

    assert [type(event) for event in events] == [ConnectionEnded]
    assert paper.written == []


async def test_who_attaches_to_a_connection_that_ended_is_told() -> None:
    """The line dropped while the client was busy with its welcome: nobody may believe that the session is on it."""
    driver = Driver(Connection(Role.CLIENT, Limits(), 0.0), Paper(), lambda event: None)
    driver.start()
    driver.abort()
    await asyncio.sleep(1)
    late: list[Event] = []
    driver.deliver = late.append
    session = Session(Limits(), peer_window=1, peer_max_message=1)
    driver.connection.carry(WELCOME, session, 1.0)
    driver.schedule()
    await asyncio.sleep(1)

    assert [type(event) for event in late] == [ConnectionEnded]
