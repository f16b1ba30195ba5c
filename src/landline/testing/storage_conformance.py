"""What every storage must do, as a pytest class to run over one's own.

    class TestMyStorage(StorageConformance):
        def new(self, **options):
            return MyStorage(**options)

        def backup(self, storage):
            return MyStorage.copy_of(storage)

Needs pytest with pytest-asyncio in its auto mode. Each test is one promise of ``landline.storage.Storage``, in the words of its docstring.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ..errors import Conflict, DataError, StorageClosed, StorageError, StorageLocked, TopicError
from ..history import Gap, Position, Publication
from ..storage.base import (
    MAX_CHANGES,
    MAX_DATA,
    MAX_PAGE_BYTES,
    Append,
    Change,
    Delete,
    Page,
    Put,
    Retention,
    Storage,
)
from ..storage.names import Pattern

KEEP_ALL = Retention(max_count=None, max_bytes=None, max_age=None)


class StorageConformance:
    """The suite. A subclass says how to make a storage and how to copy one."""

    # What a subclass gives.

    def new(self, **options: Any) -> Storage:
        """Return a new, empty storage that is not open.

        Args:
            options: ``retention``, ``clock`` and ``entropy``, as the storages of landline take them.
        """
        raise NotImplementedError

    def backup(self, storage: Storage) -> Storage:
        """Return a storage that is not open, with a copy of all that this closed one holds, epochs included."""
        raise NotImplementedError

    @pytest.fixture
    async def storage(self) -> AsyncIterator[Storage]:
        """A new storage, open."""
        async with self.new() as storage:
            yield storage

    # Appending and reading on.

    async def test_offsets_rise_by_one_over_all_topics(self, storage: Storage) -> None:
        """The offset counts publications over the whole store, from 1, in the present epoch."""
        positions = [await storage.append(topic, b"x") for topic in ("a", "b.c", "a", "d")]

        assert positions == [Position(storage.epoch, offset) for offset in (1, 2, 3, 4)]

    async def test_an_empty_store_is_read_in_peace(self, storage: Storage) -> None:
        """Where nothing is, nothing is found, and the end is a position like any other."""
        start = Position(storage.epoch, 0)

        assert await storage.read("a") == Page([], [], start, start, more=False)
        assert await storage.read("**", start) == Page([], [], start, start, more=False)
        assert await storage.last("a", 5) == Page([], [], start, start, more=False)
        assert await storage.head() == start

    async def test_what_was_appended_is_read_as_it_was(self, storage: Storage) -> None:
        """A publication has its topic, position and data; every byte value and no bytes at all are data."""
        whole, empty = bytes(range(256)), b""
        first = await storage.append("räume.große halle".replace(" ", "-"), whole)
        second = await storage.append("a", empty)

        found = await storage.read("**")

        assert found.publications == [
            Publication("räume.große-halle", first, whole),
            Publication("a", second, empty),
        ]
        assert (found.gaps, found.more, found.end) == ([], False, second)

    async def test_reading_goes_on_after_a_position(self, storage: Storage) -> None:
        """``after`` is excluded, ``to`` is included, and the end of a whole page is the end of what was asked for."""
        positions = [await storage.append("a", b"%d" % number) for number in range(6)]

        assert _data(await storage.read("a", positions[1])) == [b"2", b"3", b"4", b"5"]
        assert _data(await storage.read("a", positions[1], to=positions[3])) == [b"2", b"3"]
        assert (await storage.read("a", positions[1], to=positions[3])).end == positions[3]
        assert _data(await storage.read("a", positions[5])) == []
        assert _data(await storage.read("a", positions[3], to=positions[1])) == []

    async def test_one_position_resumes_a_wildcard(self, storage: Storage) -> None:
        """Publications of several topics come in the order of their commits."""
        for number, topic in enumerate(
            ("prices.a", "prices.b", "news", "prices.a", "prices.a.bid", "prices.b")
        ):
            await storage.append(topic, b"%d" % number)

        assert _data(await storage.read("prices.*")) == [b"0", b"1", b"3", b"5"]
        assert _data(await storage.read("prices.**")) == [b"0", b"1", b"3", b"4", b"5"]
        assert _data(await storage.read("*.*.bid")) == [b"4"]
        assert _data(await storage.read("*")) == [b"2"]
        assert _data(await storage.read("prices.**", Position(storage.epoch, 3))) == [b"3", b"4", b"5"]
        assert _data(await storage.last("prices.*", 2)) == [b"3", b"5"]

    @pytest.mark.parametrize("pattern", ["a", "a.*", "**"])
    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_pages_meet_without_hole_or_double(
        self, storage: Storage, pattern: str, limit: int
    ) -> None:
        """Reading on from ``page.end``, or back from ``page.after``, meets everything once."""
        for number in range(23):
            await storage.append(("a", "a.b", "b", "a.c")[number * 7 % 4], b"%d" % number)
        whole = (await storage.read(pattern)).publications

        assert [found async for found in _forward(storage, pattern, None, limit)] == whole
        backward: list[Publication] = []
        page = await storage.last(pattern, limit)
        backward[:0] = page.publications
        while page.more:
            before, page = page, await storage.last(pattern, limit, to=page.after)
            assert page.after.offset < before.after.offset, "a page with more does not get on"
            backward[:0] = page.publications
        assert backward == whole

    async def test_a_full_page_says_that_there_is_more(self, storage: Storage) -> None:
        """``more`` is true when something selected was left out, and false when nothing was."""
        for number in range(4):
            await storage.append("a", b"%d" % number)

        assert (await storage.read("a", limit=3)).more
        assert not (await storage.read("a", limit=4)).more
        assert (await storage.last("a", 3)).more
        assert not (await storage.last("a", 4)).more

    async def test_a_reader_may_want_a_smaller_page(self, storage: Storage) -> None:
        """``max_bytes`` ends it sooner, never later, and always with one publication at least; reading on misses nothing."""
        for size in (10, 10, 11, 500, 10):
            await storage.append("a", bytes(size))
        sizes, after, more = [], None, True
        while more:
            page = await storage.read("a", after, max_bytes=20)
            sizes.append([len(publication.data) for publication in page.publications])
            after, more = page.end, page.more

        assert sizes == [[10, 10], [11], [500], [10]]
        await storage.append("a", bytes(MAX_PAGE_BYTES))
        assert len((await storage.read("a", max_bytes=2 * MAX_PAGE_BYTES)).publications) == 5

    async def test_a_page_is_bounded_in_bytes(self, storage: Storage) -> None:
        """A page ends after so many bytes, but always brings at least one publication."""
        large = bytes(MAX_PAGE_BYTES // 2)
        for _ in range(3):
            await storage.append("a", large)
        await storage.append("a", bytes(MAX_PAGE_BYTES + 1))

        sizes = [
            len(page.publications)
            for page in [await storage.read("a"), await storage.read("a", Position(storage.epoch, 3))]
        ]
        assert sizes == [2, 1]
        assert len((await storage.last("a")).publications) == 1

    async def test_the_newest_come_oldest_first(self, storage: Storage) -> None:
        """``last`` gives the end of the history, in the order of reading, up to a position."""
        positions = [await storage.append("a", b"%d" % number) for number in range(5)]
        await storage.append("b", b"other")

        assert _data(await storage.last("a", 2)) == [b"3", b"4"]
        assert _data(await storage.last("a", 2, to=positions[2])) == [b"1", b"2"]
        assert (await storage.last("a", 2)).end == await storage.head()

    async def test_the_head_is_where_now_begins(self, storage: Storage) -> None:
        """Reading after the head finds what is appended from now on and nothing else."""
        await storage.append("a", b"before")
        head = await storage.head()
        await storage.append("a", b"since")

        assert _data(await storage.read("a", head)) == [b"since"]

    # Together or not at all.

    async def test_a_write_happens_as_a_whole(self, storage: Storage) -> None:
        """Appends and puts of one write are there together, and the appends' positions are returned in order."""
        changes: list[Change] = [Append("a", b"1"), Put("k", b"v"), Append("b", b"2"), Delete("unknown")]
        positions = await storage.write(changes)

        value = await storage.get("k")
        assert positions == [Position(storage.epoch, 1), Position(storage.epoch, 2)]
        assert value is not None
        assert (value.key, value.data) == ("k", b"v")
        assert await storage.write([]) == []

    @pytest.mark.parametrize("wanted", [None, b"other"])
    async def test_nothing_happens_when_an_expectation_fails(
        self, storage: Storage, wanted: bytes | None
    ) -> None:
        """A conflict names the key and what is there; the store is as it was."""
        await storage.put("k", b"v")

        with pytest.raises(Conflict) as caught:
            await storage.write([Append("a", b"1"), Put("k", b"new"), Delete("k")], expect={"k": wanted})
        assert (caught.value.key, caught.value.found) == ("k", b"v")
        assert (await storage.read("a")).publications == []
        assert await _value(storage, "k") == b"v"
        assert await storage.append("a", b"2") == Position(storage.epoch, 1)

    async def test_a_missing_value_is_a_conflict_too(self, storage: Storage) -> None:
        """Whoever expects a value where none is learns that."""
        with pytest.raises(Conflict) as caught:
            await storage.write([Append("a", b"1")], expect={"k": b"v"})

        assert caught.value.found is None

    async def test_of_many_that_compare_and_set_one_wins(self, storage: Storage) -> None:
        """Expectations see every write before them, also those that share their commit."""
        tries = [
            storage.write([Put("owner", b"%d" % number)], expect={"owner": None}) for number in range(20)
        ]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)

        winners = [number for number, outcome in enumerate(outcomes) if outcome == []]
        assert len(winners) == 1
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19
        assert await _value(storage, "owner") == b"%d" % winners[0]

    async def test_a_conflict_harms_nobody_else(self, storage: Storage) -> None:
        """Writes asked at the same time as one that fails are made."""
        good = [storage.append("a", b"%d" % number) for number in range(3)]
        outcomes = await asyncio.gather(
            good[0],
            storage.write([Append("a", b"no")], expect={"k": b"v"}),
            *good[1:],
            return_exceptions=True,
        )

        assert isinstance(outcomes[1], Conflict)
        assert _data(await storage.read("a")) == [b"0", b"1", b"2"]
        assert (await storage.read("a")).end == Position(storage.epoch, 3)

    async def test_a_repeat_can_be_answered_with_the_first_position(self, storage: Storage) -> None:
        """A value carries the last position of its own write: this is how a publish that is repeated finds its Position."""
        publish: list[Change] = [Append("a", b"once"), Put("outbox.1", b"")]
        await storage.append("a", b"before")
        (position,) = await storage.write(publish, expect={"outbox.1": None})
        await storage.append("a", b"after")

        with pytest.raises(Conflict):
            await storage.write(publish, expect={"outbox.1": None})
        value = await storage.get("outbox.1")
        assert value is not None
        assert value.position == position

    # Small values.

    async def test_values_are_set_replaced_and_removed(self, storage: Storage) -> None:
        """A key has one value or none, and keys that begin alike are different keys."""
        assert await storage.get("k") is None
        await storage.put("kk", b"other")
        await storage.put("k", b"1")
        await storage.put("k", b"2")
        assert await _value(storage, "k") == b"2"
        await storage.delete("k")
        await storage.delete("k")
        assert await storage.get("k") is None
        assert await _value(storage, "kk") == b"other"

    async def test_the_last_change_of_a_key_in_one_write_counts(self, storage: Storage) -> None:
        """Changes of one write happen in their order."""
        await storage.write([Put("a", b"1"), Delete("a"), Put("b", b"1"), Put("b", b"2")])

        assert await storage.get("a") is None
        assert await _value(storage, "b") == b"2"

    async def test_values_are_listed_by_prefix(self, storage: Storage) -> None:
        """Keys come in code point order, page by page, and only those with the prefix."""
        keys = ["s/ä", "s/a", "s/b", "s/\U0001f600", "s/￿", "s", "t/a", "S/a", "s/a/b"]
        for key in keys:
            await storage.put(key, key.encode())
        expected = sorted(key for key in keys if key.startswith("s/"))

        found = await storage.scan("s/")
        assert [value.key for value in found] == expected
        assert all(value.data == value.key.encode() for value in found)
        assert [value.key for value in await storage.scan("s/", after="s/b", limit=2)] == expected[3:5]
        assert len(await storage.scan("")) == len(keys)

    # Restarts, backups, and positions of other histories.

    async def test_a_restart_keeps_everything_and_begins_an_epoch(self) -> None:
        """Contents and old positions stay good; new publications are of the new epoch and go on counting."""
        storage = self.new()
        async with storage:
            old = storage.epoch
            first = await storage.append("a", b"1")
            await storage.put("k", b"v")
        async with storage:
            second = await storage.append("a", b"2")
            found = await storage.read("a")

            assert storage.epoch != old
            assert found.publications == [Publication("a", first, b"1"), Publication("a", second, b"2")]
            assert (first, second) == (Position(old, 1), Position(storage.epoch, 2))
            assert found.gaps == []
            assert _data(await storage.read("a", first)) == [b"2"]
            assert await _value(storage, "k") == b"v"

    async def test_restarts_without_publications_leave_no_gaps(self) -> None:
        """A position seen from an epoch that gave no offsets is as good as any."""
        storage = self.new()
        heads = []
        for _ in range(4):
            async with storage:
                heads.append(await storage.head())
        async with storage:
            await storage.append("a", b"1")
            pages = [await storage.read("a", head) for head in heads]

        assert [_data(page) for page in pages] == [[b"1"]] * 4
        assert [page.gaps for page in pages] == [[]] * 4

    async def test_a_backup_put_back_is_history_replaced(self) -> None:
        """A position from after the backup gives a gap down to what both histories have in common; reading goes on from there."""
        original = self.new()
        async with original:
            common = await original.append("a", b"1")
        restored = self.backup(original)
        async with original:
            unknown = await original.append("a", b"lost too")
        async with restored:
            await restored.append("a", b"2")

            page = await restored.read("a", common)
            assert (_data(page), page.gaps) == ([b"2"], [])
            page = await restored.read("a", unknown)
            assert _data(page) == [b"1", b"2"]
            assert page.gaps == [Gap("a", unknown, Position(common.epoch, 0), "history replaced")]
            lost = Position(common.epoch, 7)
            page = await restored.read("a", lost)
            assert _data(page) == [b"2"]
            assert page.gaps == [Gap("a", lost, common, "history replaced")]
            page = await restored.last("a", 5, to=lost)
            assert _data(page) == [b"1"]
            assert page.gaps == [Gap("a", lost, common, "history replaced")]

    async def test_a_position_of_another_store_is_history_replaced(self, storage: Storage) -> None:
        """Nothing in common: reading begins anew, and says so."""
        await storage.append("a", b"1")
        foreign = Position("not an epoch of this store", 1)

        page = await storage.read("a", foreign)

        assert _data(page) == [b"1"]
        assert page.gaps == [Gap("a", foreign, Position(storage.epoch, 0), "history replaced")]

    async def test_a_position_beyond_the_head_is_history_replaced(self, storage: Storage) -> None:
        """No reader can have read what was not written."""
        head = await storage.append("a", b"1")
        beyond = Position(storage.epoch, 1 << 40)

        page = await storage.read("a", beyond)

        assert page.gaps == [Gap("a", beyond, head, "history replaced")]
        assert (_data(page), page.end) == ([], head)

    # Retention.

    @pytest.mark.parametrize(
        "retention",
        [Retention(max_count=3), Retention(max_bytes=30), Retention(max_bytes=39), Retention(max_age=2.0)],
        ids=["count", "bytes", "bytes-between", "age"],
    )
    async def test_what_retention_removed_is_a_gap(self, retention: Retention) -> None:
        """Count, bytes and age each keep the newest, and a reader behind learns exactly what it missed."""
        now = itertools.count()
        async with self.new(retention={"a": retention}, clock=lambda: float(next(now))) as storage:
            positions = [await storage.append("a", b"%010d" % number) for number in range(8)]
            origin = Position(storage.epoch, 0)

            page = await storage.read("a")
            assert [int(data) for data in _data(page)] == [5, 6, 7]
            assert page.gaps == [Gap("a", origin, positions[4], "expired")]
            assert (await storage.read("a", positions[2])).gaps == [
                Gap("a", positions[2], positions[4], "expired")
            ]
            assert (await storage.read("a", positions[4])).gaps == []
            assert (await storage.last("a", 2)).gaps == []
            assert (await storage.last("a", 10)).gaps == [Gap("a", origin, positions[4], "expired")]

    async def test_idle_topics_are_trimmed_on_request(self) -> None:
        """``trim`` applies age to topics that get no appends, all of their publications included."""
        now = 0.0
        async with self.new(retention={"**": Retention(max_age=10.0)}, clock=lambda: now) as storage:
            old = [await storage.append(topic, b"x") for topic in ("a", "b", "a")]
            now = 11.0
            young = await storage.append("c", b"x")

            assert await storage.trim() == 3
            assert await storage.trim() == 0
            page = await storage.read("**")
            assert [found.position for found in page.publications] == [young]
            assert {(gap.topic, gap.to) for gap in page.gaps} == {("a", old[2]), ("b", old[1])}

    async def test_offsets_are_not_used_again(self) -> None:
        """Even when all is expired and the store is opened anew, counting goes on."""
        now = 0.0
        storage = self.new(retention={"**": Retention(max_age=1.0)}, clock=lambda: now)
        async with storage:
            last = [await storage.append("a", b"x") for _ in range(3)][-1]
            now = 5.0
            await storage.trim()
        async with storage:
            assert (await storage.append("a", b"y")).offset == last.offset + 1
            assert (await storage.read("a")).gaps == [Gap("a", Position(last.epoch, 0), last, "expired")]

    async def test_the_newest_stays_however_large(self) -> None:
        """A publication larger than its topic may be is kept until the next one."""
        async with self.new(retention={"a": Retention(max_bytes=10)}) as storage:
            await storage.append("a", bytes(50))
            assert _data(await storage.read("a")) == [bytes(50)]
            await storage.append("a", b"small")
            assert _data(await storage.read("a")) == [b"small"]

    async def test_a_later_rule_goes_first(self) -> None:
        """``retain`` overrides what was said before; topics without a rule have the default."""
        async with self.new(retention={"a.*": Retention(max_count=2)}) as storage:
            storage.retain("a.b", Retention(max_count=1))
            for topic in ("a.b", "a.c", "d") * 3:
                await storage.append(topic, b"x")

            counts = [len((await storage.read(topic)).publications) for topic in ("a.b", "a.c", "d")]
            assert counts == [1, 2, 3]
            assert storage.retention("d") == Retention()

    async def test_many_gaps_of_a_pattern_become_one(self) -> None:
        """More gaps than a page may have are told as one gap of the pattern."""
        async with self.new(retention={"**": Retention(max_count=1)}) as storage:
            origin = Position(storage.epoch, 0)
            for number in range(20):
                await storage.append(f"t{number % 10}", b"x")

            page = await storage.read("*", limit=5, to=Position(storage.epoch, 10))
            assert page.gaps == [Gap("*", origin, Position(storage.epoch, 10), "expired")]
            assert len((await storage.read("*")).gaps) == 10

    @pytest.mark.parametrize("seed", range(10))
    async def test_nothing_goes_missing_silently(self, seed: int) -> None:
        """Over a random life with restarts and retention, every publication is read once or lies in a gap of its topic."""
        chance = random.Random(seed)
        storage = self.new(retention={"a.*": Retention(max_count=5), "b.**": Retention(max_bytes=40)})
        model = _Model()
        topics = ["a.x", "a.y", "b.x", "b.y.z", "c"]
        for _ in range(4):
            async with storage:
                for _ in range(chance.randrange(12)):
                    batch: list[Change] = [
                        Append(chance.choice(topics), chance.randbytes(chance.randrange(16)))
                        for _ in range(chance.randrange(4))
                    ]
                    model.add(batch, await storage.write(batch))
                for pattern in ("a.x", "a.*", "b.**", "**"):
                    after = chance.choice([None, *model.positions])
                    await model.check_forward(storage, pattern, after, limit=chance.choice([1, 2, 5, 100]))

    # Many at once, cancellation, closing.

    async def test_concurrent_appends_are_stored_in_the_order_asked(self, storage: Storage) -> None:
        """Writes started one after the other on one loop are numbered in that order, without holes."""
        positions = await asyncio.gather(*(storage.append("a", b"%d" % number) for number in range(500)))

        assert [position.offset for position in positions] == list(range(1, 501))
        found = [one async for one in _forward(storage, "a", None, 300)]
        assert [one.data for one in found] == [b"%d" % number for number in range(500)]

    async def test_a_reader_misses_nothing_written_before(self, storage: Storage) -> None:
        """A read that is asked after a write was asked sees it, even if it is not acknowledged yet."""
        async with asyncio.TaskGroup() as tasks:
            write = tasks.create_task(storage.append("a", b"1"))
            await asyncio.sleep(0)  # lets the task ask
            page = await storage.read("a")

        assert (_data(page), write.result().offset) == ([b"1"], 1)

    async def test_a_cancelled_append_disturbs_nobody(self, storage: Storage) -> None:
        """It may be stored or not; the others are, and numbers have no holes."""
        tasks = [asyncio.create_task(storage.append("a", b"%d" % number)) for number in range(9)]
        await asyncio.sleep(0)  # lets them ask
        tasks[4].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        page = await storage.read("a")

        others = [outcome for number, outcome in enumerate(outcomes) if number != 4]
        assert all(isinstance(outcome, Position) for outcome in others)
        assert {b"%d" % number for number in range(9) if number != 4} <= set(_data(page))
        assert [one.position.offset for one in page.publications] == list(
            range(1, len(page.publications) + 1)
        )

    async def test_closing_finishes_what_was_asked(self) -> None:
        """Writes asked before ``close`` are acknowledged and there after opening again; ``close`` may be called twice."""
        storage = self.new()
        await storage.open()
        tasks = [asyncio.create_task(storage.append("a", b"%d" % number)) for number in range(5)]
        await asyncio.sleep(0)  # lets them ask
        await storage.close()
        await storage.close()

        assert [position.offset for position in await asyncio.gather(*tasks)] == [1, 2, 3, 4, 5]
        async with storage:
            assert len((await storage.read("a")).publications) == 5

    async def test_a_closed_store_says_so(self) -> None:
        """Before opening and after closing, everything is refused."""
        storage = self.new()
        await storage.close()
        for _ in range(2):
            uses: list[Callable[[], Any]] = [
                lambda: storage.append("a", b""),
                lambda: storage.read("a"),
                lambda: storage.last("a"),
                lambda: storage.get("k"),
                lambda: storage.scan(""),
                storage.trim,
                storage.head,
            ]
            for use in uses:
                with pytest.raises(StorageClosed):
                    await use()
            with pytest.raises(StorageClosed):
                _ = storage.epoch
            async with storage:
                pass

    async def test_a_store_is_opened_once(self, storage: Storage) -> None:
        """A second opening is refused and does no harm."""
        epoch = storage.epoch

        with pytest.raises(StorageLocked):
            await storage.open()
        assert storage.epoch == epoch
        await storage.append("a", b"1")

    # What cannot be stored.

    @pytest.mark.parametrize(
        "topic", ["", ".", "a..b", "*", "a.*", "a>b", "a b", "a\n", "\x00", "a\u202eb", "\ud800", "x" * 256]
    )
    async def test_a_bad_topic_is_refused(self, storage: Storage, topic: str) -> None:
        """With its error, and without a trace."""
        with pytest.raises(TopicError):
            await storage.write([Append("good", b""), Append(topic, b"")])

        assert await storage.head() == Position(storage.epoch, 0)

    @pytest.mark.parametrize("pattern", ["", "a.**.b", "*.*.*", "a*", "**.a", ">"])
    async def test_a_bad_pattern_is_refused(self, storage: Storage, pattern: str) -> None:
        """Wherever a pattern is taken."""
        for use in (storage.read, storage.last):
            with pytest.raises(TopicError):
                await use(pattern)
        with pytest.raises(TopicError):
            storage.retain(pattern, Retention())

    @pytest.mark.parametrize("key", ["", "\x00", "\ud800", "x" * 513])
    async def test_a_bad_key_is_refused(self, storage: Storage, key: str) -> None:
        """Wherever a key is taken."""
        with pytest.raises(DataError):
            await storage.put(key, b"")
        with pytest.raises(DataError):
            await storage.get(key)
        with pytest.raises(DataError):
            await storage.write([], expect={key: None})

    async def test_too_much_is_refused(self, storage: Storage) -> None:
        """Data, and the number of changes, have limits."""
        with pytest.raises(DataError):
            await storage.append("a", bytes(MAX_DATA + 1))
        with pytest.raises(DataError):
            await storage.write([Delete("k")] * (MAX_CHANGES + 1))
        await storage.write([Delete("k")] * MAX_CHANGES)

    async def test_the_errors_are_one_family(self) -> None:
        """Whatever a store refuses for its own reasons is a ``StorageError``."""
        assert issubclass(Conflict, StorageError)
        assert issubclass(StorageClosed, StorageError)


@dataclass
class _Model:
    """What was stored, and from that what a reader must find."""

    stored: list[Publication] = field(default_factory=list)

    @property
    def positions(self) -> list[Position]:
        return [one.position for one in self.stored]

    def add(self, batch: Iterable[Change], positions: list[Position]) -> None:
        appends = [change for change in batch if isinstance(change, Append)]
        self.stored += [
            Publication(one.topic, position, one.data)
            for one, position in zip(appends, positions, strict=True)
        ]

    async def check_forward(
        self, storage: Storage, pattern: str, after: Position | None, *, limit: int
    ) -> None:
        pages = [page async for page in _pages(storage, pattern, after, limit)]
        found = [publication for page in pages for publication in page.publications]
        gaps = [gap for page in pages for gap in page.gaps]
        matches = Pattern(pattern).matches
        start = after.offset if after else 0
        expected = [one for one in self.stored if matches(one.topic) and one.position.offset > start]
        read = {one.position for one in found}

        assert len(read) == len(found), "something was read twice"
        assert [one for one in expected if one.position in read] == found, "order, data or topic differ"
        for one in expected:
            told = {gap.topic for gap in gaps if gap.after.offset < one.position.offset <= gap.to.offset}
            if one.position in read:
                assert one.topic not in told, f"{one} was read and is in a gap"
            else:
                assert told & {one.topic, pattern}, f"{one} went missing silently"


def _data(page: Page) -> list[bytes]:
    return [publication.data for publication in page.publications]


async def _value(storage: Storage, key: str) -> bytes | None:
    value = await storage.get(key)
    return value.data if value else None


async def _forward(
    storage: Storage, pattern: str, after: Position | None, limit: int
) -> AsyncIterator[Publication]:
    async for page in _pages(storage, pattern, after, limit):
        for publication in page.publications:
            yield publication


async def _pages(storage: Storage, pattern: str, after: Position | None, limit: int) -> AsyncIterator[Page]:
    page = await storage.read(pattern, after, limit=limit)
    yield page
    while page.more:
        before, page = page, await storage.read(pattern, page.end, limit=limit)
        assert page.end.offset > before.end.offset, "a page with more does not get on"
        yield page
