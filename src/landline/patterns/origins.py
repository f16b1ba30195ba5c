"""What a server knows of its clients' outboxes: read when one of them comes, kept while it is here, forgotten when nobody has come for long."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from ..errors import Conflict, NotAllowed, StorageDamaged, StorageFull
from ..limits import PROTOCOL, STORAGE
from ..protocol.publish import Origin, decode_record, encode_record
from ..sessions.bare import BareSession
from ..storage.base import Delete, Storage, Value

_OUTBOXES: Final = "landline.outbox."


class Origins:
    """The outboxes that publish to one life of a server.

    Args:
        storage: an open one.
        clock: the wall clock, in seconds since 1970.
    """

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock
        self._known: WeakValueDictionary[str, Origin] = WeakValueDictionary()
        self._outboxes: WeakKeyDictionary[BareSession, set[bytes]] = WeakKeyDictionary()
        """Of each session: each leaves a record that is kept for long, so it has few."""
        self._doubtful: list[Origin] = []
        self._loading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One for each key: those of different ones share the commits of the storage."""

    async def of(self, bare: BareSession, outbox: bytes) -> tuple[str, Origin, bool]:
        """Return the key of a session's outbox, what is known of it, and whether it was known before.

        Raises:
            NotAllowed: the session has too many.
            StorageError: it cannot be read, or not be kept.
        """
        known = self._outboxes.setdefault(bare, set())
        if outbox not in known and len(known) >= PROTOCOL.outboxes:
            bare.on_limit("protocol.outboxes", "an outbox was refused")
            raise NotAllowed(f"one session sends from {PROTOCOL.outboxes} outboxes at the most")
        known.add(outbox)
        key = key_of(bare.principal, outbox)
        return key, *await self.get(key)

    async def get(self, key: str) -> tuple[Origin, bool]:
        """Return what is known of an outbox, and whether it was known before.

        Raises:
            StorageError: it cannot be read, or not be kept.
        """
        lock = self._loading.get(key) or self._loading.setdefault(key, asyncio.Lock())
        async with lock:
            origin = self._known.get(key)
            if origin is not None:
                return origin, True
            value = await self._storage.get(key)
            if value is not None:
                try:
                    origin, _ = decode_record(value.data, value.position)
                except ValueError as error:
                    raise StorageDamaged(f"what is stored of an outbox cannot be read: {error}") from error
            else:
                # Before anything is published of it: then who comes again is known, and nothing of it is in doubt.
                origin = Origin()
                with suppress(
                    StorageFull
                ):  # then nothing of it is stored, and each of its publishes is told so
                    await self._storage.put(key, encode_record(origin, [], self._clock()))
            self._known[key] = origin
            return origin, value is not None

    def doubt(self) -> None:
        """Nobody knows what is stored of those that are here: they know what they have asked, and stay."""
        self._doubtful += self._known.values()

    async def trim(self) -> None:
        """Forget those that nobody has used for ``storage.outbox_age`` seconds."""
        oldest = self._clock() - STORAGE.outbox_age
        after = ""
        while values := await self._storage.scan(_OUTBOXES, after=after):
            after = values[-1].key
            for value in values:
                if value.key not in self._known and _is_older(value, oldest):
                    with suppress(Conflict):  # somebody came back this moment
                        await self._storage.write([Delete(value.key)], expect={value.key: value.data})


def key_of(principal: str, outbox: bytes) -> str:
    """Return the key of what is kept of a client's outbox."""
    return f"{_OUTBOXES}{hashlib.sha256(principal.encode()).hexdigest()[:32]}.{outbox.hex()}"


def _is_older(value: Value, oldest: float) -> bool:
    try:
        return decode_record(value.data, value.position)[1] < oldest
    except ValueError:
        return False  # nobody removes what nobody understands
