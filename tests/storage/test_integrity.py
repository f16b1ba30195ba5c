"""Examining a store: all that is damaged is named, nothing is changed, and what nobody can vouch for is not called good."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from landline.errors import StorageForeign, StorageFull, StorageLocked
from landline.storage import Append, Put, Retention, SQLiteStorage, integrity
from landline.storage.integrity import Report, examine
from landline.storage.opening import MIGRATIONS
from landline.storage.reading import checksum

PAGE = 4096


async def fill(path: Path) -> None:
    """Two lives of a store, with a topic that was trimmed, values and large data."""
    for _ in range(2):
        async with SQLiteStorage(path, retention={"news": Retention(max_count=10)}) as storage:
            for turn in range(4):
                await asyncio.gather(
                    *(
                        storage.write(
                            [
                                Append(("news", "chat.a", "chat.b")[number % 3], bytes(number * 37)),
                                Put(f"key/{number}", b"%d" % turn + bytes(number * 9)),
                            ]
                        )
                        for number in range(30)
                    )
                )
            await storage.append("large", bytes(30_000))


@pytest.fixture(scope="module")
def good_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "store.db"
    asyncio.run(fill(path))
    return path


@pytest.fixture
def store(good_store: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged; it has no lock beside it, as a backup."""
    return Path(shutil.copy(good_store, tmp_path))


def ask(path: Path, *statements: str) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        found = [connection.execute(statement).fetchall() for statement in statements][-1]
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return found


def unchanged(path: Path) -> Report:
    """Examine, and see that the folder is afterwards as it was before."""
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()}
    report = examine(path)
    assert {
        file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()
    } == before
    return report


# A good one...


def test_a_good_store_is_good(store: Path) -> None:
    """And told what is in it."""
    report = unchanged(store)

    assert report.is_good
    assert report.damages == []
    assert (report.topics, report.values, report.epochs, report.head) == (4, 30, 2, 242)
    assert report.publications == 242 - 80 + 10
    assert report.first == 2
    assert (report.size, report.log_size, report.format) == (store.stat().st_size, 0, len(MIGRATIONS))


def test_a_log_that_waits_is_part_of_it_and_goes_on_waiting(store: Path, tmp_path: Path) -> None:
    """As after a server that died: what is in the log only is examined, in a copy."""

    async def write() -> None:
        async with SQLiteStorage(store) as storage:
            await storage.append("late", b"1")
            (tmp_path / "dead").mkdir()
            for file in (store, store.with_name("store.db-wal")):
                shutil.copy(file, tmp_path / "dead")

    asyncio.run(write())
    report = unchanged(tmp_path / "dead" / "store.db")

    assert report.is_good
    assert (report.topics, report.epochs, report.head) == (5, 3, 243)
    assert report.log_size > 0


def test_no_room_for_the_copy_is_said(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    store.with_name("store.db-wal").write_bytes(bytes(100))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("landline.storage.integrity.shutil.copyfile", full)
    with pytest.raises(StorageFull, match="TMPDIR"):
        examine(store)


def test_an_empty_history_is_good(tmp_path: Path) -> None:
    """Only opened and closed."""

    async def nothing() -> None:
        async with SQLiteStorage(tmp_path / "store.db"):
            pass

    asyncio.run(nothing())
    report = unchanged(tmp_path / "store.db")

    assert report.is_good
    assert (report.publications, report.head, report.epochs) == (0, 0, 1)


# ... what is damaged in one place...


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            "UPDATE records SET data = x'00' WHERE offset = 101",
            "publication 101 of chat.a is not as it was written",
        ),
        (
            "UPDATE records SET crc = crc + 1 WHERE offset = 241",
            "publication 241 of chat.b is not as it was written",
        ),
        (
            "UPDATE records SET topic = 2 WHERE offset = 241",
            "publication 241 of chat.a is not as it was written",
        ),
        ("UPDATE records SET at = 'x' WHERE offset = 241", "publication 241 of chat.b has no time"),
        (
            "UPDATE records SET topic = 99 WHERE offset = 241",
            "publication 241 is of topic number 99, which is not there",
        ),
        ("DELETE FROM records WHERE offset = 240", "publication 240 is missing"),
        ("DELETE FROM records WHERE offset BETWEEN 238 AND 240", "publications 238 to 240 are missing"),
        ("DELETE FROM records WHERE offset = 2", "chat.a says it has 80 publications"),
        (
            "INSERT INTO records VALUES (1, 1, 1.0, 0, x'')",
            "publication 1 of news is there, and was removed up to",
        ),
        ("INSERT INTO records VALUES (-1, 2, 1.0, 0, x'')", "a publication with the offset -1"),
        ("UPDATE topics SET count = 7 WHERE name = 'chat.a'", "chat.a says it has 7 publications"),
        ("UPDATE topics SET trimmed = -1 WHERE name = 'chat.a'", "the counts of chat.a are [-1, "),
        ("UPDATE topics SET name = 'chat..a' WHERE name = 'chat.a'", "has the name 'chat..a', which is none"),
        (
            "UPDATE topics SET name = CAST(x'ff' AS TEXT) WHERE name = 'chat.a'",
            "has the name '\\udcff', which is none",
        ),
        ("UPDATE topics SET name = 'chat.c' WHERE name = 'chat.a'", "of chat.c is not as it was written"),
        (
            "UPDATE entries SET data = x'00' WHERE key = 'key/7'",
            "the value of 'key/7' is not as it was written",
        ),
        (
            "UPDATE entries SET key = CAST(x'ff' AS TEXT) WHERE key = 'key/7'",
            "the value of '\\udcff' is not as it was",
        ),
        ("UPDATE epochs SET first = 1 WHERE number = 1; DELETE FROM epochs", "there is no epoch"),
        ("UPDATE epochs SET first = 0 WHERE number = 2", "epoch 2 ("),
        ("DELETE FROM epochs WHERE number = 1", "epoch 2 ("),
        ("DROP TABLE entries", "its tables are not those that landline makes"),
        ("CREATE VIEW v AS SELECT 1", "its tables are not those that landline makes"),
        ("DROP INDEX records_by_topic", "its tables are not those that landline makes"),
    ],
)
def test_what_is_damaged_is_named(store: Path, damage: str, told: str) -> None:
    """By topic and position, or key; everything else was looked at all the same."""
    ask(store, *damage.split("; "))
    report = unchanged(store)

    assert not report.is_good
    assert any(told in one for one in report.damages), report.damages


def test_a_value_of_a_future_is_named(store: Path) -> None:
    """Its own checksum is right, but its offset was never given."""
    crc = checksum(999, "key/7", b"x")
    ask(store, f"UPDATE entries SET offset = 999, data = x'78', crc = {crc} WHERE key = 'key/7'")

    assert examine(store).damages == ["the value of 'key/7' is from offset 999, which was never given"]


def test_a_value_whose_offset_is_no_number_is_named(store: Path) -> None:
    """Its own checksum is right, as somebody can make it on purpose."""
    crc = checksum("x", "key/7", b"x")  # type: ignore[arg-type]
    ask(store, f"UPDATE entries SET offset = 'x', data = x'78', crc = {crc} WHERE key = 'key/7'")

    assert examine(store).damages == ["the value of 'key/7' is not as it was written"]


def lose_a_leaf(store: Path) -> None:
    """Overwrite a page of publications."""
    (page,) = ask(store, "SELECT rootpage FROM sqlite_schema WHERE name = 'records'")[0]
    content = bytearray(store.read_bytes())
    root = content[(page - 1) * PAGE :]
    leaf = int.from_bytes(root[int.from_bytes(root[14:16]) :][:4])
    content[(leaf - 1) * PAGE : leaf * PAGE] = b"\xff" * PAGE
    store.write_bytes(content)


def test_the_rows_of_a_lost_page_are_named_and_the_others_are_read(store: Path) -> None:
    """The index still knows of which topics they were."""
    lose_a_leaf(store)
    report = unchanged(store)

    lost = [one for one in report.damages if one.endswith("cannot be read")]
    assert lost
    assert all(one.split(" of ")[1].split()[0] in {"news", "chat.a", "chat.b"} for one in lost)
    assert len(lost) + report.publications == 172
    assert report.values == 30


def lose_the_root(store: Path, name: str) -> None:
    """Overwrite the first page of a table or an index."""
    (page,) = ask(store, f"SELECT rootpage FROM sqlite_schema WHERE name = '{name}'")[0]
    content = bytearray(store.read_bytes())
    content[(page - 1) * PAGE : page * PAGE] = b"\xff" * PAGE
    store.write_bytes(content)


def test_without_the_index_the_rows_of_a_lost_page_are_named_by_position(store: Path) -> None:
    """Nobody knows any more of which topics they were."""
    lose_the_root(store, "records_by_topic")
    content = bytearray(store.read_bytes())
    lose_a_leaf(store)
    report = unchanged(store)

    assert content != store.read_bytes()
    lost = [
        one for one in report.damages if one.startswith("publication ") and one.endswith(" cannot be read")
    ]
    assert lost
    assert all(len(one.split()) == 5 for one in lost)


@pytest.mark.parametrize(
    ("table", "told"),
    [("entries", "the values cannot all be read"), ("topics", "the topics cannot all be read")],
)
def test_a_table_that_cannot_be_read_is_named_and_the_others_are_read(
    store: Path, table: str, told: str
) -> None:
    """Each is looked at for itself."""
    lose_the_root(store, table)
    report = unchanged(store)

    assert any(told in one for one in report.damages)
    assert (report.epochs, report.publications) == (2, 172)


def test_a_store_whose_schema_is_no_text_is_damaged(store: Path) -> None:
    """SQLite quotes it in its error, which Python cannot read then."""
    content = bytearray(store.read_bytes())
    content[content.index(b"CREATE TABLE topics (") + 20] = 0xC5
    store.write_bytes(content)

    assert examine(store).damages == ["its tables cannot be read"]


def test_a_store_without_its_schema_is_damaged(store: Path) -> None:
    """Nothing in it can be found; that is an answer, and not a traceback."""
    content = bytearray(store.read_bytes())
    content[100:PAGE] = b"\xff" * (PAGE - 100)
    store.write_bytes(content)
    report = unchanged(store)

    assert any(one.startswith("SQLite: ") for one in report.damages)
    assert any(one.startswith("not everything can be read") for one in report.damages)


@pytest.mark.limit("storage.steps")
@pytest.mark.parametrize("is_over", [False, True])
def test_the_search_behind_a_lost_page_has_an_end(
    store: Path, monkeypatch: pytest.MonkeyPatch, is_over: bool
) -> None:
    """A head that is nonsense must not keep it trying for years; what was not tried is said."""
    lose_a_leaf(store)
    lost = [one.split()[1] for one in examine(store).damages if one.endswith("cannot be read")]
    steps = int(lost[-1]) - int(lost[0]) + 2  # to the first that can be read again
    monkeypatch.setattr(integrity, "_MOST_STEPS", steps - is_over)

    assert any(one.endswith("to 242 cannot be read") for one in examine(store).damages) == is_over


@pytest.mark.limit("storage.damages")
def test_damages_are_counted_when_they_are_too_many_to_tell(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory stays bounded, the number is right."""
    monkeypatch.setattr(integrity, "MOST_TOLD", 5)
    ask(store, "UPDATE entries SET crc = crc + 1 WHERE key < 'key/13'")
    report = examine(store)
    assert len(report.damages) == report.damage_count == 5
    ask(store, "UPDATE entries SET crc = 0")
    report = examine(store)

    assert report.damage_count == 30
    assert len(report.damages) == 5


# ... or in any place at all...


def readable(path: Path) -> list[Any] | str:
    """Everything that a reader is interested in, as SQLite finds it."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        connection.text_factory = bytes
        query = "SELECT offset, name, data FROM records JOIN topics ON topics.id = topic ORDER BY offset"
        try:
            rows = connection.execute(query).fetchall()
            return rows + connection.execute("SELECT key, data, offset FROM entries ORDER BY key").fetchall()
        except sqlite3.Error as error:
            return str(error)


def flip(content: bytearray, at: int, chance: random.Random) -> None:
    content[at] ^= 1 << chance.randrange(8)


def scrawl(content: bytearray, at: int, chance: random.Random) -> None:
    end = min(len(content), at + 60)
    content[at:end] = chance.randbytes(end - at)


def wipe(content: bytearray, at: int, _chance: random.Random) -> None:
    start = at - at % PAGE
    content[start : start + PAGE] = bytes(PAGE)


def cut(content: bytearray, at: int, _chance: random.Random) -> None:
    del content[at:]


@pytest.mark.parametrize("damage", [flip, scrawl, wipe, cut])
def test_whatever_is_damaged_it_is_never_called_good(
    store: Path, damage: Callable[[bytearray, int, random.Random], None]
) -> None:
    """In each page of the file: an answer without a traceback, and "good" only where every row and value is as it was."""
    original, chance = store.read_bytes(), random.Random(1)
    good, found = readable(store), 0
    for page in range(len(original) // PAGE):
        content = bytearray(original)
        # Heads of pages hurt most.
        damage(content, page * PAGE + chance.choice((chance.randrange(12), chance.randrange(PAGE))), chance)
        store.write_bytes(content)
        try:
            report = examine(store)
        except StorageForeign:
            assert page == 0  # nothing in it says any more that it is ours
            continue
        found += not report.is_good
        assert not report.is_good or readable(store) == good

    assert found > 10


# ... and what is not examined.


def test_a_newer_format_is_said_and_not_called_good(store: Path) -> None:
    """SQLite's own check is made; what a newer landline means by its tables only that one knows."""
    ask(store, f"PRAGMA user_version = {len(MIGRATIONS) + 1}", "CREATE TABLE invention (what)")
    report = unchanged(store)

    assert report.is_newer
    assert (report.damage_count, report.is_good) == (0, False)


@pytest.mark.parametrize("content", [None, b"", b"hello", b"SQLite format 3\0", b"\0" * 9000])
def test_what_is_no_store_is_said(tmp_path: Path, content: bytes | None) -> None:
    """Nothing, an empty file, other files; and a folder."""
    path = tmp_path / "store.db"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(StorageForeign):
        examine(path)
    with pytest.raises(StorageForeign):
        examine(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["store.db"] * (content is not None)


async def test_a_store_in_use_is_refused(store: Path) -> None:
    """What is read while somebody writes is of two moments; who has it is said, and is not disturbed."""
    async with SQLiteStorage(store) as storage:
        with pytest.raises(StorageLocked, match=f"in use by process {os.getpid()}"):
            examine(store)
        await storage.append("a", b"1")


@pytest.mark.parametrize("opens", [False, True])
def test_a_store_that_comes_into_use_meanwhile_is_refused(store: Path, opens: bool) -> None:
    """A server that starts does so undisturbed; what was found until then may be wrong."""
    holder = SQLiteStorage(store)
    loop = asyncio.new_event_loop()
    told: list[str] = []

    def tell(what: str, _done: int, _of: int) -> None:
        if told:
            return
        told.append(what)
        if opens:
            loop.run_until_complete(holder.open())
        else:
            os.utime(store)

    try:
        integrity_rows = pytest.MonkeyPatch()
        with integrity_rows.context() as patch:
            patch.setattr(integrity, "_ROWS", 1)
            with pytest.raises(StorageLocked, match="in use by process" if opens else "changed meanwhile"):
                examine(store, tell)
        loop.run_until_complete(holder.close())
    finally:
        loop.close()
    assert told


def test_a_file_without_rights_is_refused(store: Path) -> None:
    """Seen as somebody without rights, if we are root."""
    store.chmod(0)
    attempt = (
        "import os, sys, landline.storage.integrity as integrity, pathlib\n"
        "os.getuid() or os.setuid(65534)\n"
        "try: integrity.examine(pathlib.Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    told = subprocess.run([sys.executable, "-c", attempt, store], capture_output=True, text=True, check=True)

    assert told.stdout.startswith("StorageDenied")
    assert "check the rights" in told.stdout


def test_a_read_only_file_is_examined(store: Path) -> None:
    """In a folder that cannot be written either."""
    store.chmod(0o444)
    store.parent.chmod(0o555)
    try:
        assert examine(store).is_good
    finally:
        store.parent.chmod(0o755)
