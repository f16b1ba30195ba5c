"""What a simulated client publishes and reads goes on over sessions, and over its own death where its outbox is durable."""

from __future__ import annotations

from landline.protocol.subscription import After
from tests.testing.simulation.test_hub import publish, read_all, settle, topics_world


def test_a_subscription_goes_on_where_it_was() -> None:
    """In the next life of the server, without a double."""
    world = topics_world()
    desk, client = world.desks[1], world.clients[0]
    assert client.end is not None
    desk.subscribe(client.end, "**", After.START)
    publish(world, "a.x", "a.y")
    settle(world)
    desk.read(0, 2)
    world.server.die()
    read_all(world)

    assert desk.lacks == ""
    assert world.server.books.chronicle.head == 2


def test_a_durable_outbox_survives_its_process() -> None:
    """One that is not is forgotten, and begins another one."""
    for is_durable in (True, False):
        world = topics_world()
        desk, client = world.desks[1], world.clients[0]
        assert client.end is not None
        world.is_refusing = True
        desk.publish(client.end, "a.x", 30)
        before = desk.publishes.outbox.id
        client.die()
        desk.die(is_durable=is_durable)
        assert desk.lacks == ("1 publishes wait for their answers" if is_durable else "")
        assert (desk.publishes.outbox.id == before) is is_durable
        world.is_refusing = False
        read_all(world)

        assert world.server.books.chronicle.head == is_durable
        assert desk.lacks == ""


def test_who_closes_begins_nothing_any_more() -> None:
    """Every flow is left."""
    world = topics_world()
    desk, client = world.desks[1], world.clients[0]
    assert client.end is not None
    desk.subscribe(client.end, "a.x", After.NOW)
    desk.subscribe(client.end, "a.y", After.NOW)
    publish(world, "a.x")
    settle(world)
    desk.unsubscribe(1)
    assert len(client.end.core.flows) == 4
    desk.close()
    settle(world)
    desk.publish(client.end, "a.x", 30)

    assert desk.subscriptions == []
    assert list(client.end.core.flows) == [0]
    assert desk.lacks == ""
