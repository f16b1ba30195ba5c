"""The server that is flooded, in a process of its own, so that its memory can be read from outside.

It counts everybody but 127.0.0.1 as somebody from afar, so that the rest of 127.0.0.0/8 can play strangers; and it counts what arrives.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import resource
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import landline
from landline.transports import tcp_listener
from landline.transports.listener import StreamListener
from landline.transports.stream import StreamTransport
from landline.web.answers import answer
from landline.web.files import Files

HONEST = "honest"
"""Credentials that are good."""

LOOPBACK = "127.0.0.1"

BODIES = b"/takes"
"""A path that takes a body, and drops it."""

LARGE = b"/files/large"
"""A file of 64 MiB of nothing."""

MEMORY = 16 << 20
"""The server's ``Limits.memory``: small, so that a flood goes over it."""


UNREAD = 2.0
"""Seconds that a plain caller is left alone with what it says."""


class _Counts:
    accepted = 0
    received = 0


async def serve() -> None:
    """Serve an echo, and a plain door behind which nobody reads; print the address, and the counts for each line of input."""
    mistakes = _Mistakes(logging.ERROR)
    logging.basicConfig(handlers=[mistakes], level=logging.ERROR)  # what a log costs is not the question here
    allow_many_files()
    _count()
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "large").open("wb") as large:
            large.truncate(64 << 20)
        tls = landline.make_certificate(Path(folder) / "tls", [LOOPBACK])
        server = landline.Server(
            _echo,
            authenticate=lambda said: "" if said == HONEST else None,
            limits=landline.Limits(memory=MEMORY),
            tls=tls,
            web=landline.Web(app=_site(Files(Path(folder), under="/files/"))),
        )
        server.plain(_read_nothing)
        async with server.listen(f"tcp://{LOOPBACK}:0") as listening:
            print(listening.addresses[0], tls.fingerprint, flush=True)
            while await asyncio.to_thread(sys.stdin.readline):
                counts = {
                    "accepted": _Counts.accepted,
                    "received": _Counts.received,
                    "sessions": listening.sessions,
                    "connections": listening.connections,
                    "tasks": len(asyncio.all_tasks()),
                    "mistakes": mistakes.told,
                    "hits": dict(listening.hits),
                }
                print(json.dumps(counts), flush=True)


class _Mistakes(logging.Handler):
    """Keeps the first words of what is logged as somebody's bug here."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first ten."""
        if len(self.told) < 10:
            what = "" if record.exc_info is None else f": {record.exc_info[1]!r}"
            self.told.append(record.getMessage()[:200] + what)


def _site(files: Files) -> Any:
    """Return what is answered over HTTP."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != BODIES.decode():
            await files(scope, receive, send)
            return
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            pass
        await answer(send, 200, "I had all of it.")

    return app


async def _read_nothing(caller: landline.Caller) -> None:
    """Have what is said wait; whoever reads nothing does not hear that a caller has gone, either."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(UNREAD):
            await caller.wait_closed()


async def _echo(session: landline.Session) -> None:
    async for message in session:
        _ = await session.send(message)


def _count() -> None:
    """Have strangers from loopback, and the counts."""
    source_of = tcp_listener.source_of

    @functools.lru_cache
    def or_a_stranger(host: str) -> str:
        return "" if host == LOOPBACK else host if host[:4] == "127." else source_of(host)

    tcp_listener.source_of = or_a_stranger
    take, buffer_updated = StreamListener._take, StreamTransport.buffer_updated

    def taken(self: StreamListener, sock: socket.socket, name: Any) -> bool:
        _Counts.accepted += 1
        return take(self, sock, name)

    def received(self: StreamTransport, nbytes: int) -> None:
        _Counts.received += nbytes
        buffer_updated(self, nbytes)

    StreamListener._take, StreamTransport.buffer_updated = taken, received  # type: ignore[method-assign]


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

    def __init__(self, process: asyncio.subprocess.Process, line: str) -> None:
        self._process = process
        self.address, fingerprint = line.split()
        self.tls = landline.ClientTLS(fingerprint=fingerprint)
        self.memory = Memory(process.pid)

    async def counts(self) -> dict[str, Any]:
        """What it counted."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(b"\n")
        counts: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return counts
