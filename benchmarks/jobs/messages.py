"""Messages: round trips, many in flight, fan-out, and what connections cost."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from ..peers.halls import MORE, ONCE, ROUND
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


async def fan_out(connect: Connect, place: str, server: int, size: int) -> float:
    """Everybody is told 64 messages at once, again and again: thousand deliveries a second."""
    return await _fan_out(connect, place, size, MORE, ROUND, rounds=6)


async def fan_out_once(connect: Connect, place: str, server: int, size: int) -> float:
    """Everybody is told one message, and the next when all have it: thousand deliveries a second."""
    return await _fan_out(connect, place, size, ONCE, 1, rounds=40)


async def _fan_out(
    connect: Connect, place: str, size: int, command: bytes, messages: int, rounds: int
) -> float:
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(connect(place)) for _ in range(size)]
        for line in lines:  # a connection counts when the server has answered on it
            await line.send(MESSAGE)
            await line.receive()

        async def listen(line: Any) -> None:
            for _ in range(messages):
                await line.receive()

        started = 0.0
        for number in range(rounds + 1):
            if number == 1:
                started = time.perf_counter()
            await lines[0].send(command)
            await asyncio.gather(*map(listen, lines))
        return size * messages * rounds / (time.perf_counter() - started) / 1e3


async def idle(connect: Connect, place: str, server: int, size: int) -> float:
    """Connections that were used once and are quiet: KiB of the server's memory for each."""
    before = _resident(server)
    async with AsyncExitStack() as stack:
        for _ in range(size):
            line = await stack.enter_async_context(connect(place))
            await line.send(MESSAGE)
            await line.receive()
        return (_resident(server) - before) / size


async def connects(connect: Connect, place: str, server: int, size: int) -> float:
    """New connections, greeted and closed again, 20 at a time: how many a second."""
    left = size

    async def come_and_go() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            async with connect(place):
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


JOBS = [
    Job("round trip, 64 B", "messages", round_trip, "µs", False, 10_000, 2_000),
    Job("pipelined, 64 B", "messages", pipelined, "k msgs/s", True, 100_000, 20_000),
    Job("fan-out to 100", "messages", fan_out, "k deliveries/s", True, 100, 100),
    Job("fan-out to 1,000", "messages", fan_out, "k deliveries/s", True, 1_000, 200),
    Job("fan-out to 1,000, one at a time", "messages", fan_out_once, "k deliveries/s", True, 1_000, 200),
    Job("idle connection", "messages", idle, "KiB", False, 2_000, 300),
    Job("connects", "messages", connects, "/s", True, 2_000, 400),
]
