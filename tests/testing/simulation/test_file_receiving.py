"""One file that comes in: credit for what is on the disk alone, a flow that takes over from another, and the end of each."""

from __future__ import annotations

import pytest

from landline.limits import FILES

from .house import courier, files_world, names, offer, settle


def test_what_is_not_written_yet_earns_no_credit() -> None:
    """A disk that stands still holds its sender back."""
    world = files_world()
    offering = offer(world, 9000)
    settle(world, 4)
    flow = courier(world, 1)._receiving[0]._flow
    for _ in range(100):
        world._flow_all()
        world.advance(0.002)
        if flow.inbox:
            break
    before = flow.taken, offering._written
    for _ in range(5):
        world._flow_all()
    assert flow.inbox
    assert (flow.taken, offering._written) == before
    world.advance(0.1)

    assert flow.taken > before[0]
    assert offering._written > before[1]


def test_the_same_over_another_flow_takes_over() -> None:
    """The first lets go of it, and its sender is told."""
    world = files_world()
    offering = offer(world, 5000)
    settle(world, 4)
    mine = courier(world)
    mine._sending.clear()  # as if another process of the same program had begun
    mine.go_on()
    settle(world, 200)

    assert offering.is_known
    assert names(world) == ["a"]
    assert world.depots[0].running == {}


def test_an_end_that_comes_late_is_read() -> None:
    """The flow is over at both ends then; what came is remembered for a sender that comes back."""
    world = files_world(dead_after=600.0)
    offer(world, 30)
    port = world.clients[0].port
    assert port is not None and port.far is not None
    for _ in range(100):
        if courier(world, 1)._receiving and courier(world, 1)._receiving[0]._waits_for == "end":
            break
        world._flow_all()
        world.advance(0.001)
    port.is_blocked = True
    world.advance(FILES.confirm + 1)
    assert len(courier(world, 1).end.core.flows) == 2
    port.is_blocked = False
    settle(world)

    assert len(courier(world, 1).end.core.flows) == len(courier(world).end.core.flows) == 1
    assert len(names(world)) == 2


def test_what_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that has had enough names ends it, and not the world."""
    world = files_world()
    monkeypatch.setattr("landline.protocol.staged.numbered", lambda name: iter([]))
    offering = offer(world, 30)
    settle(world)
    assert not offering.is_over
    monkeypatch.undo()
    courier(world).go_on()
    settle(world)

    assert offering.is_known


def test_nothing_of_an_offer_that_was_given_up_stays() -> None:
    """Nothing had come of it."""
    world = files_world()
    offer(world, 30)
    world._flow_all()
    world._flow_all()
    courier(world)._sending[0].give_up()
    settle(world)

    assert names(world) == []
