"""Each fault does its harm, and is counted only where it did."""

from __future__ import annotations

import random

import pytest

from landline.protocol.states import Phase
from landline.testing.simulation.faults import FAULT_OPERATIONS
from landline.testing.simulation.faults import make_world as new_world
from landline.testing.simulation.file_faults import FILE_FAULT_OPERATIONS
from landline.testing.simulation.schedule import FAULTS, draw_shape
from landline.testing.simulation.world import World


def make_world() -> World:
    """One client, attached, with nothing under way."""
    world = new_world(1, draw_shape(random.Random(10)))
    for name in ("flow", "tick") * 4:
        do(world, name)
    return world


def do(world: World, name: str, a: int = 0, b: int = 0) -> None:
    world._operations[name](a, b)
    world._settle()


def test_every_fault_has_a_weight() -> None:
    """The tables name the same."""
    assert FAULT_OPERATIONS.keys() | FILE_FAULT_OPERATIONS.keys() == FAULTS.keys()


@pytest.mark.parametrize("name", ["slice", "late"])
def test_a_fault_that_finds_nothing_is_not_counted(name: str) -> None:
    """No bytes are under way, and no line was given up."""
    world = make_world()
    do(world, name, 0, 0)

    assert not world.faults


def test_a_slice_leaves_something_behind() -> None:
    """Each piece counts that is not all there is."""
    world = make_world()
    do(world, "send", 1, 0xFFF2)
    do(world, "slice", 1, 4)

    assert world.faults["slice"] >= 1
    port = world.clients[0].port
    assert port is not None
    assert port.out


def test_a_cut_keeps_a_prefix_of_each_direction() -> None:
    """What is left is what was written first; neither end writes there any more."""
    world = make_world()
    do(world, "send", 1, 0xFFF2)
    port = world.clients[0].port
    assert port is not None
    written = bytes(port.out)
    do(world, "cut", 3, 7)

    assert port.out == written[:7]
    assert port.is_hung_up
    assert world.faults == {"cut": 1}


def test_what_a_client_left_behind_arrives_late() -> None:
    """A line is given up with bytes on it: they arrive in pieces, and the server loses nothing by it."""
    world = make_world()
    do(world, "send", 1, 0xFFF2)
    do(world, "redial")
    for _ in range(3):
        do(world, "flow")
    do(world, "late", 1, 0)

    assert world.faults == {"redial": 1, "late": 1}
    world.heal()


@pytest.mark.parametrize("drawn", range(4))
def test_something_late_is_looked_for_on_every_line_that_was_given_up(drawn: int) -> None:
    """The older of two lines is all quiet, the newer is not: whatever is drawn, something arrives."""
    world = make_world()
    do(world, "redial")
    for _ in range(4):
        do(world, "tick")
        do(world, "flow")
    world._flow_all()
    do(world, "send", 1, 0xFFF2)
    do(world, "redial")
    for _ in range(3):
        do(world, "tick")
    quiet, busy = world.clients[0].old
    assert not quiet.out
    left = len(busy.out)
    do(world, "late", 0, drawn)

    assert world.faults == {"redial": 2, "late": 1}
    assert len(busy.out) < left


def test_a_stalled_loop_takes_no_bytes_until_it_wakes() -> None:
    """Time passes meanwhile; then it goes on."""
    world = make_world()
    do(world, "stall", 1, 3 << 4 | 3)
    states = [world.server.node.is_stalled]
    world.heal()
    states.append(world.server.node.is_stalled)

    assert states == [True, False]
    assert world.faults["stall"] == 1


def test_a_retired_token_revokes_the_session() -> None:
    """Somebody has a copy: the client is told, and begins again."""
    world = make_world()
    do(world, "redial")
    for _ in range(8):
        do(world, "flow")
        do(world, "tick")
    first = world.clients[0].talk
    do(world, "thief", 0, 0)
    for _ in range(4):
        do(world, "tick")
        do(world, "flow")

    assert first is not None
    assert first.excuses == {"revoked"}
    assert world.clients[0].talk is not first


@pytest.mark.parametrize("kind", [1, 2, 4, 5])
def test_other_thieves_change_nothing(kind: int) -> None:
    """Made-up tokens and ids, somebody else's name, an old attempt: refused, and the line stays."""
    world = make_world()
    before = world.clients[0].port
    do(world, "thief", kind, 1)

    assert world.faults == {"thief": 1}
    assert world.clients[0].port is before
    world.heal()


@pytest.mark.parametrize("kind", range(6))
def test_strangers_go_away(kind: int) -> None:
    """At once where they are wrong, at the deadline where they are slow."""
    world = make_world()
    do(world, "rubbish", kind, 1000)
    (stranger,) = world.strangers
    world.is_calm = True
    world.advance(4 * world.limits.handshake_timeout)

    assert stranger.connection.phase is Phase.CLOSED
    assert world.faults == {"rubbish": 1}


@pytest.mark.parametrize(
    "name", ["client_dies", "server_dies", "bar", "refuse", "lazy", "block", "jump", "silence"]
)
def test_each_other_fault_takes_effect_and_heals(name: str) -> None:
    """It counts once; then the world comes to rest."""
    world = make_world()
    do(world, name, 1, 5)

    assert world.faults[name.replace("_", " ")] == 1
    world.heal()
