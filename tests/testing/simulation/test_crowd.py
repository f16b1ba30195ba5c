"""The groups of a simulated server: who is in them has a session, and is shown as its line is."""

from __future__ import annotations

import pytest

from landline.testing.simulation.crowd import Seat, seat_of
from landline.testing.simulation.line import Violation
from landline.testing.simulation.world import World
from tests.testing.simulation.test_circle import JOIN, WATCH, circle, crowd, presence_world, settle

SIZE = 20


def seat(world: World, number: int) -> Seat:
    found = seat_of(circle(world, number).end)
    assert found is not None
    return found


def shown(world: World) -> list[bool]:
    return [member.is_here for member in crowd(world).members("a").values()]


def test_a_member_without_a_line_is_shown_so_after_the_grace_until_it_is_back() -> None:
    """And nothing else of it changes."""
    world = presence_world()
    circle(world, 0).do_presence(0, JOIN)
    settle(world)
    before = next(iter(crowd(world).members("a").values())).data
    world.is_refusing = True
    world.clients[0].hang_up()
    world._flow_all()
    assert shown(world) == [True]
    world.advance(2.5)
    assert shown(world) == [False]
    world.is_refusing = False
    for _ in range(4):
        world.advance(1.0)
        settle(world)

    assert shown(world) == [True]
    assert next(iter(crowd(world).members("a").values())).data == before


def test_a_member_is_gone_with_its_session() -> None:
    """Also one that the server's own program put there."""
    world = presence_world()
    circle(world, 0).do_presence(0, JOIN)
    seat(world, 0).do_join("a", 0, SIZE)
    settle(world)
    assert len(crowd(world).members("a")) == 2
    circle(world, 0).end.close()
    settle(world)

    assert crowd(world).members("a") == {}


def test_the_server_has_a_session_join_change_and_leave() -> None:
    """One of each session at a time."""
    world = presence_world()
    states = []
    for what in (0, 1, 1, 0):
        seat(world, 0).do_join("a", what, SIZE)
        states.append([member.state.rstrip(".") for member in crowd(world).members("a").values()])

    assert states == [["1/0"], ["1/1"], ["1/2"], []]


def test_a_ghost_is_a_violation() -> None:
    """A member whose session is over."""
    world = presence_world()
    circle(world, 0).do_presence(0, JOIN)
    settle(world)
    seat(world, 0).end.ended = "lost"
    with pytest.raises(Violation, match="its session is over"):
        crowd(world).check()


def test_nothing_is_kept_of_a_group_in_which_nobody_is() -> None:
    """Nor of one that nobody watches any more."""
    world = presence_world()
    circle(world, 0).do_presence(0, WATCH)
    settle(world)
    gathering, needed = crowd(world).gather("a"), []
    needed.append(gathering.is_needed)
    circle(world, 0).close()
    settle(world)
    needed.append(gathering.is_needed)

    assert needed == [True, False]
    assert crowd(world).gather("a") is not gathering
