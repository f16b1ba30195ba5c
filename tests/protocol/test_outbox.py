"""The sending half of a session: what has room, and what it holds."""

from __future__ import annotations

import pytest

from landline.limits import Limits
from landline.protocol.codec import encode_data
from landline.protocol.events import Event, RoomMade
from landline.protocol.flow import Flow
from landline.protocol.frames import FRAME_COST, HEADER, FrameType, ResetCode
from landline.protocol.news import take_news
from landline.protocol.session import Session
from tests.protocol.lines import frames_of, make_session, say


def test_messages_have_room_up_to_their_limits() -> None:
    """In messages and in bytes, whichever is reached first; one message always fits."""
    few = make_session(Limits(outbox_messages=2))
    rooms = []
    for _ in range(3):
        rooms.append(few.has_room_in(few.messages))
        say(few, "x")
    assert rooms == [True, True, False]

    small = make_session(Limits(outbox_bytes=100))
    say(small, "x" * (99 - HEADER.size))
    assert (small.outbox_bytes, small.has_room_in(small.messages)) == (99, True)
    say(small, "y" * 1000)
    assert not small.has_room_in(small.messages)


@pytest.mark.limit("flow_outbox")
def test_a_flow_has_room_of_its_own() -> None:
    """What waits in it for credit bounds it, not what waits in the messages."""
    session = make_session(Limits(flow_outbox=100, outbox_messages=1))
    flow = session.open_flow("")
    say(session, "the messages are full")
    assert not session.has_room_in(session.messages)
    assert session.has_room_in(flow)
    session.send(flow, *encode_data("x" * (99 - HEADER.size), 1000))
    assert session.has_room_in(flow)
    session.send(flow, *encode_data("y", 1000))

    assert not session.has_room_in(flow)


def test_what_the_peer_does_not_receive_fills_flows_too() -> None:
    """A peer that grants credit and never acks cannot make the replay grow without end."""
    session = make_session(Limits(outbox_messages=5))
    session.attach(0)
    flow = session.open_flow("")
    flow.was_granted(1 << 30)
    for _ in range(3):
        assert session.has_room_in(flow)
        session.send(flow, *encode_data("x", 1000))
        session.data_to_send(0.0, 1 << 20)
    session.end_flow(flow)
    session.data_to_send(0.0, 1 << 20)

    assert session.outbox_frames == 5  # OPEN, three messages, END
    assert not session.has_room_in(session.open_flow(""))
    assert not session.has_room_in(session.messages)


def test_nothing_of_a_flow_goes_before_its_open() -> None:
    """However little is written at a time: several flows are opened and ended at once, and each OPEN comes first."""
    session = make_session()
    session.attach(0)
    session.data_to_send(0.0, 1 << 20)
    for _ in range(5):
        flow = session.open_flow("x")
        session.end_flow(flow)
    written: list[tuple[int, int]] = []
    while session.has_unsent:
        frames = frames_of(session.data_to_send(0.0, 1))
        assert len(frames) <= 6
        written += [(kind, number) for kind, number, _ in frames]

    for number in (1, 3, 5, 7, 9):
        assert written.index((FrameType.OPEN, number)) < written.index((FrameType.END, number))


ALL = 1 << 30
SIZE = HEADER.size + 1
"""Of one frame that says a letter."""


def talking(flows: int = 0, peer_window: int = ALL) -> tuple[Session, list[Flow]]:
    """Return a session on its line, with so many flows that may send much, and nothing to write."""
    session = make_session(peer_window=peer_window)
    session.attach(0)
    opened = [session.open_flow("") for _ in range(flows)]
    for flow in opened:
        flow.was_granted(ALL)
    session.data_to_send(0.0, ALL)
    return session, opened


def put(session: Session, flow: Flow, text: str) -> int:
    return session.send(flow, *encode_data(text, 1000))


def texts(session: Session, budget: int) -> list[tuple[int, str]]:
    """Write, and return what was said, with its flow."""
    frames = frames_of(session.data_to_send(0.0, budget))
    return [(number, payload.decode()) for kind, number, payload in frames if kind == FrameType.TEXT]


@pytest.mark.parametrize("flows", [0, 2])
def test_a_budget_is_used_to_the_byte_and_no_further(flows: int) -> None:
    """The same when it is written again on another line; a budget of nothing writes no counted frame at all."""
    session, opened = talking(flows)
    for flow in (session.messages, *opened):
        put(session, flow, "a")
        put(session, flow, "b")
    counted = session.sent
    assert texts(session, 0) == []
    assert len(texts(session, SIZE)) == 1
    assert len(texts(session, SIZE)) == 1
    assert session.sent == counted + 2
    session.attach(counted)
    assert texts(session, 0) == []

    assert len(texts(session, SIZE)) == 1


def test_an_end_waits_for_a_budget() -> None:
    """It is a counted frame: nothing counted follows our CLOSE."""
    session, (flow,) = talking(1)
    session.end_flow(flow)
    session.end_flow(flow)
    assert session.data_to_send(0.0, 0) == []

    assert [kind for kind, *_ in frames_of(session.data_to_send(0.0, 1))] == [FrameType.END]


def test_a_flow_whose_credit_is_just_used_up_waits() -> None:
    """The others go on."""
    session, (flow,) = talking(1, peer_window=FRAME_COST + 1)
    for text in "ab":
        put(session, session.messages, text)
        put(session, flow, text)

    assert sorted(texts(session, ALL)) == [(0, "a"), (1, "a"), (1, "b")]


def test_each_flow_is_the_first_in_its_turn() -> None:
    """However little is written at a time, none waits for the end of another."""
    session, opened = talking(2)
    for text in "abcd":
        for flow in (session.messages, *opened):
            put(session, flow, text)

    written = [number for _ in range(12) for number, _ in texts(session, 1)]
    assert [written[:6].count(number) for number in (0, 1, 3)] == [2, 2, 2]
    assert sorted(written[:3]) == [0, 1, 3]


def test_frames_about_flows_are_more_to_write() -> None:
    """Without any message."""
    session, _ = talking()
    seen = [session.can_write_more]
    session.open_flow("")
    seen.append(session.can_write_more)
    session.data_to_send(0.0, ALL)
    seen.append(session.can_write_more)

    assert seen == [False, True, False]


def test_frames_of_a_flow_have_their_own_count() -> None:
    """From 0 in each flow."""
    session, (flow,) = talking(1)

    assert [put(session, session.messages, text) for text in "abc"] == [0, 1, 2]
    assert [put(session, flow, text) for text in "ab"] == [0, 1]


def test_what_is_written_of_a_flow_makes_room_in_it() -> None:
    """Whether the peer has received it or not; of the messages only what it has received."""
    session, (flow,) = talking(1)
    session.lacks_room = True
    put(session, session.messages, "a")
    session.data_to_send(0.0, ALL)
    assert not session.made_room
    put(session, flow, "a")
    session.data_to_send(0.0, ALL)

    assert session.made_room


def test_room_is_told_of_to_those_who_were_told_that_there_is_none() -> None:
    """Once; else each write and each ack would be told, mostly to nobody."""
    session = make_session(Limits(outbox_messages=1), peer_window=ALL)
    session.attach(0)
    told: list[Event] = []

    def exchange(number: int) -> list[Event]:
        put(session, session.messages, "a")
        session.data_to_send(0.0, ALL)
        session.receive_ack(number, 0)
        told.clear()
        take_news(session, told)
        return told

    assert session.has_room_in(session.messages)
    assert exchange(1) == []
    put(session, session.messages, "a")
    assert not session.has_room_in(session.messages)
    session.data_to_send(0.0, ALL)
    session.receive_ack(2, 0)
    take_news(session, told)
    assert told == [RoomMade()]
    assert exchange(3) == []


def test_what_was_written_of_all_flows_is_bounded_in_bytes() -> None:
    """What the messages wait to write is not the flow's."""
    session = make_session(Limits(outbox_bytes=1000), peer_window=1)
    session.attach(0)
    flow = session.open_flow("")
    flow.was_granted(ALL)
    for _ in range(3):
        put(session, session.messages, "x" * 900)
    session.data_to_send(0.0, ALL)
    assert session.has_room_in(flow)
    put(session, flow, "y" * 100)
    session.data_to_send(0.0, ALL)

    assert not session.has_room_in(flow)


def test_a_full_outbox_says_which_limit_it_is() -> None:
    """The one that an operator would have to raise."""
    session = make_session(Limits(outbox_bytes=100, outbox_messages=3, flow_outbox=50))
    flow = session.open_flow("")
    names = []
    put(session, flow, "x" * 100)
    names.append(session.full_limit(flow))
    for text in ("a", "b", "c", "d" * 100):
        put(session, session.messages, text)
        names.append(session.full_limit(session.messages))

    assert names == ["flow_outbox", "memory", "memory", "outbox_messages", "outbox_bytes"]


def test_the_place_of_a_flow_is_that_of_its_open() -> None:
    """What is said about it later does not move it: on another line its totals wait for the OPEN only."""
    session, (flow,) = talking(1)
    session.abandon_flow(flow, ResetCode.CANCELLED)
    session.data_to_send(0.0, ALL)

    assert flow.opened_at == 0
