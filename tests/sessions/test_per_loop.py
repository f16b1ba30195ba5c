"""What each loop has one of: it goes when its loop does."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

import pytest

from landline.sessions.alarms import alarms
from landline.sessions.per_loop import per_loop
from landline.sessions.turns import turns


class Thing:
    """Knows its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop


class Waiting:
    """Waits for its turn and for its time, and knows its loop and what it waits with, as a driver does."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.kept = turns(), alarms()

    def advance(self) -> None:
        """It waits for another."""
        turns().want(self)

    def ring(self) -> None:
        """Its loop is closed before."""


def test_each_loop_has_one_of_its_own() -> None:
    """While somebody holds it; made for that loop."""
    of_this_loop = per_loop(Thing)

    async def twice() -> tuple[Thing, Thing, bool]:
        one = of_this_loop()
        return one, of_this_loop(), one.loop is asyncio.get_running_loop()

    (one, again, is_mine), (other, _, is_theirs) = asyncio.run(twice()), asyncio.run(twice())

    assert one is again
    assert other is not one
    assert is_mine
    assert is_theirs


def wait_for_a_turn() -> None:
    turns().want(Waiting())


def wait_for_a_time() -> None:
    alarms().set(asyncio.get_running_loop().time() + 1000, Waiting())


@pytest.mark.parametrize("wait", [wait_for_a_turn, wait_for_a_time])
def test_a_loop_that_is_closed_is_not_kept(wait: Callable[[], None]) -> None:
    """Nor what waited in it, also where it was closed before anything came of that."""

    def run_once() -> weakref.ref[asyncio.AbstractEventLoop]:
        loop = asyncio.new_event_loop()
        loop.call_soon(wait)
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        return weakref.ref(loop)

    closed = [run_once() for _ in range(3)]
    gc.collect()

    assert [loop() for loop in closed] == [None, None, None]
