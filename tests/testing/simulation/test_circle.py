"""The groups of a simulated client: what it says of itself is seen, on whatever line and in whichever life of the server."""

from __future__ import annotations

import dataclasses
import random

from msgspec.structs import replace

from landline.testing.simulation.circle import GROUPS, Circle
from landline.testing.simulation.crowd import Crowd
from landline.testing.simulation.faults import make_world
from landline.testing.simulation.presence_books import PresenceBooks
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.world import World

JOIN, WATCH, SAY_ONLY, UPDATE, READ, LEAVE = 0x00, 0x40, 0x60, 2, 8 | 0x20, 15
"""Numbers by which schedules say what is done, all of them in the first group."""


def presence_world() -> World:
    """A world with a disk, two clients and groups."""
    shape = draw_shape(random.Random(1))
    limits = dataclasses.replace(
        shape.limits, max_flows=64, memory=1 << 28, window=1 << 18, resume_window=60.0, presence_grace=2.0,
        outbox_messages=100, outbox_bytes=1 << 20, flow_outbox=1 << 16, max_sessions=10, redial_min=0.001,
    )  # fmt: skip
    world = make_world(
        1, replace(shape, limits=limits, commit_pause=0.01, has_presence=True, auth_delay=0.0, clients=2)
    )
    settle(world)
    return world


def settle(world: World) -> None:
    for number in (0, 1) * 8:
        for name in ("flow", "tick"):
            world._operations[name](number << 8 | 59, 1)
            world._settle()
        world._flow_all()


def circle(world: World, number: int) -> Circle:
    end = world.clients[number].end
    assert end is not None
    found = end.pattern(Circle)
    assert found is not None
    return found


def crowd(world: World) -> Crowd:
    assert world.server.crowd is not None
    return world.server.crowd


def told(world: World) -> dict[str, int]:
    books: PresenceBooks | None = world.presence
    assert books is not None
    return dict(books.told)


def lacks(world: World, number: int) -> str:
    return circle(world, number).lacks({name: crowd(world).members(name) for name in GROUPS})


def test_who_watches_is_told_of_who_joins_changes_and_leaves() -> None:
    """Once each."""
    world = presence_world()
    watching, joining = circle(world, 0), circle(world, 1)
    watching.do_presence(0, WATCH)
    settle(world)
    watching.do_presence(0, READ)
    for what in (SAY_ONLY, UPDATE, LEAVE):
        joining.do_presence(0, what)
        settle(world)
        watching.do_presence(0, READ)

    assert told(world) == {"snapshots": 1, "joined": 1, "updated": 1, "left": 1}


def test_what_is_not_read_yet_is_lacking() -> None:
    """And what nobody sees as its member said it."""
    world = presence_world()
    for number in (0, 1):
        circle(world, number).do_presence(0, JOIN)
    assert "is not shown as it is" in lacks(world, 0)
    settle(world)
    assert "sees members of group a as they are not" in lacks(world, 0)
    for number in (0, 1):
        circle(world, number).wind_up()

    assert not lacks(world, 0)
    assert not lacks(world, 1)


def test_the_next_life_of_a_server_is_told_who_is_there() -> None:
    """Nobody who watches is told that anybody left."""
    world = presence_world()
    for number in (0, 1):
        circle(world, number).do_presence(0, JOIN)
    settle(world)
    for number in (0, 1):
        circle(world, number).wind_up()
    before = told(world)
    world.server.die()
    settle(world)
    for number in (0, 1):
        circle(world, number).wind_up()

    assert not lacks(world, 0)
    assert told(world) == before
    assert len(crowd(world).members("a")) == 2


def test_who_is_left_is_there_no_longer() -> None:
    """The flow is abandoned, and both ends forget it."""
    world = presence_world()
    circle(world, 0).do_presence(0, JOIN)
    settle(world)
    assert len(crowd(world).members("a")) == 1
    circle(world, 0).close()
    settle(world)

    assert crowd(world).members("a") == {}
    assert not lacks(world, 0)
    assert list(circle(world, 0).end.core.flows) == [0]


def test_a_program_reads_to_the_end_when_its_session_is_closed() -> None:
    """Nothing is left of what it was in."""
    world = presence_world()
    watching = circle(world, 0)
    watching.do_presence(0, WATCH)
    circle(world, 1).do_presence(0, JOIN)
    settle(world)
    watching.end.close()
    settle(world)

    assert watching.attendances == []
    assert told(world)["snapshots"] == 1
