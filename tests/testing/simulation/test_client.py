"""A client in a world: it comes back to its session as long as there is one, and begins another one when there is none."""

from __future__ import annotations

import random

from landline.testing.simulation.faults import make_world as new_world
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.world import World


def make_world() -> World:
    world = new_world(1, draw_shape(random.Random(1)))
    play(world, *["flow", "tick"] * 4)
    return world


def play(world: World, *names: str) -> None:
    for name in names:
        world._operations[name](0, 0)
        world._settle()


def test_a_client_that_hangs_up_resumes() -> None:
    """The same session, on another line, at a higher attempt."""
    world = make_world()
    client = world.clients[0]
    talk, port = client.talk, client.port
    client.hang_up()
    world._settle()
    play(world, *["flow", "tick"] * 4)

    assert client.talk is talk
    assert client.port is not port
    assert client.old == [port]
    assert world.server.book.accounts[talk.session_id if talk else b""].attempt == 2


def test_a_client_whose_server_forgot_it_begins_anew() -> None:
    """The old session is lost for a reason that is known; the new one is another one."""
    world = make_world()
    client = world.clients[0]
    talk = client.talk
    world.server.die()
    play(world, *["flow", "tick"] * 8)

    assert talk is not None
    assert talk.excuses == {"server died"}
    assert talk.ends[0] is not None
    assert talk.ends[0].ended == "lost"
    assert client.talk is not talk


def test_a_client_that_cannot_reach_the_server_gives_up_after_the_window() -> None:
    """Not before, and it says that no server was reached."""
    world = make_world()
    client = world.clients[0]
    talk = client.talk
    world.is_refusing = True
    client.hang_up()
    world._settle()
    world.advance(world.limits.resume_window - 3)
    assert client.talk is talk
    world.advance(10.0)

    assert talk is not None
    assert "no server" in talk.excuses
