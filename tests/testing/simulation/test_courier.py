"""The files of one end of a simulated session: what a program wants to send goes on over lines, sessions and lives until it is there."""

from __future__ import annotations

import pytest

from .house import courier, files_world, names, offer, settle

OFFER, CHANGE, GARBLE, GIVE_UP, GO_ON = 0x8C0, 4, 6, 7, 8
"""Numbers by which schedules say what is done."""


@pytest.mark.parametrize("side", [0, 1])
def test_a_file_is_there_in_the_end(side: int) -> None:
    """From either end; its program has nothing to do with it any more then."""
    world = files_world()
    offering = offer(world, 700, side=side)
    assert courier(world, side).lacks
    settle(world)

    assert offering.is_known
    assert names(world, side) == ["a"]
    courier(world, side).go_on()
    assert not courier(world, side).lacks


@pytest.mark.parametrize("who", ["client", "server", "line"])
@pytest.mark.parametrize("side", [0, 1])
def test_it_goes_on_after_a_death(who: str, side: int) -> None:
    """Of either process, or of the line alone; from where it stopped."""
    world = files_world()
    offering = offer(world, 5000, side=side)
    settle(world, 4)
    assert 0 < offering._written < 5000
    if who == "line":
        world.clients[0].hang_up()
    else:
        (world.clients[0] if who == "client" else world.server).die()
    settle(world, 10)
    courier(world, side).go_on()
    settle(world, 200)

    assert offering.is_known
    assert names(world, side) == ["a"]
    assert world.files is not None
    assert world.files.told["resumed"] == (who != "line")


def test_schedules_offer_change_and_go_on() -> None:
    """Only so much at once; what is on its way does not change, and a program may let it be for now."""
    world = files_world()
    mine = courier(world)
    for number in range(5):
        mine.do_file(number << 9, OFFER)
    offered = list(mine._offerings)
    assert len(offered) == 3
    mine.do_file(0, CHANGE)
    assert all(len(each.versions) == 1 for each in offered)
    mine.do_file(0, GARBLE)
    assert offered[0].is_garbled
    mine.do_file(0, GIVE_UP)
    settle(world, 200)
    mine.do_file(0, GO_ON)
    settle(world, 200)

    assert all(each.is_over for each in offered)


def test_what_is_unwanted_is_refused() -> None:
    """The program hears why, and sends it no more."""
    world = files_world()
    offering = offer(world, 700, goes=False)
    offering.is_unwanted = True
    courier(world).go_on()
    settle(world)

    assert offering.refused == "the receiver does not want it"
    assert names(world) == []


def test_nothing_begins_while_a_session_is_closing() -> None:
    """It waits for the next one."""
    world = files_world()
    courier(world).end.close()
    offering = offer(world, 700)
    assert not world.depots[1].sending
    settle(world)
    courier(world).go_on()
    settle(world)

    assert offering.is_known
