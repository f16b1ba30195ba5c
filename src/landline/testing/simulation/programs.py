"""What programs do with calls, streams, groups and files, each as an operation of a schedule: takes the world and two free numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .booth import Booth
from .circle import Circle
from .courier import Courier
from .ends import End
from .world import World


def _booth(world: World, a: int) -> Booth | None:
    end = world._end(a)
    booth = end.pattern(Booth) if isinstance(end, End) and not end.ended else None
    if booth is not None:
        booth.end.talk.is_touched = True
    return booth


def call(world: World, a: int, b: int) -> None:
    """A program of either end calls the other, or is done with what it was called for."""
    if (booth := _booth(world, a)) is not None:
        booth.do_call(a, b)


def stream(world: World, a: int, b: int) -> None:
    """A program of either end begins a stream, or does something in one that there is."""
    if (booth := _booth(world, a)) is not None:
        booth.do_stream(a, b)


def presence(world: World, a: int, b: int) -> None:
    """A client's program joins a group or watches it, says something else of itself, reads what changed, or leaves."""
    client = world._client(a)
    end = None if client.node.is_stalled else client.end
    if end is not None and not end.ended and (circle := end.pattern(Circle)) is not None:
        end.talk.is_touched = True
        circle.do_presence(a, b)


def file(world: World, a: int, b: int) -> None:
    """A program of either end wants to send a file or folder, or goes on with those that were ended."""
    end = world._end(a)
    courier = end.pattern(Courier) if isinstance(end, End) and not end.ended else None
    if courier is not None:
        courier.end.talk.is_touched = True
        courier.do_file(a, b)


PROGRAM_OPERATIONS: Final[dict[str, Callable[[World, int, int], None]]] = {
    "call": call,
    "stream": stream,
    "presence": presence,
    "file": file,
}
"""By the names that schedules use."""
