"""Simulated streams: items both ways, an end or a failure after all of them, and being left."""

from __future__ import annotations

from landline.testing.simulation.call_books import Streamed
from landline.testing.simulation.world import World
from tests.testing.simulation.test_booth import TWICE, books_of, booth, calls_world, settle

OPEN, SAY, READ, END, FAIL, LEAVE = 0, 1, 9, 13, 14, 15
"""Numbers by which schedules say what is done in a stream."""


def opened() -> tuple[World, Streamed]:
    """A stream that the client began, two items each way under way in it."""
    world = calls_world()
    booth(world, 0).do_stream(0, OPEN)
    settle(world)
    booth(world, 0).do_stream(0, SAY)
    booth(world, 1).do_stream(0, SAY | TWICE)
    return world, books_of(world).streams[1]


def read(world: World) -> None:
    """Both ends read all there is, and hear of the end."""
    settle(world)
    for _ in range(3):
        booth(world, 0).do_stream(0, READ)
        booth(world, 1).do_stream(0, READ | TWICE)
    settle(world)


def test_items_go_both_ways_until_both_have_ended() -> None:
    """Each end reads the other's; then the flow is forgotten."""
    world, stream = opened()
    for side in (0, 1):
        booth(world, side).do_stream(0, END | side * TWICE)
        booth(world, side).do_stream(0, SAY | side * TWICE)  # too late
    read(world)

    assert stream.heard == [len(said) for said in stream.said] == [2, 2]
    assert stream.verdicts == ["end", "end"]
    assert list(booth(world, 0).end.core.flows) == [0]


def test_a_failure_comes_after_the_items() -> None:
    """Of the method; whoever called does not fail."""
    world, stream = opened()
    booth(world, 0).do_stream(0, FAIL)
    booth(world, 1).do_stream(0, FAIL | TWICE)
    read(world)

    assert stream.heard == [2, 2]
    assert stream.verdicts == ["failure", ""]


def test_a_stream_that_is_left_is_left_at_both_ends() -> None:
    """What was under way is dropped."""
    world, stream = opened()
    booth(world, 0).do_stream(0, LEAVE)
    settle(world)
    booth(world, 1).do_stream(0, READ | TWICE)
    settle(world)

    assert stream.heard == [0, 0]
    assert stream.verdicts == ["", "left"]
    assert list(booth(world, 0).end.core.flows) == [0]


def test_a_lazy_program_reads_nothing() -> None:
    """Until it does."""
    world, stream = opened()
    settle(world)
    client = booth(world, 0)
    client.end.is_lazy = True
    client.do_stream(0, READ)
    assert stream.heard == [0, 0]
    client.end.is_lazy = False
    client.do_stream(0, READ)

    assert stream.heard == [0, 2]
