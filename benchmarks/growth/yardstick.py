"""Measures a server that grows: starts it, and says what a piece of work costs both ends.

What is counted is processor time, because a busy machine changes it least; the time that passes is written down beside it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import landline

from .server import roomy


class Cost(NamedTuple):
    """Of one unit of work, in microseconds."""

    both: float
    """Processor time of both ends."""
    server: float
    """Of that, the server's."""
    passed: float
    """The time that passed."""


class Grown:
    """A server, and a session that asks it what it takes."""

    def __init__(self, addresses: list[str], started: float, asking: landline.Session) -> None:
        self._addresses = addresses
        self.started = started
        """Seconds of processor time from the opening of its storage until it listened."""
        self.asking = asking
        self._dials = 0

    @property
    def address(self) -> str:
        """One of its addresses."""
        return self._addresses[0]

    async def connect(self) -> landline.Session:
        """Return a new session, at the next of the server's addresses."""
        self._dials += 1
        return await landline.connect(self._addresses[self._dials % len(self._addresses)], limits=roomy())

    async def many(self, count: int, at_once: int = 50) -> list[landline.Session]:
        """Return so many new sessions."""
        found: list[landline.Session] = []
        while len(found) < count:
            some = min(at_once, count - len(found))
            found += await asyncio.gather(*(self.connect() for _ in range(some)))
        return found

    async def memory(self) -> float:
        """Return the server's memory in KiB."""
        return float(await self.asking.call("memory", timeout=600))

    async def cost(self, count: int, work: Callable[[], Awaitable[Any]]) -> Cost:
        """Return what each of ``count`` units costs, which ``work`` does."""
        theirs = await self.asking.call("used", timeout=600)
        ours, began = time.process_time(), time.perf_counter()
        await work()
        passed, both = time.perf_counter() - began, time.process_time() - ours
        server = await self.asking.call("used", timeout=600) - theirs
        return Cost(*(seconds / count * 1e6 for seconds in (both + server, server, passed)))


@asynccontextmanager
async def growing(loop: str, storage: Path | None = None) -> AsyncIterator[Grown]:
    """Within the block it runs; with a storage, on that file."""
    command = [sys.executable, "-m", "benchmarks.growth.server", loop, *([str(storage)] if storage else [])]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended with {await process.wait()}")
        told = json.loads(line)
        async with landline.connect(told["addresses"][0], limits=roomy()) as asking:
            yield Grown(told["addresses"], told["started"], asking)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 60)
        except TimeoutError:
            process.kill()
            await process.wait()
