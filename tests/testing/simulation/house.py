"""What the tests of simulated files share: a world with a disk and one client, in which both ends send files."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from msgspec.structs import replace

from landline.testing.simulation.courier import Courier
from landline.testing.simulation.ends import End
from landline.testing.simulation.faults import make_world
from landline.testing.simulation.file_books import Offering
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.world import World


def files_world(**changed: Any) -> World:
    """A world with a disk, one client, and files."""
    shape = draw_shape(random.Random(1))
    limits = dataclasses.replace(
        shape.limits, max_flows=64, memory=1 << 28, window=1000, resume_window=60.0, outbox_messages=100,
        outbox_bytes=1 << 20, flow_outbox=1 << 16, max_sessions=10, redial_min=0.001, **changed,
    )  # fmt: skip
    world = make_world(
        1, replace(shape, limits=limits, commit_pause=0.01, has_files=True, auth_delay=0.0, clients=1)
    )
    settle(world)
    return world


def settle(world: World, times: int = 40) -> None:
    """Let everything go on for a while."""
    for _ in range(times):
        world._flow_all()
        world.advance(0.02)


def courier(world: World, side: int = 0) -> Courier:
    """The files of the client's end, or of the server's."""
    talk = world.clients[0].talk
    assert talk is not None
    end = talk.ends[side]
    assert isinstance(end, End)
    found = end.pattern(Courier)
    assert found is not None
    return found


def offer(
    world: World, *sizes: int, side: int = 0, name: str = "a", is_folder: bool = False, goes: bool = True
) -> Offering:
    """One end has something to send, and begins."""
    assert world.files is not None
    mine = courier(world, side)
    offering = world.files.offer(name, list(sizes), is_folder=is_folder)
    mine._offerings.append(offering)
    mine.peer.incoming.append(offering)
    if goes:
        mine.go_on()
    return offering


def names(world: World, number: int = 0) -> list[str]:
    """What the process of this number has received, hidden things as well."""
    return sorted(world.depots[number].shelf.root.entries)
