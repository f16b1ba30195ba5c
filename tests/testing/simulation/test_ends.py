"""One end of a session in a world: sends within bounds, takes in order, closes in good order."""

from __future__ import annotations

import random

import pytest

from landline.testing.simulation.faults import make_world as new_world
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.talk import Speaker
from landline.testing.simulation.world import World


@pytest.fixture
def ends() -> tuple[World, Speaker, Speaker]:
    """A world at rest, and the two ends of its session."""
    world = new_world(1, draw_shape(random.Random(1)))
    play(world, *["flow", "tick"] * 4)
    assert world.clients[0].talk is not None
    client, server = world.clients[0].talk.ends
    assert client is not None
    assert server is not None
    return world, client, server


def play(world: World, *names: str) -> None:
    for name in names:
        world._operations[name](0, 0)
        world._settle()


def test_the_outbox_bounds_what_is_sent(ends: tuple[World, Speaker, Speaker]) -> None:
    """A program that sends without end is told that there is no room."""
    _, client, _ = ends
    sent = 0
    while client.send("message") and sent < 1000:
        sent += 1

    assert 0 < sent <= client.core.limits.outbox_messages


def test_asking_for_the_next_message_handles_the_one_before(ends: tuple[World, Speaker, Speaker]) -> None:
    """The books know it too."""
    world, client, server = ends
    client.send("one")
    play(world, "tick", "flow")

    assert server.take()
    assert server.talk.handled == [0, 0]
    assert not server.take()
    assert server.talk.handled == [1, 0]


def test_a_close_reaches_the_other_end(ends: tuple[World, Speaker, Speaker]) -> None:
    """Both are closed, nothing is lost, and neither sends any more."""
    world, client, server = ends
    client.send("last")
    client.close()
    for _ in range(6):
        play(world, "tick", "flow")
        server.take()

    assert (client.ended, server.ended) == ("closed", "closed")
    assert server.talk.heard == [1, 0]
    assert not client.send("too late")
    assert not server.send("too late")


def test_an_end_whose_process_died_takes_nothing(ends: tuple[World, Speaker, Speaker]) -> None:
    """What had arrived died with it."""
    world, client, server = ends
    client.send("one")
    play(world, "tick", "flow")
    server.die()

    assert not server.take()
    assert server.ended == "lost"
