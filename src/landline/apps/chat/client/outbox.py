"""Where a client keeps its outbox: a file in the data folder for each client that runs at once, and what tells it from the others.

A client that was killed leaves its file with what was not confirmed. One that is started again takes it over, if it goes to the same address
under the name that the other one had in the end, and is the same client to the server. What is not in use and holds nothing is used again, so
there are never more files than clients that ran at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

import landline
from landline.apps.chat.limits import CLIENT
from landline.apps.chat.text import name_key
from landline.storage import SQLiteStorage, Storage

logger = logging.getLogger("landline.apps.chat")

MOST: Final = CLIENT.outboxes

_KEY: Final = "chat.client"


class Identity(msgspec.Struct, array_like=True, frozen=True):
    """Whose an outbox is."""

    number: int
    """The client's, as in ``wire.Enter``."""
    name: str
    """The name that it is known by."""
    others: tuple[str, ...] = ()
    """Names that it asked for besides, and may be known by when it comes again."""

    def has(self, name: str) -> bool:
        """Whether who comes under this name is this client."""
        return name_key(name) in map(name_key, (self.name, *self.others))


@dataclass(slots=True)
class Outbox:
    """The outbox of one client, open."""

    storage: Storage
    number: int
    """The client's."""
    elsewhere: dict[str, int] = field(default_factory=dict)
    """How many lines wait in outboxes that nobody uses, by the name that brings them out; empty where some wait in this one."""
    _names: tuple[str, ...] = ()
    _writing: set[asyncio.Task[None]] = field(default_factory=set)

    def follow(self, names: tuple[str, ...]) -> None:
        """Be found by these names from here on, the one that the client is known by first.

        It is on the disk before any line that is published after this.
        """
        if names != self._names:
            self._names = names
            task = asyncio.create_task(self._keep(names))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Close the storage, with everything written."""
        await asyncio.gather(*self._writing)
        await self.storage.close()

    async def _keep(self, names: tuple[str, ...]) -> None:
        try:
            await self.storage.put(_KEY, _encode(Identity(self.number, names[0], names[1:])))
        except landline.StorageError as error:  # it is found by the names before
            logger.warning("what waits is not kept under the name %s: %s", names[0], error)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Identity).decode


async def find_outbox(folder: Path, address: str, name: str) -> Outbox:
    """Return the outbox of a client; the caller closes it.

    Args:
        folder: the data folder.
        address: of the server.
        name: that the client is started with.

    Raises:
        StorageError: none can be used.
    """
    own: tuple[Storage, int] | None = None
    spare: Storage | None = None
    elsewhere: dict[str, int] = {}
    path = file(folder, address, 1)
    for count in range(1, MOST + 1):
        path = file(folder, address, count)
        is_there = path.exists()
        if not is_there and (own or spare):
            break
        storage = SQLiteStorage(path)
        try:
            await storage.open()
        except landline.StorageLocked:
            continue  # of a client that runs now
        except landline.StorageError:
            if not is_there:
                raise
            continue  # it stays as it is, for whoever can read it
        lines = await landline.count_unanswered(storage)
        identity = await _identity(storage)
        if identity is not None and identity.has(name) and (lines or own is None):
            if own is not None:
                await own[0].close()
            own = storage, identity.number
            if lines:  # several may have borne the name: what waits goes first
                elsewhere.clear()
                break
        elif spare is None and not lines:
            spare = storage
            if not is_there:
                break
        else:
            await storage.close()  # somebody's lines are in it
            if lines and identity is not None:
                elsewhere[identity.name] = elsewhere.get(identity.name, 0) + lines
    if own is not None:
        if spare is not None:
            await spare.close()
        return Outbox(*own, elsewhere)
    if spare is None:
        raise landline.StorageLocked(f"{MOST} clients keep their lines beside {path} already")
    number = secrets.randbits(63) or 1
    await spare.put(_KEY, _encode(Identity(number, name)))
    return Outbox(spare, number, elsewhere)


async def _identity(storage: Storage) -> Identity | None:
    """Return whose outbox it is, if anybody's."""
    value = await storage.get(_KEY)
    try:
        return None if value is None else _decode(value.data)
    except msgspec.DecodeError:
        return None


def file(folder: Path, address: str, count: int) -> Path:
    """Return where the outbox is of the client of this count to an address."""
    return folder / f"outbox-{hashlib.sha256(address.encode()).hexdigest()[:12]}-{count}.db"
