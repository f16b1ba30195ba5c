"""Messages whose other end is the load in C, so that what is measured is the server: round trips, crowds, fan-out, and what connections cost."""

from __future__ import annotations

import resource
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from ..peers.load import held, rate
from .job import Connect, Job

HUNDRED = 100
SPARE = 200
"""Files that a process has open besides."""


async def round_trip(connect: Connect, place: str, server: int, size: int) -> float:
    """One connection, one message in flight: microseconds a round trip."""
    async with connect(place) as talk:
        return 1e6 / await rate(talk, "trips", lines=1, count=size)


async def ping_pong(connect: Connect, place: str, server: int, size: int) -> float:
    """A hundred connections, each with one message in flight: thousand messages echoed a second."""
    async with connect(place) as talk:
        return await rate(talk, "trips", lines=HUNDRED, count=size) / 1e3


def fan_out(everybody: int, messages: int) -> Callable[[Connect, str, int, int], Awaitable[float]]:
    """Everybody is told so many messages at once, and the next when all have them: thousand deliveries a second."""
    return partial(_fan_out, everybody, messages)


async def _fan_out(
    everybody: int, messages: int, connect: Connect, place: str, server: int, size: int
) -> float:
    async with connect(place) as talk:
        orders = await rate(talk, "fan", lines=everybody + 1, count=size, messages=messages)
        return everybody * messages * orders / 1e3


async def idle(connect: Connect, place: str, server: int, size: int) -> float:
    """Connections that were used once and are quiet: KiB of the server's memory for each."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if size + SPARE > allowed:
        raise ValueError(f"it takes {size + SPARE:,} descriptors at each end, and {allowed:,} are allowed")
    async with connect(place) as talk:
        before = _resident(talk.pid or server)
        async with held(talk, size):
            return (_resident(talk.pid or server) - before) / size


async def connects(connect: Connect, place: str, server: int, size: int) -> float:
    """New connections, greeted and closed again, 20 at a time: how many a second."""
    async with connect(place) as talk:
        return await rate(talk, "connects", lines=20, count=size)


def _resident(pid: int) -> float:
    """Return the resident memory of a process in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise RuntimeError("no VmRSS")


JOBS = [
    Job("round trip, C client", "trips", round_trip, "µs", False, 20_000, 4_000),
    Job("100 connections, C client", "crowds", ping_pong, "k msgs/s", True, 50_000, 10_000),
    Job("connects, C client", "crowds", connects, "/s", True, 3_000, 500),
    Job("fan-out to 100", "fan-out", fan_out(100, 64), "k deliveries/s", True, 100, 20),
    Job("fan-out to 100, one at a time", "fan-out", fan_out(100, 1), "k deliveries/s", True, 600, 200),
    Job("fan-out to 1,000", "fan-out", fan_out(1_000, 64), "k deliveries/s", True, 15, 6),
    Job("fan-out to 1,000, one at a time", "fan-out", fan_out(1_000, 1), "k deliveries/s", True, 100, 40),
    Job("idle, 10,000 connections", "crowds", idle, "KiB", False, 10_000, 1_000, is_named_by_size=True),
]
