"""What a server knows of its clients' outboxes: read when one of them comes, kept while it is here, forgotten when nobody has come for long."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from ..errors import Conflict, NotAllowed, StorageDamaged, StorageFull
from ..limits import PROTOCOL, STORAGE
from ..protocol.publish import Origin, decode_record, encode_record
from ..sessions.bare import BareSession
from ..storage.base import Delete, Storage, Value

_OUTBOXES: Final = "landline.outbox."

EMPTY: Final = STORAGE.empty_outboxes

_TOGETHER: Final = STORAGE.write_changes // 2
"""Outboxes that are forgotten in one write: each is a change and an expectation."""


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
        self._is_crowded = asyncio.Event()
        self._came = 0
        """New ones since it was last looked at what is kept."""
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
                # Then nothing of it is stored, and each of its publishes is told so.
                with suppress(StorageFull):
                    await self._storage.put(key, encode_record(origin, [], self._clock()))
                    self._came += 1
                    if 10 * self._came >= EMPTY:
                        self._is_crowded.set()
            self._known[key] = origin
            return origin, value is not None

    def doubt(self) -> None:
        """Nobody knows what is stored of those that are here: they know what they have asked, and stay."""
        self._doubtful += self._known.values()

    async def wait_crowded(self, most: float) -> None:
        """Wait until so many new ones came that some must go, or for ``most`` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._is_crowded.wait()

    async def trim(self) -> None:
        """Forget those that nobody has used for ``storage.outbox_age`` seconds, and of those without a publication all but the newest.

        Whoever may not publish anything leaves such, and must not fill the disk. A client whose outbox was forgotten is told that it is unknown.
        """
        self._came = 0
        self._is_crowded.clear()
        oldest = self._clock() - STORAGE.outbox_age
        empty: list[tuple[float, str, bytes]] = []
        after = ""
        while values := await self._storage.scan(_OUTBOXES, after=after):
            after = values[-1].key
            old: list[tuple[str, bytes]] = []
            for value in values:
                at, is_empty = _looked_at(value)
                if value.key in self._known:
                    continue
                if at < oldest:
                    old.append((value.key, value.data))
                elif is_empty:
                    empty.append((at, value.key, value.data))
            await self._forget(old)
        empty.sort()
        surplus = [(key, data) for _, key, data in empty[: max(len(empty) - EMPTY, 0)]]
        for start in range(0, len(surplus), _TOGETHER):
            await self._forget(surplus[start : start + _TOGETHER])

    async def _forget(self, outboxes: list[tuple[str, bytes]]) -> None:
        """Forget these, but those that somebody came back to this moment."""
        if not outboxes:
            return
        try:
            await self._storage.write([Delete(key) for key, _ in outboxes], expect=dict(outboxes))
        except Conflict:
            for key, data in outboxes:
                with suppress(Conflict):
                    await self._storage.write([Delete(key)], expect={key: data})


def key_of(principal: str, outbox: bytes) -> str:
    """Return the key of what is kept of a client's outbox."""
    return f"{_OUTBOXES}{hashlib.sha256(principal.encode()).hexdigest()[:32]}.{outbox.hex()}"


def _looked_at(value: Value) -> tuple[float, bool]:
    """Return when an outbox was last used, and whether nothing of it is stored; nobody removes what nobody understands."""
    try:
        origin, at = decode_record(value.data, value.position)
    except ValueError:
        return inf, False
    return at, origin.last == 0
