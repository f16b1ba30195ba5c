"""Much, one way: large messages over one connection, and a file with the connection that it takes."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from .job import Connect, Job

PIECE = 256 * 1024
MIB = 1024 * 1024


async def pour(connect: Connect, place: str, server: int, size: int) -> float:
    """Messages of 256 KiB until ``size`` MiB are at the other end: MB a second."""
    piece, count = bytes(PIECE), size * MIB // PIECE
    async with connect(place) as pourer:
        await pourer.pour(piece, count // 10 + 1)
        started = time.perf_counter()
        await pourer.pour(piece, count)
        return count * PIECE / (time.perf_counter() - started) / 1e6


async def copy(connect: Connect, place: str, server: int, size: int) -> float:
    """A file of ``size`` MiB, from before the connect until it is there: MB a second."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "file"
        with source.open("wb") as file:
            for _ in range(size):
                file.write(os.urandom(MIB))
        async with connect(place) as copier:
            await copier.copy(source, "first")
            started = time.perf_counter()
            await copier.copy(source, "second")
            return size * MIB / (time.perf_counter() - started) / 1e6


JOBS = [
    Job("bulk, 256 KiB, one core", "bulk", pour, "MB/s", True, 1024, 64),
    Job("bulk, 256 KiB, two cores", "bulk", pour, "MB/s", True, 1024, 64, cores=2),
    Job("bulk with TLS, 256 KiB, one core", "bulk with TLS", pour, "MB/s", True, 256, 32),
    Job("file, one core", "files", copy, "MB/s", True, 128, 16),
    Job("file, two cores", "files", copy, "MB/s", True, 128, 16, cores=2),
]
