"""The newest publication of each topic, and what is said where there are too many."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from landline.history import DAMAGED, NOT_ALL, Gap, Position
from landline.limits import STORAGE
from landline.patterns.newest import newest_of_each
from landline.storage import Append, MemoryStorage, Page, Pattern, Publication


@pytest.fixture
async def storage() -> AsyncIterator[MemoryStorage]:
    async with MemoryStorage() as storage:
        yield storage


async def found(storage: MemoryStorage, pattern: str) -> tuple[list[tuple[str, bytes]], list[Gap]]:
    newest, gaps = await newest_of_each(storage, Pattern(pattern), await storage.head())
    return [(publication.topic, publication.data) for publication in newest], gaps


async def test_each_topic_gives_its_newest_in_the_order_of_all(storage: MemoryStorage) -> None:
    """Of those that the pattern selects."""
    for topic, data in (("a.x", b"1"), ("a.y", b"2"), ("b", b"3"), ("a.x", b"4"), ("a.z", b"5")):
        await storage.append(topic, data)

    assert await found(storage, "a.*") == ([("a.y", b"2"), ("a.x", b"4"), ("a.z", b"5")], [])
    assert await found(storage, "a.x") == ([("a.x", b"4")], [])
    assert await found(storage, "nothing") == ([], [])


async def test_nothing_after_the_place_that_is_asked_for(storage: MemoryStorage) -> None:
    """What is published meanwhile comes live."""
    first = await storage.append("t", b"1")
    await storage.append("t", b"2")
    newest, _ = await newest_of_each(storage, Pattern("*"), first)

    assert [publication.data for publication in newest] == [b"1"]


@pytest.mark.parametrize(("topics", "is_all"), [(STORAGE.page, True), (STORAGE.page + 1, False)])
async def test_of_too_many_topics_the_oldest_are_a_gap(
    storage: MemoryStorage, topics: int, is_all: bool
) -> None:
    """Nobody is left to think that there are no others."""
    await storage.write([Append(f"t.{number}", b"") for number in range(topics)])
    newest, gaps = await found(storage, "t.*")

    assert len(newest) == STORAGE.page
    assert newest[-1][0] == f"t.{topics - 1}"
    epoch = storage.epoch
    assert gaps == ([] if is_all else [Gap("t.*", Position(epoch, 0), Position(epoch, 1), NOT_ALL)])


@pytest.mark.limit("storage.newest_bytes")
@pytest.mark.parametrize(
    ("size", "first", "missing"), [(0, 2, [2]), (1, 3, [3]), (4 * STORAGE.newest_bytes, 5, [5])]
)
async def test_of_too_many_bytes_the_oldest_are_a_gap(
    storage: MemoryStorage, size: int, first: int, missing: list[int]
) -> None:
    """Whoever subscribes holds no more of our memory; the newest of all is there, however large."""
    for number in range(6):
        await storage.append(f"t.{number}", bytes(STORAGE.newest_bytes // 4 + size))
    newest, gaps = await found(storage, "t.*")

    assert [topic for topic, _ in newest] == [f"t.{number}" for number in range(first, 6)]
    assert [gap.to.offset for gap in gaps] == missing


async def test_one_that_is_damaged_is_a_gap(storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before it is not passed off as the newest without a word."""
    position = await storage.append("t", b"older")
    head = await storage.append("t", b"newer")
    gap = Gap("t", position, head, DAMAGED)

    async def last(*args: object, **options: object) -> Page:
        return Page([Publication("t", position, b"older")], [gap], Position(head.epoch, 0), head, more=False)

    monkeypatch.setattr(storage, "last", last)

    assert await found(storage, "t") == ([("t", b"older")], [gap])
