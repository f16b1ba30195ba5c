"""Queueing: in order, as many as there is enough for, and nobody is forgotten, whoever gives up when."""

from __future__ import annotations

import asyncio
import random

import pytest

from landline.sessions.queueing import Queueing
from landline.sessions.signal import Signal


class Places:
    """So many places, of which everybody takes one; who was let in, in order, and how often anybody looked."""

    def __init__(self, free: int = 0, guess: float = 1.0) -> None:
        self.free = free
        self.signal = Signal()
        self.taken: list[int] = []
        self.looks = 0
        self._guess = guess
        self.queue = Queueing(self.enough_for, self.signal.wait)

    def enough_for(self, wanted: int) -> int:
        assert wanted == 1
        self.looks += 1
        return max(1, round(self.free * self._guess)) if self.free else 0

    async def take(self, number: int) -> None:
        await self.queue.take(1)
        self.free -= 1
        assert self.free >= 0
        self.taken.append(number)

    def ask(self, *numbers: int) -> list[asyncio.Task[None]]:
        return [asyncio.ensure_future(self.take(number)) for number in numbers]

    def make(self, count: int) -> None:
        self.free += count
        self.signal.wake()


async def turns_of_the_loop(count: int = 6) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_as_many_go_on_as_there_is_enough_for() -> None:
    """In the order in which they came; who comes meanwhile stands behind them."""
    places = Places()
    places.ask(*range(5))
    await turns_of_the_loop()
    places.make(2)
    await asyncio.sleep(0)
    places.ask(5)
    await turns_of_the_loop()
    assert places.taken == [0, 1]
    places.make(4)
    await turns_of_the_loop(2)  # in one the first of them, in the next all others

    assert places.taken == [0, 1, 2, 3, 4, 5]


async def test_what_is_left_of_what_there_is_is_not_taken_from_who_waits() -> None:
    """Nothing while anybody waits or watches; then as much as there is beside those who were let in; and it is known when nobody is there."""
    places = Places()
    empty = [places.queue.is_empty]
    places.ask(0, 1, 2)
    await turns_of_the_loop()
    empty.append(places.queue.is_empty)
    assert not places.queue.has_some_left_of(100)
    places.make(5)
    assert not places.queue.has_some_left_of(100)
    await asyncio.sleep(0)  # the first went on, and let the others in
    assert places.taken == [0]
    empty.append(places.queue.is_empty)
    assert [places.queue.has_some_left_of(enough) for enough in (0, 1, 2, 3)] == [False, False, False, True]
    await turns_of_the_loop()

    assert places.taken == [0, 1, 2]
    assert [*empty, places.queue.is_empty] == [True, False, False, True]


async def test_who_is_alone_asks_again_whenever_there_may_be_some() -> None:
    """There may be none all the same."""
    places = Places()
    places.ask(0)
    await turns_of_the_loop()
    places.make(0)
    await turns_of_the_loop()
    assert not places.taken
    places.make(1)
    await turns_of_the_loop()

    assert places.taken == [0]


async def test_thousands_look_no_more_than_a_few_times_each() -> None:
    """However few may go on at a time."""
    places = Places()
    tasks = places.ask(*range(2000))
    await turns_of_the_loop()
    while len(places.taken) < 2000:
        places.make(8)
        await turns_of_the_loop()
    await asyncio.gather(*tasks)

    assert places.taken == list(range(2000))
    assert places.looks < 2000 * 3


@pytest.mark.parametrize("who", [0, 1, 2])
async def test_who_gives_up_after_being_let_in_passes_it_on(who: int) -> None:
    """Whoever it is: the one who watched, the next, or the one after that."""
    places = Places()
    tasks = places.ask(*range(4))
    await turns_of_the_loop()
    places.make(3)
    for _ in range(min(who, 1)):
        await asyncio.sleep(0)  # the one who watches has let in two more
    tasks[who].cancel()
    await turns_of_the_loop()

    assert places.taken == [number for number in range(4) if number != who]


async def test_who_watches_and_gives_up_has_the_next_one_watch() -> None:
    """Though there is nothing to go on with."""
    places = Places()
    first, *_ = places.ask(0, 1, 2)
    await turns_of_the_loop()
    first.cancel()
    await turns_of_the_loop()
    places.make(2)
    await turns_of_the_loop()

    assert places.taken == [1, 2]


async def test_those_who_gave_up_are_forgotten() -> None:
    """However many there are while nothing happens."""
    places = Places()
    places.ask(0)
    for number in range(1000):
        (task,) = places.ask(number)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)

    assert len(places.queue._waiting) < 20


async def test_a_coroutine_that_is_closed_while_it_waits_is_let_in_no_more() -> None:
    """Nobody would take back that it was let in, and those behind it would wait for ever."""
    places = Places()
    places.ask(0)
    await turns_of_the_loop()
    closed = places.take(1)
    closed.send(None)
    places.ask(2, 3)
    await turns_of_the_loop()
    closed.close()
    for _ in range(3):
        places.make(1)
        await turns_of_the_loop()

    assert places.taken == [0, 2, 3]


@pytest.mark.parametrize("guess", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(20))
async def test_nobody_is_forgotten_and_nobody_overtakes(seed: int, guess: float) -> None:
    """Whatever happens in which order, and however wrong the guess is for how many there is enough."""
    chance = random.Random(seed)
    places = Places(guess=guess)
    tasks: list[asyncio.Task[None]] = []
    for _ in range(300):
        match chance.randrange(5):
            case 0 | 1:
                tasks += places.ask(len(tasks))
            case 2:
                places.make(chance.randrange(3))
            case 3 if tasks:
                chance.choice(tasks).cancel()
            case _:
                await turns_of_the_loop(chance.randrange(3))
    places.make(len(tasks))
    await turns_of_the_loop(len(tasks) * 3)
    given_up = [number for number, task in enumerate(tasks) if task.cancelled()]

    assert all(task.done() for task in tasks)
    assert places.taken == [number for number in range(len(tasks)) if number not in given_up]
