"""Alarms: whoever is due is told in time, never early, once, and whoever went is not."""

from __future__ import annotations

import asyncio
import logging

import pytest

from landline.sessions.alarms import PER_SECOND, Alarms, alarms

VIRTUAL_TIME = True

LATE = 1 / PER_SECOND + 0.002
"""Seconds that somebody may be looked after late, and the loop's own grain."""


class Sleeper:
    """Notes when it was told."""

    def __init__(self) -> None:
        self.rang: list[float] = []

    def ring(self) -> None:
        self.rang.append(asyncio.get_running_loop().time())


async def test_everybody_is_told_once_when_it_is_time_or_little_later() -> None:
    """In whatever order they were set."""
    now = asyncio.get_running_loop().time()
    sleepers = {after: Sleeper() for after in (3.0, 0.5, 0.501, 2.0, 0.0)}
    for after, sleeper in sleepers.items():
        alarms().set(now + after, sleeper)
    await asyncio.sleep(4.0)

    for after, sleeper in sleepers.items():
        [at] = sleeper.rang
        assert 0 <= at - (now + after) <= LATE


async def test_an_alarm_is_for_what_is_due_from_its_beginning_on() -> None:
    """Whoever has one set needs no other for anything that is due then or later; all who are due at about that time share it."""
    now = asyncio.get_running_loop().time()
    alarm = alarms().set(now + 1, Sleeper())

    assert alarm.begins_at <= now + 1 < alarm.begins_at + 1 / PER_SECOND
    assert alarms().set(alarm.begins_at, Sleeper()) is alarm
    assert alarms().set(alarm.begins_at + 1 / PER_SECOND, Sleeper()) is not alarm


class Interrupted(Sleeper):
    """The process is interrupted while it is told for the first time."""

    def ring(self) -> None:
        super().ring()
        if len(self.rang) == 1:
            raise KeyboardInterrupt


def test_who_is_due_when_the_process_is_interrupted_is_told_when_it_goes_on() -> None:
    """A notebook runs the same loop again after Ctrl-C."""
    interrupted, sleeper = Interrupted(), Sleeper()
    loop = asyncio.new_event_loop()
    try:
        times, now = Alarms(loop), loop.time()
        times.set(now, interrupted)
        times.set(now, sleeper)
        asyncio.set_event_loop(loop)
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(asyncio.sleep(1))
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        asyncio.set_event_loop(None)
        loop.close()

    assert (len(interrupted.rang), len(sleeper.rang)) == (2, 1)
    assert times._alarms == {}


async def test_alarms_that_nobody_waits_for_are_not_kept() -> None:
    """However far away they were: each ack of a session moves its alarm to and fro."""
    loop = asyncio.get_running_loop()
    times, sleeper = Alarms(loop), Sleeper()
    timers = []
    for place in range(100):
        alarm = times.set(loop.time() + 1000 + place, sleeper)
        timers.append(alarm.timer)
        alarm.clear(sleeper)
        alarm.clear(sleeper)
    kept = times.set(loop.time() + 1, sleeper)

    assert list(times._alarms.values()) == [kept]
    assert all(timer.cancelled() for timer in timers)
    await asyncio.sleep(2)
    assert len(sleeper.rang) == 1
    assert times._alarms == {}


async def test_who_is_cleared_is_not_told() -> None:
    """Others of the same time are; clearing twice does nothing."""
    mine, other = Sleeper(), Sleeper()
    at = asyncio.get_running_loop().time() + 1
    alarm = alarms().set(at, mine)
    alarms().set(at, other)
    for _ in range(2):
        alarm.clear(mine)
    await asyncio.sleep(2)

    assert (len(mine.rang), len(other.rang)) == (0, 1)


async def test_who_is_told_may_have_others_cleared_and_set() -> None:
    """Also of that very time: one connection that ends may end another."""
    told: list[str] = []
    at = asyncio.get_running_loop().time() + 1

    class First:
        def ring(self) -> None:
            told.append("first")
            due.clear(second)
            alarms().set(at, third)

    second, third = Sleeper(), Sleeper()
    due = alarms().set(at, First())
    alarms().set(at, second)
    await asyncio.sleep(2)

    assert (told, len(second.rang), len(third.rang)) == (["first"], 0, 1)


async def test_one_that_fails_keeps_nobody_else_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged."""

    class Failing:
        def ring(self) -> None:
            raise RuntimeError("as asked")

    after = Sleeper()
    at = asyncio.get_running_loop().time() + 1
    alarms().set(at, Failing())
    alarms().set(at, after)
    with caplog.at_level(logging.ERROR):
        await asyncio.sleep(2)

    assert len(after.rang) == 1
    assert "as asked" in caplog.text


def test_each_loop_has_its_own() -> None:
    """And only one."""

    async def twice() -> tuple[Alarms, Alarms]:
        return alarms(), alarms()

    (one, again), (other, _) = asyncio.run(twice()), asyncio.run(twice())

    assert one is again
    assert other is not one
