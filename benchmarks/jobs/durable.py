"""Durable publishes, each acknowledged when it is on the disk, and a durable topic with many subscribers.

The disk that is measured is that of the temporary files: ``TMPDIR`` names another. The floor is 4 KiB appended and brought to the disk, one after
the other; many publishers at once can be quicker than that, since they share a sync.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from ..peers.load import publishes
from ..peers.peer import MESSAGE, Listener, Publisher
from .job import Connect, Job

LONGEST = 5.0
"""Seconds after which nothing more is published, however slow the disk is."""


def acknowledged(publishers: int) -> Callable[[Connect, str, int, int], Awaitable[float]]:
    """So many publishers, each with a connection, each with one on its way: how many a second."""

    async def play(connect: Connect, place: str, server: int, size: int) -> float:
        waits, took = await _publish(publishers, connect, place, size)
        return len(waits) / took

    return play


async def slowest(connect: Connect, place: str, server: int, size: int) -> float:
    """With a hundred publishers: how long the slowest of each hundred acknowledgements takes, in milliseconds."""
    waits, _ = await _publish(100, connect, place, size)
    return sorted(waits)[int(len(waits) * 0.99)] * 1e3


async def _publish(publishers: int, connect: Connect, place: str, size: int) -> tuple[list[float], float]:
    waits: list[float] = []
    async with AsyncExitStack() as stack:
        lines: list[Publisher] = [await stack.enter_async_context(connect(place)) for _ in range(publishers)]
        await asyncio.gather(*(line.publish(MESSAGE) for line in lines))
        started = time.perf_counter()

        async def go_on(publish: Callable[[bytes], Awaitable[object]]) -> None:
            for _ in range(size // publishers):
                begun = time.perf_counter()
                if begun > started + LONGEST:
                    break
                await publish(MESSAGE)
                waits.append(time.perf_counter() - begun)

        await asyncio.gather(*(go_on(line.publish) for line in lines))
        return waits, time.perf_counter() - started


async def acknowledged_to_load(connect: Connect, place: str, server: int, size: int) -> float:
    """A hundred publishers in C, each with a connection, each with one on its way: how many a second."""
    async with connect(place) as talk:
        return (await publishes(talk, lines=100, count=size))[0]


async def slowest_to_load(connect: Connect, place: str, server: int, size: int) -> float:
    """With those: how long the slowest of each hundred acknowledgements takes, in milliseconds."""
    async with connect(place) as talk:
        return (await publishes(talk, lines=100, count=size))[1]


def told(in_flight: int) -> Callable[[Connect, str, int, int], Awaitable[float]]:
    """One publisher, and as many subscribers as the size says, both ends in Python: thousand deliveries a second."""
    return partial(_told, in_flight)


async def _told(in_flight: int, connect: Connect, place: str, server: int, size: int) -> float:
    count = in_flight * 20
    async with AsyncExitStack() as stack:
        publisher: Publisher = await stack.enter_async_context(connect(place))
        lines: list[Listener] = [await stack.enter_async_context(connect(place)) for _ in range(size)]
        listening = [line.listen() for line in lines]
        await publisher.publish(MESSAGE)
        for each in listening:
            await anext(each)

        async def listen(each: AsyncIterator[Any]) -> None:
            for _ in range(count):
                await anext(each)

        async def speak() -> None:
            for _ in range(count // in_flight):
                await publisher.publish(MESSAGE)

        started = time.perf_counter()
        await asyncio.gather(*(speak() for _ in range(in_flight)), *map(listen, listening))
        return count * size / (time.perf_counter() - started) / 1e3


JOBS = [
    Job("durable, 1 publisher", "durable", acknowledged(1), "acked/s", True, 2_000, 200),
    Job("durable, 10 publishers", "durable", acknowledged(10), "acked/s", True, 10_000, 500),
    Job("durable, 100 publishers", "durable", acknowledged(100), "acked/s", True, 30_000, 3_000),
    Job("durable, 100 publishers, the 99th of 100", "durable", slowest, "ms", False, 30_000, 3_000),
    Job(
        "durable, 100 publishers, C client", "publishes", acknowledged_to_load, "acked/s", True, 60_000, 3_000
    ),
    Job(
        "durable, 100 publishers, the 99th of 100, C client",
        "publishes",
        slowest_to_load,
        "ms",
        False,
        60_000,
        3_000,
    ),
    *(
        Job(
            f"durable topic to 1,000, {count} in flight",
            "durable topics",
            told(count),
            "k deliveries/s",
            True,
            1_000,
            100,
            is_named_by_size=True,
        )
        for count in (1, 64)
    ),
]
