"""``python -m benchmarks.durable``: durable publishes a second with 1, 10 and 100 publishers, and a durable topic told to 1,000 subscribers.

Server and clients are two processes on one core. The floor is measured in the same run, before and after: 4 KiB appended to a file in the
same folder and brought to the disk with ``fdatasync``, one after the other. A publish is acknowledged when it is on the disk.
``--short`` runs a second of each and 100 subscribers: to see that it works, not to quote.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import landline

DATA = b"x" * 64
PUBLISHERS = (1, 10, 100)
IN_FLIGHT = (1, 64)
LONGEST = 120.0
"""Seconds that one measurement may take before it counts as failed."""


def main() -> None:
    """Run everything, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.durable", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a second of each, 100 subscribers")
    parser.add_argument(
        "--folder", type=Path, help="on the disk to measure; by default where temporary files are"
    )
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    loop_factory = _loop(options.loop)
    if options.serve:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_serve(options.serve))
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the server inherits it
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            figures = runner.run(_measure_all(Path(folder), options.loop, is_short=options.short))
    _print_table(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


async def _measure_all(folder: Path, loop: str, *, is_short: bool) -> dict[str, dict[str, float]]:
    seconds, subscribers = (1.0, 100) if is_short else (5.0, 1000)
    before = _disk(folder, seconds / 2)
    figures: dict[str, dict[str, float]] = {}
    for count in PUBLISHERS:
        _progress(f"{count} publishers")
        async with _server(folder / f"{count}.db", loop) as address, asyncio.timeout(LONGEST):
            figures[f"{count} publisher{'s' * (count > 1)}"] = await _publish(address, count, seconds)
    for in_flight in IN_FLIGHT:
        _progress(f"{subscribers} subscribers, {in_flight} in flight")
        async with _server(folder / f"fan-{in_flight}.db", loop) as address, asyncio.timeout(LONGEST):
            figures[f"{subscribers:,} subscribers, {in_flight} in flight"] = await _fan_out(
                address, subscribers, in_flight, in_flight * (10 if is_short else 40)
            )
    _progress("the disk")
    after = _disk(folder, seconds / 2)
    figures["the disk alone"] = {name: (before[name] + after[name]) / 2 for name in before}
    _progress("")
    return figures


async def _publish(address: str, count: int, seconds: float) -> dict[str, float]:
    """Each publisher has a session of its own, and publishes again as soon as the last one is acknowledged."""
    waits: list[float] = []
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(landline.connect(address)) for _ in range(count)]
        await asyncio.gather(*(session.publish("t.warm", DATA) for session in sessions))
        started = time.perf_counter()

        async def go_on(session: landline.Session, topic: str) -> None:
            while (begun := time.perf_counter()) < started + seconds:
                await session.publish(topic, DATA)
                waits.append(time.perf_counter() - begun)

        await asyncio.gather(*(go_on(session, f"t.{n}") for n, session in enumerate(sessions)))
        took = time.perf_counter() - started
    return {"a second": len(waits) / took, **_spread(waits)}


async def _fan_out(address: str, count: int, in_flight: int, publications: int) -> dict[str, float]:
    """One publisher, everybody subscribed to its topic: deliveries a second, and how long a publication takes to the last of them."""
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(landline.connect(address))
        sessions = [await stack.enter_async_context(landline.connect(address)) for _ in range(count)]
        subscriptions = [session.subscribe("t.fan", "start") for session in sessions]
        await publisher.publish("t.fan", DATA)
        for subscription in subscriptions:
            await anext(subscription)
        published: dict[int, float] = {}
        waits: dict[int, float] = {}

        async def listen(subscription: landline.Subscription) -> None:
            for _ in range(publications):
                said = await anext(subscription)
                assert isinstance(said, landline.Publication)
                waits[said.data] = time.perf_counter() - published[said.data]

        async def speak(first: int) -> None:
            for number in range(first, publications, in_flight):
                published[number] = time.perf_counter()
                await publisher.publish("t.fan", number)

        started = time.perf_counter()
        listening = [asyncio.ensure_future(listen(subscription)) for subscription in subscriptions]
        await asyncio.gather(*(speak(first) for first in range(in_flight)), *listening)
        took = time.perf_counter() - started
    return {"a second": publications * count / took, **_spread(list(waits.values()))}


def _disk(folder: Path, seconds: float) -> dict[str, float]:
    """Append and sync, again and again."""
    waits = []
    block = b"\0" * 4096
    file = os.open(folder / "floor", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        started = time.perf_counter()
        while (begun := time.perf_counter()) < started + seconds:
            os.write(file, block)
            os.fdatasync(file)
            waits.append(time.perf_counter() - begun)
    finally:
        os.close(file)
    return {"a second": len(waits) / seconds, **_spread(waits)}


def _spread(waits: list[float]) -> dict[str, float]:
    ordered = sorted(waits)
    return {"p50 ms": statistics.median(ordered) * 1e3, "p99 ms": ordered[int(len(ordered) * 0.99)] * 1e3}


async def _serve(path: str) -> None:
    """Serve until standard input ends."""
    server = landline.Server(storage=path)
    server.topic("t.*")
    async with server.listen("tcp://127.0.0.1:0") as listening:
        print(listening.addresses[0], flush=True)
        await asyncio.to_thread(sys.stdin.readline)


@asynccontextmanager
async def _server(path: Path, loop: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.durable", "--loop", loop, "--serve", str(path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


def _loop(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name == "asyncio":
        return None
    import uvloop

    return uvloop.new_event_loop


def _progress(what: str) -> None:
    print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def _print_table(figures: dict[str, dict[str, float]]) -> None:
    floor = figures["the disk alone"]["a second"]
    print("| durable | a second | of the disk's syncs | p50 ms | p99 ms |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, figure in figures.items():
        share = "" if "subscribers" in name else f"{figure['a second'] / floor:.2f}×"
        print(
            f"| {name} | {figure['a second']:,.0f} | {share} | {figure['p50 ms']:.2f} | {figure['p99 ms']:.2f} |"
        )


if __name__ == "__main__":
    main()
