"""The topics of a simulated server: what a client publishes is stored, told and answered in that order, whatever crashes between."""

from __future__ import annotations

import dataclasses
import random

import pytest
from msgspec.structs import replace

from landline.protocol import feed
from landline.protocol.feed import Bundle
from landline.protocol.flow import Flow
from landline.protocol.frames import SharedFrames
from landline.protocol.session import Session
from landline.protocol.subscription import After
from landline.testing.simulation.disk import POINTS
from landline.testing.simulation.faults import make_world
from landline.testing.simulation.hub import RULES, SMALL
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.switched_off import patched
from landline.testing.simulation.world import World


def topics_world() -> World:
    """A world with topics, in which a session began."""
    shape = draw_shape(random.Random(1))
    limits = dataclasses.replace(shape.limits, max_flows=64, memory=1 << 28)
    world = make_world(
        1, replace(shape, limits=limits, commit_pause=0.01, has_topics=True, auth_delay=0.0, clients=1)
    )
    settle(world)
    return world


def settle(world: World) -> None:
    for name in ("flow", "tick") * 8:
        world._operations[name](59, 1)
        world._settle()


def read_all(world: World) -> None:
    """Every program reads what comes until nothing does; its session goes on meanwhile where it can."""
    desk, client = world.desks[1], world.clients[0]
    for _ in range(40):
        settle(world)
        if client.end is not None:
            desk.go_on(client.end)
        for place in range(len(desk.subscriptions)):
            desk.read(place, 100)


def publish(world: World, *topics: str) -> None:
    client = world.clients[0]
    assert client.end is not None
    for topic in topics:
        world.desks[1].publish(client.end, topic, 30)
    world._settle()


def test_what_is_published_is_told_to_who_subscribed() -> None:
    """From the start or from now on, of all topics that were asked for."""
    world = topics_world()
    desk, end = world.desks[1], world.clients[0].end
    assert end is not None
    desk.subscribe(end, "**", After.START)
    desk.subscribe(end, "a.*", After.NOW)
    settle(world)
    publish(world, *RULES)
    read_all(world)

    assert world.server.books.chronicle.head == len(RULES)
    assert desk.lacks == ""
    world.heal()


def test_frames_are_only_made_for_readers_that_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored together and does not fit what a flow takes is told one by one."""
    made: list[SharedFrames] = []
    sent: list[SharedFrames] = []
    frames, send = Bundle.frames, Session.send_frames

    def make(bundle: Bundle, number: int) -> SharedFrames:
        made.append(frames(bundle, number))
        return made[-1]

    def note(session: Session, flow: Flow, shared: SharedFrames) -> None:
        sent.append(shared)
        send(session, flow, shared)

    monkeypatch.setattr(Bundle, "frames", make)
    monkeypatch.setattr(Session, "send_frames", note)
    world = topics_world()
    desk, end = world.desks[1], world.clients[0].end
    assert end is not None
    desk.subscribe(end, "**", After.NOW)
    publish(world, "a.x")
    read_all(world)
    publish(world, *["a.x"] * 20)
    read_all(world)

    assert world.server.books.chronicle.head == 21
    assert desk.lacks == ""
    assert made == sent
    assert sum(each.count for each in sent) < 20


@pytest.mark.parametrize("point", POINTS)
def test_a_publish_is_stored_once_wherever_the_server_crashes(point: str) -> None:
    """It is said again to the next life of it, which knows."""
    world = topics_world()
    disk, end = world.server.disk, world.clients[0].end
    assert disk is not None
    assert end is not None
    publish(world, "a.x")
    settle(world)
    world.desks[1].subscribe(end, "a.x", After.START)
    disk.crash_at = point
    publish(world, "a.x")
    read_all(world)

    assert world.server.books.chronicle.head == 2
    assert world.desks[1].lacks == ""
    assert world.server._life == 2


def test_limits_are_small_only_while_a_world_runs() -> None:
    """Afterwards they are what they were."""
    before = feed.MOST_QUEUED
    with patched(SMALL):
        assert before > feed.MOST_QUEUED > 0

    assert before == feed.MOST_QUEUED
