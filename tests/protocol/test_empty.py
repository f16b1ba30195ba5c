"""What most sessions have nothing in stays empty, whatever sessions do; ``conftest`` looks at that after every test."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from landline.limits import Limits
from landline.protocol import empty
from landline.protocol.frames import FrameType
from landline.protocol.session import Session
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


def test_who_has_written_all_in_parts_shares_again() -> None:
    """As who wrote it at once."""
    session = attached()
    for _ in range(3):
        _ = session.send(session.messages, FrameType.BYTES, b"hello")
    written = [session.data_to_send(0.0, 1) for _ in range(3)]

    assert all(written)
    assert session.messages.pending is empty.EMPTY_LIST


def test_a_window_like_the_limit_is_the_limits_own_number() -> None:
    """Most clients have our own default, and each would say it in a number of its own."""
    limits = Limits()
    theirs = int(str(limits.window))
    session = Session(limits, peer_window=theirs, peer_max_message=1)

    assert theirs is not limits.window
    assert session.peer_window is session.messages.credit is limits.window


def add(shared: Any) -> None:
    shared += [1]


def merge(shared: Any) -> None:
    shared |= {1: 1}


def put(place: Any) -> Callable[[Any], object]:
    def fill(shared: Any) -> None:
        shared[place] = [1]

    return fill


@pytest.mark.parametrize(
    ("shared", "fill"),
    [
        (empty.EMPTY_LIST, lambda shared: shared.append(1)),
        (empty.EMPTY_LIST, lambda shared: shared.extend([1])),
        (empty.EMPTY_LIST, lambda shared: shared.insert(0, 1)),
        (empty.EMPTY_LIST, add),
        (empty.EMPTY_LIST, put(slice(0, 0))),
        (empty.EMPTY_DICT, put("key")),
        (empty.EMPTY_DICT, lambda shared: shared.setdefault(1, 1)),
        (empty.EMPTY_DICT, lambda shared: shared.update({1: 1})),
        (empty.EMPTY_DICT, lambda shared: shared.update(a=1)),
        (empty.EMPTY_DICT, merge),
        (empty.EMPTY_DEQUE, lambda shared: shared.append(1)),
        (empty.EMPTY_DEQUE, lambda shared: shared.appendleft(1)),
        (empty.EMPTY_DEQUE, lambda shared: shared.extend([1])),
        (empty.EMPTY_DEQUE, lambda shared: shared.extendleft([1])),
        (empty.EMPTY_DEQUE, lambda shared: shared.insert(0, 1)),
        (empty.EMPTY_DEQUE, add),
    ],
)
def test_what_is_shared_cannot_be_filled(shared: Any, fill: Callable[[Any], object]) -> None:
    """Nothing is put into what all sessions have, and nothing is lost in it: who tries is told."""
    try:
        with pytest.raises(TypeError, match="all sessions share this one"):
            fill(shared)
        assert not shared
    finally:
        shared.clear()


def test_what_is_shared_can_be_read_and_emptied() -> None:
    """As any that is empty."""
    for shared in (empty.EMPTY_LIST, empty.EMPTY_DICT, empty.EMPTY_DEQUE):
        shared.clear()
        assert (list(shared), len(shared), 1 in shared) == ([], 0, False)
    assert empty.EMPTY_DICT.pop(1, None) is None
    assert empty.EMPTY_LIST == [] and empty.EMPTY_DICT == {} and deque() == empty.EMPTY_DEQUE
