"""Whole worlds: many seeds in peace with every rule, and a world that does not come to rest is noticed."""

from __future__ import annotations

import random

import pytest

from landline.protocol.session import Session
from landline.testing.simulation.faults import make_world as new_world
from landline.testing.simulation.line import Violation
from landline.testing.simulation.run import STEPS, Result, find_fault, play
from landline.testing.simulation.schedule import FAULTS, TRAFFIC, draw_shape, draw_world

SEEDS = 40


def test_a_share_of_the_seeds_finds_nothing() -> None:
    """The short part of ``make simulate``: every kind of fault takes effect, and every promise is kept."""
    kinds: set[str] = set()
    delivered = 0
    for seed in range(SEEDS):
        result = find_fault(seed, STEPS)
        assert isinstance(result, Result), f"\n{result}"
        kinds |= set(result.faults)
        delivered += result.delivered

    assert kinds == {name.replace("_", " ") for name in FAULTS}
    assert delivered > 10 * SEEDS


def test_a_world_without_faults_delivers_what_is_sent() -> None:
    """Sends, takes and a perfect network: no fault is counted, and all lines are the first ones."""
    chance = random.Random(1)
    steps = [
        (name, chance.getrandbits(16), chance.getrandbits(16))
        for name in ("flow", "send", "tick", "take") * 100
    ]
    result = play(1, draw_shape(random.Random(10)), steps)

    assert not result.faults
    assert result.sessions == draw_shape(random.Random(10)).clients
    assert result.delivered > 10


def test_every_operation_of_a_schedule_exists() -> None:
    """What schedules name is what worlds can do, no more and no less."""
    shape, _ = draw_world(0, 1)

    assert set(new_world(0, shape)._operations) == TRAFFIC.keys() | FAULTS.keys()


def test_a_world_that_never_rests_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acks that are never written: healed and in peace, the world still waits."""
    monkeypatch.setattr(Session, "_add_acks", lambda self, out: None)

    with pytest.raises(Violation, match="never comes to rest"):
        play(1, draw_shape(random.Random(10)), [*[("flow", 0, 0), ("tick", 0, 0)] * 3, ("send", 1, 0)])


def test_books_are_looked_at_where_something_happened_and_all_of_them_at_the_end() -> None:
    """A session that lies is found by the next thing that is done with it, not by what is done with another; and it is not forgotten."""
    shape = next(shape for number in range(1000) if (shape := draw_shape(random.Random(number))).clients == 2)
    world = new_world(1, shape)
    for name in ("flow", "tick") * 6:
        world._operations[name](0, 0)
        world._settle()
    talk = world.clients[1].talk
    assert talk is not None
    talk.said[0].append("what nobody sent")
    world._operations["take"](0x001, 0)  # the first client's program asks for a message
    world._settle()

    with pytest.raises(Violation, match="are counted"):
        world.heal()
    world._operations["take"](0x101, 0)
    with pytest.raises(Violation, match="are counted"):
        world._settle()
