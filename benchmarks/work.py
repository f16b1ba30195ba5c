"""The jobs, each played by a client process against a server process; each returns one figure."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from .peers import FAN, MESSAGE, MORE, ROUND


async def round_trip(peer: Any, port: int, server: int, size: int) -> float:
    """One connection, one message in flight: microseconds a round trip."""
    async with peer.connect(port) as line:

        async def run(count: int) -> float:
            started = time.perf_counter()
            for _ in range(count):
                await line.send(MESSAGE)
                await line.receive()
            return time.perf_counter() - started

        await run(size // 10)
        return await run(size) / size * 1e6


async def pipelined(peer: Any, port: int, server: int, size: int) -> float:
    """One connection, as many in flight as it takes: thousand messages echoed a second."""
    async with peer.connect(port) as line:

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


async def fan_out(peer: Any, port: int, server: int, size: int) -> float:
    """Everybody is told 64 messages at once, again and again: thousand deliveries a second."""
    rounds = 6
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(peer.connect(port)) for _ in range(size)]
        for line in lines:  # a connection counts when the server has answered on it
            await line.send(MESSAGE)
            await line.receive()

        async def listen(line: Any) -> None:
            for _ in range(ROUND):
                await line.receive()

        started = 0.0
        for number in range(rounds + 1):
            if number == 1:
                started = time.perf_counter()
            await lines[0].send(FAN if number == 0 else MORE)
            await asyncio.gather(*map(listen, lines))
        return size * ROUND * rounds / (time.perf_counter() - started) / 1e3


async def idle(peer: Any, port: int, server: int, size: int) -> float:
    """Connections that were used once and are quiet: KiB of the server's memory for each."""
    before = _resident(server)
    async with AsyncExitStack() as stack:
        for _ in range(size):
            line = await stack.enter_async_context(peer.connect(port))
            await line.send(MESSAGE)
            await line.receive()
        return (_resident(server) - before) / size


async def connects(peer: Any, port: int, server: int, size: int) -> float:
    """New connections, greeted and closed again, 20 at a time: how many a second."""
    left = size

    async def come_and_go() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            async with peer.connect(port):
                pass

    started = time.perf_counter()
    await asyncio.gather(*(come_and_go() for _ in range(20)))
    return size / (time.perf_counter() - started)


def _resident(pid: int) -> float:
    """Return the resident memory of a process in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise RuntimeError("no VmRSS")


JOBS: dict[str, tuple[Any, str, bool, int, int]] = {
    # job: function, unit, more is better, size, size of the short run
    "round trip, 64 B": (round_trip, "µs", False, 10_000, 2_000),
    "pipelined, 64 B": (pipelined, "k msgs/s", True, 100_000, 20_000),
    "fan-out to 100": (fan_out, "k deliveries/s", True, 100, 100),
    "fan-out to 1,000": (fan_out, "k deliveries/s", True, 1_000, 200),
    "idle connection": (idle, "KiB", False, 2_000, 300),
    "connects": (connects, "/s", True, 2_000, 400),
}
