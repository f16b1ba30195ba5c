"""``python -m benchmarks.stalled``: does one reader in a hundred that stands still hold up the others?

A hundred sessions are told the same topic. In each round the hundredth, a process of its own, reads like the others, or its program does not read, or the process is stopped
by a signal. Rounds take turns, and what counts is the other ninety-nine's throughput, as a ratio to the rounds in which all read.
``--check`` ends with 1 where that is below 0.9.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import landline

from .growth.yardstick import Grown, growing
from .processes import run

READERS: Final = 99
READS: Final = "it reads"
IDLES: Final = "its program does not read"
STOPPED: Final = "its process is stopped"
WAYS: Final = (READS, IDLES, STOPPED)
DATA: Final = b"x" * 1024
"""Of these a round has as many as fill the window of a reader that stands still four times."""
IN_FLIGHT: Final = 32
TOPIC: Final = "t.all"
LEAST: Final = 0.9


class Round:
    """What one round came to."""

    def __init__(self, deliveries: int, passed: float, processor: float) -> None:
        self.throughput = deliveries / passed
        self.economy = deliveries / processor
        """Deliveries for a second of the processor time of both ends."""


async def play(loop: str, rounds: int, publications: int) -> dict[str, dict[str, list[float]]]:
    """Return the throughput of the others in each round, by what the hundredth does."""
    figures: dict[str, dict[str, list[float]]] = {way: {"throughput": [], "economy": []} for way in WAYS}
    async with growing(loop) as grown:
        readers = await grown.many(READERS)
        publisher = await grown.connect()
        subscriptions = [session.subscribe(TOPIC, "now") for session in readers]
        await _round(grown, publisher, subscriptions, publications // 10)
        for _ in range(rounds):
            for way in WAYS:
                async with _the_hundredth(grown, way):
                    found = await _round(grown, publisher, subscriptions, publications)
                figures[way]["throughput"].append(found.throughput)
                figures[way]["economy"].append(found.economy)
        await asyncio.gather(*(session.close() for session in (publisher, *readers)))
    return figures


async def _round(
    grown: Grown, publisher: landline.Session, subscriptions: list[landline.Subscription], count: int
) -> Round:
    turns = iter(range(count))

    async def publish() -> None:
        for _ in turns:
            await publisher.publish(TOPIC, DATA)

    async def listen(subscription: landline.Subscription) -> None:
        for _ in range(count):
            item = await anext(subscription)
            if not isinstance(item, landline.Publication):
                raise TypeError(f"{item} instead of a publication")

    async def work() -> None:
        await asyncio.gather(*map(listen, subscriptions), *(publish() for _ in range(IN_FLIGHT)))

    began = time.perf_counter()
    deliveries = count * len(subscriptions)
    cost = await grown.cost(deliveries, work)
    return Round(deliveries, time.perf_counter() - began, cost.both * deliveries / 1e6)


@asynccontextmanager
async def _the_hundredth(grown: Grown, way: str) -> AsyncIterator[None]:
    command = [sys.executable, "-m", "benchmarks.stalled", "--be", way, grown.address]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    try:
        if await process.stdout.readline() != b"there\n":
            raise RuntimeError("the hundredth reader did not come")
        if way == STOPPED:
            process.send_signal(signal.SIGSTOP)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def be(way: str, address: str) -> None:
    """Be the hundredth reader until standard input ends."""
    async with landline.connect(address) as session:
        subscription = session.subscribe(TOPIC, "last")
        await anext(subscription)
        print("there", flush=True)
        if way == READS:
            async for _ in subscription:
                pass
        await asyncio.to_thread(sys.stdin.read)


def main() -> int:
    """Play it, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.stalled", description=__doc__)
    parser.add_argument("--short", action="store_true", help="one round of little: to see that it works")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--check", action="store_true", help=f"end with 1 below {LEAST}")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--be", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be:
        run(options.loop, be(*options.be))
        return 0
    rounds, publications = (1, 200) if options.short else (options.rounds, 1000)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # all processes inherit it
    figures = run(options.loop, play(options.loop, rounds, publications))
    least = print_table(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 1 if options.check and least < LEAST else 0


def print_table(figures: dict[str, dict[str, list[float]]]) -> float:
    """Print what the others came to; return the smallest ratio of their throughput."""
    print(
        "| the hundredth reader | k deliveries/s to the others | ratio | for the same processor time, ratio |"
    )
    print("| --- | ---: | ---: | ---: |")
    middles = {
        way: {kind: statistics.median(values) for kind, values in found.items()}
        for way, found in figures.items()
    }
    ratios = []
    for way, found in middles.items():
        throughput, economy = (found[kind] / middles[READS][kind] for kind in ("throughput", "economy"))
        ratios.append(throughput)
        print(f"| {way} | {found['throughput'] / 1e3:,.1f} | {throughput:.2f}× | {economy:.2f}× |")
    return min(ratios)


if __name__ == "__main__":
    sys.exit(main())
