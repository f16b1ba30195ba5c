"""Simulated calls: as many at once as there are places, cancelled at both ends, told of a flow that is abandoned."""

from __future__ import annotations

from tests.testing.simulation.test_booth import (
    CALL,
    CANCEL,
    FINISH,
    GIVE_UP,
    books_of,
    booth,
    calls_world,
    outcomes,
    settle,
)


def test_no_more_run_at_once_than_there_are_places() -> None:
    """Whoever calls learns of the other end's; another runs when one is done."""
    world = calls_world(max_calls=1)
    client, server = booth(world, 0), booth(world, 1)
    client.do_call(0, CALL)
    client.do_call(0, CALL)
    settle(world)
    assert [len(call.runs) for call in books_of(world).calls.values()] == [1]
    server.do_call(0, FINISH)
    settle(world)
    client.do_call(0, CALL)
    settle(world)

    assert outcomes(world) == ["result", ""]


def test_a_cancelled_call_is_stopped_at_the_other_end() -> None:
    """Its caller has had its outcome."""
    world = calls_world()
    client, server = booth(world, 0), booth(world, 1)
    client.do_call(0, CALL)
    settle(world)
    client.do_call(0, CANCEL)
    assert server.lacks == "1 calls run"
    settle(world)

    assert not server.lacks
    assert outcomes(world) == ["cancelled"]


def test_time_ends_a_call_at_both_ends() -> None:
    """Whoever was called says so too late, and is not heard."""
    world = calls_world()
    client, server = booth(world, 0), booth(world, 1)
    client.do_call(0, 0)
    settle(world)
    world.is_calm = True
    world.advance(1.0)
    settle(world)

    assert outcomes(world) == ["timeout"]
    assert not client.lacks
    assert not server.lacks


def test_a_flow_that_is_abandoned_leaves_what_was_taken_in_doubt() -> None:
    """What was not certainly did not run; the next call begins another flow."""
    world = calls_world()
    client, server = booth(world, 0), booth(world, 1)
    client.do_call(0, CALL)
    settle(world)
    server.do_call(0, GIVE_UP)
    client.do_call(0, CALL)
    settle(world)
    client.do_call(0, CALL)
    settle(world)
    server.do_call(0, FINISH)
    settle(world)

    assert outcomes(world) == ["unknown", "never", "result"]
