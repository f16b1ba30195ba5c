"""Calls over one connection: a method that returns its argument of 64 bytes."""

from __future__ import annotations

import time

from .job import Connect, Job

AT_ONCE = 100


async def one_after_the_other(connect: Connect, place: str, server: int, size: int) -> float:
    """One call in flight: microseconds a call."""
    return 1e6 / await _calls_a_second(connect, place, size, at_once=1)


async def at_once(connect: Connect, place: str, server: int, size: int) -> float:
    """A hundred in flight, the next as soon as one returns: thousand calls a second."""
    return await _calls_a_second(connect, place, size, AT_ONCE) / 1e3


async def _calls_a_second(connect: Connect, place: str, size: int, at_once: int) -> float:
    async with connect(place) as caller:
        await caller.run(max(size // 10, at_once), at_once)
        started = time.perf_counter()
        await caller.run(size, at_once)
        return size / (time.perf_counter() - started)


JOBS = [
    Job("calls, one after the other, 64 B", "calls", one_after_the_other, "µs", False, 5_000, 500),
    Job("calls, 100 at once, 64 B", "calls", at_once, "k calls/s", True, 20_000, 2_000),
]
