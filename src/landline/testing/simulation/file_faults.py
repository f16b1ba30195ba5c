"""What can go wrong with files, each as an operation of a schedule, as in ``faults``: deaths between two steps on a disk, and power cuts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from .depot import Depot
from .world import World


def _pick(world: World, a: int) -> Depot | None:
    """The depot of a process that does not stand still, if there are any."""
    depot = world.depots.get((a >> 8) % len(world.nodes))
    return None if depot is None or depot.process.node.is_stalled else depot


def death_amid_file(world: World, a: int, b: int) -> None:
    """A process dies right after one of its next steps on the disk."""
    _die_amid_file(world, a, b, "death amid file", loses_power=False)


def power_cut_amid_file(world: World, a: int, b: int) -> None:
    """The power of a machine fails there."""
    _die_amid_file(world, a, b, "power cut amid file", loses_power=True)


def _die_amid_file(world: World, a: int, b: int, name: str, *, loses_power: bool) -> None:
    depot = _pick(world, a)
    if depot is not None and not depot.crash_in:
        depot.crash_in, depot.loses_power = 1 + b % 12, loses_power
        depot.counts_writes = b & 0x600 == 0
        world.faults[name] += 1


def power_cut(world: World, a: int, b: int) -> None:
    """The power of a machine fails: what was not seen to be on its disk may be gone."""
    del b
    depot = _pick(world, a)
    if depot is not None:
        depot.loses_power = True
        world.faults["power cut"] += 1
        depot.process.die()


def full_shelf(world: World, a: int, b: int) -> None:
    """There is no room for files for a while, until the program moves away what has come."""
    depot = _pick(world, a)
    if depot is not None and not depot.shelf.is_full:
        shelf = depot.shelf
        shelf.is_full = True
        world.faults["full shelf"] += 1
        world.later(3 + b % 30, partial(_make_room, depot))


def _make_room(depot: Depot) -> None:
    if depot.shelf.is_full:
        depot.shelf.is_full = False
        depot.books.move_away(depot.shelf)


FILE_FAULT_OPERATIONS: Final[dict[str, Callable[[World, int, int], None]]] = {
    "death_amid_file": death_amid_file,
    "power_cut_amid_file": power_cut_amid_file,
    "power_cut": power_cut,
    "full_shelf": full_shelf,
}
"""By the names that schedules use."""
