"""What is checked of lines: codes between honest ends, verdicts of loops that stood still, and bounds of time."""

from __future__ import annotations

import random
from hashlib import blake2b

import pytest

from landline.limits import Limits
from landline.protocol.events import ConnectionEnded
from landline.protocol.frames import CloseCode
from landline.testing.simulation.checks import check_honest, check_times, check_verdict
from landline.testing.simulation.faults import make_world as new_world
from landline.testing.simulation.line import Node, Violation
from landline.testing.simulation.schedule import draw_shape


class Still:
    """A world at a moment."""

    now = 100.0
    trace = blake2b()
    is_touched = False


@pytest.mark.parametrize(
    "code", [CloseCode.PROTOCOL_ERROR, CloseCode.MISCOUNT, CloseCode.BAD_DATA, CloseCode.TOO_LARGE]
)
def test_honest_ends_break_no_rule(code: CloseCode) -> None:
    """Whoever is accused of one, one of the two is wrong."""
    check_honest(ConnectionEnded(CloseCode.DEAD, "", local=False), "it")
    with pytest.raises(Violation, match="it saw the line end as"):
        check_honest(ConnectionEnded(code, "", local=True), "it")


def test_a_loop_that_just_woke_does_not_judge() -> None:
    """Silence is no verdict for who did not listen."""
    node = Node(Still(), 0.0)
    dead = ConnectionEnded(CloseCode.DEAD, "nothing was heard from the peer", local=True)
    node.woke_at = 90.0
    check_verdict(dead, node, Limits())

    node.woke_at = 99.0
    with pytest.raises(Violation, match="stood still"):
        check_verdict(dead, node, Limits())


def test_silence_a_full_line_and_a_slow_caller_are_noticed_in_time() -> None:
    """Each bound by itself, just past it."""
    world = new_world(1, draw_shape(random.Random(1)))
    for name in ("flow", "tick") * 3:
        world._operations[name](0, 0)
        world._settle()
    check_times(world.nodes, world.limits, world.patience)
    (port, *_) = world.clients[0].node.ports
    limits = world.limits

    heard_at, port.heard_at = port.heard_at, port.heard_at - limits.heartbeat_interval - limits.dead_after - 1
    with pytest.raises(Violation, match="a line is silent"):
        check_times(world.nodes, world.limits, world.patience)
    port.heard_at = heard_at
    port.out += b"." * (port.capacity + 1)
    port.moved_at -= 2 * limits.write_timeout
    with pytest.raises(Violation, match="nothing was taken"):
        check_times(world.nodes, world.limits, world.patience)
    port.out.clear()
    port.is_confirmed = False
    port.opened_at -= 100
    with pytest.raises(Violation, match="not let in"):
        check_times(world.nodes, world.limits, world.patience)


def test_the_next_look_is_when_the_first_line_may_be_late() -> None:
    """Not a moment later, whatever else has more time."""
    world = new_world(1, draw_shape(random.Random(1)))
    for name in ("flow", "tick") * 3:
        world._operations[name](0, 0)
        world._settle()
    (port, *_) = world.clients[0].node.ports
    limits = world.limits
    port.heard_at = port.node.now - limits.heartbeat_interval - limits.dead_after + 1.0

    left = check_times(world.nodes, world.limits, world.patience)

    assert port.is_confirmed
    assert left == pytest.approx(1.0, abs=0.02)
    world.now += left - 0.001
    check_times([port.node], world.limits, world.patience)
    world.now += 0.002
    with pytest.raises(Violation, match="a line is silent"):
        check_times([port.node], world.limits, world.patience)
