"""How much is granted: one budget for the flows of a session, and the pressure of all sessions together."""

from __future__ import annotations

import pytest

from landline.limits import Limits
from landline.protocol.codec import encode_data
from landline.protocol.credit import Pressure, window_for
from landline.protocol.flow import Flow
from landline.protocol.frames import COUNT, FIRST_CREDIT, FrameType, ResetCode
from landline.protocol.session import Session
from landline.protocol.states import Role
from tests.protocol.lines import Ear, frames_of, hear, make_session, open_pair, say

LIMITS = Limits()


class Waiting:
    """Somebody whom pressure holds back."""

    def __init__(self) -> None:
        self.relieved_times = 0

    def relieved(self) -> None:
        self.relieved_times += 1


def others(flow: Flow, flows: list[Flow]) -> int:
    return sum(other.committed for other in flows if other is not flow)


def test_the_messages_alone_have_their_whole_window() -> None:
    """A session without other flows pays nothing for them."""
    assert window_for(None, LIMITS, is_pressed=False) == LIMITS.window
    assert window_for(None, Limits(window=1 << 20, credit=1 << 20), is_pressed=False) == 1 << 20


@pytest.mark.limit("credit")
def test_each_flow_takes_half_of_what_the_others_leave() -> None:
    """All windows together stay within the budget, and nobody has less than the least."""
    flows = [Flow(0, LIMITS.window, 0)]
    for number in range(1, 30, 2):
        flow = Flow(number, 0, 0)
        flows.append(flow)
        flow.window = flow.granted = window_for(others(flow, flows), LIMITS, is_pressed=False)

    windows = [flow.window for flow in flows]
    assert windows[:4] == [576 << 10, 576 << 10, 448 << 10, 224 << 10]
    assert min(windows) == FIRST_CREDIT
    least = sum(window == FIRST_CREDIT for window in windows) * FIRST_CREDIT
    assert sum(windows) <= LIMITS.credit + least


def test_what_a_flow_has_taken_is_free_for_others() -> None:
    """The budget counts what may lie in the inboxes, not what went through them."""
    flow = Flow(1, LIMITS.credit, 0)
    assert window_for(flow.committed, LIMITS, is_pressed=False) == FIRST_CREDIT

    session = Session(LIMITS, peer_window=0, peer_max_message=0)
    session._flows._add(flow)
    session.receive(FrameType.BYTES, 1, (bytes(LIMITS.credit),))
    session.take(flow)

    assert window_for(flow.committed, LIMITS, is_pressed=False) == LIMITS.window


@pytest.mark.parametrize(
    ("window", "least"), [(100, 100), (FIRST_CREDIT, FIRST_CREDIT), (1 << 20, FIRST_CREDIT)]
)
def test_under_pressure_a_flow_has_the_least(window: int, least: int) -> None:
    """So that every session goes on, however slowly."""
    assert window_for(None, Limits(window=window), is_pressed=True) == least


@pytest.mark.limit("memory")
def test_pressure_begins_at_its_limit_and_ends_well_below() -> None:
    """Everybody whom it held back is told once."""
    pressure, one, two = Pressure(1000), Waiting(), Waiting()
    pressure.used = 999
    assert not pressure.holds_back(one)

    pressure.used = 1000
    assert pressure.holds_back(one)
    assert pressure.holds_back(two)
    pressure.used = 751
    pressure.eased()
    assert pressure.holds_back(one)
    pressure.used = 750
    pressure.eased()

    assert not pressure.holds_back(one)
    assert (one.relieved_times, two.relieved_times) == (1, 1)


def test_who_watches_pressure_may_end_it_at_once() -> None:
    """By letting go of something."""
    pressure = Pressure(1000)
    pressure.used = 1000

    def let_go() -> None:
        pressure.used = 0

    pressure.on_rise = let_go
    waiting = Waiting()

    assert not pressure.holds_back(waiting)
    pressure.on_rise = lambda: None
    pressure.used = 1000
    assert pressure.holds_back(Waiting())
    pressure.leave(Waiting(), 1000)
    assert waiting.relieved_times == 0


def test_who_is_over_may_end_the_pressure() -> None:
    """The others are told; who left is not, although it waited."""
    pressure, one, two = Pressure(1000), Waiting(), Waiting()
    pressure.used = 1000
    assert pressure.holds_back(one)
    assert pressure.holds_back(two)
    pressure.leave(one, 1000)

    assert (pressure.used, pressure.is_on) == (0, False)
    assert (one.relieved_times, two.relieved_times) == (0, 1)


def full(session: Session) -> bool:
    """Fill the outbox; return whether its own limits did it."""
    while session.has_room_in(session.messages):
        session.send(session.messages, *encode_data(b"x" * 1000, session.max_message))
    return session.outbox_bytes >= session.limits.outbox_bytes


def test_senders_wait_under_pressure_and_go_on_after_it() -> None:
    """Each session may still hold a little, so that none waits for another's peer for ever."""
    pressure = Pressure(100_000)
    greedy, modest = (make_session(pressure=pressure) for _ in range(2))
    ear = modest.waiter = Ear()
    greedy.attach(0)
    assert not full(greedy)
    assert pressure.used >= 100_000
    assert modest.has_room_in(modest.messages)
    assert not full(modest)
    assert FIRST_CREDIT <= modest.outbox_bytes < FIRST_CREDIT + 2000

    greedy.data_to_send(0.0, 1 << 20)
    greedy.receive_ack(greedy.sent, 0)

    assert ear.told == 1
    assert modest.has_room_in(modest.messages)


def test_credit_is_withheld_under_pressure_and_granted_after_it() -> None:
    """What was sent already is taken as ever; there is only no more granted than the least."""
    pressure = Pressure(600_000)
    session = make_session(Limits(window=256 << 10), pressure=pressure, role=Role.SERVER)
    session.attach(0)
    session.data_to_send(0.0, 1 << 20)
    pressure.used = 600_000
    for _ in range(4):
        session.receive(FrameType.BYTES, 0, (b"x" * 60_000,))
    for _ in range(4):
        session.take(session.messages)
    session.handle_timeout(1.0)
    session.handle_taken(session.messages)

    written = frames_of(session.data_to_send(1.0, 1 << 20))
    granted = [COUNT.unpack(payload)[0] for kind, _, payload in written if kind == FrameType.CREDIT]
    assert granted in ([], [session.messages.taken_cost + FIRST_CREDIT])
    withheld = session.messages.granted

    pressure.used = 100_000
    pressure.eased()
    written = frames_of(session.data_to_send(1.0, 1 << 20))
    granted = [COUNT.unpack(payload)[0] for kind, _, payload in written if kind == FrameType.CREDIT]
    assert granted == [session.messages.taken_cost + session.limits.window]
    assert granted[0] > withheld


def test_a_session_that_is_over_presses_nobody() -> None:
    """Whatever it still holds, and whatever its program still takes of it."""
    pressure = Pressure(1 << 20)
    session = make_session(pressure=pressure)
    session.attach(0)
    flow = session.open_flow("")
    for value in ("pending", "written"):
        session.send(flow, *encode_data(value, 1000))
        say(session, value)
        session.data_to_send(0.0, 1 << 20)
    say(session, "never written")
    session.receive(FrameType.TEXT, 0, (b"not taken",))
    session.end_flow(flow)
    assert pressure.used > 0

    session.release()
    assert pressure.used == 0
    hear(session)
    assert pressure.used == 0


def test_the_account_is_exact_over_a_whole_talk() -> None:
    """Everything that was added is taken off again when it is acked, taken, abandoned."""
    pair = open_pair()
    ours, theirs = pair.guest.core, pair.host.core
    for _ in range(300):
        say(ours, "to")
        say(theirs, "fro")
        pair.settle()
        hear(ours)
        hear(theirs)
    flow = ours.open_flow("")
    ours.send(flow, *encode_data("dropped", 100))
    pair.settle()
    theirs.abandon_flow(theirs.flows[1], ResetCode.CANCELLED)
    pair.settle()
    pair.wait(1.0)

    assert (ours.pressure.used, theirs.pressure.used) == (0, 0)
