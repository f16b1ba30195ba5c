"""The sending half of a session: what has room, and what it holds."""

from __future__ import annotations

import pytest

import landline.protocol.outbox as outbox_module
from landline.errors import ProtocolError
from landline.limits import Limits
from landline.protocol.codec import encode_data
from landline.protocol.empty import EMPTY_LIST
from landline.protocol.events import Event, RoomMade
from landline.protocol.flow import Flow
from landline.protocol.frames import (
    FIRST_CREDIT,
    FRAME_COST,
    HEADER,
    LARGE,
    FrameType,
    ResetCode,
    SharedFrames,
    encode_frame,
)
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
    """Whether the peer has received it or not; of the messages only what it has received. It is told where somebody had found none."""
    session, (flow,) = talking(1)
    put(session, session.messages, "a")
    session.data_to_send(0.0, ALL)
    put(session, flow, "a")
    session.data_to_send(0.0, ALL)
    assert not session.made_room
    for _ in range(70):
        put(session, flow, "a" * 990)
    assert not session.has_room_in(flow)
    put(session, session.messages, "a")
    session.data_to_send(0.0, ALL)

    assert session.made_room


def test_room_is_told_of_to_those_who_were_told_that_there_is_none() -> None:
    """Once; else each write and each ack would be told, mostly to nobody."""
    session = make_session(Limits(outbox_messages=1), peer_window=ALL)
    session.attach(0)

    def exchange(number: int) -> list[Event]:
        put(session, session.messages, "a")
        session.data_to_send(0.0, ALL)
        session.receive_ack(number, 0)
        return take_news(session, [])

    assert session.has_room_in(session.messages)
    assert exchange(1) == []
    put(session, session.messages, "a")
    assert not session.has_room_in(session.messages)
    session.data_to_send(0.0, ALL)
    session.receive_ack(2, 0)
    assert take_news(session, []) == [RoomMade()]
    assert exchange(3) == []


def test_a_write_that_wrote_nothing_made_no_room() -> None:
    """A flow that lacks credit wakes nobody, however often others write; that it waits is noted."""
    session = make_session(Limits(flow_outbox=100), peer_window=1)
    session.attach(0)
    flow = session.open_flow("")
    flow.credit = 0
    put(session, flow, "x" * 100)
    session.data_to_send(0.0, ALL)
    session.receive_ack(session.sent, 0)
    take_news(session, [])
    assert not session.has_room_in(flow)

    for _ in range(3):
        assert session.data_to_send(0.0, ALL) == []
        assert take_news(session, []) == []
    assert session.stall.is_waiting
    assert session._replay is EMPTY_LIST

    flow.was_granted(ALL)
    assert session.data_to_send(0.0, ALL)
    assert take_news(session, []) == [RoomMade()]


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


# What many flows are sent...


def shared(flow: Flow, letters: str) -> list[bytes]:
    return [encode_frame(FrameType.TEXT, flow.number, letter.encode()) for letter in letters]


def share(session: Session, flow: Flow, letters: str) -> bytes:
    """Send it frames that others may share; return them in one piece."""
    frames = shared(flow, letters)
    together = b"".join(frames)
    session.send_frames(flow, SharedFrames(together, len(frames), len(frames[-1])))
    return together


def test_frames_that_are_shared_are_written_in_their_one_piece() -> None:
    """Where all of them are written at once, and nothing waits before them or after."""
    session, (flow,) = talking(1)
    together = share(session, flow, "abc")
    sent = session.sent

    out = session.data_to_send(0.0, ALL)
    assert len(out) == 1
    assert out[0] is together
    assert (session.sent, flow.sent, flow.queued) == (sent + 3, 3, 3)
    assert session.data_to_send(0.0, ALL) == []


def test_frames_that_are_shared_stay_in_one_piece_where_flows_take_turns() -> None:
    """A turn is exceeded by what is first in it; only where credit ends in it is it cut."""
    session, flows = talking(2)
    letters = "a" * (outbox_module._TURN // SIZE + 10)
    pieces = [share(session, flow, letters) for _ in range(2) for flow in flows]

    out = session.data_to_send(0.0, ALL)
    assert len(out) == len(pieces)
    assert {id(piece) for piece in out} == {id(piece) for piece in pieces}


@pytest.mark.parametrize("short", [0, 1])
def test_a_flow_takes_frames_that_its_credit_has_written_now(short: int) -> None:
    """Where nothing waits in it; the last of them may exceed it."""
    session, (flow,) = talking(1)
    flow.credit = flow.sent_cost + 2 * (1 + FRAME_COST) + 1 - short

    assert session.takes(flow, 2 * SIZE, 3, 2 * SIZE) == (not short)
    share(session, flow, "abc")
    if not short:
        assert len(session.data_to_send(0.0, ALL)) == 1
        assert not flow.pending


def all_texts(session: Session, budget: int) -> str:
    """Write all there is, so much at a time; return what was said in flows besides the messages."""
    said: list[str] = []
    while session.has_unsent:
        assert len(said) < 100
        said += [text for number, text in texts(session, budget) if number]
    return "".join(said)


@pytest.mark.parametrize("budget", [1, SIZE, 2 * SIZE, 3 * SIZE, 4 * SIZE, ALL])
@pytest.mark.parametrize(("before", "after"), [("", ""), ("x", ""), ("", "y"), ("x", "y")])
def test_frames_that_are_shared_are_written_once_and_in_order(before: str, after: str, budget: int) -> None:
    """However few of them at a time, and whatever waits beside them; on another line those that did not arrive come again, each by itself."""
    session, (flow,) = talking(1)
    counted = session.sent
    for letter in before:
        put(session, flow, letter)
    share(session, flow, "abc")
    share(session, flow, "de")
    for letter in after:
        put(session, flow, letter)
    letters = f"{before}abcde{after}"
    assert all_texts(session, budget) == letters
    share(session, flow, "f")
    assert all_texts(session, budget) == "f"

    session.receive_ack(counted + 2, 0)
    session.attach(counted + 2)
    assert all_texts(session, budget) == f"{letters}f"[2:]
    session.receive_ack(session.sent, 0)
    assert session.held == session.pressure.used == 0


FRAME = 1 + FRAME_COST
"""What a frame that says a letter costs of a flow's credit."""


@pytest.mark.parametrize(
    ("budget", "credit", "cut", "kept"),
    [
        (3 * SIZE, ALL, "c", "de"),
        (4 * SIZE, ALL, "cd", "e"),
        (4 * SIZE + 1, ALL, "", ""),
        (ALL, 3 * FRAME, "c", "de"),
        (ALL, 4 * FRAME, "cd", "e"),
        (ALL, 4 * FRAME + 1, "", ""),
    ],
)
def test_only_what_is_written_in_part_is_cut(budget: int, credit: int, cut: str, kept: str) -> None:
    """What comes after it stays as it is, also where a large frame waits; what is written as a whole goes in one piece."""
    session, (flow,) = talking(1)
    whole = [share(session, flow, letters) for letters in ("ab", "cde")]
    share(session, flow, "fg")
    put(session, flow, "h")
    session.send(flow, FrameType.BYTES, bytes(LARGE))
    after = flow.pending[2:]
    flow.credit = credit

    out = session.data_to_send(0.0, budget)
    assert out[0] is whole[0]
    assert out[1:] == (shared(flow, cut) if cut else [whole[1]])
    assert flow.pending[: len(kept)] == shared(flow, kept)
    assert [*map(id, flow.pending[len(kept) :])] == [*map(id, after)]
    assert flow.sent == 5 - len(kept)
    assert flow.sent_cost == flow.sent * FRAME
    assert flow.pending_bytes == sum(map(len, flow.pending))


def test_frames_that_are_shared_wait_for_credit_like_others() -> None:
    """Those that have some are written."""
    session, (flow,) = talking(1)
    flow.credit = 2 * (1 + FRAME_COST)
    share(session, flow, "abc")

    assert [text for _, text in texts(session, ALL)] == ["a", "b"]
    flow.credit = ALL
    assert [text for _, text in texts(session, ALL)] == ["c"]


@pytest.mark.parametrize("received", range(4))
def test_of_frames_that_are_shared_each_is_acked_for_itself(received: int) -> None:
    """And when the session ends, those may have come that did."""
    session, (flow,) = talking(1)
    counted = session.sent
    session.receive_ack(counted, 0)
    share(session, flow, "abc")
    session.data_to_send(0.0, ALL)
    session.end(counted + received)

    assert flow.reach == received
    assert (session.outbox_frames, session.outbox_bytes) == (3 - received, (3 - received) * SIZE)
    assert session.pressure.used == session.outbox_bytes


def test_frames_that_are_shared_keep_to_the_budget_when_they_are_written_again() -> None:
    """What was not written on this line cannot be acked on it."""
    session, (flow,) = talking(1)
    counted = session.sent
    share(session, flow, "abc")
    session.data_to_send(0.0, ALL)
    session.attach(counted)

    assert texts(session, SIZE) == [(flow.number, "a")]
    with pytest.raises(ProtocolError, match="cannot be"):
        session.receive_ack(counted + 2, 0)
    assert texts(session, SIZE) == [(flow.number, "b")]
    session.receive_ack(counted + 2, 0)


def test_frames_that_are_shared_are_dropped_with_their_flow() -> None:
    """Nothing of them is written, and nothing counts any more."""
    session, (flow,) = talking(1)
    session.receive_ack(session.sent, 0)
    share(session, flow, "abc")
    session.abandon_flow(flow, ResetCode.CANCELLED)
    reset = session.data_to_send(0.0, ALL)

    assert [kind for kind, _, _ in frames_of(reset)] == [FrameType.RESET]
    assert session.held == session.pressure.used == sum(map(len, reset))


@pytest.mark.parametrize(("more", "has_room"), [(99, True), (100, False)])
@pytest.mark.limit("flow_outbox")
def test_a_flow_has_room_for_several_where_it_has_some_before_the_last(more: int, has_room: bool) -> None:
    """As though each were asked about when its turn comes."""
    session = make_session(Limits(flow_outbox=100))

    assert session.has_room_in(session.open_flow(""), more) is has_room
    assert session.lacks_room == (not has_room)


@pytest.mark.limit("memory")
@pytest.mark.parametrize(("short", "has_room"), [(1, True), (0, False)])
def test_under_pressure_several_are_asked_about_one_by_one(short: int, has_room: bool) -> None:
    """All together would reach the limit: the pressure begins with whoever reaches it, not before."""
    session, (flow,) = talking(1)
    more = 2 * FIRST_CREDIT
    session.pressure.used = session.pressure.limit - more - short

    assert session.has_room_in(flow, more) is has_room
    assert session.has_room_in(flow)
    assert not session.pressure.is_on
