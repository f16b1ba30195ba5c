"""Turns: whoever wants one has it at the end of the tick, in order, whatever becomes of the others'."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from landline.sessions.turns import Turns, turns


class Guest:
    """Notes its turns, and does something in them."""

    def __init__(self, log: list[str], name: str, then: Callable[[], None] = lambda: None) -> None:
        self._log = log
        self._name = name
        self._then = then

    def advance(self) -> None:
        self._log.append(self._name)
        self._then()


class Loop:
    """Notes what is to be called, after so many interrupts."""

    def __init__(self, fails: int = 0) -> None:
        self._fails = fails
        self.called: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        if self._fails:
            self._fails -= 1
            raise KeyboardInterrupt
        self.called.append(callback)


async def test_turns_are_given_at_the_end_of_the_tick_and_in_order() -> None:
    """All in one callback of the loop; each loop has its own."""
    told: list[str] = []
    for name in "abc":
        turns().want(Guest(told, name))
    assert told == []
    await asyncio.sleep(0)

    assert told == ["a", "b", "c"]
    assert turns() is turns()
    assert await asyncio.to_thread(lambda: asyncio.run(_own())) is not turns()


async def _own() -> Turns:
    return turns()


async def test_who_wants_a_turn_during_one_has_it_in_the_next_tick() -> None:
    """Else who always wants another would keep the loop from everything else."""
    told: list[str] = []
    turns().want(Guest(told, "a", lambda: turns().want(Guest(told, "b"))))
    await asyncio.sleep(0)
    assert told == ["a"]
    await asyncio.sleep(0)

    assert told == ["a", "b"]


async def test_who_is_woken_and_wants_a_turn_then_has_it_in_the_same_tick() -> None:
    """Where turns were called for after it was woken; without, it waits for the next tick."""
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: turns().want(Guest(told, "a")))
    turns().call()
    turns().call()
    await asyncio.sleep(0)
    assert told == ["a"]

    loop.call_soon(lambda: turns().want(Guest(told, "b")))
    await asyncio.sleep(0)
    assert told == ["a"]
    await asyncio.sleep(0)

    assert told == ["a", "b"]


def test_called_for_twice_they_are_given_once() -> None:
    """Each message that arrives in a tick calls for them."""
    loop: Any = Loop()
    those = Turns(loop)
    those.call()
    those.call()
    those.want(Guest([], "a"))

    assert len(loop.called) == 1


def test_an_interrupt_while_they_are_called_for_costs_no_later_turn() -> None:
    """Else nothing of that loop would ever be written again."""
    told: list[str] = []
    loop: Any = Loop(fails=1)
    those = Turns(loop)
    with pytest.raises(KeyboardInterrupt):
        those.call()
    those.want(Guest(told, "a"))
    loop.called.pop()()

    assert told == ["a"]


def test_what_an_interrupt_took_is_given_when_it_is_called_for_again() -> None:
    """The loop had taken it out to be run, and it has not run: nobody can tell."""
    told: list[str] = []
    loop: Any = Loop()
    those = Turns(loop)
    those.want(Guest(told, "a"))
    loop.called.clear()
    those.want(Guest(told, "b"))
    assert not loop.called
    those.call_again()
    loop.called.pop()()

    assert told == ["a", "b"]


async def test_a_turn_that_fails_is_logged_and_takes_nobody_elses(caplog: pytest.LogCaptureFixture) -> None:
    """Who comes after it has had none yet."""
    told: list[str] = []

    def fail() -> None:
        raise ValueError("a bug")

    turns().want(Guest(told, "a", fail))
    turns().want(Guest(told, "b"))
    with caplog.at_level(logging.CRITICAL + 1, "landline.sessions"):
        await asyncio.sleep(0)

    assert told == ["a", "b"]


def test_an_interrupt_takes_nobodys_turn() -> None:
    """A loop that goes on after Ctrl-C goes on with them."""
    told: list[str] = []
    loop = asyncio.new_event_loop()

    def interrupt() -> None:
        raise KeyboardInterrupt

    async def begin() -> None:
        turns().want(Guest(told, "a", interrupt))
        for name in "bc":
            turns().want(Guest(told, name))
        await asyncio.sleep(0)

    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(begin())
    assert told == ["a"]
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    assert told == ["a", "b", "c"]
