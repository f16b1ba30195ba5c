"""``landline`` as a process beside a test, and a server with topics for it to talk with."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import landline

BOUND = 55


class Programs:
    """Starts the program, and ends what a test leaves."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self._stack = stack
        self.folder = folder

    async def start(self, *arguments: str, stdin: Any = DEVNULL, stdout: Any = PIPE) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "landline",
            *arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=PIPE,
            cwd=self.folder,
        )
        self._stack.push_async_callback(_end, process)
        return process

    async def run(self, *arguments: str, given: bytes = b"") -> tuple[int | None, bytes, str]:
        """Run it to its end; return its exit code, and what it said on stdout and stderr."""
        process = await self.start(*arguments, stdin=PIPE)
        out, errors = await process.communicate(given)
        return process.returncode, out, errors.decode()


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


@asynccontextmanager
async def programs_in(folder: Path) -> AsyncIterator[Programs]:
    async with AsyncExitStack() as stack, asyncio.timeout(BOUND):
        yield Programs(stack, folder)


@asynccontextmanager
async def prices(**options: Any) -> AsyncIterator[tuple[landline.Server, str]]:
    """A server with topics below ``prices``, and its address."""
    server = landline.Server(**options)
    server.topic("prices.*", history=20_000)
    async with server.listen("tcp://127.0.0.1:0") as listening:
        yield server, listening.addresses[0]
