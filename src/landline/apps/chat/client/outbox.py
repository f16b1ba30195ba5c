"""Where a client keeps its outbox: a file in the data folder for each client that runs at once, and what tells it from the others.

A client that was killed leaves its file with what was not confirmed. One that is started again takes it over, if it goes to the same address
under the same name, and is the same client to the server. What is not in use and holds nothing is used again, so there are never more files
than clients that ran at once.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Final

import msgspec

import landline
from landline.apps.chat.limits import CLIENT
from landline.storage import SQLiteStorage, Storage

MOST: Final = CLIENT.outboxes

_KEY: Final = "chat.client"


class Identity(msgspec.Struct, array_like=True, frozen=True):
    """Whose an outbox is."""

    number: int
    """The client's, as in ``wire.Enter``."""
    name: str
    """The name it was started with."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Identity).decode


async def find_outbox(folder: Path, address: str, name: str) -> tuple[Storage, int]:
    """Return an open storage for the outbox of a client, and the client's number; the caller closes it.

    Args:
        folder: the data folder.
        address: of the server.
        name: that the client is started with.

    Raises:
        StorageError: none can be used.
    """
    spare: Storage | None = None
    path = file(folder, address, 1)
    for count in range(1, MOST + 1):
        path = file(folder, address, count)
        is_there = path.exists()
        if not is_there and spare is not None:
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
        if (number := await _number(storage, name)) is not None:
            if spare is not None:
                await spare.close()
            return storage, number
        if spare is None and not await landline.count_unanswered(storage):
            spare = storage
            if not is_there:
                break
        else:
            await storage.close()  # somebody's lines are in it
    if spare is None:
        raise landline.StorageLocked(f"{MOST} clients keep their lines beside {path} already")
    number = secrets.randbits(63) or 1
    await spare.put(_KEY, _encode(Identity(number, name)))
    return spare, number


async def _number(storage: Storage, name: str) -> int | None:
    """Return the number of the client whose outbox it is, if it has this name."""
    value = await storage.get(_KEY)
    try:
        known = None if value is None else _decode(value.data)
    except msgspec.DecodeError:
        return None
    return known.number if known is not None and known.name == name else None


def file(folder: Path, address: str, count: int) -> Path:
    """Return where the outbox is of the client of this count to an address."""
    return folder / f"outbox-{hashlib.sha256(address.encode()).hexdigest()[:12]}-{count}.db"
