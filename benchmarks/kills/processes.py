"""The processes of the harness: started, told to begin or to finish, and ended, each by its own number."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Final

Process = asyncio.subprocess.Process

LONGEST_START: Final = 60.0
"""Seconds until a server listens, where others have the cores."""


async def start(module: str, name: str, folder: Path, *arguments: str) -> Process:
    """Run a module of this package; what it complains of is in ``NAME.err``."""
    with (folder / f"{name}.err").open("ab") as errors:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"benchmarks.kills.{module}", *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
        )  # fmt: skip


async def start_server(folder: Path, *options: str) -> Process:
    """Have a server stand ready."""
    return await start("server", "server", folder, str(folder), *options)


async def listens(server: Process) -> str:
    """Have a server begin; return its address, or nothing when it died before it had one."""
    tell(server)
    assert server.stdout is not None
    async with asyncio.timeout(LONGEST_START):
        return (await server.stdout.readline()).decode().strip()


def tell(process: Process) -> None:
    """Have a server begin, or a client finish."""
    if process.stdin is not None and process.returncode is None:
        process.stdin.write(b"\n")


def send(process: Process, number: signal.Signals) -> None:
    """Send it a signal. Not by its own methods: those look whether it is there, and take its exit code away from who waits for it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


async def end(process: Process) -> int:
    """``kill -9``; return its exit code, which is another one when it had ended by itself."""
    send(process, signal.SIGKILL)
    return await process.wait()
