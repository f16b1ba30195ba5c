"""A client's outbox on its own disk: what was published survives the process, and goes out once when it is started again."""

from __future__ import annotations

from typing import Final

import msgspec

from ..errors import StorageDamaged
from ..protocol.publish import Publisher
from ..storage.base import Change, Delete, Put, Storage

_OUTBOX: Final = "landline.client.outbox"
_PUBLISHES: Final = "landline.client.publish."


class _Kept(msgspec.Struct, array_like=True, frozen=True):
    """What is kept besides the publishes."""

    id: bytes
    last: int
    """The last number that was forgotten."""
    was_opened: bool


_encode = msgspec.msgpack.Encoder().encode
_decode_kept = msgspec.msgpack.Decoder(_Kept).decode
_decode_publish = msgspec.msgpack.Decoder(tuple[str, bytes]).decode


class KeptOutbox:
    """Keeps a publisher beyond its process.

    Args:
        storage: an open one, of this client alone.
        publisher: see ``open_outbox``.
        closes: whether the storage is closed with it.
    """

    def __init__(
        self, storage: Storage, publisher: Publisher, last: int, *, was_opened: bool, closes: bool
    ) -> None:
        self.publisher = publisher
        self._storage = storage
        self._closes = closes
        self._last = last
        self._was_opened = was_opened

    async def keep(self, number: int) -> None:
        """Have a publish on the disk, so that it may be said."""
        await self._storage.put(_key(number), _encode(self.publisher.unanswered[number]))
        self.publisher.kept(number)

    async def close(self) -> None:
        """Let go of the storage."""
        if self._closes:
            await self._storage.close()

    async def opened(self) -> None:
        """A server has opened it: from now on anything in it may have been said."""
        if not self._was_opened:
            await self._storage.put(_OUTBOX, _encode(_Kept(self.publisher.id, self._last, was_opened=True)))
            self._was_opened = True

    async def forget(self, numbers: list[int]) -> None:
        """These were answered."""
        self._last = max(self._last, *numbers)
        changes: list[Change] = [Delete(_key(number)) for number in numbers]
        changes.append(Put(_OUTBOX, _encode(_Kept(self.publisher.id, self._last, self._was_opened))))
        await self._storage.write(changes)
        for number in numbers:
            self.publisher.forgotten(number)


async def open_outbox(storage: Storage, fresh_id: bytes, *, closes: bool) -> KeptOutbox:
    """Return the outbox that is kept there, or a new one with this id; ``closes``: the storage is closed with it.

    Raises:
        StorageDamaged: what is kept cannot be read.
        StorageError: the storage failed.
    """
    value = await storage.get(_OUTBOX)
    try:
        kept = _Kept(fresh_id, 0, was_opened=False) if value is None else _decode_kept(value.data)
        unanswered: dict[int, tuple[str, bytes]] = {}
        after = ""
        while values := await storage.scan(_PUBLISHES, after=after):
            after = values[-1].key
            for each in values:
                unanswered[int(each.key.removeprefix(_PUBLISHES))] = _decode_publish(each.data)
    except ValueError as error:
        raise StorageDamaged(f"the outbox that is kept in {storage!r} cannot be read: {error}") from error
    if value is None:
        await storage.put(_OUTBOX, _encode(kept))
    publisher = Publisher(
        kept.id, unanswered, max([kept.last, *unanswered]), was_opened=kept.was_opened, is_kept=True
    )
    return KeptOutbox(storage, publisher, kept.last, was_opened=kept.was_opened, closes=closes)


async def count_unanswered(storage: Storage) -> int:
    """Return how many publishes without an answer an open storage holds that ``connect`` had.

    Raises:
        StorageError: the storage failed.
    """
    count, after = 0, ""
    while values := await storage.scan(_PUBLISHES, after=after):
        after = values[-1].key
        count += len(values)
    return count


def _key(number: int) -> str:
    return f"{_PUBLISHES}{number:020}"
