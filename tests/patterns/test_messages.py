"""Receipts and outcomes, without a line: what is known when."""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio

import pytest

import landline
from landline.errors import DataError, Full, SessionClosed, SessionInterrupted, SessionLost
from landline.limits import Limits
from landline.patterns.messages import ACKED, MessageReceipt, Messages, Outcome
from landline.protocol.codec import BYTES, PACKED, encode_data
from landline.protocol.credit import Pressure
from landline.protocol.events import PeerClosed
from landline.protocol.flow import Flow
from landline.protocol.frames import HEADER, CloseCode, DataFrame, encode_data_frame
from landline.protocol.session import Session
from landline.protocol.states import State
from landline.sessions.bare import BareSession
from landline.sessions.flow import BareFlow


@pytest.fixture
async def bare() -> BareSession:
    limits = Limits(outbox_messages=4, max_message=10)
    state = Session(limits, peer_window=1 << 18, peer_max_message=10)
    return BareSession(state, session_id=b"i" * 16, principal="", limits=limits)


async def test_a_receipt_knows_as_much_as_there_is_to_know(bare: BareSession) -> None:
    """Nothing, then acked for what was handled; at the end failed for what was never written, unknown for the rest."""
    messages = Messages(bare)
    receipts = [await messages.send(number) for number in range(2)]
    bare.core.attach(0)
    bare.core.data_to_send(0.0, 1 << 20)
    receipts.append(await messages.send(2))
    assert [receipt.outcome for receipt in receipts] == [None] * 3
    bare.core.messages.was_handled(1)
    assert [receipt.outcome for receipt in receipts] == [ACKED, None, None]
    waiting = [asyncio.ensure_future(_outcome(receipt)) for receipt in receipts]
    await asyncio.sleep(0)
    bare.lose(CloseCode.EXPIRED, "why not")

    outcomes = await asyncio.gather(*waiting)
    assert [outcome.status for outcome in outcomes] == ["acked", "unknown", "failed"]
    assert [outcome.is_acked for outcome in outcomes] == [True, False, False]
    assert all("why not" in outcome.reason for outcome in outcomes[1:])


async def _outcome(receipt: object) -> Outcome:
    return await receipt  # type: ignore[misc,no-any-return]


async def test_a_full_outbox(bare: BareSession) -> None:
    """Says Full at once, or waits; a value that cannot be sent is told before that."""
    messages = Messages(bare)
    for number in range(4):
        messages.send_nowait(number)
    with pytest.raises(Full, match="4 messages"):
        messages.send_nowait(4)
    with pytest.raises(DataError):
        messages.send_nowait("far too long a text")
    with pytest.raises(DataError):
        async with asyncio.timeout(5):
            await messages.send("far too long a text")
    waiting = [asyncio.ensure_future(messages.send(number)) for number in (4, 5)]
    await asyncio.sleep(0)
    bare.lose(CloseCode.EXPIRED, "over")
    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(result) for result in results] == [SessionLost] * 2


async def test_what_many_are_told_is_encoded_once(bare: BareSession) -> None:
    """The outboxes of all of them hold the same frame; of another message, or another flow, it is another one."""
    state = Session(bare.limits, peer_window=1 << 18, peer_max_message=10)
    other = BareSession(state, session_id=b"o" * 16, principal="", limits=bare.limits)
    flow = BareFlow(state, Flow(1, 1 << 18, 1 << 18))
    for messages in (Messages(bare), Messages(other), Messages(other, flow)):
        told = b"said"
        messages.send_nowait(told)
    messages.send_nowait(b"more")

    ours, theirs = bare.core.messages.pending, state.messages.pending
    assert ours == [HEADER.pack(4, BYTES, 0) + b"said"]
    assert ours[0] is theirs[0]
    assert flow.core.pending == [HEADER.pack(4, BYTES, 1) + b"said", HEADER.pack(4, BYTES, 1) + b"more"]


async def test_who_waits_again_asks_again(bare: BareSession) -> None:
    """Somebody else had the room that was made: the peer is to tell what it has of that, too, without waiting for company."""
    messages = Messages(bare)
    for number in range(4):
        messages.send_nowait(number)
    waiting = [asyncio.ensure_future(messages.send(number)) for number in (4, 5)]
    await asyncio.sleep(0)
    assert bare.core.messages.wanted == 4
    bare.core.attach(0)
    bare.core.data_to_send(0.0, 1 << 20)
    bare.core.receive_ack(1, 0)
    bare.room.wake()
    for _ in range(2):  # the first of them lets the other in
        await asyncio.sleep(0)

    assert [each.done() for each in waiting] == [True, False]
    assert bare.core.messages.wanted == 5
    waiting[1].cancel()


def encoded(value: object) -> DataFrame:
    return encode_data_frame(PACKED, 0, encode_data(value, 10)[1])


def make_room(bare: BareSession, count: int) -> None:
    """The peer has so many more."""
    bare.core.data_to_send(0.0, 1 << 20)
    bare.core.receive_ack(bare.core.sent - bare.core.outbox_frames + count, 0)
    bare.room.wake()


async def test_of_many_who_wait_as_many_go_on_as_there_is_room_for(
    bare: BareSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, and the others are left in peace: with thousands it would take the square of their number."""
    messages = Messages(bare)
    bare.core.attach(0)
    for number in range(4):
        messages.send_nowait(number)
    has_room_in = bare.core.has_room_in
    asks = 0

    def count_asks(_: object, flow: Flow) -> bool:
        nonlocal asks
        asks += 1
        return has_room_in(flow)

    waiting = [asyncio.ensure_future(messages.send(number)) for number in range(4, 1004)]
    await asyncio.sleep(0)
    monkeypatch.setattr(type(bare.core), "has_room_in", count_asks)
    for done in range(4, 1004, 4):
        make_room(bare, 4)
        for _ in range(3):
            await asyncio.sleep(0)

        assert [each.done() for each in waiting[done - 4 : done + 1]] == ([True] * 4 + [False])[: 1004 - done]

    assert asks < 3 * len(waiting)


async def test_who_comes_when_there_is_room_again_does_not_overtake_those_who_waited_for_it(
    bare: BareSession,
) -> None:
    """They have not had their turn yet; of whoever comes behind them the next room is, in order."""
    session = landline.Session(bare)
    bare.core.attach(0)
    for number in range(4):
        session.send_nowait(number)
    waiting = [asyncio.ensure_future(session.send(number)) for number in (4, 5)]
    await asyncio.sleep(0)
    late = [
        asyncio.ensure_future(session.send(number)) for number in (6, 7)
    ]  # they begin after the next line
    make_room(bare, 1)
    assert bare.core.has_room_in(bare.core.messages)
    for _ in range(4):
        await asyncio.sleep(0)
    assert [each.done() for each in (*waiting, *late)] == [True, False, False, False]
    assert bare.core.messages.pending == [encoded(4)]
    make_room(bare, 3)
    for _ in range(4):
        await asyncio.sleep(0)

    assert all(each.done() for each in (*waiting, *late))
    assert bare.core.messages.pending == [encoded(number) for number in (5, 6, 7)]
    assert session._messages._queue is None


async def test_who_was_let_in_goes_on_without_a_turn_for_each_message(bare: BareSession) -> None:
    """As far as there is more room than for the others who were let in with it: theirs stays theirs."""
    session = landline.Session(bare)
    bare.core.attach(0)

    async def speak(*values: int) -> None:
        for value in values:
            await session.send(value)

    for number in range(4):
        session.send_nowait(number)
    speaking = [asyncio.ensure_future(speak(10, 11, 12, 13)), asyncio.ensure_future(speak(20, 21))]
    await asyncio.sleep(0)
    make_room(bare, 4)
    for _ in range(2):
        await asyncio.sleep(0)
    assert bare.core.messages.pending == [encoded(number) for number in (10, 11, 12, 20)]
    make_room(bare, 4)
    for _ in range(4):
        await asyncio.sleep(0)

    assert bare.core.messages.pending == [encoded(number) for number in (13, 21)]
    assert all(each.done() for each in speaking)


@pytest.mark.parametrize("given_up", [[0], [1], [0, 1], [1, 2], [0, 1, 2]])
async def test_who_gives_up_keeps_nobody_waiting(bare: BareSession, given_up: list[int]) -> None:
    """Neither those who came before, nor those who come now; where there is room for all of them, these need no turn for it."""
    session = landline.Session(bare)
    bare.core.attach(0)
    for number in range(4):
        session.send_nowait(number)
    waiting = [asyncio.ensure_future(session.send(number)) for number in range(3)]
    await asyncio.sleep(0)
    for number in given_up:
        waiting[number].cancel()
    await asyncio.wait([waiting[number] for number in given_up])
    make_room(bare, 4)
    late = asyncio.ensure_future(session.send(3))
    for _ in range(4):
        await asyncio.sleep(0)

    assert all(each.done() for each in (*waiting, late))
    sent = [encoded(number) for number in range(4) if number not in given_up]
    assert len(bare.core.messages.pending) == len(sent)
    assert all(frame in bare.core.messages.pending for frame in sent)
    assert session._messages._queue is None


async def test_those_who_wait_go_on_with_a_new_life_of_the_server(bare: BareSession) -> None:
    """As far as there is room in it, all of them in the end; and of another session's end all are told at once."""
    messages = Messages(bare)
    for number in range(4):
        messages.send_nowait(number)
    waiting = [asyncio.ensure_future(messages.send(number)) for number in range(4, 24)]
    await asyncio.sleep(0)
    bare.renew(Session(bare.limits, peer_window=1 << 18, peer_max_message=10))
    for _ in range(3):
        await asyncio.sleep(0)
    assert [each.done() for each in waiting] == [True] * 4 + [False] * 16
    bare.lose(CloseCode.EXPIRED, "over")
    for _ in range(3):
        await asyncio.sleep(0)

    results = await asyncio.gather(*waiting[4:], return_exceptions=True)
    assert [type(result) for result in results] == [SessionLost] * 16


async def test_those_who_wait_go_on_when_memory_is_no_longer_short() -> None:
    """It had held them back though their own outbox had room; they take it one after the other."""
    limits = Limits(max_message=10_000, memory=100_000)
    pressure = Pressure(limits.memory)
    state = Session(limits, peer_window=1 << 18, peer_max_message=10_000, pressure=pressure)
    bare = BareSession(state, session_id=b"i" * 16, principal="", limits=limits)
    messages = Messages(bare)
    pressure.used = 100_000
    messages.send_nowait(bytes(5000))
    assert pressure.holds_back(state)
    waiting = [asyncio.ensure_future(messages.send(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    pressure.used -= 100_000
    pressure.eased()
    for _ in range(4):
        await asyncio.sleep(0)

    assert all(each.done() for each in waiting)


async def test_who_closes_sends_and_receives_no_more(bare: BareSession) -> None:
    """Even while what was sent is still being delivered."""
    messages = Messages(bare)
    messages.send_nowait(1)
    bare.is_closing = True
    for call in (messages.send(2), messages.receive()):
        with pytest.raises(SessionClosed):
            await call
    with pytest.raises(SessionClosed):
        messages.send_nowait(2)


async def test_flush_with_nothing_sent_is_done(bare: BareSession) -> None:
    """Also after the end."""
    messages = Messages(bare)
    await messages.flush()
    bare.lose(CloseCode.EXPIRED, "over")
    await messages.flush()


async def test_a_packed_value_that_is_none_ends_the_session_when_it_is_taken(bare: BareSession) -> None:
    """Its form was right, its content is not: the session ends with the reason, and nothing that came after it is handed out."""
    messages = Messages(bare)
    bare.core.receive(PACKED, 0, (b"\xa2\xed\xa0",))  # two bytes that are no text
    bare.core.receive(BYTES, 0, (b"after",))

    with pytest.raises(SessionLost, match="not what its type says"):
        await messages.receive()
    with pytest.raises(SessionLost):
        await messages.receive()
    assert bare.end_code is CloseCode.BAD_DATA


async def test_an_ack_of_everything_ends_what_the_peer_has_closed(bare: BareSession) -> None:
    """Who has acked the last message need not ask for another one; before that, nothing ends."""
    messages = Messages(bare)
    bare.set_state(State.CONNECTED)
    for _ in range(2):
        bare.core.receive(BYTES, 0, (b"last",))
    bare.deliver(PeerClosed(CloseCode.NORMAL, "bye", None))
    assert await messages.receive() == b"last"
    messages.ack()
    assert bare.ended is None
    assert await messages.receive() == b"last"
    messages.ack()

    assert isinstance(bare.ended, SessionClosed)


# Another life of the server...


def renew(bare: BareSession) -> None:
    bare.renew(Session(bare.limits, peer_window=1 << 18, peer_max_message=10))


async def test_what_was_in_flight_at_the_servers_end_is_settled(bare: BareSession) -> None:
    """Acked what was handled, unknown what was written, failed what never was; what is sent from now on is new."""
    messages = Messages(bare)
    receipts = [messages.send_nowait(number) for number in range(2)]
    bare.core.attach(0)
    bare.core.data_to_send(0.0, 1 << 20)
    bare.core.messages.was_handled(1)
    receipts.append(messages.send_nowait(2))
    waiting = [asyncio.ensure_future(_outcome(receipt)) for receipt in receipts]
    await asyncio.sleep(0)
    renew(bare)
    receipts.append(messages.send_nowait(3))

    outcomes = await asyncio.gather(*waiting)
    assert [outcome.status for outcome in outcomes] == ["acked", "unknown", "failed"]
    assert all("the server was restarted" in outcome.reason for outcome in outcomes[1:])
    assert receipts[-1].outcome is None
    assert [receipt.outcome for receipt in receipts[:-1]] == outcomes


async def test_who_receives_is_told_once_of_a_new_life(bare: BareSession) -> None:
    """After what had arrived before, and before what comes after; of each life once."""
    messages = Messages(bare)
    messages.send_nowait(0)
    messages.send_nowait(1)
    for value in (b"a", b"b"):
        bare.core.receive(BYTES, 0, (value,))
    renew(bare)
    renew(bare)
    bare.core.receive(BYTES, 0, (b"c",))
    heard: list[object] = []
    for _ in range(5):
        try:
            heard.append(await messages.receive())
        except SessionInterrupted as error:
            heard.append(error.unacked)

    assert heard == [b"a", b"b", 2, 0, b"c"]


async def test_who_waits_is_woken_by_a_new_life(bare: BareSession) -> None:
    """A receiver, a sender and a flush; the sender goes on in the new one."""
    messages = Messages(bare)
    for number in range(4):
        messages.send_nowait(number)
    receiving = asyncio.ensure_future(messages.receive())
    sending = asyncio.ensure_future(messages.send(4))
    flushing = asyncio.ensure_future(messages.flush())
    await asyncio.sleep(0)
    renew(bare)
    results = await asyncio.gather(receiving, sending, flushing, return_exceptions=True)

    assert [type(result) for result in results] == [SessionInterrupted, MessageReceipt, SessionInterrupted]
    assert bare.core.messages.queued == 1
    assert "4 of our messages were not acknowledged" in str(results[0])
    flush = asyncio.ensure_future(messages.flush())
    await asyncio.sleep(0)
    assert not flush.done()
    flush.cancel()
