"""A chat server as people start it, in a process of its own that a test may kill, and others who are in it: the terminal client and ``nc``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from landline.apps.chat import wire
from landline.apps.chat.server.history import ROOM_KEYS
from landline.apps.chat.topics import topic_of
from landline.patterns.publications import encode_stored
from landline.storage import SQLiteStorage

LANDLINE = (sys.executable, "-m", "landline")
BOUND = 60
"""Seconds that anything here may take before it counts as failed."""


class Program:
    """A program whose output is read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.read: list[str] = []

    @classmethod
    async def start(cls, *command: str) -> Program:
        """Start it with pipes; what it says of errors comes with the rest."""
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                *command,
                stdin=pipe,
                stdout=pipe,
                stderr=asyncio.subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        )

    async def until(self, pattern: str) -> re.Match[str]:
        """Wait for a line in which the pattern is."""
        assert self._process.stdout is not None
        async with asyncio.timeout(BOUND):
            while line := (await self._process.stdout.readline()).decode():
                self.read.append(line.rstrip("\r\n"))
                if match := re.search(pattern, line):
                    return match
        raise AssertionError(f"{pattern!r} did not come: {self.read}")

    async def say(self, line: str) -> None:
        """Write a line to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.communicate()


class ServedChat:
    """A chat server over the lives of its process, on one port, with one history."""

    def __init__(self, data: Path, *options: str) -> None:
        self._data = data
        self._options = options
        self._program: Program | None = None
        self._others: list[Program] = []
        # The file of the history is named by the port, so one that is drawn anew would not do.
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port: int = taken.getsockname()[1]

    @property
    def page(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    async def fill(self, count: int) -> None:
        """Have lines be said in the lobby before it is started: ``line 1`` and so on."""
        async with SQLiteStorage(self._data / f"chat-{self.port}.db") as storage:
            await storage.put(f"{ROOM_KEYS}lobby", b"")
            for number in range(1, count + 1):
                kept = wire.Kept(
                    1_790_000_000.0 + 60 * number, f"user{number // 3 % 4}", f"line {number}", number
                )
                await storage.append(topic_of("lobby"), encode_stored(wire.encode(kept), 1 << 20))

    async def start(self) -> None:
        """Begin a life of it."""
        self._program = await Program.start(
            *LANDLINE,
            "serve",
            "--no-operator",
            "--port",
            str(self.port),
            "--data",
            str(self._data),
            *self._options,
        )
        await self._program.until("Ctrl-C ends it")

    async def kill(self) -> None:
        """End a life of it without warning."""
        if self._program is not None:
            await self._program.kill()

    async def terminal(self, name: str) -> Program:
        """Have somebody come with the terminal client."""
        program = await Program.start(
            *LANDLINE,
            "chat",
            f"tcp://127.0.0.1:{self.port}",
            "--name",
            name,
            "--data",
            str(self._data / name),
        )
        self._others.append(program)
        await program.until("You are in #lobby")
        return program

    async def nc(self, name: str) -> Program:
        """Have somebody come with nc."""
        program = await Program.start("nc", "127.0.0.1", str(self.port))
        self._others.append(program)
        await program.say(f"/nick {name}")
        await program.until("bye leaves")
        return program

    async def close(self) -> None:
        """End everything."""
        for program in self._others:
            await program.kill()
        await self.kill()


@contextlib.asynccontextmanager
async def served_chat(data: Path, *options: str, lines: int = 0) -> AsyncIterator[ServedChat]:
    """Serve a chat until the block is left; so many lines were said there before."""
    served = ServedChat(data, *options)
    try:
        if lines:
            await served.fill(lines)
        await served.start()
        yield served
    finally:
        await served.close()
