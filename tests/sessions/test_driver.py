"""The driver: one write a tick, events in order, and a failure that ends one connection only."""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import landline
from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.events import ConnectionEnded, Event, Suspected
from landline.protocol.frames import COUNTS, MAGIC, CloseCode, FrameType, encode_frame
from landline.protocol.handshake import ID_SIZE, TOKEN_SIZE, Hello, Welcome, encode_payload
from landline.protocol.session import Session
from landline.protocol.states import Role
from landline.sessions.driver import Driver
from landline.testing.simulation.wrappings import check_whole
from landline.transports.base import Borrower
from landline.transports.memory import MemoryTransport

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
        self.wrapping = 0
        self.written: list[bytes] = []
        self.calls: list[str] = []

    def start(self, receiver: Any) -> None:
        self.calls.append("start")

    def hold(self, is_held: bool) -> None: ...

    def widen(self, borrower: Borrower) -> None: ...

    def write(self, *pieces: bytes) -> None:
        self.written.append(b"".join(pieces))

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


def into(events: list[Event]) -> Callable[[Driver, Event], None]:
    return lambda _, event: events.append(event)


async def test_what_a_message_is_answered_with_goes_out_in_the_tick_that_wakes_who_answers() -> None:
    """The loop need not look at its sockets once more in between. The first message after an ack is answered a tick later: it has a time set for the next ack."""
    paper = Paper()
    driver = await carried(paper, [], 10, 10, Role.SERVER)
    session = driver.connection.session
    assert session is not None

    def answer(_: Driver, event: Event) -> None:
        loop.call_soon(session.send, session.messages, FrameType.BYTES, b"answer")

    loop, driver.deliver, session.writer = asyncio.get_running_loop(), answer, driver
    session.messages.credit = 1 << 20
    for _ in range(2):
        driver.data_received(encode_frame(FrameType.BYTES, 0, b""))
        await asyncio.sleep(0.001)
    paper.written.clear()
    driver.data_received(encode_frame(FrameType.BYTES, 0, b""))
    await asyncio.sleep(0)

    assert paper.written == [encode_frame(FrameType.BYTES, 0, b"answer")]


async def test_a_failure_in_delivery_ends_this_connection(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the connection is broken off; nothing is raised into the loop."""
    events: list[Event] = []

    def deliver(driver: Driver, event: Event) -> None:
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
    driver = Driver(Connection(Role.SERVER, Limits(handshake_timeout=10), 0.0), paper, into(events))
    driver.start(b"\xfe")
    await asyncio.sleep(9.9)
    assert events == []
    await asyncio.sleep(0.2)

    assert [event.code for event in events if isinstance(event, ConnectionEnded)] == [CloseCode.TIMED_OUT]
    assert paper.calls == ["start", "close"]
    assert driver._alarm is None


async def test_one_alarm_is_set_at_a_time_and_what_was_due_later_is_not_forgotten() -> None:
    """For what is due first; when it rings, for what is next. Who is over keeps none, and none has it."""
    now = asyncio.get_running_loop().time()
    connection = Connection(Role.SERVER, Limits(handshake_timeout=10), now)
    driver = Driver(connection, Paper(), into([]))
    driver.start(b"\xfe")
    await asyncio.sleep(0)
    later = driver._alarm
    assert later is not None and later._due
    connection.frame_deadline = now + 1
    driver.advance()
    earlier = driver._alarm
    assert earlier is not None and earlier.begins_at < later.begins_at and not later._due
    connection.frame_deadline = None

    await asyncio.sleep(2)
    last = driver._alarm
    assert last is not None and last.begins_at == later.begins_at
    driver.abort()
    await asyncio.sleep(0)
    assert driver._alarm is None and not last._due


async def test_a_turn_that_an_interrupt_took_is_had_with_the_next_alarm() -> None:
    """By all who wait for one, whoever's alarm it is."""
    paper, other = Paper(), Paper()
    driver, waiting = await carried(paper, [], 1, 1), await carried(other, [], 1, 1)
    other.written.clear()
    driver._turns._is_called = True  # and nothing is scheduled
    for each in (driver, waiting):
        each.connection.break_off(CloseCode.FAILED, "")
        each.schedule()
    await asyncio.sleep(0)
    assert other.written == []
    driver.ring()
    await asyncio.sleep(0)

    assert len(other.written) == 1


INTERRUPTED: dict[str, Callable[[Driver], None]] = {
    "receive_data": lambda driver: driver.data_received(encode_frame(FrameType.PING)),
    "data_to_send": Driver.advance,
    "handle_timeout": Driver.ring,
}


@pytest.mark.parametrize("name", INTERRUPTED)
async def test_an_interrupt_in_the_middle_of_counting_ends_the_session(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that goes on after it must not go on with counts that are true no longer."""
    paper = Paper()
    events: list[Event] = []
    driver = await carried(paper, events, 10, 10, Role.SERVER)
    paper.written.clear()

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Connection, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            INTERRUPTED[name](driver)
    await asyncio.sleep(0)

    (end,) = events
    assert isinstance(end, ConnectionEnded)
    assert (end.code, end.reason) == (CloseCode.FAILED, "interrupted by KeyboardInterrupt")
    assert not driver.has_crashed
    assert b"interrupted by KeyboardInterrupt" in paper.written[-1]
    assert paper.calls[-1] == "close"


async def test_an_interrupt_while_events_are_told_ends_the_session() -> None:
    """The others of them are told nobody."""
    paper = Paper()
    events: list[Event] = []
    driver = await carried(paper, events, 10, 10, Role.SERVER)

    def interrupted(_: Driver, event: Event) -> None:
        driver.deliver = into(events)
        raise KeyboardInterrupt

    driver.deliver = interrupted
    with pytest.raises(KeyboardInterrupt):
        driver.data_received(encode_frame(FrameType.BYTES, 0, b""))
    await asyncio.sleep(0)

    (end,) = events
    assert isinstance(end, ConnectionEnded)
    assert end.reason == "interrupted by KeyboardInterrupt"


async def carried(
    paper: Paper, events: list[Event], heartbeat: float, dead_after: float, role: Role = Role.CLIENT
) -> Driver:
    """Return what runs an end that carries a session from now on; whatever is to be written leaves at once."""
    now = asyncio.get_running_loop().time()
    connection = Connection(role, Limits(), now)
    driver = Driver(connection, paper, into(events))
    driver.start(MAGIC[:3] if role is Role.SERVER else b"")
    await asyncio.sleep(0)
    welcome = msgspec.structs.replace(WELCOME, heartbeat=heartbeat, dead_after=dead_after)
    session = Session(Limits(), peer_window=1, peer_max_message=1)
    if role is Role.CLIENT:
        connection.carry(welcome, session, now)
        driver.schedule()
    else:
        hello = Hello(life=bytes(ID_SIZE), window=1, max_message=1)
        driver.data_received(MAGIC[3:] + encode_payload(FrameType.HELLO, hello))
        connection.welcome(welcome, session, 0, now)
        driver.schedule()
        await asyncio.sleep(0)
        driver.data_received(encode_frame(FrameType.CONFIRM, 0, bytes(TOKEN_SIZE)))
    await asyncio.sleep(0)
    events.clear()
    return driver


def pings(paper: Paper) -> int:
    return b"".join(paper.written).count(encode_frame(FrameType.PING))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("heartbeat", "dead_after"), [(5.0, 3.0), (1.0, 1.2)])
async def test_a_dead_line_is_seen_in_time_although_an_alarm_for_later_was_set_before(
    heartbeat: float, dead_after: float, role: Role
) -> None:
    """Until the greeting is done there is a time for that, which is longer than a heartbeat may be; afterwards one that is late would not be believed."""
    events: list[Event] = []
    paper = Paper()
    began = asyncio.get_running_loop().time()
    await carried(paper, events, heartbeat, dead_after, role)
    while not any(isinstance(event, ConnectionEnded) for event in events):
        assert asyncio.get_running_loop().time() < began + 30
        await asyncio.sleep(0.1)

    assert 0 <= asyncio.get_running_loop().time() - began - heartbeat - dead_after < 0.3
    assert [type(event) for event in events] == [Suspected, ConnectionEnded]


@pytest.mark.parametrize(
    "answer", [encode_frame(FrameType.PONG), encode_frame(FrameType.ACK, 0, COUNTS.pack(0, 0))]
)
async def test_an_answer_to_a_ping_is_followed_by_the_next_in_time(answer: bytes) -> None:
    """Also where that is due before the line would have been suspected: a look that comes late takes the loop for one that stood still."""
    events: list[Event] = []
    paper = Paper()
    driver = await carried(paper, events, heartbeat=1.0, dead_after=8.0)
    seen = 0
    for _ in range(200):
        await asyncio.sleep(0.1)
        if pings(paper) > seen:
            driver.data_received(answer if seen else MAGIC + answer)
            seen += 1

    assert seen >= 14
    assert events == []


@pytest.mark.parametrize("leaves", [1_000, 0])
async def test_a_slow_line_whose_carrier_wraps_is_not_dead(leaves: int) -> None:
    """Around small writes TLS and WebSocket put more than leaves meanwhile; still something leaves, or nothing does."""
    events: list[Event] = []
    paper = Paper()

    def write(*pieces: bytes) -> None:
        paper.backlog += sum(map(len, pieces)) + 30
        paper.wrapping += 30

    paper.write = write  # type: ignore[method-assign]
    connection = Connection(Role.CLIENT, Limits(write_timeout=10.0, heartbeat_interval=1000.0), 0.0)
    driver = Driver(connection, paper, into(events))
    driver.start()
    session = Session(Limits(), peer_window=1 << 20, peer_max_message=1 << 20)
    connection.carry(msgspec.structs.replace(WELCOME, window=1 << 20, heartbeat=1000.0), session, 0.0)
    for _ in range(200):
        for _ in range(10):
            session.send_frame(session.messages, encode_frame(FrameType.TEXT, 0, b"x" * 90))
            driver.advance()
        paper.backlog = max(0, paper.backlog - leaves // 10)
        await asyncio.sleep(0.1)
    codes = [event.code for event in events if isinstance(event, ConnectionEnded)]

    assert codes == ([] if leaves else [CloseCode.DEAD])


async def test_an_abort_is_the_end_of_the_line() -> None:
    """Reported once, however often the transport says so too."""
    events: list[Event] = []
    paper = Paper()
    driver = Driver(Connection(Role.SERVER, Limits(), 0.0), paper, into(events))
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
    driver = Driver(Connection(Role.CLIENT, Limits(), 0.0), Paper(), into([]))
    driver.start()
    driver.abort()
    await asyncio.sleep(1)
    late: list[Event] = []
    driver.deliver = into(late)
    session = Session(Limits(), peer_window=1, peer_max_message=1)
    driver.connection.carry(WELCOME, session, 1.0)
    driver.schedule()
    await asyncio.sleep(1)

    assert [type(event) for event in late] == [ConnectionEnded]


async def test_a_write_holds_whole_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """At both ends, through drops and replays, small frames and such as are larger than what one write holds: a WebSocket makes a message of each."""
    written: dict[Any, list[bytes]] = {}
    write = MemoryTransport.write

    def note(self: MemoryTransport, *pieces: bytes) -> None:
        written.setdefault(self, []).append(b"".join(pieces))
        write(self, *pieces)

    monkeypatch.setattr(MemoryTransport, "write", note)
    sizes = [1, 100_000, 300_000, 7, 1 << 20, 60_000] + 40 * [10_000] + 3000 * [20]

    async def talk(session: landline.Session) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(session))
            for number, size in enumerate(sizes):
                assert len(await session.receive()) == size
                if number % 500 == 3:
                    session.drop()
            session.ack()

    async def speak(session: landline.Session) -> None:
        for size in sizes:
            await session.send(b"x" * size)
        await session.flush()

    async with landline.serve(talk, "memory://whole", authenticate=str) as there:
        async with landline.connect(*there.addresses, credentials="somebody") as session:
            await talk(session)

    for writes in written.values():
        for place, data in enumerate(writes):
            check_whole(data, is_first=place == 0)
    assert len(written) >= 6  # two for each line
    assert max(len(data) for writes in written.values() for data in writes) > 1 << 20
