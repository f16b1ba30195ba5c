"""The server that grows: sessions that are echoed, topics, and methods that tell what it takes.

``python -m benchmarks.growth.server LOOP [STORAGE]`` says where it listens (several addresses of loopback, so that clients' ports do not run out), and lives until
its standard input ends.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import sys
import time
from pathlib import Path
from typing import Final

import landline

HOSTS: Final = 4
"""Addresses that it listens at; each can be reached from some 28,000 ports."""
MANY: Final = 2_000_000
FILL: Final = 2048
"""Publications under way at once while a history is filled."""


@functools.cache
def roomy() -> landline.Limits:
    """Return limits for many sessions and subscriptions; quiet sessions do not beat, so that what is measured is the work."""
    return landline.Limits(
        max_connections=MANY,
        max_sessions=MANY,
        max_flows=MANY,
        max_tombstones=MANY,
        memory=1 << 33,
        credit=1 << 30,
        heartbeat_interval=3600.0,
        resume_window=3600.0,
        redial_min=0.001,
        redial_max=0.01,
    )


def resident_kib() -> float:
    """Return the memory that this process has in use, in KiB, after what is garbage is gone."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise RuntimeError("no VmRSS")


async def serve(storage: str | None) -> None:
    """Serve until standard input ends."""

    async def program(session: landline.Session) -> None:
        async for message in session:
            _ = await session.send(message)

    began = time.process_time()
    server = landline.Server(program, storage=storage, limits=roomy())
    server.topic("t.**", history=MANY, history_bytes=None, history_age=None)

    @server.method
    async def used() -> float:
        return time.process_time()

    @server.method
    async def memory() -> float:
        return resident_kib()

    @server.method
    async def fill(topic: str, count: int, size: int) -> tuple[str, int]:
        """Publish so many; return the position of the last."""
        data, last = bytes(size), None
        for first in range(0, count, FILL):
            some = range(first, min(first + FILL, count))
            last = (await asyncio.gather(*(server.publish(topic, data) for _ in some)))[-1]
        assert last is not None
        return last.epoch, last.offset

    @server.method
    async def make(prefix: str, first: int, count: int) -> None:
        """Publish once in each of so many topics."""
        for at in range(first, first + count, FILL):
            some = range(at, min(at + FILL, first + count))
            await asyncio.gather(*(server.publish(f"{prefix}.{number}", b"x" * 64) for number in some))

    async with server.listen(*(f"tcp://127.0.0.{number}:0" for number in range(1, HOSTS + 1))) as listening:
        told = {"addresses": listening.addresses, "started": time.process_time() - began}
        print(json.dumps(told), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Be that process."""
    loop, *storage = sys.argv[1:]
    factory = None
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    gc.freeze()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(storage[0] if storage else None))


if __name__ == "__main__":
    main()
