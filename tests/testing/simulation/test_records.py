"""What a simulated server keeps of sessions, held against what must be on the disk of them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from landline.protocol.resume import Record
from landline.testing.simulation.faults import make_world as new_world
from landline.testing.simulation.line import Violation
from landline.testing.simulation.records import SESSIONS
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.world import World


def make_world() -> World:
    """A world with a disk, in which a session began."""
    world = new_world(
        1, msgspec.structs.replace(draw_shape(random.Random(1)), commit_pause=0.001, auth_delay=0.0)
    )
    settle(world)
    return world


def settle(world: World) -> None:
    for name in ("flow", "tick") * 6:
        world._operations[name](1, 1)
        world._settle()


def test_a_client_is_let_in_when_its_session_is_stored() -> None:
    """Not before."""
    world = new_world(
        1, msgspec.structs.replace(draw_shape(random.Random(1)), commit_pause=1.0, auth_delay=0.0)
    )
    (account,) = world.server.book.accounts.values()
    assert (account.carrier.connection.session if account.carrier else None) is None
    assert not world.server.books.durable
    world.advance(3.0)

    assert account.is_welcomed
    assert list(world.server.books.durable) == [SESSIONS + account.id.hex()]


def test_a_session_goes_on_in_the_next_life() -> None:
    """Its client is the same one, its counts begin anew, and the end that it had knows that it was renewed."""
    world = make_world()
    client = world.clients[0]
    talk, end = client.talk, client.end
    assert talk is not None
    assert end is not None
    world._operations["send"](1, 0)
    world.server.die()
    for _ in range(8):
        settle(world)

    assert client.talk is not None
    assert (client.talk is talk, client.talk.session_id == talk.session_id) == (False, True)
    assert end.ended == "renewed"
    assert client.talk.base == 0
    assert client.talk.is_confirmed


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"principal": "eve"}, "a session of p1 came back as one of eve"),
        ({"attempt": 9}, "attempt 1 was accepted, 9 came back"),
        ({"current": b"?" * 32}, "not the last that was shown"),
        ({"offered": b"?" * 32}, "not the last that was given"),
    ],
)
def test_what_comes_back_must_be_what_was_stored(changes: dict[str, Any], why: str) -> None:
    """Each thing that a record keeps."""
    world = make_world()
    ((key, snapshot),) = world.server.books.durable.items()
    kept = world.server.host.kept[bytes.fromhex(key.removeprefix(SESSIONS))]
    record = Record.decode(kept.id, kept.encode(), world.limits, world.server.host.pressure)
    snapshot.check(record)

    with pytest.raises(Violation, match=why):
        snapshot.check(replace(record, **changes))


def test_a_session_that_is_not_on_the_disk_does_not_go_unnoticed() -> None:
    """Nor one that should not be there."""
    world = make_world()
    world.server.books.durable.clear()

    with pytest.raises(Violation, match="are not those that were stored"):
        world.server.die()


def test_a_disk_that_takes_nothing_is_an_excuse() -> None:
    """The client is let in all the same, and its session ends with the server."""
    world = new_world(
        1, msgspec.structs.replace(draw_shape(random.Random(1)), commit_pause=0.001, auth_delay=0.0)
    )
    disk = world.server.disk
    assert disk is not None
    disk.is_full = True
    settle(world)

    talk = world.clients[0].talk
    assert talk is not None
    assert talk.is_confirmed
    assert talk.excuses == {"not kept"}
    assert not world.server.books.durable
