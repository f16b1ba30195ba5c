"""The storage in memory keeps every promise of a storage."""

from __future__ import annotations

import copy
from typing import Any

from landline.storage import MemoryStorage, Storage
from landline.testing.storage_conformance import StorageConformance


class TestMemoryStorage(StorageConformance):
    def new(self, **options: Any) -> Storage:
        return MemoryStorage(**options)

    def backup(self, storage: Storage) -> Storage:
        return copy.deepcopy(storage)


async def test_it_forgets_with_the_object() -> None:
    """Another object is another store: positions of the first are of a replaced history."""
    async with MemoryStorage() as first:
        position = await first.append("a", b"1")
    async with MemoryStorage() as second:
        page = await second.read("a", position)

        assert page.publications == []
        assert [gap.reason for gap in page.gaps] == ["history replaced"]


async def test_epochs_come_from_the_entropy_given() -> None:
    """Chance is a parameter, so that a test can name an epoch."""
    async with MemoryStorage(entropy=bytes) as storage:
        assert storage.epoch == "00" * 8
