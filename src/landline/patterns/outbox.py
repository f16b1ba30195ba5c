"""Outboxes on their owner's disk: what is in them survives the process, and goes out once when it is started again.

Each life of the process begins an outbox of its own, and only finishes those of the lives before: a file that was copied, or put back from a
backup, then never gives a number that was used already to something new, which its peer would take for a repeat.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from ..errors import StorageDamaged
from ..limits import PROTOCOL
from ..protocol.publish import Publisher
from ..storage.base import Change, Delete, Storage, Value

PUBLISHES: Final = "landline.client.publish."
"""Where a client's outboxes of publishes are kept: keys that begin so, go on with the outbox, and end with the number of an entry."""

SENDS: Final = "landline.client.send."
"""And those of its durable sends."""

_OPENED: Final = "opened"
_MOST: Final = PROTOCOL.outboxes // 2
"""Of publishes, and as many of sends: a session may have no more."""

_encode = msgspec.msgpack.Encoder().encode
_decode_entry = msgspec.msgpack.Decoder(tuple[str, bytes]).decode


class KeptOutbox:
    """Keeps a publisher beyond its process.

    Args:
        storage: an open one, of its owner alone.
        place: what the keys of all that is kept of it begin with.
        publisher: what is in it.
        was_opened: a server has opened it, so that any of this may have been said.
    """

    def __init__(self, storage: Storage, place: str, publisher: Publisher, *, was_opened: bool) -> None:
        self.publisher = publisher
        self._storage = storage
        self._place = place
        self._was_opened = was_opened

    async def keep(self, number: int) -> None:
        """Have an entry on the disk, so that it may be said."""
        await self._storage.put(self._key(number), _encode(self.publisher.unanswered[number]))
        self.publisher.kept(number)

    async def opened(self) -> None:
        """A server has opened it: from now on anything in it may have been said."""
        if not self._was_opened:
            await self._storage.put(self._place + _OPENED, b"")
            self._was_opened = True

    async def forget(self, numbers: list[int]) -> None:
        """These were answered."""
        changes: list[Change] = [Delete(self._key(number)) for number in numbers]
        await self._storage.write(changes)
        for number in numbers:
            self.publisher.forgotten(number)

    def _key(self, number: int) -> str:
        return f"{self._place}{number:020}"


async def open_outboxes(storage: Storage, place: str, fresh_id: bytes) -> list[KeptOutbox]:
    """Return the outboxes that are kept at this place and not empty, oldest first, and at the end one with this id for what comes now.

    Where very many are left, the last of them is for what comes now.

    Args:
        storage: an open one.
        place: what the keys of all of them begin with.
        fresh_id: of the new one.

    Raises:
        StorageDamaged: what is kept cannot be read.
        StorageError: the storage failed.
    """
    found: dict[str, dict[str, bytes]] = {}
    async for value in _values(storage, place):
        outbox, _, name = value.key.removeprefix(place).rpartition(".")
        found.setdefault(outbox, {})[name] = value.data
    left: list[KeptOutbox] = []
    over: list[Change] = []
    count = 0
    try:
        for outbox, kept in found.items():
            order, _, digits = outbox.partition(".")
            count = int(order) + 1
            was_opened = kept.pop(_OPENED, None) is not None
            if not kept:
                over.append(Delete(f"{place}{outbox}.{_OPENED}"))
                continue
            unanswered = {int(number): _decode_entry(data) for number, data in kept.items()}
            publisher = Publisher(bytes.fromhex(digits), unanswered, was_opened=was_opened, is_kept=True)
            left.append(KeptOutbox(storage, f"{place}{outbox}.", publisher, was_opened=was_opened))
    except ValueError as error:
        raise StorageDamaged(f"the outbox that is kept in {storage!r} cannot be read: {error}") from error
    if over:
        await storage.write(over)
    if len(left) < _MOST:
        publisher = Publisher(fresh_id, is_kept=True)
        fresh = f"{place}{count:08}.{fresh_id.hex()}."
        left.append(KeptOutbox(storage, fresh, publisher, was_opened=False))
    else:
        left[-1].publisher.skip()  # some above those that are kept may have been answered
    return left


async def count_unanswered(storage: Storage) -> int:
    """Return how many publishes and durable sends without an answer an open storage holds that ``connect`` had.

    Raises:
        StorageError: the storage failed.
    """
    return sum(
        [
            not value.key.endswith(_OPENED)
            for place in (PUBLISHES, SENDS)
            async for value in _values(storage, place)
        ]
    )


async def _values(storage: Storage, place: str) -> AsyncIterator[Value]:
    after = ""
    while values := await storage.scan(place, after=after):
        after = values[-1].key
        for value in values:
            yield value
