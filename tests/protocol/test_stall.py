"""Both ends waiting for each other's credit: told once, at both ends, and over as soon as anybody takes something."""

from __future__ import annotations

import pytest

from landline.limits import Limits
from landline.protocol.events import Event, Stalled
from landline.protocol.flow import Flow
from landline.protocol.frames import COUNT, FrameType, ResetCode, encode_frame
from landline.protocol.stall import Stall
from tests.protocol.lines import Pair, hear, open_pair, say

SMALL = Limits(window=1000, stalled_after=5.0, heartbeat_interval=60.0)


def stalls(log: list[Event]) -> int:
    return sum(isinstance(event, Stalled) for event in log)


def fill(pair: Pair, *, up: bool = True, down: bool = True) -> None:
    """Have both programs send more than the other's window, and take nothing."""
    for _ in range(30):
        if up:
            say(pair.guest.core, "x" * 100)
        if down:
            say(pair.host.core, "x" * 100)
    pair.settle()


@pytest.mark.limit("stalled_after")
def test_two_programs_that_only_send_are_stalled() -> None:
    """Both ends say so once, after the time and not before."""
    pair = open_pair(SMALL)
    fill(pair)

    pair.wait(4.9)
    assert (stalls(pair.guest.log), stalls(pair.host.log)) == (0, 0)
    pair.wait(0.2)
    assert (stalls(pair.guest.log), stalls(pair.host.log)) == (1, 1)
    pair.wait(60.0)
    assert (stalls(pair.guest.log), stalls(pair.host.log)) == (1, 1)
    assert pair.guest.core.stall.is_on
    assert pair.guest.end is None


def test_one_that_waits_is_not_a_stall() -> None:
    """A slow reader is no deadlock."""
    pair = open_pair(SMALL)
    fill(pair, down=False)

    pair.wait(60.0)

    assert (stalls(pair.guest.log), stalls(pair.host.log)) == (0, 0)


def test_taking_something_ends_it_at_both_ends() -> None:
    """And a stall that comes again is told again."""
    pair = open_pair(SMALL)
    fill(pair)
    pair.wait(6.0)
    while pair.host.core.messages.received < 30:
        hear(pair.host.core)
        pair.wait(0.1)

    assert not pair.guest.core.stall.is_on
    assert not pair.host.core.stall.is_on

    fill(pair, down=False)
    pair.wait(6.0)
    assert (stalls(pair.guest.log), stalls(pair.host.log)) == (2, 2)


def test_it_is_told_again_on_another_line() -> None:
    """A line that drops while both wait changes nothing about that; the programs are not told twice."""
    pair = open_pair(SMALL)
    fill(pair)
    pair.wait(3.0)
    pair.cut()
    pair.dial()
    pair.settle()
    pair.wait(3.0)
    assert stalls(pair.host.log) == 0
    pair.wait(3.0)

    assert (stalls(pair.guest.log), stalls(pair.host.log)) == (1, 1)

    pair.cut()
    pair.dial()
    pair.settle()
    pair.wait(6.0)
    assert pair.guest.core.stall.is_on
    assert (stalls(pair.guest.log), stalls(pair.host.log)) == (1, 1)


def test_different_flows_may_wait_for_each_other() -> None:
    """One end writes messages, the other a flow of its own, and neither reads."""
    pair = open_pair(SMALL)
    flow = pair.host.core.open_flow("")
    pair.settle()
    fill(pair, down=False)
    for _ in range(100):
        pair.host.core.send(flow, FrameType.TEXT, b"x" * 100)
    pair.settle()
    pair.wait(6.0)

    assert (stalls(pair.guest.log), stalls(pair.host.log)) == (1, 1)

    pair.host.core.abandon_flow(flow, ResetCode.CANCELLED)
    pair.settle()
    assert not pair.host.core.stall.is_on
    assert not pair.guest.core.stall.is_on


def test_more_credit_that_is_not_enough_does_not_hide_a_stall() -> None:
    """A large frame cost more than was granted since: its end waits anew, and says so again."""
    pair = open_pair(SMALL)
    for text in ["x" * 100] * 5 + ["x" * 5000] + ["x"] * 5:
        say(pair.guest.core, text)
    fill(pair, up=False)
    pair.wait(6.0)
    assert (stalls(pair.guest.log), stalls(pair.host.log)) == (1, 1)

    for _ in range(4):
        pair.host.core.take(pair.host.core.messages)
    pair.wait(1.0)
    assert not pair.guest.core.stall.is_on
    assert not pair.host.core.stall.is_on
    pair.wait(6.0)

    assert (stalls(pair.guest.log), stalls(pair.host.log)) == (2, 2)


def test_a_waiting_that_crossed_our_reset_says_nothing() -> None:
    """The flow is abandoned: nobody need wait for it, and its number is not kept."""
    pair = open_pair(SMALL)
    flow = pair.host.core.open_flow("")
    pair.settle()
    ours = pair.guest.core.flows[flow.number]
    pair.guest.core.abandon_flow(ours, ResetCode.CANCELLED)
    pair.guest.core.receive_waiting(ours.number, ours.granted)
    pair.settle()
    fill(pair, down=False)
    pair.wait(6.0)

    assert stalls(pair.guest.log) == 0


def test_a_waiting_that_crossed_a_credit_says_nothing() -> None:
    """More was granted meanwhile than the peer knew of."""
    stall, flow = Stall(5.0), Flow(0, 1000, 0)
    stall.wait(flow)
    stall.data_to_send(0.0)
    stall.handle_timeout(5.0)
    assert stall.data_to_send(5.0) == [encode_frame(FrameType.WAITING, 0, COUNT.pack(0))]

    stall.peer_waits(flow, 999)
    assert not stall.is_on
    stall.peer_waits(flow, 1000)
    assert stall.is_on


def waiting(*since: float) -> tuple[Stall, list[Flow]]:
    """Return a stall with flows that wait since these times."""
    stall, flows = Stall(5.0), [Flow(number, 1000, 0) for number in range(len(since))]
    for flow, now in zip(flows, since, strict=True):
        stall.wait(flow)
        stall.data_to_send(now)
    return stall, flows


def test_a_flow_that_waits_is_told_once() -> None:
    """However often the timer comes after that, and each flow at its own time."""
    stall, _ = waiting(1.0, 2.0)
    assert stall.timeout_at() == 6.0
    stall.handle_timeout(6.0)
    assert stall.data_to_send(6.0) == [encode_frame(FrameType.WAITING, 0, COUNT.pack(0))]
    assert stall.timeout_at() == 7.0
    stall.handle_timeout(7.0)
    assert stall.data_to_send(7.0) == [encode_frame(FrameType.WAITING, 1, COUNT.pack(0))]
    stall.handle_timeout(60.0)

    assert stall.data_to_send(60.0) == []


def test_a_flow_that_goes_on_before_it_is_told_says_nothing() -> None:
    """Its credit came while the transport took no bytes."""
    stall, flows = waiting(0.0, 0.0)
    stall.handle_timeout(5.0)
    stall.go_on(flows[0])

    assert stall.data_to_send(9.0) == [encode_frame(FrameType.WAITING, 1, COUNT.pack(0))]


def test_a_stall_lasts_while_any_flow_waits_at_each_end() -> None:
    """The program is not told again because one of several goes on."""
    stall, flows = waiting(0.0, 0.0)
    stall.handle_timeout(5.0)
    for flow in flows:
        stall.peer_waits(flow, flow.granted)
    assert stall.is_on
    stall.is_told = True

    stall.go_on(flows[0])
    stall.peer_goes_on(flows[0])
    assert (stall.is_on, stall.is_told) == (True, True)
    stall.peer_goes_on(flows[1])
    assert (stall.is_on, stall.is_told) == (False, False)


def test_there_is_no_time_to_wait_for_once_it_is_due() -> None:
    """A transport that takes nothing just then must not make the timer fire again and again."""
    stall, flow = Stall(5.0), Flow(0, 1000, 0)
    stall.wait(flow)
    assert stall.timeout_at() is None
    stall.data_to_send(1.0)
    assert stall.timeout_at() == 6.0

    stall.handle_timeout(6.0)

    assert stall.timeout_at() is None
