"""``python -m benchmarks.flood``: every flood against a server of its own; its memory, and what honest clients saw meanwhile.

Server, flood and honest client are three processes. ``--short`` plays small floods: to see that everything holds, not to quote.
With ``--check``, it ends with 1 when a bound is broken; the one of time is generous, since all of them share this machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import itertools
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import landline
from landline.transports import parse_address

from .crowd import Crowd
from .kinds import FLOODS
from .server import HONEST, MEMORY, Flooded, allow_many_files, serve

SLACK = 4 << 20
"""Bytes that a server's process may grow by whatever happens: code on first use, a read buffer, the honest sessions."""

SLOWEST_RATIO = 100
"""How many times as long as on an idle server the slowest honest connect but one in a hundred may take."""

A_VISIT = 4096
"""Bytes above what one honest visit says: the server that received fewer since the last one has caught up with the flood."""

MOST_CATCHING_UP = 200
"""Visits after which it counts as it is."""

CARRIERS = ("tcp", "tls", "ws", "wss", "http")
"""How honest clients come, in turn: with a session over each, and with a request."""

SOON = 15.0
"""Seconds after the end of a flood within which its last connection and task must be gone."""

LONGEST = 120.0
"""Seconds that one flood may take before it counts as failed."""


@dataclass
class Row:
    """What one flood did. Times are in seconds, memory in bytes."""

    flood: str
    connections: int
    accepted: int
    received: int
    growth: int
    allowed: int
    ok: int
    failed: int
    left: int
    mistakes: list[str]
    hits: dict[str, int]
    idle_p50: float
    idle_p99: float
    p50: float
    p99: float

    def broken(self) -> list[str]:
        """The bounds that did not hold, as clauses."""
        found = []
        if self.growth > self.allowed:
            found.append(f"the server grew by {self.growth:,} bytes, {self.allowed:,} are allowed")
        if self.failed:
            found.append(f"{self.failed} honest clients did not get in")
        if self.left:
            found.append(f"{self.left} of its connections and tasks outlived it")
        if self.mistakes:
            found.append(f"the server blamed itself: {self.mistakes}")
        if self.p99 > SLOWEST_RATIO * self.idle_p99:
            found.append(f"honest clients waited {self.p99 / self.idle_p99:.0f} times as long")
        return found


def main() -> int:
    """Play what was asked for, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.flood", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small floods")
    parser.add_argument("--check", action="store_true", help="end with 1 when a bound is broken")
    parser.add_argument("--only", default="", help="floods whose name contains this")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--attack", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    if options.attack:
        _attack(*options.attack)
        return 0
    if sys.platform != "linux":
        sys.exit("the floods need Linux: they come from all of 127.0.0.0/8, and memory is read from /proc")
    rows = []
    for name in FLOODS:
        if options.only in name:
            print(f"\r\033[K{name}", end="", file=sys.stderr, flush=True)
            rows.append(asyncio.run(_play(name, is_short=options.short)))
    print("\r\033[K", end="", file=sys.stderr)
    _print_table(rows)
    if options.json:
        options.json.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
    broken = [f"{row.flood}: {clause}" for row in rows for clause in row.broken()]
    print(*broken, sep="\n", end="\n" if broken else "")
    return 1 if broken and options.check else 0


async def _play(name: str, *, is_short: bool) -> Row:
    flood = FLOODS[name]
    count, honest = (flood.short, 20) if is_short else (flood.count, 100)
    async with asyncio.timeout(LONGEST), _process("--serve") as process:
        assert process.stdout is not None
        server = Flooded(process, (await process.stdout.readline()).decode().strip())
        visitor = Visitor(server)
        idle, idle_failed = await visitor.visit(honest)
        server.memory.begin()
        before = await server.counts()
        async with _process("--attack", name, str(count), server.address) as attack:
            times, failed = await visitor.visit(honest, until=_said(attack))
            after = before
            for _ in range(MOST_CATCHING_UP):  # what the flood has said may still wait in the kernel
                previous, after = after, await server.counts()
                if previous is not before and after["received"] - previous["received"] < A_VISIT:
                    break
                more, lost = await visitor.visit(1)
                times, failed = times + more, failed + lost
            growth = server.memory.growth
        at_the_end = await _calm_down(server, before)
    received = after["received"] - before["received"]
    return Row(
        flood=name,
        connections=count,
        accepted=after["accepted"] - before["accepted"] - len(times) - failed,
        received=received,
        growth=growth,
        allowed=2 * min(received, MEMORY) + count * flood.each + SLACK,
        ok=len(times),
        failed=failed + idle_failed,
        left=_left(at_the_end, before),
        mistakes=at_the_end["mistakes"],
        hits=at_the_end["hits"],
        idle_p50=_percentile(idle, 50),
        idle_p99=_percentile(idle, 99),
        p50=_percentile(times, 50),
        p99=_percentile(times, 99),
    )


async def _calm_down(server: Flooded, before: dict[str, Any]) -> dict[str, Any]:
    """Wait until nothing is left of the flood, for so long as that may take; return the counts then."""
    end = time.monotonic() + SOON
    while _left(counts := await server.counts(), before) and time.monotonic() < end:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    return counts


def _left(counts: dict[str, Any], before: dict[str, Any]) -> int:
    """How many connections and tasks there are more than before; a session may wait for its client to come back."""
    tasks: int = counts["tasks"] - counts["sessions"] - (before["tasks"] - before["sessions"])
    connections: int = counts["connections"] - before["connections"]
    return max(connections, 0) + max(tasks, 0)


async def _said(attack: asyncio.subprocess.Process) -> None:
    """Wait until the flood has done all that it does, and only holds its connections."""
    assert attack.stdout is not None
    if not await attack.stdout.readline():
        raise RuntimeError("the flood failed")


class Visitor:
    """Honest clients, one after the other, by every carrier in turn."""

    def __init__(self, server: Flooded) -> None:
        self._place = server.address.removeprefix("tcp://")
        self._tls = server.tls
        self._carriers = itertools.cycle(CARRIERS)

    async def visit(self, at_least: int, until: object = None) -> tuple[list[float], int]:
        """Come, say something and hear it, again and again; return how long each took, and how many failed."""
        times: list[float] = []
        failed = 0
        flood = asyncio.ensure_future(until) if asyncio.iscoroutine(until) else None
        while len(times) + failed < at_least or (flood is not None and not flood.done()):
            begun = time.perf_counter()
            carrier = next(self._carriers)
            try:
                async with asyncio.timeout(SOON):
                    await (self._ask() if carrier == "http" else self._talk(carrier))
                times.append(time.perf_counter() - begun)
            except (landline.LandlineError, OSError, EOFError) as error:
                print(f"\n{carrier}: {error!r}", file=sys.stderr)
                failed += 1
        if flood is not None:
            await flood
        return times, failed

    async def _talk(self, scheme: str) -> None:
        tls = self._tls if scheme in ("tls", "wss") else None
        async with landline.connect(f"{scheme}://{self._place}", tls=tls, credentials=HONEST) as session:
            _ = await session.send(b"here")
            await session.receive()

    async def _ask(self) -> None:
        host, _, port = self._place.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
        finally:
            writer.transport.abort()
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise EOFError(f"the server answered {answer[:40]!r}")


@asynccontextmanager
async def _process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run this program with another task; it ends with its input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.flood", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


def _attack(name: str, count: str, address: str) -> None:
    """The flood's process: play it, say so, and hold what is held until the input ends."""
    allow_many_files()
    where = parse_address(address)
    crowd = Crowd(where.host, where.port, is_exempt=FLOODS[name].is_exempt)
    FLOODS[name].attack(crowd, int(count))
    print(json.dumps({"held": len(crowd.held), "failed": crowd.failed}), flush=True)
    sys.stdin.readline()


def _percentile(values: list[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else float("inf")
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _print_table(rows: list[Row]) -> None:
    print(
        "| flood | connections | accepted | MB received | MB the server grew by | MB allowed | left | honest ok / failed"
        " | p50 ms, idle → flood | p99 ms, idle → flood | p99 ratio |"
    )
    print("| --- " + "| ---: " * 10 + "|")
    for row in rows:
        print(
            f"| {row.flood} | {row.connections:,} | {row.accepted:,} | {row.received / 1e6:,.1f} | {row.growth / 1e6:,.1f}"
            f" | {row.allowed / 1e6:,.1f} | {row.left} | {row.ok:,} / {row.failed} | {row.idle_p50 * 1e3:.1f} → {row.p50 * 1e3:.1f}"
            f" | {row.idle_p99 * 1e3:.1f} → {row.p99 * 1e3:.1f} | {row.p99 / row.idle_p99:.1f}× |"
        )


if __name__ == "__main__":
    sys.exit(main())
