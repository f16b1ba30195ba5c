"""What grows, and what is done at each size: the same work every time, so that what it costs should be the same.

An axis is an asynchronous generator: at each size it yields what it found there, by the name of the measure.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import landline

from .yardstick import Cost, Grown, growing

Found = dict[str, Cost | float]
"""By the name of a measure; what is no cost is memory, in KiB a unit."""
DATA: Final = b"x" * 64
ACTIVE: Final = 10
"""Sessions that do the work, whatever there is besides."""
ROUNDS: Final = 3
"""Each work is done so often at each size, in turn; the middle one counts."""
PAGE: Final = 100
"""Publications that are read 100 after a position."""
AT_ONCE: Final = 20


class Scale(NamedTuple):
    """How much work is done at each size."""

    messages: int = 2000
    publishes: int = 1000
    subscribes: int = 200
    reads: int = 50
    resumes: int = 100


SHORT: Final = Scale(messages=200, publishes=100, subscribes=20, reads=5, resumes=10)

Open = Callable[[str], AbstractAsyncContextManager[Grown]]
"""Starts a server; is given the name of the file of its storage, for who wants one."""
Work = tuple[int, Callable[[int], Awaitable[Any]]]
"""How often, and what: it is given the number of the turn."""


async def _middle(grown: Grown, works: dict[str, Work]) -> Found:
    """Do each work a few times in turn; return the middle of what each costs."""
    costs: dict[str, list[Cost]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, (count, once) in works.items():
            costs[name].append(await _cost(grown, count, once))
    return {name: sorted(found)[len(found) // 2] for name, found in costs.items()}


async def _cost(grown: Grown, count: int, once: Callable[[int], Awaitable[Any]]) -> Cost:
    """Return what each of ``count`` turns costs; some are under way at once."""
    turns = iter(range(count))

    async def go_on() -> None:
        for turn in turns:
            await once(turn)

    async def all_of_them() -> None:
        await asyncio.gather(*(go_on() for _ in range(min(AT_ONCE, ACTIVE))))

    return await grown.cost(count, all_of_them)


async def _echoed(session: landline.Session) -> None:
    _ = await session.send(DATA)
    await session.receive()


def _echoing(sessions: list[landline.Session]) -> Callable[[int], Awaitable[None]]:
    """Each is used by one turn at a time: there are as many as turns under way, or more."""
    free = deque(sessions)

    async def once(turn: int) -> None:
        session = free.popleft()
        await _echoed(session)
        free.append(session)

    return once


async def sessions(sizes: list[int], scale: Scale, open_server: Open) -> AsyncIterator[tuple[int, Found]]:
    """Sessions of one server, almost all of them quiet."""
    async with open_server("sessions") as grown:
        active = await grown.many(ACTIVE)
        everybody = list(active)
        for session in active:
            await _echoed(session)
        empty, before = await grown.memory(), len(everybody)
        resuming = cycle(active)

        async def resume(_: int) -> None:
            session = next(resuming)
            session.drop()
            await _echoed(session)

        async def publish(turn: int) -> None:
            await active[turn % ACTIVE].publish("t.one", DATA)

        for size in sizes:
            found: Found = {}
            if size > len(everybody):
                count = size - len(everybody)

                async def grow(count: int = count) -> None:
                    everybody.extend(await grown.many(count))

                found["connect"] = await grown.cost(count, grow)
                found["memory of a session"] = (await grown.memory() - empty) / (len(everybody) - before)
            spread = list(islice(everybody, 0, None, max(1, len(everybody) // scale.messages)))
            found |= await _middle(
                grown,
                {
                    "message, the same ten sessions": (scale.messages, _echoing(active)),
                    "message, all sessions in turn": (scale.messages, _echoing(spread)),
                    "publish": (scale.publishes, publish),
                    "resume": (scale.resumes, resume),
                },
            )
            yield size, found
        await asyncio.gather(*(session.close() for session in everybody))


async def topics(sizes: list[int], scale: Scale, open_server: Open) -> AsyncIterator[tuple[int, Found]]:
    """Topics of one server, with a publication each."""
    async with open_server("topics") as grown:
        active = await grown.many(ACTIVE)
        middle = await _read_from(grown, "t.read", 2 * PAGE)
        empty, there = await grown.memory(), 0
        chance = random.Random(1)
        for size in sizes:
            found: Found = {}
            count = size - there

            async def grow(first: int = there, count: int = count) -> None:
                await grown.asking.call("make", "t.of", first, count, timeout=3600)

            found["first publish in a topic"] = await grown.cost(count, grow)
            there = size
            if size >= 1000:  # less is lost in the pages of the system
                found["memory of a topic"] = (await grown.memory() - empty) / size

            async def publish(turn: int, size: int = size) -> None:
                await active[turn % ACTIVE].publish(f"t.of.{chance.randrange(size)}", DATA)

            async def subscribe(turn: int, size: int = size) -> None:
                await _first_of(active[turn % ACTIVE], f"t.of.{chance.randrange(size)}", "last")

            found |= await _middle(
                grown,
                {
                    "publish": (scale.publishes, publish),
                    "subscribe, with the newest": (scale.subscribes, subscribe),
                    "read 100 after a position": (scale.reads, _reading(active, "t.read", lambda: middle)),
                },
            )
            yield size, found
        await asyncio.gather(*(session.close() for session in active))


async def _read_from(grown: Grown, topic: str, count: int) -> landline.Position:
    """Fill a topic; return a position in the middle of it, a page before its end."""
    epoch, last = await grown.asking.call("fill", topic, count, 64, timeout=3600)
    return landline.Position(epoch, last - PAGE)


async def _first_of(session: landline.Session, topic: str, after: Any) -> None:
    subscription = session.subscribe(topic, after)
    await anext(subscription)
    await subscription.close()


def _reading(
    active: list[landline.Session], topic: str, after: Callable[[], landline.Position]
) -> Callable[[int], Awaitable[None]]:
    async def read(turn: int) -> None:
        subscription = active[turn % ACTIVE].subscribe(topic, after())
        for _ in range(PAGE):
            item = await anext(subscription)
            if not isinstance(item, landline.Publication):
                raise TypeError(f"{item} instead of a publication")
        await subscription.close()

    return read


async def subscriptions_of_a_session(
    sizes: list[int], scale: Scale, open_server: Open
) -> AsyncIterator[tuple[int, Found]]:
    """Subscriptions of one session, each to a topic of its own."""
    async for one in _subscriptions(sizes, scale, open_server, 1):
        yield one


async def subscriptions_of_a_server(
    sizes: list[int], scale: Scale, open_server: Open
) -> AsyncIterator[tuple[int, Found]]:
    """Subscriptions of a hundred sessions, each to a topic of its own."""
    async for one in _subscriptions(sizes, scale, open_server, 100):
        yield one


async def _subscriptions(
    sizes: list[int], scale: Scale, open_server: Open, readers: int
) -> AsyncIterator[tuple[int, Found]]:
    async with open_server("subscriptions") as grown:
        publishers, others = await grown.many(ACTIVE), await grown.many(readers)
        empty = await grown.memory()
        open_ones: list[landline.Subscription] = []
        chance = random.Random(1)
        for size in sizes:
            first, count = len(open_ones), size - len(open_ones)
            await grown.asking.call("make", "t.own", first, count, timeout=3600)

            async def grow(first: int = first, count: int = count) -> None:
                for at in range(first, first + count, AT_ONCE):
                    some = range(at, min(at + AT_ONCE, first + count))
                    added = [others[n % readers].subscribe(f"t.own.{n}", "last") for n in some]
                    for subscription in added:
                        await anext(subscription)
                    open_ones.extend(added)

            found: Found = {"subscribe, with the newest": await grown.cost(count, grow)}
            if size >= 100:
                found["memory of a subscription"] = (await grown.memory() - empty) / size
            waiting = [asyncio.Lock() for _ in range(size)]

            async def told(turn: int, size: int = size, waiting: list[asyncio.Lock] = waiting) -> None:
                number = chance.randrange(size)
                async with waiting[number]:
                    await publishers[turn % ACTIVE].publish(f"t.own.{number}", DATA)
                    await anext(open_ones[number])

            async def untold(turn: int) -> None:
                await publishers[turn % ACTIVE].publish("t.nobody", DATA)

            found |= await _middle(
                grown,
                {
                    "publish that one is told": (scale.publishes, told),
                    "publish that nobody is told": (scale.publishes, untold),
                    "message": (scale.messages, _echoing(publishers)),
                },
            )
            yield size, found
        await asyncio.gather(*(session.close() for session in (*publishers, *others)))


async def readers_of_a_topic(
    sizes: list[int], scale: Scale, open_server: Open
) -> AsyncIterator[tuple[int, Found]]:
    """Sessions that are told the same: what a delivery costs."""
    async with open_server("readers") as grown:
        readers: list[landline.Session] = []
        subscriptions: list[landline.Subscription] = []
        await grown.asking.publish("t.all", DATA)
        for size in sizes:
            added = await grown.many(size - len(readers))
            readers += added
            for session in added:
                subscriptions.append(session.subscribe("t.all", "last"))
                await anext(subscriptions[-1])
            turns = max(2, min(200, scale.publishes * 10 // size))

            async def listen(subscription: landline.Subscription, turns: int = turns) -> None:
                for _ in range(turns):
                    await anext(subscription)

            async def publish(turns: int = turns) -> None:
                hearing = asyncio.gather(*map(listen, subscriptions))
                for _ in range(turns):
                    await grown.asking.publish("t.all", DATA)
                await hearing

            costs = [await grown.cost(turns * size, publish) for _ in range(ROUNDS)]
            yield size, {"delivery": sorted(costs)[ROUNDS // 2]}
        await asyncio.gather(*(session.close() for session in readers))


async def history(sizes: list[int], scale: Scale, open_server: Open) -> AsyncIterator[tuple[int, Found]]:
    """Publications of one topic; at each size the server is started anew."""
    there, chance = 0, random.Random(1)
    for size in sizes:
        found: Found = {}
        async with open_server("history") as grown:

            async def grow(grown: Grown = grown, count: int = size - there) -> None:
                await grown.asking.call("fill", "t.long", count, 64, timeout=3600)

            cost = await grown.cost(size - there, grow)
            if size - there >= scale.publishes:
                found["publish, many at once"] = cost
            there = size
        async with open_server("history") as grown:
            found["start, in ms"] = grown.started * 1e3
            active = await grown.many(ACTIVE)
            # An epoch of its own begins with each life of the storage: a position of the present one is needed.
            position = await active[0].publish("t.long", DATA)
            there += 1

            def somewhere(epoch: str = position.epoch, most: int = position.offset) -> landline.Position:
                return landline.Position(epoch, chance.randrange(max(1, most - PAGE)))

            async def publish(turn: int, active: list[landline.Session] = active) -> None:
                await active[turn % ACTIVE].publish("t.other", DATA)

            async def newest(turn: int, active: list[landline.Session] = active) -> None:
                await _first_of(active[turn % ACTIVE], "t.long", "last")

            works: dict[str, Work] = {
                "publish": (scale.publishes, publish),
                "subscribe, with the newest": (scale.subscribes, newest),
            }
            if size >= 2 * PAGE:
                works["read 100 after a position"] = (scale.reads, _reading(active, "t.long", somewhere))
            found |= await _middle(grown, works)
            found["memory of the server, in MiB"] = await grown.memory() / 1024
            await asyncio.gather(*(session.close() for session in active))
        yield size, found


class Axis(NamedTuple):
    """One thing that grows."""

    title: str
    across: str
    play: Callable[[list[int], Scale, Open], AsyncIterator[tuple[int, Found]]]
    most: int
    least: int = 1
    is_stored: bool = False
    """In SQLite."""

    def sizes(self, most: int) -> list[int]:
        """Return the powers of ten between its least and its most, or a lower most."""
        found, size = [], self.least
        while size <= min(self.most, most):
            found.append(size)
            size *= 10
        return found

    def opens(self, loop: str, folder: Path) -> Open:
        """Return what starts its server."""
        return lambda name: growing(loop, folder / f"{name}.db" if self.is_stored else None)


AXES: Final = [
    Axis("Sessions", "sessions", sessions, 10_000, least=10),
    Axis("Topics", "topics", topics, 100_000),
    Axis("Topics in SQLite", "topics", topics, 100_000, is_stored=True),
    Axis("Subscriptions of one session", "subscriptions", subscriptions_of_a_session, 10_000),
    Axis("Subscriptions of a server", "subscriptions", subscriptions_of_a_server, 10_000, least=100),
    Axis("Readers of a topic", "readers", readers_of_a_topic, 1_000),
    Axis("History in SQLite", "publications", history, 1_000_000, is_stored=True),
]
