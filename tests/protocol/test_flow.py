"""One flow at one end: credit is an absolute total that is never exceeded, and one message always fits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.errors import ProtocolError
from landline.limits import Limits
from landline.protocol.flow import Flow
from landline.protocol.frames import FRAME_COST, HEADER, FrameType, Queued, encode_frame
from landline.protocol.session import Session

EMPTY = encode_frame(FrameType.BYTES)
LARGE = encode_frame(FrameType.BYTES, 0, bytes(5000))
ALL = 1 << 30


def make_flow(window: int = 1000, credit: int = 1000) -> Flow:
    return Flow(0, window, credit)


def push(flow: Flow, frame: bytes) -> None:
    """As a session does it, which counts what all its flows hold."""
    make_session().send_frame(flow, frame)


def take(flow: Flow) -> Any:
    """Likewise."""
    return make_session().take(flow)


def accept(flow: Flow, payload: bytes = b"") -> None:
    """Likewise."""
    session = make_session()
    session.messages = flow
    session.receive(FrameType.BYTES, flow.number, (payload,))


def make_session() -> Session:
    return Session(Limits(), peer_window=1000, peer_max_message=1000)


# Sending...


def test_frames_are_sent_while_credit_is_left() -> None:
    """A frame costs its payload and 64 bytes; the one that uses the credit up still goes, the next one does not."""
    flow = make_flow(credit=2 * FRAME_COST + 1)
    for _ in range(4):
        push(flow, EMPTY)

    assert [len(flow.pop(1)) for _ in range(4)] == [1, 1, 1, 0]
    assert (flow.sent, flow.queued, flow.sent_cost) == (3, 4, 3 * FRAME_COST)


def test_without_credit_nothing_is_sent_until_there_is_some() -> None:
    """One byte of credit is enough for one message of any size."""
    flow = make_flow(credit=0)
    push(flow, LARGE)
    assert flow.pop(ALL) == []

    flow.was_granted(1)

    assert flow.pop(ALL) == [LARGE]
    assert flow.pop(ALL) == []


@given(
    st.lists(st.integers(0, 300), max_size=8),
    st.integers(0, 1500),
    st.integers(-1, 1500),
)
def test_what_is_written_at_once_is_what_would_be_one_by_one(
    sizes: list[int], credit: int, budget: int
) -> None:
    """Frame by frame while both credit and budget are left; the totals are those of what was written."""
    flow, alone = make_flow(credit=credit), make_flow(credit=credit)
    for size in sizes:
        push(flow, encode_frame(FrameType.BYTES, 0, bytes(size)))
        push(alone, encode_frame(FrameType.BYTES, 0, bytes(size)))
    expected: list[Queued] = []
    while sum(map(len, expected)) < budget and (frame := alone.pop(1)):
        expected += frame

    assert flow.pop(budget) == expected
    assert (flow.sent, flow.sent_cost, flow.pending) == (alone.sent, alone.sent_cost, alone.pending)
    assert flow.pending_bytes == alone.pending_bytes == sum(map(len, flow.pending))


def test_nothing_to_send_is_nothing() -> None:
    """Credit alone sends nothing."""
    assert make_flow().pop(ALL) == []


def test_credit_never_falls() -> None:
    """The same total again is fine, it is repeated after a resume; a smaller one is a lie."""
    flow = make_flow(credit=100)
    flow.was_granted(100)
    flow.was_granted(101)

    with pytest.raises(ProtocolError, match="fell from 101 to 100"):
        flow.was_granted(100)


def test_handled_rises_up_to_what_was_sent() -> None:
    """The same count again is no news; fewer than before, or more than were sent, is a miscount."""
    flow = make_flow()
    for _ in range(3):
        push(flow, EMPTY)
    flow.pop(2 * len(EMPTY))

    assert flow.was_handled(1)
    assert not flow.was_handled(1)
    assert flow.was_handled(2)
    for impossible in (1, 3):
        with pytest.raises(ProtocolError) as caught:
            flow.was_handled(impossible)
        assert caught.value.code == "miscount"


# Receiving...


@pytest.mark.limit("window")
def test_a_frame_beyond_the_credit_is_refused() -> None:
    """Neither counted nor kept."""
    flow = make_flow(window=FRAME_COST)
    accept(flow)

    with pytest.raises(ProtocolError, match="beyond its credit") as caught:
        accept(flow, b"two")
    assert caught.value.limit == "window"
    assert (flow.received, list(flow.inbox)) == (1, [(b"", FRAME_COST)])


def test_what_was_taken_can_be_granted_again() -> None:
    """The window is what is received and not taken, not what is not handled."""
    flow = make_flow(window=1000)
    accept(flow, bytes(100))
    assert flow.grantable == 1000

    take(flow)

    assert flow.grantable == 1000 + 100 + FRAME_COST


def test_taking_the_next_handles_the_one_before() -> None:
    """Who comes for the next is done with the last."""
    flow = make_flow()
    accept(flow, b"a")
    accept(flow, b"b")

    assert (take(flow), flow.handled) == (b"a", 0)
    assert (take(flow), flow.handled) == (b"b", 1)


@pytest.mark.parametrize(("cost", "is_urgent"), [(499, False), (500, True)])
def test_news_is_urgent_at_half_the_window(cost: int, is_urgent: bool) -> None:
    """Before that it may wait for company."""
    flow = make_flow(window=1000)
    accept(flow, bytes(cost - FRAME_COST))
    take(flow)

    assert flow.is_news_urgent is is_urgent


def test_news_is_urgent_when_it_was_asked_for() -> None:
    """As soon as as many are handled as the peer waits for, and until it was told."""
    flow = make_flow()
    for _ in range(3):
        accept(flow)
    flow.asked = 2
    urgent = []
    for _ in range(3):
        take(flow)
        urgent.append(flow.is_news_urgent)
    flow.handled_told = flow.handled
    urgent.append(flow.is_news_urgent)

    assert urgent == [False, False, True, False]


@given(st.integers(1, 2000), st.lists(st.tuples(st.integers(0, 500), st.booleans()), max_size=60))
def test_sender_and_receiver_agree_on_credit(window: int, steps: list[tuple[int, bool]]) -> None:
    """Whatever is sent within credit is within the window, and what is taken always lets more through in the end."""
    sender, receiver = Flow(0, 0, window), Flow(0, window, 0)
    for size, is_taken in steps:
        push(sender, encode_frame(FrameType.BYTES, 0, bytes(size)))
        for frame in sender.pop(ALL):
            accept(receiver, bytes(len(frame) - HEADER.size))
        if is_taken and receiver.inbox:
            take(receiver)
            receiver.granted = receiver.grantable
            sender.was_granted(receiver.granted)

        held = receiver.received_cost - receiver.taken_cost
        assert held < window + 500 + FRAME_COST

    while receiver.inbox or sender.pending:
        if receiver.inbox:
            take(receiver)
        receiver.granted = receiver.grantable
        sender.was_granted(receiver.granted)
        for frame in sender.pop(ALL):
            accept(receiver, bytes(len(frame) - HEADER.size))
    assert receiver.taken == len(steps)
