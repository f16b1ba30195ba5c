"""A stream over one connection: items of 64 bytes from the server, as its method yields them."""

from __future__ import annotations

import time

from .job import Connect, Job


async def items(connect: Connect, place: str, server: int, size: int) -> float:
    """Thousand items a second, until the last is with the client's program."""
    async with connect(place) as reader:
        await reader.read(size // 10)
        started = time.perf_counter()
        await reader.read(size)
        return size / (time.perf_counter() - started) / 1e3


JOBS = [Job("stream of items", "streams", items, "k items/s", True, 50_000, 5_000)]
