"""One file on its way: what its sender says, what it hears, and what it makes of an end that comes too soon."""

from __future__ import annotations

import pytest

from landline.protocol.frames import ResetCode
from landline.testing.simulation.line import Violation

from .house import courier, files_world, names, offer, settle


def test_files_of_a_folder_are_sent_in_their_order() -> None:
    """Empty ones as well."""
    world = files_world()
    offering = offer(world, 300, 0, 40, name="f", is_folder=True)
    settle(world)

    assert offering.is_known
    assert names(world) == ["f"]


def test_what_is_damaged_is_sent_again() -> None:
    """Its receiver says so; nothing has its name before."""
    world = files_world()
    offering = offer(world, 700, goes=False)
    offering.is_garbled = True
    courier(world).go_on()
    settle(world)
    assert (names(world), world.depots[1].sending) == ([], [])
    courier(world).go_on()
    settle(world)

    assert world.files is not None
    assert world.files.told == {"offered": 1, "garbled": 1, "damaged": 1, "sent": 1}


def test_a_disk_that_is_full_ends_it_for_now() -> None:
    """What came is kept."""
    world = files_world()
    world.depots[0].shelf.is_full = True
    offering = offer(world, 700)
    settle(world)
    assert (offering.is_over, world.depots[1].sending) == (False, [])
    world.depots[0].heal()
    courier(world).go_on()
    settle(world)

    assert offering.is_known


def test_a_reason_that_is_none_is_a_violation() -> None:
    """Nobody damaged it, and it was wanted."""
    for code, why in ((ResetCode.BAD_DATA, "nobody had damaged it"), (ResetCode.UNWANTED, "was refused")):
        world = files_world()
        offer(world, 700)
        with pytest.raises(Violation, match=why):
            courier(world)._sending[0]._hear_reset(code, "so")


def test_who_dies_before_it_is_told_sends_again() -> None:
    """Its receiver may have forgotten by then, and has two; one that remembers has one."""
    for remembers in (False, True):
        world = files_world()
        offering = offer(world, 30, goes=False)
        offering.remembers = remembers
        mine = courier(world)
        mine.go_on()
        for _ in range(100):
            if mine._sending[0].is_ending:
                break
            world._flow_all()
            world.advance(0.002)
        assert mine._sending[0].is_ending
        world._flow(world.clients[0].port) if world.clients[0].port else None
        world.advance(0.02)
        world.clients[0].die()
        settle(world)
        courier(world).go_on()
        settle(world)

        assert offering.is_known
        assert [name for name in names(world) if name[0] != "."] == (["a"] if remembers else ["a", "a (1)"])
