"""The file itself: commits of several writes, what a failure undoes, and what is kept beside the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from landline.errors import Conflict, StorageFailed
from landline.storage.base import MAX_PAGE_BYTES, Append, Change, Put, Retention, Write
from landline.storage.database import Database
from landline.storage.names import Pattern

Open = Callable[..., Database]


@pytest.fixture
def open_database(tmp_path: Path) -> Iterator[Open]:
    """Opens the one file of a test; closes it before it is opened again, and at the end."""
    opened: list[Database] = []
    names = iter(range(256))

    def opening(**retention: int) -> Database:
        for database in opened:
            database.close()
        opened.clear()
        database = Database(
            tmp_path / "store.db",
            clock=lambda: 0.0,
            entropy=lambda size: bytes([next(names)]) * size,
            retention=lambda topic: Retention(max_count=retention.get(topic)),
        )
        opened.append(database)
        return database

    yield opening
    for database in opened:
        database.close()


def write(*changes: Change, **expect: bytes | None) -> Write:
    return Write.of(changes, expect)


def ask(database: Database, question: str) -> list[tuple[object, ...]]:
    return database._connection.execute(question).fetchall()


def test_writes_of_a_group_have_each_their_outcome(open_database: Open) -> None:
    """In order, and the numbers of those that fail are not spent."""
    database = open_database()
    outcomes = database.write(
        [
            write(Append("a", b"1"), Append("b", b"2")),
            write(Append("a", b"no"), k=b"missing"),
            write(Put("k", b"v")),
            write(Append("a", b"3"), k=b"v"),
        ]
    )

    assert [
        [one.offset for one in outcome] if isinstance(outcome, list) else type(outcome)
        for outcome in outcomes
    ] == [
        [1, 2],
        Conflict,
        [],
        [3],
    ]
    assert database.commits == 1


def test_counts_and_sizes_agree_with_the_records(open_database: Open) -> None:
    """Also after trimming, and after a restart: retention goes by them."""
    for round_ in range(3):
        database = open_database(a=4)
        for number in range(7):
            database.write([write(Append(topic, bytes(number + round_))) for topic in ("a", "b", "a")])

        told = ask(database, "SELECT id, count, size FROM topics ORDER BY id")
        true = ask(
            database, "SELECT topic, count(*), sum(length(data)) FROM records GROUP BY topic ORDER BY topic"
        )
        assert told == true
        assert told[0][1] == 4


def test_a_failure_leaves_no_trace_in_memory(open_database: Open) -> None:
    """What a rolled back transaction would have made true of topics and numbers is forgotten with it."""
    database = open_database()
    database.write([write(Append("a", b"1"))])
    connection = database._connection

    class FullDisk:
        def execute(self, statement: str, *args: object) -> sqlite3.Cursor:
            if statement == "COMMIT":
                error = sqlite3.OperationalError("full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                error.sqlite_errorname = "SQLITE_FULL"
                raise error
            return connection.execute(statement, *args)  # type: ignore[arg-type]

        def __getattr__(self, name: str) -> object:
            return getattr(connection, name)

    database._connection = FullDisk()  # type: ignore[assignment]
    with pytest.raises(Exception, match="full"):
        database.write([write(Append("a", b"no"), Append("new", b"no"))])
    database._connection = connection
    (positions,) = database.write([write(Append("new", b"2"), Append("a", b"3"))])

    assert isinstance(positions, list)
    assert [position.offset for position in positions] == [2, 3]
    assert ask(database, "SELECT name, count FROM topics ORDER BY name") == [("a", 2), ("new", 1)]


def test_a_rollback_that_fails_ends_writing(open_database: Open) -> None:
    """Nobody knows then what the file will say."""
    database = open_database()
    connection = database._connection

    class Broken:
        in_transaction = True
        total_changes = 0

        def execute(self, statement: str, *args: object) -> None:
            error = sqlite3.OperationalError("no")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            error.sqlite_errorname = "SQLITE_FULL"
            raise error

    database._connection = Broken()  # type: ignore[assignment]
    with pytest.raises(Exception, match="full"):
        database.write([write(Append("a", b"no"))])
    database._connection = connection
    with pytest.raises(StorageFailed):
        database.write([write(Append("a", b"no"))])


def test_epochs_are_kept_with_their_first_offsets(open_database: Open) -> None:
    """Each opening adds one, whether or not anything was published in the one before."""
    open_database().write([write(Append("a", b"1"), Append("a", b"2"))])
    open_database()
    database = open_database()

    assert ask(database, "SELECT id, first FROM epochs ORDER BY number") == [
        ("00" * 8, 1),
        ("01" * 8, 3),
        ("02" * 8, 3),
    ]
    assert database.epoch == "02" * 8


@pytest.mark.limit("storage.cached_topics")
def test_many_topics_do_not_stay_in_memory(open_database: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rows are looked up again when needed."""
    monkeypatch.setattr("landline.storage.database._CACHED_TOPICS", 3)
    database = open_database()
    for _ in range(2):
        for number in range(10):
            database.write([write(Append(f"t.{number}", b"x"))])
            assert len(database._topics) <= 3

    assert ask(database, "SELECT DISTINCT count FROM topics") == [(2,)]


@pytest.mark.limit("storage.trimmed")
def test_retention_takes_slices(open_database: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a write nor a call of ``trim`` removes more at once than a slice, however much is to go."""
    database = open_database()
    database.write([write(*(Append("a", b"x") for _ in range(20)))])
    monkeypatch.setattr("landline.storage.database._TRIMMED_ROWS", 3)
    database = open_database(a=1)

    assert database.trim(0) == (3, 0)
    assert database.trim(0) == (3, 0)
    database.write([write(Append("a", b"x"))])
    assert ask(database, "SELECT count(*) FROM records") == [(12,)]
    sizes = []
    after: int | None = 0
    while after is not None:
        gone, after = database.trim(after)
        sizes.append(gone)
    assert sizes == [3, 3, 3, 2]


def test_numbers_go_on_where_rows_were_taken_out_by_hand(open_database: Open) -> None:
    """What an epoch said about its first offset is enough not to give a number twice."""
    open_database().write([write(*(Append("a", b"x") for _ in range(5)))])
    database = open_database()
    for table in ("records", "topics"):
        database._connection.execute(f"DELETE FROM {table}")
    (positions,) = open_database().write([write(Append("a", b"y"))])

    assert isinstance(positions, list)
    assert positions[0].offset == 6


@pytest.mark.limit("storage.trimmed_topics")
def test_retention_looks_at_so_many_topics_at_a_time(
    open_database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer are the end; at the limit there may be more, so it says where to go on."""
    monkeypatch.setattr("landline.storage.database._TRIMMED_TOPICS", 2)
    database = open_database()
    database.write([write(Append("a", b"x"))])
    assert database.trim(0) == (0, None)
    database.write([write(Append("b", b"x"), Append("c", b"x"))])

    _, after = database.trim(0)
    assert after == 2
    assert database.trim(after) == (0, None)


@pytest.mark.limit("storage.merged")
def test_so_many_topics_are_read_side_by_side(open_database: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit they are, one more and the log is scanned; either way everything is found."""
    monkeypatch.setattr("landline.storage.reading._MERGED_TOPICS", 2)
    database = open_database()
    database.write([write(Append("t.a", b"1"), Append("t.b", b"2"))])
    assert [name for _, name in database.reader._matching_topics(Pattern("t.*")) or ()] == ["t.a", "t.b"]
    database.write([write(Append("t.c", b"3"))])

    assert database.reader._matching_topics(Pattern("t.*")) is None
    page = database.reader.read("t.*", None, None, 9, MAX_PAGE_BYTES)
    assert [publication.data for publication in page.publications] == [b"1", b"2", b"3"]
