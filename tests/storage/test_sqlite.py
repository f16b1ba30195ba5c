"""The storage in a SQLite file keeps every promise, and those of a disk: what was acknowledged is there after any death."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from landline.errors import StorageClosed, StorageError, StorageFailed, StorageFull, StorageLocked
from landline.storage import Append, Publication, Put, SQLiteStorage, Storage, sqlite
from landline.storage.database import Database
from landline.testing.storage_conformance import StorageConformance

WRITER = Path(__file__).with_name("writer.py")


class TestSQLiteStorage(StorageConformance):
    @pytest.fixture(autouse=True)
    def files(self, tmp_path: Path) -> None:
        self.paths = (tmp_path / f"store-{number}.db" for number in itertools.count())

    def new(self, **options: Any) -> Storage:
        return SQLiteStorage(next(self.paths), **options)

    def backup(self, storage: Storage) -> Storage:
        assert isinstance(storage, SQLiteStorage)
        path = next(self.paths)
        shutil.copy(storage.path, path)  # closed, so that the log is in the main file
        return SQLiteStorage(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


async def contents(storage: Storage) -> list[Publication]:
    """Everything in the store, in order, after a check that the numbers have no holes."""
    found: list[Publication] = []
    page = await storage.read("**")
    found += page.publications
    assert page.gaps == []
    while page.more:
        page = await storage.read("**", page.end)
        found += page.publications
        assert page.gaps == []
    assert [one.position.offset for one in found] == list(range(1, len(found) + 1))
    return found


# Sharing commits...


async def test_appends_of_one_turn_share_a_commit(path: Path) -> None:
    """A hundred publishers at once cost one commit, and woken by it, one more: the disk is not asked a hundred times."""

    async def publish(storage: Storage) -> None:
        for _ in range(3):
            await storage.append("a", b"x")

    async with SQLiteStorage(path) as storage:
        await asyncio.gather(*(publish(storage) for _ in range(100)))

        assert storage.commits == 3


async def test_what_is_asked_while_the_disk_works_shares_the_next_commit(path: Path) -> None:
    """Also when it is asked in many turns of the loop, as by people who type."""
    async with SQLiteStorage(path) as storage:
        database = database_of(storage)
        loop = asyncio.get_running_loop()
        disk_is_at_work, disk_is_done = asyncio.Event(), threading.Event()
        write = database.write

        def slow_write(writes: Any) -> Any:
            loop.call_soon_threadsafe(disk_is_at_work.set)
            disk_is_done.wait(30)
            return write(writes)

        database.write = slow_write  # type: ignore[method-assign]
        tasks = [asyncio.create_task(storage.append("a", b"0"))]
        await disk_is_at_work.wait()
        for number in range(1, 20):
            tasks.append(asyncio.create_task(storage.append("a", b"%d" % number)))
            for _ in range(3):
                await asyncio.sleep(0)  # lets it ask, and be handed over
        disk_is_done.set()
        positions = await asyncio.gather(*tasks)

        assert [position.offset for position in positions] == list(range(1, 21))
        assert storage.commits == 2


async def test_a_reading_that_nobody_waits_for_is_not_made(path: Path) -> None:
    """Those behind it would wait for it; a write is made all the same, since its caller may have been told of it by others."""
    async with SQLiteStorage(path) as storage:
        go_on = threading.Event()
        made: list[str] = []
        owner = storage._owner
        assert owner is not None
        holding = asyncio.create_task(owner.call(lambda database: go_on.wait(30)))
        given_up = [
            asyncio.create_task(owner.call(lambda database: made.append("given up"))) for _ in range(9)
        ]
        wanted = asyncio.create_task(owner.call(lambda database: made.append("wanted")))
        for _ in range(3):
            await asyncio.sleep(0)  # lets them ask, and be handed over
        for task in given_up:
            task.cancel()
        await asyncio.wait(given_up)
        go_on.set()
        await asyncio.gather(holding, wanted)

        assert made == ["wanted"]


@pytest.mark.limit("storage.readings")
async def test_readers_and_writers_take_turns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two commits only so many readings are made, and all of them are made."""
    monkeypatch.setattr(sqlite, "MAX_CALLS", 2)
    async with SQLiteStorage(path) as storage:
        order: list[str] = []
        storage_is_held, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()
        owner = storage._owner
        assert owner is not None

        def hold(database: Database) -> None:
            loop.call_soon_threadsafe(storage_is_held.set)
            go_on.wait(30)

        async def noted(name: str, work: Any) -> None:
            await work
            order.append(name)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(noted("hold", owner.call(hold)))
            for number in range(5):
                tasks.create_task(noted(f"read {number}", storage.read("a")))
            await storage_is_held.wait()  # all six are with the thread
            tasks.create_task(noted("write", storage.append("a", b"1")))
            for _ in range(3):
                await asyncio.sleep(0)  # lets it ask, and be handed over
            go_on.set()

        assert order == ["hold", "read 0", "write", "read 1", "read 2", "read 3", "read 4"]


@pytest.mark.limit("storage.group")
async def test_a_commit_has_an_upper_size(path: Path) -> None:
    """So that nobody waits long for a crowd."""
    async with SQLiteStorage(path) as storage:
        await asyncio.gather(*(storage.append("a", b"x") for _ in range(sqlite.MAX_GROUP * 2 + 1)))

        assert storage.commits == 3


async def test_a_write_that_changes_nothing_is_no_commit(path: Path) -> None:
    """Failed expectations cost the disk nothing."""
    async with SQLiteStorage(path) as storage:
        with pytest.raises(StorageError):
            await storage.write([Put("k", b"v")], expect={"k": b"other"})

        assert storage.commits == 0


@pytest.mark.limit("storage.group_bytes")
async def test_a_commit_has_an_upper_size_in_bytes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large writes share less, a larger one than that has a commit of its own, and the order stays."""
    monkeypatch.setattr(sqlite, "MAX_GROUP_BYTES", 100)
    async with SQLiteStorage(path) as storage:
        data = [b"%03d" % number + bytes(37) for number in range(10)] + [bytes(500), b"x"]
        await asyncio.gather(*(storage.append("a", one) for one in data))

        assert [one.data for one in await contents(storage)] == data
        assert storage.commits == 5 + 1 + 1


# ... opening and closing...


async def test_it_works_on_uvloop(path: Path) -> None:
    """The thread reaches any loop; a whole life on uvloop, from within a thread of its own."""
    uvloop = pytest.importorskip("uvloop")

    async def live() -> list[bytes]:
        async with SQLiteStorage(path) as storage:
            await asyncio.gather(*(storage.append("a", b"%d" % number) for number in range(10)))
            return [one.data for one in await contents(storage)]

    def run() -> list[bytes]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(live())

    assert await asyncio.to_thread(run) == [b"%d" % number for number in range(10)]


async def test_a_cancelled_opening_leaves_the_file_free(path: Path) -> None:
    """Whenever the cancellation comes, the next opening succeeds."""
    storage = SQLiteStorage(path)
    for turns in range(3):
        opening = asyncio.create_task(storage.open())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        if not opening.cancelled():
            await storage.close()

    async with storage:
        await storage.append("a", b"1")


async def test_a_cancelled_close_still_closes(path: Path) -> None:
    """The file is let go in the background, and opening again waits for that."""
    storage = SQLiteStorage(path)
    await storage.open()
    closing = asyncio.create_task(storage.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)

    with pytest.raises(StorageClosed):
        await storage.append("a", b"1")
    async with storage:
        await storage.append("a", b"2")


async def test_a_failed_opening_can_be_repeated(tmp_path: Path) -> None:
    """When what was wrong is put right, the same object opens."""
    rubbish = tmp_path / "rubbish"
    await asyncio.to_thread(rubbish.write_bytes, b"rubbish" * 100)
    storage = SQLiteStorage(rubbish)
    with pytest.raises(StorageError):
        await storage.open()
    await asyncio.to_thread(rubbish.unlink)

    async with storage:
        await storage.append("a", b"1")


async def test_a_loop_that_ended_first_does_no_harm(path: Path) -> None:
    """A program that forgets to close loses nothing that was acknowledged; the file is free when the thread is done."""

    async def forget() -> SQLiteStorage:
        storage = SQLiteStorage(path)
        await storage.open()
        await storage.append("a", b"1")
        return storage

    def run() -> SQLiteStorage:
        with asyncio.Runner() as runner:
            return runner.run(forget())

    forgotten = await asyncio.to_thread(run)
    with pytest.raises(StorageLocked):
        await SQLiteStorage(path).open()
    owner = forgotten._owner
    assert owner is not None
    owner.stop()
    await asyncio.to_thread(owner.thread.join)
    async with SQLiteStorage(path) as storage:
        assert [one.data for one in await contents(storage)] == [b"1"]


# ... and when the disk or the process fails.


class Faulty:
    """A connection whose statements fail as told."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.faults: dict[str, tuple[int, str]] = {}

    def execute(self, statement: str, *args: Any) -> Any:
        if statement in self.faults:
            error = sqlite3.OperationalError("it failed")
            error.sqlite_errorcode, error.sqlite_errorname = self.faults[statement]
            raise error
        return self.connection.execute(statement, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


FSYNC = (sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC")
FULL = (sqlite3.SQLITE_FULL, "SQLITE_FULL")
CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"


def database_of(storage: SQLiteStorage) -> Database:
    assert storage._owner is not None
    return storage._owner.database


def make_faulty(storage: SQLiteStorage) -> dict[str, tuple[int, str]]:
    """Return the statements that fail from now on, with their errors; empty to begin."""
    database = database_of(storage)
    faulty = Faulty(database._connection)
    database._connection = faulty  # type: ignore[assignment]
    return faulty.faults


async def test_a_failed_fsync_ends_all_acknowledgement(path: Path) -> None:
    """Nobody in the group is acknowledged, nobody after it either until reopening, even if the disk seems well; reading goes on."""
    async with SQLiteStorage(path) as storage:
        await storage.append("a", b"safe")
        faults = make_faulty(storage)
        faults["COMMIT"] = FSYNC
        outcomes = await asyncio.gather(
            *(storage.append("a", b"lost") for _ in range(3)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [StorageFailed] * 3
        assert len({id(outcome) for outcome in outcomes}) == 3, "each waiter has an error of its own"
        faults.clear()
        with pytest.raises(StorageFailed, match="close and open"):
            await storage.append("a", b"refused")
        with pytest.raises(StorageFailed):
            await storage.trim()
        assert [one.data for one in await contents(storage)] == [b"safe"]

    async with storage:
        await storage.append("a", b"again")
        assert [one.data for one in await contents(storage)] == [b"safe", b"again"]


async def test_a_full_disk_is_an_error_that_passes(path: Path) -> None:
    """The group is refused as a whole and leaves no trace; when there is room the next write is made."""
    async with SQLiteStorage(path) as storage:
        faults = make_faulty(storage)
        faults["COMMIT"] = FULL
        with pytest.raises(StorageFull, match="make room"):
            await storage.write([Append("new", b"no"), Put("k", b"no")])
        faults.clear()
        await storage.append("new", b"yes")

        assert [one.data for one in await contents(storage)] == [b"yes"]
        assert await storage.get("k") is None


async def test_a_failed_checkpoint_harms_no_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit before it was good; after a failed fsync there is no next one, after a full disk there is."""
    monkeypatch.setattr("landline.storage.database.CHECKPOINT_BYTES", 1)
    async with SQLiteStorage(path) as storage:
        faults = make_faulty(storage)
        faults[CHECKPOINT] = FULL
        await storage.append("a", b"1")
        await storage.append("a", b"2")
        faults[CHECKPOINT] = FSYNC
        await storage.append("a", b"3")
        with pytest.raises(StorageFailed):
            await storage.append("a", b"4")

        assert [one.data for one in await contents(storage)] == [b"1", b"2", b"3"]


class Killed:
    """A process that writes until it dies, and what it told about its acknowledged writes."""

    def __init__(self, path: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, WRITER, path, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def lines(self, before_kill: int | None) -> list[tuple[str, int, int, str]]:
        """Return (topic, number, offset, epoch) of each acknowledged append; kill -9 after so many, or wait for the end."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with self.process, self.process.stdout as out:
            told = list(itertools.islice(out, before_kill))
            if before_kill is not None:
                self.process.kill()
            told += out.readlines()
            complaint = self.process.stderr.read().decode()
        assert self.process.returncode in (-signal.SIGKILL, 137), complaint
        # A last line may be half written; whoever did not finish telling was not heard.
        words = [line.decode().split() for line in told if line.endswith(b"\n")]
        return [(topic, int(number), int(offset), epoch) for topic, number, offset, epoch in words]


async def check(path: Path, acked: list[tuple[str, int, int, str]]) -> None:
    """Every acknowledged append is in its place, no number is missing, and each publisher's numbers are in order."""
    async with SQLiteStorage(path) as storage:
        stored = {one.position.offset: one for one in await contents(storage)}
        for topic, number, offset, epoch in acked:
            one = stored[offset]
            assert (one.topic, one.data.split()[0], one.position.epoch) == (topic, b"%d" % number, epoch)
        by_publisher: dict[tuple[str, str], list[int]] = {}
        for one in stored.values():
            by_publisher.setdefault((one.position.epoch, one.topic), []).append(int(one.data.split()[0]))
        for numbers in by_publisher.values():
            assert numbers == list(range(len(numbers)))
        # The number that was put together with an append says the same as the append: they live or die together.
        for (epoch, topic), numbers in by_publisher.items():
            value = await storage.get(f"last/{epoch}/{topic}")
            assert value is not None
            assert int(value.data) == numbers[-1]


@pytest.mark.timeout(120)
@pytest.mark.long
async def test_kill_9_at_any_moment_loses_nothing(path: Path) -> None:
    """Ten lives of one file, each ended by SIGKILL in the midst of writing."""
    chance = random.Random(1)
    acked: list[tuple[str, int, int, str]] = []
    for _ in range(10):
        acked += await asyncio.to_thread(Killed(path).lines, chance.randrange(1, 600))
        await check(path, acked)

    assert len({epoch for *_, epoch in acked}) == 10


@pytest.mark.parametrize(
    "moment", ["before COMMIT", "after COMMIT", f"before {CHECKPOINT}", f"after {CHECKPOINT}"]
)
@pytest.mark.long
async def test_death_at_each_step_of_a_commit_loses_nothing(path: Path, moment: str) -> None:
    """The process ends exactly there, after some good commits."""
    acked = await asyncio.to_thread(Killed(path, moment).lines, None)

    assert acked
    await check(path, acked)


# The one who owns the file.


async def test_a_second_process_is_refused_at_once(path: Path) -> None:
    """It says who has the file, and does not touch it."""
    async with SQLiteStorage(path) as storage:
        await storage.append("a", b"1")
        second = await asyncio.create_subprocess_exec(
            sys.executable, WRITER, path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        told, complaint = await second.communicate()

        assert (second.returncode, told) == (1, b"")
        assert b"StorageLocked" in complaint
        assert f"in use by process {os.getpid()}".encode() in complaint
        await storage.append("a", b"2")
        assert [one.data for one in await contents(storage)] == [b"1", b"2"]


async def test_another_object_is_refused_too(path: Path) -> None:
    """Two owners in one process are two owners."""
    async with SQLiteStorage(path):
        with pytest.raises(StorageLocked):
            await SQLiteStorage(path).open()


async def test_no_other_program_gets_in(path: Path) -> None:
    """While we write, SQLite itself keeps others out: two who write could damage the log."""
    async with SQLiteStorage(path):
        other = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("SELECT * FROM records")
        other.close()


async def test_the_disk_is_asked_to_be_sure(path: Path) -> None:
    """A commit returns after its fsync: with less, a power cut takes acknowledged rows."""
    async with SQLiteStorage(path) as storage:

        def ask(database: Database) -> list[Any]:
            names = (
                "synchronous",
                "journal_mode",
                "locking_mode",
                "trusted_schema",
                "wal_autocheckpoint",
                "mmap_size",
            )
            return [(database._connection.execute(f"PRAGMA {name}").fetchone() or (0,))[0] for name in names]

        assert storage._owner is not None
        assert await storage._owner.call(ask) == [2, "wal", "exclusive", 0, 0, 0]


@pytest.mark.limit("storage.log_bytes")
async def test_the_log_does_not_grow_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its size the log is brought into the main file and cut back."""
    monkeypatch.setattr("landline.storage.database.CHECKPOINT_BYTES", 50_000)
    log = path.with_name("store.db-wal")
    async with SQLiteStorage(path) as storage:
        sizes = []
        for _ in range(60):
            await storage.append("a", bytes(3000))
            await (
                storage.head()
            )  # the checkpoint comes after the acknowledgement; this comes after the checkpoint
            sizes.append(log.stat().st_size)

        assert max(sizes) < 100_000
        assert 0 in sizes


async def test_retention_is_applied_in_slices(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is to go, others get their turn; in the end all of it has gone."""
    monkeypatch.setattr("landline.storage.database._TRIMMED_ROWS", 3)
    monkeypatch.setattr("landline.storage.database._TRIMMED_TOPICS", 2)
    now = 0.0
    async with SQLiteStorage(path, clock=lambda: now) as storage:
        for number in range(50):
            await storage.append(f"t{number % 5}", b"x")
        now = 365 * 86_400.0

        assert await storage.trim() == 50
        assert (await storage.read("**")).publications == []
