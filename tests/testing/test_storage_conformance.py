"""The conformance suite finds the mistakes that storages make: each broken storage here fails a test that speaks of its fault."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from landline.errors import Conflict, StorageError
from landline.storage import (
    Append,
    Change,
    Delete,
    MemoryStorage,
    Page,
    Pattern,
    Position,
    Put,
    Retention,
    Storage,
    Value,
)
from landline.storage.base import MAX_PAGE_BYTES
from landline.testing.storage_conformance import StorageConformance

Expect = Mapping[str, bytes | None] | None


class ForgetsExpectations(MemoryStorage):
    async def write(self, changes: Sequence[Change], *, expect: Expect = None) -> list[Position]:
        return await super().write(changes)


class WritesInParts(MemoryStorage):
    """Makes the changes first and looks at the expectations then."""

    async def write(self, changes: Sequence[Change], *, expect: Expect = None) -> list[Position]:
        before = {key: await self.get(key) for key in expect or {}}
        positions = await super().write(changes)
        for key, value in before.items():
            found = value.data if value else None
            if found != (expect or {})[key]:
                raise Conflict(key, found)
        return positions


class HidesGaps(MemoryStorage):
    async def read(
        self,
        pattern: str,
        after: Position | None = None,
        *,
        limit: int = 300,
        to: Position | None = None,
        max_bytes: int = MAX_PAGE_BYTES,
    ) -> Page:
        page = await super().read(pattern, after, limit=limit, to=to)
        return Page(page.publications, [], page.after, page.end, page.more)


class ForgetsTheAge(MemoryStorage):
    def retention(self, topic: str) -> Retention:
        kept = super().retention(topic)
        return Retention(max_count=kept.max_count, max_bytes=kept.max_bytes, max_age=None)


class ReadsAfterIncluded(MemoryStorage):
    async def read(
        self,
        pattern: str,
        after: Position | None = None,
        *,
        limit: int = 300,
        to: Position | None = None,
        max_bytes: int = MAX_PAGE_BYTES,
    ) -> Page:
        if after is not None:
            after = Position(after.epoch, max(0, after.offset - 1))
        return await super().read(pattern, after, limit=limit, to=to)


class StartsOver(MemoryStorage):
    """Counts from 1 again after a restart."""

    async def open(self) -> None:
        self._head = 0
        self._topics.clear()
        await super().open()


class KeepsItsEpoch(MemoryStorage):
    """Knows no lives: an older copy of it goes unnoticed."""

    async def open(self) -> None:
        if self._head == 0 and not self._epochs._ids:
            await super().open()
        self._is_open = True


class StampsValuesEarly(MemoryStorage):
    async def write(self, changes: Sequence[Change], *, expect: Expect = None) -> list[Position]:
        before = await self.head()
        positions = await super().write(changes, expect=expect)
        for change in changes:
            if isinstance(change, Put):
                self._values[change.key] = Value(change.key, change.data, before)
        return positions


class TakesStarForEverything(MemoryStorage):
    def _matching(self, pattern: str) -> Any:
        Pattern(pattern)
        expression = re.compile(pattern.replace(".", r"\.").replace("**", "*").replace("*", ".*"))
        return [(name, topic) for name, topic in self._topics.items() if expression.fullmatch(name)]


class DeletesByPrefix(MemoryStorage):
    async def write(self, changes: Sequence[Change], *, expect: Expect = None) -> list[Position]:
        further = [
            Delete(key)
            for one in changes
            if isinstance(one, Delete)
            for key in self._values
            if key.startswith(one.key)
        ]
        return await super().write([*changes, *further], expect=expect)


class AnswersWhenClosed(MemoryStorage):
    def _check_open(self) -> None:
        if not self._epochs._ids:
            raise StorageError("never opened")


class LosesTheMiddle(MemoryStorage):
    async def write(self, changes: Sequence[Change], *, expect: Expect = None) -> list[Position]:
        positions = await super().write(changes, expect=expect)
        if sum(isinstance(change, Append) for change in changes) > 1:
            for topic in self._topics.values():
                del topic.offsets[-1:], topic.times[-1:], topic.items[-1:]
        return positions


SUITE: list[tuple[str, Callable[..., Awaitable[None]]]] = [
    (name, test) for name, test in vars(StorageConformance).items() if name.startswith("test_")
]


async def failures(kind: type[MemoryStorage]) -> set[str]:
    """Run the suite's tests that take no parameters, and return the names of those that fail."""

    class Suite(StorageConformance):
        def new(self, **options: Any) -> Storage:
            return kind(**options)

        def backup(self, storage: Storage) -> Storage:
            return copy.deepcopy(storage)

    failed: set[str] = set()
    for name, test in SUITE:
        takes = set(inspect.signature(test).parameters) - {"self"}
        suite = Suite()
        try:
            if not takes:
                await test(suite)
            elif takes == {"storage"}:
                async with suite.new() as storage:
                    await test(suite, storage)
            elif takes == {"seed"}:
                for seed in range(5):
                    await test(suite, seed)
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever way it fails
            failed.add(name)
    return failed


async def test_a_good_storage_passes() -> None:
    """Else the others prove nothing."""
    assert await failures(MemoryStorage) == set()


@pytest.mark.parametrize(
    ("kind", "found_by"),
    [
        (ForgetsExpectations, "test_of_many_that_compare_and_set_one_wins"),
        (WritesInParts, "test_a_conflict_harms_nobody_else"),
        (HidesGaps, "test_nothing_goes_missing_silently"),
        (ForgetsTheAge, "test_idle_topics_are_trimmed_on_request"),
        (ReadsAfterIncluded, "test_reading_goes_on_after_a_position"),
        (StartsOver, "test_offsets_are_not_used_again"),
        (KeepsItsEpoch, "test_a_backup_put_back_is_history_replaced"),
        (StampsValuesEarly, "test_a_repeat_can_be_answered_with_the_first_position"),
        (TakesStarForEverything, "test_one_position_resumes_a_wildcard"),
        (DeletesByPrefix, "test_values_are_set_replaced_and_removed"),
        (AnswersWhenClosed, "test_a_closed_store_says_so"),
        (LosesTheMiddle, "test_nothing_goes_missing_silently"),
    ],
)
async def test_a_broken_storage_is_found_out(kind: type[MemoryStorage], found_by: str) -> None:
    """By the test that says what is wrong."""
    assert found_by in await failures(kind)
