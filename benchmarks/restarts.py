"""``python -m benchmarks.restarts``: a chat server is started anew again and again, and nobody who dials meanwhile may be refused.

Half of the restarts are by SIGUSR2, where the server becomes the next one in its own place; half by SIGTERM under a parent that holds the
sockets, as systemd does. All the time, callers come over TCP and a Unix socket, by plain text and with sessions. With ``--check``, it ends
with 1 when one of them could not connect. ``--short`` is to see that everything holds, not to quote.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import landline
from landline.apps.chat import credentials
from landline.transports import parse_address

LOOPBACK = "127.0.0.1"

T = TypeVar("T")

CALLERS = 3
"""Of each kind at each address, all the time."""

PAUSE = 0.01
"""Seconds between two calls of one caller: a machine has only so many ports for connections that were closed lately."""

BOUND = 10.0
"""Seconds that a caller waits at the most before it counts as timed out; the same as for ``landline.connect``."""

LONGEST = 60.0
"""Seconds that one restart may take before all of it counts as failed."""

HOLD = 64
"""The parent's sockets lie at descriptors from here on, out of the way of those that its child gets."""


class Callers:
    """Everybody who dials while the server comes and goes.

    Attributes:
        failures: who could not connect, or was reset, and in which way.
        heard: what those who could were answered.
        waits: how long each connect took, in seconds.
    """

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        self.waits: list[float] = []
        self._connected_one = asyncio.Event()

    @property
    def count(self) -> int:
        """How many connects succeeded."""
        return len(self.waits)

    async def call_by_plain_text(self, address: str) -> None:
        """Connect as ``nc`` does, say something, and hear an answer."""
        where = parse_address(address)
        try:
            reader, writer = await self._connected(
                asyncio.open_unix_connection(where.path)
                if where.scheme == "unix"
                else asyncio.open_connection(where.host, where.port)
            )
        except OSError as error:  # TimeoutError is one
            self.failures[f"plain connect: {type(error).__name__}"] += 1
            return
        text = b""
        try:
            writer.write(b"/who\n")
            async with asyncio.timeout(BOUND):
                while b"Welcome" not in text and (data := await reader.read(4096)):
                    text += data
        except OSError as error:
            self.failures[f"plain talk: {type(error).__name__}"] += 1
        else:
            served, told = b"Welcome" in text, b"restarts" in text or b"closing" in text
            self.heard["plain, served" if served else "plain, told" if told else "plain, hung up on"] += 1
        finally:
            writer.transport.abort()

    async def call_for_a_session(self, address: str) -> None:
        """Open a session, and close it."""
        try:
            session = await self._connected(
                landline.connect(address, credentials=credentials.show(secrets.randbits(63) or 1))
            )
        except landline.LandlineError as error:
            self.failures[f"session connect: {error}"] += 1
            return
        await session.close()
        self.heard["session, closed" if session.state is landline.State.CLOSED else "session, lost"] += 1

    async def _connected(self, connecting: Awaitable[T]) -> T:
        begun = time.perf_counter()
        async with asyncio.timeout(BOUND):
            connected = await connecting
        self.waits.append(time.perf_counter() - begun)
        self._connected_one.set()
        return connected

    @asynccontextmanager
    async def calling(self, addresses: Sequence[str]) -> AsyncIterator[None]:
        """Within the block they come, one after the other and many at once."""

        async def come(call: Callable[[str], Awaitable[None]], address: str) -> None:
            while not is_over.is_set():
                await call(address)
                await asyncio.sleep(PAUSE)

        is_over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for address in addresses:
                for _ in range(CALLERS):
                    group.create_task(come(self.call_by_plain_text, address))
                    group.create_task(come(self.call_for_a_session, address))
            try:
                yield
            finally:
                is_over.set()

    async def until_more(self, count: int) -> None:
        """Wait until so many more have connected."""
        wanted = self.count + count
        while self.count < wanted:
            self._connected_one.clear()
            await self._connected_one.wait()


class Server:
    """``landline serve`` in a process of its own."""

    def __init__(self, folder: Path, loop: str) -> None:
        self._folder = folder
        self._loop = loop
        self._process: asyncio.subprocess.Process | None = None
        self.addresses: list[str] = []

    async def start(self, addresses: Sequence[str], held: Sequence[socket.socket] = ()) -> None:
        """Start it, with these listening sockets if there are some; return when it serves."""
        options = [f"--address={address}" for address in addresses]

        def pass_on() -> None:
            os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(held))}
            for number, sock in enumerate(held, 3):
                os.dup2(sock.fileno(), number)

        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "landline", "serve", f"--data={self._folder}", f"--loop={self._loop}", *options,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            pass_fds=range(3, 3 + len(held)), preexec_fn=pass_on if held else None,
        )  # fmt: skip
        await self.wait_open()

    async def wait_open(self) -> None:
        """Wait until it says that it serves, and where."""
        assert self._process is not None and self._process.stdout is not None
        while line := (await self._process.stdout.readline()).decode():
            if line.startswith("The chat is open at "):
                self.addresses = re.findall(r"\w+://\S*[^\s.]", line)
            if line.startswith("Ctrl-C"):
                return
        raise RuntimeError(f"the server ended with {await self._process.wait()}")

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def wait_over(self) -> None:
        """Wait until it has drained and ended."""
        assert self._process is not None
        code = await self._process.wait()
        if code:
            raise RuntimeError(f"the server ended with {code}")

    def kill(self) -> None:
        """Leave nothing behind."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


Row = dict[str, Any]


async def restart_in_place(count: int, calls: int, loop: str, folder: Path) -> Row:
    """By SIGUSR2, with the sockets that the first server bound."""
    server, callers, took = Server(folder / "data", loop), Callers(), list[float]()
    with contextlib.ExitStack() as stack:
        stack.callback(server.kill)
        await server.start([f"tcp://{LOOPBACK}:0", f"unix://{folder}/chat.sock"])
        async with callers.calling(server.addresses):
            for _ in range(count):
                async with asyncio.timeout(LONGEST):
                    await callers.until_more(calls)
                    begun = time.perf_counter()
                    server.signal(signal.SIGUSR2)
                    await server.wait_open()
                    took.append(time.perf_counter() - begun)
            await callers.until_more(calls)
        server.signal(signal.SIGTERM)
        await server.wait_over()
    return _row("SIGUSR2, in place", loop, took, callers)


async def restart_under_a_parent(count: int, calls: int, loop: str, folder: Path) -> Row:
    """By SIGTERM and a new process, with sockets that we hold."""
    server, callers, took = Server(folder / "data", loop), Callers(), list[float]()
    with contextlib.ExitStack() as stack:
        stack.callback(server.kill)
        held = [stack.enter_context(_high(sock)) for sock in _made(folder / "held.sock")]
        port = held[0].getsockname()[1]
        addresses = [f"tcp://{LOOPBACK}:{port}", f"unix://{folder}/held.sock"]
        await server.start(addresses, held)
        async with callers.calling(addresses):
            for _ in range(count):
                async with asyncio.timeout(LONGEST):
                    await callers.until_more(calls)
                    begun = time.perf_counter()
                    server.signal(signal.SIGTERM)
                    await server.wait_over()
                    await server.start(addresses, held)
                    took.append(time.perf_counter() - begun)
            await callers.until_more(calls)
        server.signal(signal.SIGTERM)
        await server.wait_over()
    return _row("SIGTERM, sockets held", loop, took, callers)


def _made(path: Path) -> tuple[socket.socket, socket.socket]:
    tcp = socket.create_server((LOOPBACK, 0), backlog=4096)
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(path))
    unix.listen(4096)
    return tcp, unix


def _high(sock: socket.socket) -> socket.socket:
    """Return the same socket at a high descriptor."""
    import fcntl

    with sock:
        return socket.socket(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, HOLD))


def _row(how: str, loop: str, took: list[float], callers: Callers) -> Row:
    return {
        "how": how,
        "loop": loop,
        "restarts": len(took),
        "median": statistics.median(took),
        "longest": max(took),
        "connects": callers.count,
        "failures": dict(callers.failures),
        "failed": callers.failures.total(),
        "waited": sum(wait > 0.1 for wait in callers.waits),
        "longest_wait": max(callers.waits),
        "heard": dict(callers.heard),
    }


def main() -> int:
    """Play it, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.restarts", description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="how many restarts, half of each kind")
    parser.add_argument("--loop", default="auto", help="the server's event loop: auto, asyncio or uvloop")
    parser.add_argument("--short", action="store_true", help="three restarts, with few callers between them")
    parser.add_argument("--check", action="store_true", help="end with 1 when somebody could not connect")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    count, calls = (3, 30) if options.short else (options.count, 300)
    rows = []
    for restart, times in ((restart_in_place, count - count // 2), (restart_under_a_parent, count // 2)):
        with tempfile.TemporaryDirectory(prefix="landline-restarts-") as folder:
            rows.append(asyncio.run(restart(times, calls, options.loop, Path(folder))))
    _print_table(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    return 1 if options.check and any(row["failed"] for row in rows) else 0


def _print_table(rows: list[Row]) -> None:
    print(
        "| how | loop | restarts | each s, median / longest | connects | failed | waited over 0.1 s | longest wait s |"
    )
    print("| --- | --- " + "| ---: " * 6 + "|")
    for row in rows:
        print(
            f"| {row['how']} | {row['loop']} | {row['restarts']} | {row['median']:.2f} / {row['longest']:.2f}"
            f" | {row['connects']:,} | {row['failed']} | {row['waited']:,} | {row['longest_wait']:.2f} |"
        )
    for row in rows:
        print(f"{row['how']}: {row['heard']} {row['failures'] or ''}")


if __name__ == "__main__":
    sys.exit(main())
