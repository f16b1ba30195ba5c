"""The server that is flooded, in a process of its own, so that its memory can be read from outside.

It counts everybody but 127.0.0.1 as somebody from afar, so that the rest of 127.0.0.0/8 can play strangers; and it counts what arrives.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import socket
import sys
from pathlib import Path
from typing import Any

import landline
from landline.transports import tcp_listener
from landline.transports.listener import StreamListener
from landline.transports.stream import StreamTransport

HONEST = "honest"
"""Credentials that are good."""

LOOPBACK = "127.0.0.1"

MEMORY = 16 << 20
"""The server's ``Limits.memory``: small, so that a flood goes over it."""


class _Counts:
    accepted = 0
    received = 0


async def serve() -> None:
    """Serve an echo, and a plain door behind which nobody reads; print the address, and the counts for each line of input."""
    logging.disable(logging.CRITICAL)  # what a log costs is not the question here
    allow_many_files()
    _count()
    server = landline.Server(
        _echo, authenticate=lambda said: "" if said == HONEST else None, limits=landline.Limits(memory=MEMORY)
    )
    server.plain(lambda caller: caller.wait_closed())
    async with server.listen(f"tcp://{LOOPBACK}:0") as listening:
        print(listening.addresses[0], flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            counts = {"accepted": _Counts.accepted, "received": _Counts.received}
            print(json.dumps({**counts, "sessions": listening.sessions}), flush=True)


async def _echo(session: landline.Session) -> None:
    async for message in session:
        _ = await session.send(message)


def _count() -> None:
    """Have strangers from loopback, and the counts."""
    source_of = tcp_listener.source_of
    tcp_listener.source_of = lambda host: (
        "" if host == LOOPBACK else host if host[:4] == "127." else source_of(host)
    )
    take, data_received = StreamListener._take, StreamTransport.data_received

    def taken(self: StreamListener, sock: socket.socket, name: Any) -> bool:
        _Counts.accepted += 1
        return take(self, sock, name)

    def received(self: StreamTransport, data: bytes) -> None:
        _Counts.received += len(data)
        data_received(self, data)

    StreamListener._take, StreamTransport.data_received = taken, received  # type: ignore[method-assign]


def allow_many_files() -> None:
    """Open as many sockets as this machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Memory:
    """The resident memory of another process, in bytes, as Linux tells it."""

    def __init__(self, pid: int) -> None:
        self._proc = Path("/proc") / str(pid)
        self.base = 0

    def begin(self) -> None:
        """Measure the peak from here on."""
        (self._proc / "clear_refs").write_text("5")
        self.base = self._read("VmRSS")

    @property
    def growth(self) -> int:
        """How far the peak since ``begin`` is above what was resident then."""
        return self._read("VmHWM") - self.base

    def _read(self, field: str) -> int:
        found = dict(line.split(":", 1) for line in (self._proc / "status").read_text().splitlines())
        return int(found[field].split()[0]) * 1024


class Flooded:
    """The server's process, as who measures it sees it."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self._process = process
        self.address = address
        self.memory = Memory(process.pid)

    async def counts(self) -> dict[str, Any]:
        """What it counted."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(b"\n")
        counts: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return counts
