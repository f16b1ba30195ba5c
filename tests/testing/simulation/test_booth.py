"""Both ends of a simulated session call each other: what is drawn is done, and what happens to the session is told."""

from __future__ import annotations

import dataclasses
import random

from msgspec.structs import replace

from landline.testing.simulation.booth import Booth
from landline.testing.simulation.call_books import CallBooks
from landline.testing.simulation.ends import End
from landline.testing.simulation.faults import make_world
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.world import World

CALL, CANCEL, FINISH, GIVE_UP = 0x40, 6, 8, 15
"""Numbers by which schedules say what is done: the first is of a method that may not run twice, within minutes."""
TWICE = 0x10
"""Said of a call: its method may run twice. Said of a finish: it fails. Said in streams: those of the other end."""


def calls_world(*, max_calls: int = 3) -> World:
    """A world with a disk in which a session began, and programs call each other."""
    shape = draw_shape(random.Random(1))
    limits = dataclasses.replace(
        shape.limits, max_flows=64, memory=1 << 28, window=1 << 18, max_calls=max_calls, resume_window=300.0,
        outbox_messages=100, outbox_bytes=1 << 20, flow_outbox=1 << 16,
    )  # fmt: skip
    world = make_world(
        1, replace(shape, limits=limits, commit_pause=0.01, has_calls=True, auth_delay=0.0, clients=1)
    )
    settle(world)
    return world


def settle(world: World) -> None:
    for name in ("flow", "tick") * 8:
        world._operations[name](59, 1)
        world._settle()


def books_of(world: World) -> CallBooks:
    assert world.calls is not None
    return world.calls


def booth(world: World, side: int) -> Booth:
    """What the client's end calls (0), or the server's (1)."""
    talk = world.clients[0].talk
    assert talk is not None
    end = talk.ends[side]
    assert isinstance(end, End)
    found = end.pattern(Booth)
    assert found is not None
    return found


def outcomes(world: World) -> list[str]:
    return [call.outcome for call in books_of(world).calls.values()]


def test_both_ends_call_each_other() -> None:
    """Over a flow of each."""
    world = calls_world()
    for side in (0, 1):
        booth(world, side).do_call(0, CALL)
    settle(world)
    for side in (0, 1):
        booth(world, side).do_call(0, FINISH)
    settle(world)

    assert outcomes(world) == ["result", "result"]
    assert not booth(world, 0).lacks
    assert not booth(world, 1).lacks


def test_a_lazy_program_is_done_with_nothing() -> None:
    """What it was called for waits."""
    world = calls_world()
    booth(world, 0).do_call(0, CALL)
    settle(world)
    server = booth(world, 1)
    server.end.is_lazy = True
    server.do_call(0, FINISH)
    settle(world)
    assert outcomes(world) == [""]
    server.end.is_lazy = False
    server.do_call(0, FINISH | TWICE)
    settle(world)

    assert outcomes(world) == ["failure"]


def test_the_next_life_of_a_server_is_asked_for_what_may_run_twice() -> None:
    """The other is in doubt, and a stream is over; those of the server died with it."""
    world = calls_world()
    client = booth(world, 0)
    client.do_call(0, CALL)
    client.do_call(0, CALL | TWICE)
    client.do_stream(0, 0)
    booth(world, 1).do_call(0, CALL)
    settle(world)
    world.server.die()
    settle(world)
    booth(world, 1).do_call(0, FINISH)
    settle(world)

    assert booth(world, 0) is client
    assert outcomes(world) == ["unknown", "result", ""]
    assert [len(call.runs) for call in books_of(world).calls.values()] == [1, 2, 1]
    assert books_of(world).streams[1].verdicts == ["renewed", ""]


def test_a_close_tells_whoever_waits() -> None:
    """At both ends, also of streams."""
    world = calls_world()
    for side in (0, 1):
        booth(world, side).do_call(0, CALL)
        booth(world, side).do_stream(0, 0)
    settle(world)
    booth(world, 1).end.close()
    settle(world)
    world._flow_all()  # what is left on the line of the session that ended

    assert outcomes(world) == ["unknown", "unknown"]
    assert all(stream.verdicts == ["closed", "closed"] for stream in books_of(world).streams.values())


def test_winding_up_leaves_nothing() -> None:
    """Calls are done, streams read, and no flow is left."""
    world = calls_world()
    for side in (0, 1):
        booth(world, side).do_call(0, CALL)
        booth(world, side).do_stream(0, 0)
        booth(world, side).do_stream(0, 1)
    settle(world)
    assert booth(world, 0).lacks == "1 calls wait for their answers"
    for _ in range(4):
        for side in (0, 1):
            booth(world, side).wind_up()
        settle(world)
    assert not booth(world, 0).lacks
    for side in (0, 1):
        booth(world, side).close()
    settle(world)

    assert outcomes(world) == ["result", "result"]
    assert [stream.verdicts for stream in books_of(world).streams.values()] == [["end", "end"]] * 2
    assert list(booth(world, 0).end.core.flows) == [0]
