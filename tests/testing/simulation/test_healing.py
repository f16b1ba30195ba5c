"""How a world ends: it rests only when nothing is missing any more."""

from __future__ import annotations

import pytest

from landline.protocol.subscription import After
from landline.testing.simulation.line import Violation
from landline.testing.simulation.records import SESSIONS
from tests.testing.simulation.test_hub import publish, settle, topics_world


def test_a_publication_that_nobody_tells_keeps_a_world_from_resting() -> None:
    """The report says what is missing, and of whom."""
    world = topics_world()
    client, hub = world.clients[0], world.server.hub
    assert client.end is not None
    assert hub is not None
    world.desks[1].subscribe(client.end, "a.x", After.START)
    settle(world)
    hub.board._exact.clear()
    publish(world, "a.x")

    with pytest.raises(Violation, match=r"never comes to rest: client 1: .* publication 1 of a.x is missing"):
        world.heal()


def test_what_is_over_is_not_left_on_the_disk() -> None:
    """Nor does anything live that is not there, unless the disk failed at it."""
    world = topics_world()
    world.server.check_disk()
    (key,) = world.server.books.durable
    talk = world.server.talks[bytes.fromhex(key.removeprefix(SESSIONS))]
    snapshot = world.server.books.durable.pop(key)
    with pytest.raises(Violation, match="lives, and the disk knows nothing"):
        world.server.check_disk()
    world.server.books.durable[key] = snapshot
    del world.server.host.kept[talk.session_id]
    with pytest.raises(Violation, match="is over, and the disk knows nothing"):
        world.server.check_disk()
    talk.excuses.add("not kept")
    world.server.check_disk()
