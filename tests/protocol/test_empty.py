"""What most sessions have nothing in stays empty, whatever sessions do; ``conftest`` looks at that after every test."""

from __future__ import annotations

from landline.protocol import empty
from landline.protocol.frames import FrameType
from tests.protocol.lines import receive
from tests.protocol.test_session import ALL, attached


def test_whoever_is_first_to_put_something_in_makes_a_new_one() -> None:
    """Two sessions begin with the same empty inbox, and what one receives, the other has not."""
    one, other = attached(), attached()
    assert one.messages.inbox is other.messages.inbox is empty.EMPTY_DEQUE
    receive(one, FrameType.BYTES, 0, b"hello")

    assert (len(one.messages.inbox), len(other.messages.inbox)) == (1, 0)


def test_who_has_nothing_any_more_shares_again() -> None:
    """What was taken, told and acked takes no memory."""
    session = attached()
    receive(session, FrameType.BYTES, 0, b"hello")
    _ = session.take(session.messages)
    session.handle_taken(session.messages)
    _ = session.send(session.messages, FrameType.BYTES, b"hello to you")
    session.tell_now()
    _ = session.data_to_send(0.0, ALL)
    session.receive_ack(1, 1)

    held = (session._news, session._asks, session._replay, session._about, session.messages.pending)
    assert all(each is empty.EMPTY_LIST or each is empty.EMPTY_DICT for each in held)
    assert session.messages.inbox is empty.EMPTY_DEQUE
