"""The storage in memory keeps every promise of a storage."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from landline.limits import STORAGE
from landline.storage import Append, MemoryStorage, Page, Storage
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


def data_of(page: Page) -> list[bytes]:
    return [one.data for one in page.publications]


@pytest.mark.limit("storage.history")
async def test_a_topic_keeps_so_many_publications() -> None:
    """At the limit all are there; one more, and the first is a gap."""
    async with MemoryStorage() as storage:
        for start in range(0, STORAGE.history, 1000):
            await storage.write([Append("a", b"%d" % number) for number in range(start, start + 1000)])
        assert data_of(await storage.read("a", limit=1)) == [b"0"]
        await storage.append("a", b"one more")
        page = await storage.read("a", limit=1)

        assert data_of(page) == [b"1"]
        assert [gap.reason for gap in page.gaps] == ["expired"]


@pytest.mark.limit("storage.history_bytes")
async def test_a_topic_keeps_so_many_bytes() -> None:
    """At the limit all are there; a byte more, and the first goes."""
    part = bytes(STORAGE.history_bytes // 16)
    async with MemoryStorage() as storage:
        for _ in range(16):
            await storage.append("a", part)
        assert (await storage.read("a", limit=1)).gaps == []
        await storage.append("a", b"x")
        page = await storage.read("a", limit=1)

        assert [publication.position.offset for publication in page.publications] == [2]


@pytest.mark.limit("storage.history_age")
async def test_a_topic_keeps_its_publications_so_long() -> None:
    """To the moment; after it even the newest goes."""
    now = 1000.0
    async with MemoryStorage(clock=lambda: now) as storage:
        await storage.append("a", b"x")
        now += STORAGE.history_age
        assert await storage.trim() == 0
        now += 1.0

        assert await storage.trim() == 1
