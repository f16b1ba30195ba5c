"""The floor under durable publishes: 4 KiB appended to a file and brought to the disk, before the next."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .peer import Peer, Play, Publisher

BLOCK = bytes(4096)


@asynccontextmanager
async def serve() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder) / "file")


@asynccontextmanager
async def connect(place: str) -> AsyncIterator[Publisher]:
    file = os.open(place, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        yield _Appending(file)
    finally:
        os.close(file)


class _Appending:
    def __init__(self, file: int) -> None:
        self._file = file

    async def publish(self, data: bytes) -> None:
        os.write(self._file, BLOCK)
        os.fdatasync(self._file)


PEER = Peer("the disk alone", {"durable": Play(serve, connect)}, is_floor=True)
