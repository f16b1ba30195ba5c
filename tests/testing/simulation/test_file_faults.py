"""What goes wrong with files: each is counted where it takes effect, and a process dies where it was to."""

from __future__ import annotations

from .house import courier, files_world, names, offer, settle

SERVER, CLIENT = 0, 1 << 8


def test_a_process_dies_between_two_steps() -> None:
    """Of the receiver; what it had begun the next life finishes."""
    world = files_world()
    offering = offer(world, 700)
    world._operations["death_amid_file"](SERVER, 5)
    world._operations["death_amid_file"](SERVER, 7)
    settle(world)

    assert world.faults == {"death amid file": 1}
    assert world.depots[0].deaths == 1
    courier(world).go_on()
    settle(world)
    assert offering.is_known


def test_the_power_fails() -> None:
    """At once, or amid a file: what was written may be sent again then."""
    world = files_world()
    offering = offer(world, 700)
    world._operations["power_cut"](SERVER, 0)
    world._operations["power_cut_amid_file"](CLIENT, 1)
    settle(world)

    assert world.faults == {"power cut": 1, "power cut amid file": 1}
    assert offering.times == 2


def test_a_disk_is_full_for_a_while() -> None:
    """Once at a time; in the end there is room again."""
    world = files_world()
    for _ in range(2):
        world._operations["full_shelf"](CLIENT, 3)
    assert world.depots[1].shelf.is_full
    assert world.faults == {"full shelf": 1}
    world.heal()

    assert not world.depots[1].shelf.is_full


def test_a_program_makes_room_and_what_its_sender_knows_does_not_come_again() -> None:
    """It moves away what has come; what comes then is all that is there."""
    world = files_world()
    first = offer(world, 700)
    settle(world)
    world._operations["full_shelf"](SERVER, 0)
    second = offer(world, 700)
    settle(world)
    assert (first.is_known, second.is_known, names(world)[-1]) == (True, False, "a")
    world.heal()

    assert (second.is_known, names(world)) == (True, ["a"])
    assert world.files is not None
    assert world.files.told["moved away"] == 1


def test_what_stands_still_is_left_alone() -> None:
    """Nothing happens in a process whose loop does not run."""
    world = files_world()
    world.server.node.is_stalled = True
    for name in ("death_amid_file", "power_cut", "full_shelf"):
        world._operations[name](SERVER, 1)

    assert not world.faults
