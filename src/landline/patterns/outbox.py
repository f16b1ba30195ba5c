"""An outbox on its owner's disk: what is in it survives the process, and goes out once when it is started again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from ..errors import StorageDamaged
from ..protocol.publish import Publisher
from ..storage.base import Change, Delete, Put, Storage, Value

PUBLISHES: Final = "landline.client.publish."
"""Where a client's outbox of publishes is kept: its entries by number, and the outbox by itself."""

SENDS: Final = "landline.client.send."
"""And that of its durable sends."""

_OUTBOX: Final = "outbox"


class _Kept(msgspec.Struct, array_like=True, frozen=True):
    """What is kept besides its entries."""

    id: bytes
    last: int
    """The last number that was forgotten."""
    was_opened: bool


_encode = msgspec.msgpack.Encoder().encode
_decode_kept = msgspec.msgpack.Decoder(_Kept).decode
_decode_entry = msgspec.msgpack.Decoder(tuple[str, bytes]).decode


class KeptOutbox:
    """Keeps a publisher beyond its process.

    Args:
        storage: an open one, of its owner alone.
        place: see ``open_outbox``.
        publisher: what is in it.
    """

    def __init__(
        self, storage: Storage, place: str, publisher: Publisher, last: int, *, was_opened: bool
    ) -> None:
        self.publisher = publisher
        self._storage = storage
        self._place = place
        self._last = last
        self._was_opened = was_opened

    async def keep(self, number: int) -> None:
        """Have an entry on the disk, so that it may be said."""
        await self._storage.put(self._key(number), _encode(self.publisher.unanswered[number]))
        self.publisher.kept(number)

    async def opened(self) -> None:
        """A server has opened it: from now on anything in it may have been said."""
        if not self._was_opened:
            kept = _Kept(self.publisher.id, self._last, was_opened=True)
            await self._storage.put(self._place + _OUTBOX, _encode(kept))
            self._was_opened = True

    async def forget(self, numbers: list[int]) -> None:
        """These were answered."""
        self._last = max(self._last, *numbers)
        changes: list[Change] = [Delete(self._key(number)) for number in numbers]
        kept = _Kept(self.publisher.id, self._last, self._was_opened)
        changes.append(Put(self._place + _OUTBOX, _encode(kept)))
        await self._storage.write(changes)
        for number in numbers:
            self.publisher.forgotten(number)

    def _key(self, number: int) -> str:
        return f"{self._place}{number:020}"


async def open_outbox(storage: Storage, place: str, fresh_id: bytes) -> KeptOutbox:
    """Return the outbox that is kept at this place, or a new one with this id.

    Args:
        storage: an open one.
        place: what the keys of all that is kept of it begin with.
        fresh_id: of a new one.

    Raises:
        StorageDamaged: what is kept cannot be read.
        StorageError: the storage failed.
    """
    value = await storage.get(place + _OUTBOX)
    try:
        kept = _Kept(fresh_id, 0, was_opened=False) if value is None else _decode_kept(value.data)
        unanswered = {
            int(each.key.removeprefix(place)): _decode_entry(each.data)
            async for each in _entries(storage, place)
        }
    except ValueError as error:
        raise StorageDamaged(f"the outbox that is kept in {storage!r} cannot be read: {error}") from error
    if value is None:
        await storage.put(place + _OUTBOX, _encode(kept))
    publisher = Publisher(
        kept.id, unanswered, max([kept.last, *unanswered]), was_opened=kept.was_opened, is_kept=True
    )
    return KeptOutbox(storage, place, publisher, kept.last, was_opened=kept.was_opened)


async def count_unanswered(storage: Storage) -> int:
    """Return how many publishes and durable sends without an answer an open storage holds that ``connect`` had.

    Raises:
        StorageError: the storage failed.
    """
    return sum([1 for place in (PUBLISHES, SENDS) async for _ in _entries(storage, place)])


async def _entries(storage: Storage, place: str) -> AsyncIterator[Value]:
    after = ""
    while values := await storage.scan(place, after=after):
        after = values[-1].key
        for value in values:
            if value.key != place + _OUTBOX:
                yield value
