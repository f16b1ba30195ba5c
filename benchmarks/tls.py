"""``python -m benchmarks.tls``: bulk and round trips under TLS, ours beside what asyncio and uvloop have of their own.

Both ends are in one process on one core, and what is counted is its processor time: no scheduling between processes is measured. The first row
is a whole session over ``tls://``, the second our transport alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import uvloop

import landline
from landline.transports import TlsTransport, Transport, open_listener, open_transport, parse_address

BYTES: Final = 192 << 20
SHORT_BYTES: Final = 24 << 20
TRIPS: Final = 4000
SHORT_TRIPS: Final = 500
LOOPS: Final[dict[str, Callable[[], asyncio.AbstractEventLoop]]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Certificate:
    """What both ends need, for our own transports and for those of the loops."""

    def __init__(self, folder: Path) -> None:
        self.server = landline.make_certificate(folder, ["localhost"])
        self.client = landline.ClientTLS(fingerprint=self.server.fingerprint)


class Counter:
    """Takes bytes in, and says when all have come; sends them back where that is wanted."""

    def __init__(self, wanted: int, back: Callable[[bytes], None] | None = None) -> None:
        self.all = asyncio.get_running_loop().create_future()
        self.room = asyncio.Event()
        self._left = wanted
        self._back = back

    def data_received(self, data: bytes) -> None:
        if self._back is not None:
            self._back(data)
        self._left -= len(data)
        if self._left <= 0 and not self.all.done():
            self.all.set_result(None)

    def data_ended(self) -> None: ...

    def writable(self) -> None:
        self.room.set()

    def lost(self, error: Exception | None) -> None:
        self.room.set()


async def transport_bulk(certificate: Certificate, size: int, chunk: int) -> None:
    """Our transport, from its writer's end to its receiver's."""
    arrived: asyncio.Future[Counter] = asyncio.get_running_loop().create_future()

    def accept(inner: Transport) -> None:
        counter = Counter(size)
        TlsTransport(inner, certificate.server.context).start(counter)
        arrived.set_result(counter)

    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=1)
    address = listener.addresses[0].replace("tcp://", "tls://")
    ours = await open_transport(parse_address(address), certificate.client)
    writer = Counter(1)
    ours.start(writer)
    data = bytes(chunk)
    for _ in range(size // chunk):
        while not ours.is_writable:
            writer.room.clear()
            await writer.room.wait()
        ours.write(data)
    await (await arrived).all
    ours.abort()
    listener.close()


async def loop_bulk(certificate: Certificate, size: int, chunk: int) -> None:
    """The loop's own TLS under its protocols, likewise."""
    loop = asyncio.get_running_loop()
    counter = Counter(size)

    class Taker(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            counter.data_received(data)

    class Writer(asyncio.Protocol):
        def __init__(self) -> None:
            self.room = asyncio.Event()
            self.room.set()

        def pause_writing(self) -> None:
            self.room.clear()

        def resume_writing(self) -> None:
            self.room.set()

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    server = await loop.create_server(Taker, "127.0.0.1", 0, ssl=certificate.server.context)
    port = server.sockets[0].getsockname()[1]
    transport, writer = await loop.create_connection(Writer, "127.0.0.1", port, ssl=context)
    data = bytes(chunk)
    for _ in range(size // chunk):
        await writer.room.wait()
        transport.write(data)
    await counter.all
    transport.abort()
    server.close()


async def session_bulk(certificate: Certificate, size: int, chunk: int) -> None:
    """Messages of a session: counted, acked, and given to the program one by one."""

    async def take(session: landline.Session) -> None:
        async for _ in session:
            pass

    async with landline.serve(take, "tcp://127.0.0.1:0", tls=certificate.server) as listening:
        address = listening.addresses[0].replace("tcp://", "tls://")
        async with landline.connect(address, tls=certificate.client) as session:
            data = bytes(chunk)
            for _ in range(size // chunk):
                _ = await session.send(data)
            await session.flush()


async def transport_trips(certificate: Certificate, count: int, size: int) -> None:
    """Our transport, there and back."""

    def accept(inner: Transport) -> None:
        theirs = TlsTransport(inner, certificate.server.context)
        theirs.start(Counter(1 << 60, theirs.write))

    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=1)
    address = listener.addresses[0].replace("tcp://", "tls://")
    ours = await open_transport(parse_address(address), certificate.client)
    left = count
    done = Counter(count * size)

    def again(data: bytes) -> None:
        nonlocal left
        left -= 1
        if left:
            ours.write(data)

    done._back = again
    ours.start(done)
    ours.write(bytes(size))
    await done.all
    ours.abort()
    listener.close()


async def loop_trips(certificate: Certificate, count: int, size: int) -> None:
    """The loop's own, likewise."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    class Echo(asyncio.Protocol):
        left = count

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    class Asking(Echo):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.write(bytes(size))

        def data_received(self, data: bytes) -> None:
            self.left -= 1
            if self.left:
                self.transport.write(data)
            else:
                done.set_result(None)

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=certificate.server.context)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await loop.create_connection(Asking, "127.0.0.1", port, ssl=context)
    await done
    transport.abort()
    server.close()


Job = Callable[[Certificate, int, int], Awaitable[None]]

BULK: Final[dict[str, Job]] = {
    "session": session_bulk,
    "our transport": transport_bulk,
    "the loop's own": loop_bulk,
}
TRIP: Final[dict[str, Job]] = {"our transport": transport_trips, "the loop's own": loop_trips}


def measure(loop: str, job: Job, certificate: Certificate, amount: int, size: int) -> float:
    """Return seconds of processor time."""
    began = time.process_time()
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(_awaited(job(certificate, amount, size)))
    return time.process_time() - began


async def _awaited(job: Awaitable[None]) -> None:
    await job


def main() -> None:
    """Measure in turn, several rounds, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.tls", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small sizes, one round")
    parser.add_argument("--rounds", type=int, default=0, help="5, or 1 with --short")
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.short else 5)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    size, trips = (SHORT_BYTES, SHORT_TRIPS) if options.short else (BYTES, TRIPS)
    jobs = [
        (f"MB/s, {chunk >> 10} KiB writes", BULK, size, chunk, size / 1e6) for chunk in (64 << 10, 256 << 10)
    ]
    jobs.append(("k round trips/s, 64 B", TRIP, trips, 64, trips / 1e3))
    with tempfile.TemporaryDirectory() as folder:
        certificate = Certificate(Path(folder))
        print(
            f"{platform.system()} {platform.release()}, {platform.machine()}, Python {platform.python_version()}, {ssl.OPENSSL_VERSION};"
            f" both ends on one core, by processor time; medians of {rounds} rounds\n"
        )
        print("| work | loop | session | our transport | the loop's own | our transport ÷ the loop's own |")
        print("| --- | --- | --- | --- | --- | --- |")
        for title, variants, amount, each, unit in jobs:
            for loop in LOOPS:
                took: dict[str, list[float]] = {name: [] for name in variants}
                for number in range(rounds):
                    for name, job in variants.items():
                        print(f"\r\033[K{title}, {loop}: {name}, round {number + 1}", end="", file=sys.stderr)
                        took[name].append(measure(loop, job, certificate, amount, each))
                print("\r\033[K", end="", file=sys.stderr)
                figures = {name: unit / statistics.median(seconds) for name, seconds in took.items()}
                ratio = figures["our transport"] / figures["the loop's own"]
                shown = [f"{figures[name]:,.1f}" if name in figures else "" for name in BULK]
                print(f"| {title} | {loop} | {' | '.join(shown)} | {ratio:.2f}× |")


if __name__ == "__main__":
    main()
