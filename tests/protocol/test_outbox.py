"""The sending half of a session: what has room, and what it holds."""

from __future__ import annotations

import pytest

from landline.limits import Limits
from landline.protocol.codec import encode_data
from landline.protocol.frames import HEADER, FrameType
from tests.protocol.lines import frames_of, make_session, say


def test_messages_have_room_up_to_their_limits() -> None:
    """In messages and in bytes, whichever is reached first; one message always fits."""
    few = make_session(Limits(outbox_messages=2))
    rooms = []
    for _ in range(3):
        rooms.append(few.has_room)
        say(few, "x")
    assert rooms == [True, True, False]

    small = make_session(Limits(outbox_bytes=100))
    say(small, "x" * (99 - HEADER.size))
    assert (small.outbox_bytes, small.has_room) == (99, True)
    say(small, "y" * 1000)
    assert not small.has_room


@pytest.mark.limit("flow_outbox")
def test_a_flow_has_room_of_its_own() -> None:
    """What waits in it for credit bounds it, not what waits in the messages."""
    session = make_session(Limits(flow_outbox=100, outbox_messages=1))
    flow = session.open_flow("")
    say(session, "the messages are full")
    assert not session.has_room
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
    assert not session.has_room


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
