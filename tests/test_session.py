"""What a program sees of a session, the same over TCP, Unix sockets and memory."""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import landline
from landline import State
from landline.protocol.frames import CloseCode

pytestmark = pytest.mark.timeout(20)

QUICK = landline.Limits(redial_min=0.001, redial_max=0.01)
ACKED = landline.Outcome("acked")


class Pair:
    """Both ends of sessions with one server; the tests are the programs at both ends."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._theirs: asyncio.Queue[landline.Session] = asyncio.Queue()
        self._leave = asyncio.Event()
        self.address = ""
        self.listening: landline.Listening

    async def listen(self, address: str, **options: Any) -> None:
        self.listening = await self._stack.enter_async_context(
            landline.serve(self._program, address, **options)
        )
        self._stack.callback(self._leave.set)
        self.address = self.listening.addresses[0]

    async def _program(self, session: landline.Session) -> None:
        self._theirs.put_nowait(session)
        await self._leave.wait()

    async def connect(self, **options: Any) -> tuple[landline.Session, landline.Session]:
        """A new session: the client's end and the server's."""
        ours = await landline.connect(self.address, **{"limits": QUICK, **options})
        self._stack.push_async_callback(ours.close)
        return ours, await self._theirs.get()


@pytest.fixture(params=["tcp", "unix", "memory"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    places = {"tcp": "tcp://127.0.0.1:0", "unix": f"unix://{tmp_path}/s.sock", "memory": "memory://session"}
    return places[request.param]


@pytest.fixture
async def pair(where: str) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        pair = Pair(stack)
        await pair.listen(where)
        yield pair
        pair._leave.set()


async def until_state(session: landline.Session, state: State) -> list[landline.StateChange]:
    """Wait until the session is in that state; return the changes on the way, from now on."""
    changes: list[landline.StateChange] = []
    if session.state is not state:
        async for change in session.states():
            changes.append(change)
            if change.state is state:
                break
    return changes


# Messages...


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff\0", "", "ünï", 0, -1.5, None, True, [1, [2]], {"a": b"b", "c": None}, "x" * 100_000],
    ids=repr,
)
async def test_a_value_arrives_as_what_it_was(pair: Pair, value: Any) -> None:
    """Both ways, of the same type."""
    ours, theirs = await pair.connect()
    await ours.send(value)
    await theirs.send(value)

    for end in (ours, theirs):
        got = await end.receive()
        assert got == value
        assert type(got) is type(value)


async def test_messages_keep_their_order_across_drops(pair: Pair) -> None:
    """Once and in order, whichever end hung up."""
    ours, theirs = await pair.connect()

    async def speak(session: landline.Session) -> None:
        for number in range(300):
            await session.send(number)
            if number % 60 == 30:
                session.drop()
                await asyncio.sleep(0)
        await session.flush()

    async def hear(session: landline.Session) -> list[int]:
        got = [await session.receive() for _ in range(300)]
        session.ack()
        return got

    async with asyncio.TaskGroup() as tasks:
        heard = [tasks.create_task(hear(end)) for end in (ours, theirs)]
        for end in (ours, theirs):
            tasks.create_task(speak(end))

    assert [task.result() for task in heard] == [list(range(300))] * 2


async def test_a_value_that_cannot_be_sent_is_its_senders_error(pair: Pair) -> None:
    """And the session goes on."""
    ours, theirs = await pair.connect()
    for value in (object(), "\ud800", b"x" * ((1 << 20) + 1), {1: {2: object()}}):
        with pytest.raises(landline.DataError):
            await ours.send(value)
        with pytest.raises(landline.DataError):
            ours.send_nowait(value)
    await ours.send(b"x" * (1 << 20))

    assert await theirs.receive() == b"x" * (1 << 20)


# Outcomes...


async def test_acked_is_handled_and_not_just_received(pair: Pair) -> None:
    """The peer's program came back for the next one, or said so."""
    ours, theirs = await pair.connect()
    first, second = await ours.send("one"), await ours.send("two")
    assert await theirs.receive() == "one"
    assert await theirs.receive() == "two"

    assert await first == ACKED
    assert first.outcome is not None and first.outcome.is_acked
    assert second.outcome is None
    theirs.ack()
    assert await second == ACKED
    assert await second == ACKED


async def test_what_never_left_has_failed_and_what_may_have_is_unknown(pair: Pair) -> None:
    """A line that is down when the session ends: certainty for what was never written, doubt for the rest."""
    ours, theirs = await pair.connect()
    acked = await ours.send("handled")
    written = await ours.send("written")
    assert await theirs.receive() == "handled"
    assert await theirs.receive() == "written"
    assert await acked == ACKED
    ours.drop(60)
    await until_state(ours, State.RECONNECTING)
    kept = await ours.send("never left")
    ours._bare.lose(CloseCode.EXPIRED, "given up")

    assert (await written).status == "unknown"
    assert (await kept).status == "failed"
    assert "given up" in (await kept).reason
    assert await acked == ACKED
    with pytest.raises(landline.SessionLost) as lost:
        await ours.flush()
    assert (lost.value.received, lost.value.unacked) == (2, 2)


@pytest.mark.limit("outbox_messages")
async def test_the_outbox_is_bounded(pair: Pair) -> None:
    """``send_nowait`` says Full, ``send`` waits, and goes on when there is room; detached too."""
    limits = landline.Limits(outbox_messages=5, redial_min=0.001, redial_max=0.01)
    ours, theirs = await pair.connect(limits=limits)
    ours.drop(0.05)
    await until_state(ours, State.RECONNECTING)
    for number in range(5):
        ours.send_nowait(number)
    with pytest.raises(landline.Full, match="5 messages"):
        ours.send_nowait(5)
    waiting = asyncio.ensure_future(ours.send(5))
    assert [await theirs.receive() for _ in range(6)] == [0, 1, 2, 3, 4, 5]

    receipt = await waiting
    theirs.ack()
    assert await receipt == ACKED


async def test_a_reader_that_does_not_read_stops_the_writer(pair: Pair) -> None:
    """Credit holds the writer back, both queues are bounded, and the line stays alive for the other direction."""
    limits = landline.Limits(outbox_bytes=100_000)
    ours, theirs = await pair.connect(limits=limits)
    sent = 0

    async def speak() -> None:
        nonlocal sent
        while True:
            await ours.send(b"x" * 1000)
            sent += 1

    speaking = asyncio.ensure_future(speak())
    for number in range(100):  # a talk in the other direction gives it all the time it needs
        await theirs.send(number)
        assert await ours.receive() == number
        ours.ack()
    while ours._bare.core.has_room_in(ours._bare.core.messages):  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(0)
    assert not speaking.done()
    assert sent < 600

    before = sent
    for _ in range(before):
        await theirs.receive()
    while sent == before:
        await theirs.receive()
    speaking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await speaking


# Ends...


@pytest.mark.parametrize("closer", ["client", "server"])
async def test_a_close_delivers_what_was_sent_first(pair: Pair, closer: str) -> None:
    """Everything before it arrives, then the end is an orderly one, with its reason, at both ends."""
    ends = await pair.connect()
    closing, staying = ends if closer == "client" else ends[::-1]
    receipts = [await closing.send(number) for number in range(100)]

    async def hear() -> list[int]:
        return [message async for message in staying]

    heard = asyncio.ensure_future(hear())
    await closing.close("enough said")

    assert await heard == list(range(100))
    assert [await receipt for receipt in receipts] == [ACKED] * 100
    for end in ends:
        assert end.is_closed
        assert end.state is State.CLOSED
        with pytest.raises(landline.SessionClosed, match="enough said"):
            await end.receive()
        with pytest.raises(landline.SessionClosed):
            await end.send("late")
        with pytest.raises(landline.SessionClosed):
            end.send_nowait("late")


async def test_both_ends_close_at_once(pair: Pair) -> None:
    """Neither waits for the other for long."""
    ours, theirs = await pair.connect()
    await asyncio.gather(ours.close("a"), theirs.close("b"), ours.close("again"))

    assert ours.state is theirs.state is State.CLOSED


async def test_a_close_while_the_line_is_down(pair: Pair) -> None:
    """It waits for the line within its time, delivers, and then both ends are closed."""
    ours, theirs = await pair.connect()
    ours.drop(0.02)
    await until_state(ours, State.RECONNECTING)
    receipt = await ours.send("last words")

    async def hear() -> list[Any]:
        return [message async for message in theirs]

    heard = asyncio.ensure_future(hear())
    await ours.close()

    assert await heard == ["last words"]
    assert await receipt == ACKED
    assert ours.state is theirs.state is State.CLOSED


async def test_a_close_that_cannot_deliver_is_a_loss(pair: Pair) -> None:
    """It does not raise and it does not take longer than ``close_timeout``; the receipts tell."""
    ours, _ = await pair.connect(limits=landline.Limits(close_timeout=0.05))
    ours.drop(60)
    await until_state(ours, State.RECONNECTING)
    receipt = await ours.send("nobody hears this")
    await ours.close()

    assert (await receipt).status == "failed"
    assert ours.state is State.LOST


async def test_a_session_survives_the_block_that_raises(pair: Pair) -> None:
    """The error of the block is what comes out of it, and the session is closed."""
    with pytest.raises(RuntimeError, match="mine"):
        async with landline.connect(pair.address) as session:
            raise RuntimeError("mine")

    assert session.is_closed


# Cancellation...


@pytest.mark.parametrize("what", ["receive", "send", "flush", "receipt", "states", "wait_closed"])
async def test_a_cancelled_wait_leaves_the_session_whole(pair: Pair, what: str) -> None:
    """Nothing is lost by it, and nothing keeps waiting."""
    limits = landline.Limits(outbox_messages=1, redial_min=0.001, redial_max=0.01)
    ours, theirs = await pair.connect(limits=limits)
    if what in ("send", "flush", "receipt"):
        ours.drop(0.05)
        await until_state(ours, State.RECONNECTING)
        receipt = await ours.send("first")

    async def wait() -> None:
        match what:
            case "receive":
                await ours.receive()
            case "send":
                await ours.send("second")
            case "flush":
                await ours.flush()
            case "receipt":
                await receipt
            case "states":
                async for _ in ours.states():
                    pass
            case _:
                await ours.wait_closed()

    for _ in range(3):
        waiting = asyncio.ensure_future(wait())
        for _ in range(3):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    if what in ("send", "flush", "receipt"):
        assert await theirs.receive() == "first"
    await theirs.send("hello")
    assert await ours.receive() == "hello"
    await ours.send("third")
    assert await theirs.receive() == "third"
    for signal in (ours._bare.messages.arrived, ours._bare.room, ours._bare.over):
        assert not [waiter for waiter in (signal._first, *signal._others) if waiter and not waiter.done()]
    assert ours._bare._watchers == ()


async def test_a_cancelled_close_ends_the_session_at_once(pair: Pair) -> None:
    """Whoever has no time for an orderly end gets the other one."""
    ours, _ = await pair.connect()
    ours.drop(60)
    await until_state(ours, State.RECONNECTING)
    await ours.send("unsaid")
    closing = asyncio.ensure_future(ours.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert ours.is_closed


async def test_a_task_that_waits_is_told_of_the_end(pair: Pair) -> None:
    """Every kind of waiting ends with the session."""
    ours, _ = await pair.connect()
    ours.drop(60)
    await until_state(ours, State.RECONNECTING)
    receipt = await ours.send("doubtful")
    waits = [
        asyncio.ensure_future(wait)
        for wait in (
            ours.receive(),
            ours.flush(),
            anext(aiter(ours), "the end"),
            ours.wait_closed(),
            _status(receipt),
        )
    ]
    await asyncio.sleep(0)
    ours._bare.lose(CloseCode.EXPIRED, "gone")
    results = await asyncio.gather(*waits, return_exceptions=True)

    assert [type(result) for result in results[:3]] == [landline.SessionLost] * 3
    assert results[3:] == [None, "failed"]


async def _status(receipt: landline.Receipt) -> str:
    return (await receipt).status


# States...


async def test_a_drop_is_seen_in_the_states(pair: Pair) -> None:
    """Connected, reconnecting with the time of the next dial, connected again; each says how long the last one was."""
    ours, theirs = await pair.connect()
    watching = aiter(ours.states())
    first = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0)
    ours.drop(0.03)
    down, planned, up = await first, await anext(watching), await anext(watching)

    assert (down.state, down.previous) == (State.RECONNECTING, State.CONNECTED)
    assert down.reason
    assert planned.state is planned.previous is State.RECONNECTING
    assert planned.retry_in is not None and planned.retry_in >= 0.03
    assert (up.state, up.previous) == (State.CONNECTED, State.RECONNECTING)
    assert up.lasted > 0
    await ours.close("done")
    rest = [change.state async for change in watching]
    assert rest == [State.CLOSING, State.CLOSED]
    assert theirs.state in (State.CLOSED, State.CLOSING)


async def test_the_server_sees_a_drop_too(pair: Pair) -> None:
    """Its session has no line for a while; what is sent meanwhile waits and arrives."""
    ours, theirs = await pair.connect()
    down = asyncio.ensure_future(until_state(theirs, State.RECONNECTING))
    await asyncio.sleep(0)
    ours.drop(0.03)
    await down
    receipt = theirs.send_nowait("meanwhile")

    assert await ours.receive() == "meanwhile"
    ours.ack()
    assert await receipt == ACKED


async def test_who_it_is_and_with_whom(pair: Pair, where: str) -> None:
    """The id is the same at both ends and survives drops; so is the peer, as text."""
    ours, theirs = await pair.connect()

    assert ours.id == theirs.id
    assert len(ours.id) == 32
    assert ours.peer == pair.address
    assert theirs.peer.partition("://")[0] == where.partition("://")[0]
    assert ours.principal == theirs.principal == ""
    assert ours.id[:8] in repr(ours) and "connected" in repr(ours)
    theirs.drop()
    await until_state(ours, State.RECONNECTING)
    await until_state(ours, State.CONNECTED)
    assert ours.id == theirs.id


@pytest.mark.long
async def test_nothing_is_left_of_a_session(pair: Pair) -> None:
    """No task and no line, after closes and drops of every kind."""
    before = asyncio.all_tasks()
    for number in range(10):
        ours, theirs = await pair.connect()
        if number % 2:
            ours.drop()
        await [ours, theirs][number % 3 % 2].close()
        await asyncio.gather(ours.wait_closed(), theirs.wait_closed())
        pair._leave.set()
    while asyncio.all_tasks() - before or pair.listening._acceptor._admission._open:  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(0)
    gc.collect()

    assert pair.listening.sessions == 0


@pytest.mark.parametrize(
    ("seconds", "error"), [("a", TypeError), (None, TypeError), (-1, ValueError), (float("nan"), ValueError)]
)
async def test_a_line_stays_away_for_a_number_of_seconds(seconds: Any, error: type[Exception]) -> None:
    """What is none is refused before the line is dropped."""
    async with landline.serve(landline.Session.wait_closed, "memory://away"):
        async with landline.connect("memory://away") as session:
            with pytest.raises(error, match="seconds"):
                session.drop(seconds)
            assert session.state is State.CONNECTED
