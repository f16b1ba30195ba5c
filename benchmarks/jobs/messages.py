"""Messages of 64 bytes with both ends in Python, as programs are written: round trips, and many in flight."""

from __future__ import annotations

import asyncio
import time

from ..peers.peer import MESSAGE
from .job import Connect, Job


async def round_trip(connect: Connect, place: str, server: int, size: int) -> float:
    """One connection, one message in flight: microseconds a round trip."""
    async with connect(place) as line:

        async def run(count: int) -> float:
            started = time.perf_counter()
            for _ in range(count):
                await line.send(MESSAGE)
                await line.receive()
            return time.perf_counter() - started

        await run(size // 10)
        return await run(size) / size * 1e6


async def pipelined(connect: Connect, place: str, server: int, size: int) -> float:
    """One connection, as many in flight as it takes: thousand messages echoed a second."""
    async with connect(place) as line:

        async def speak(count: int) -> None:
            for _ in range(count):
                await line.send(MESSAGE)

        async def run(count: int) -> float:
            started = time.perf_counter()
            speaking = asyncio.ensure_future(speak(count))
            for _ in range(count):
                await line.receive()
            await speaking
            return time.perf_counter() - started

        await run(size // 10)
        return size / await run(size) / 1e3


JOBS = [
    Job("round trip", "messages", round_trip, "µs", False, 10_000, 2_000),
    Job("round trip with TLS", "messages with TLS", round_trip, "µs", False, 10_000, 1_000),
    Job("pipelined", "messages", pipelined, "k msgs/s", True, 100_000, 10_000),
]
