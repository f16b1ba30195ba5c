"""What a server keeps of its sessions beyond its own life: written together, each safe before its client is answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from ..errors import DataError, StorageError
from ..storage.base import Change, Delete, Put, Storage
from .driver import log

_SESSIONS: Final = "landline.session."
_MOST: Final = 256


def _nobody(session_id: bytes) -> None:
    """Nobody asked to be told."""


class Records:
    """The records of one life of a server.

    A disk that fails or is full keeps nobody out: sessions then go on, and end with this life of the server; that is logged.

    Args:
        storage: an open one.
        forgotten: told of each session that is over.

    Attributes:
        found: what the lives before left, by the id of the session.
    """

    def __init__(self, storage: Storage, forgotten: Callable[[bytes], object] = _nobody) -> None:
        self._forgotten = forgotten
        self.found: dict[bytes, bytes] = {}
        self._storage = storage
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[bytes, tuple[bytes | None, list[Callable[[float], None]]]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._is_well = True

    async def open(self) -> None:
        """Read what the lives before left."""
        after = ""
        while values := await self._storage.scan(_SESSIONS, after=after):
            after = values[-1].key
            for value in values:
                with contextlib.suppress(ValueError):
                    self.found[bytes.fromhex(value.key.removeprefix(_SESSIONS))] = value.data

    def store(self, session_id: bytes, data: bytes | None, then: Callable[[float], None]) -> None:
        """Keep this of a session, or nothing any more; call back with the time of the loop when it is safe."""
        if data is None:
            self._forgotten(session_id)
        callbacks = self._waiting.pop(session_id, (None, []))[1]
        self._waiting[session_id] = (data, [*callbacks, then])
        if self._writing is None:
            self._writing = self._loop.create_task(self._write(), name="landline session records")

    async def close(self) -> None:
        """Wait until everything is stored."""
        while self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        # At the end of this turn of the loop, so that those who come together are stored together.
        while self._waiting:
            await asyncio.sleep(0)
            batch = dict(list(self._waiting.items())[:_MOST])
            for session_id in batch:
                del self._waiting[session_id]
            changes: list[Change] = []
            for session_id, (data, _) in batch.items():
                key = _SESSIONS + session_id.hex()
                changes.append(Delete(key) if data is None else Put(key, data))
            try:
                await self._storage.write(changes)
            except (StorageError, DataError) as error:
                log.log(
                    logging.ERROR if self._is_well else logging.DEBUG,
                    "sessions cannot be stored, and will end with this server: %s",
                    error,
                )
                self._is_well = False
            else:
                self._is_well = True
            now = self._loop.time()
            for _, callbacks in batch.values():
                for then in callbacks:
                    then(now)
        self._writing = None
