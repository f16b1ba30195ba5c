"""Opening a file: what is not ours, not for us, or broken is refused, told apart, and left as it was."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from landline.errors import (
    StorageDamaged,
    StorageDenied,
    StorageError,
    StorageFailed,
    StorageForeign,
    StorageLocked,
    StorageNewer,
)
from landline.limits import STORAGE
from landline.storage import SQLiteStorage
from landline.storage.opening import APPLICATION_ID, MIGRATIONS, Lock, open_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Path:
    """A closed store with a hundred publications."""

    async def fill() -> None:
        async with SQLiteStorage(path) as storage:
            await asyncio.gather(*(storage.append("a", bytes(1000)) for _ in range(100)))

    asyncio.run(fill())
    return path


def refused(path: Path, error: type[StorageError]) -> str:
    """Return the sentence of the refusal; the file must be as it was, and no lock held."""
    before = path.read_bytes()

    async def attempt() -> None:
        async with SQLiteStorage(path):
            pass

    with pytest.raises(StorageError) as caught:
        asyncio.run(attempt())
    assert type(caught.value) is error
    assert path.read_bytes() == before
    Lock(path).release()
    return str(caught.value)


# What is not ours...


def test_another_kind_of_file_is_refused(path: Path) -> None:
    """A text, a picture, half a header."""
    for content in (b"hello\n" * 100, b"\x89PNG", b"SQLite format 3\0" + bytes(10)):
        path.write_bytes(content)
        assert "not a landline store" in refused(path, StorageForeign)


@pytest.mark.parametrize(
    "prepare", ["", "PRAGMA user_version = 7", "PRAGMA application_id = 7", "PRAGMA journal_mode = wal"]
)
def test_another_programs_database_is_refused(path: Path, prepare: str) -> None:
    """Whatever it left in its header."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(prepare)
        connection.execute("CREATE TABLE notes (text)")
        connection.commit()

    assert "another program" in refused(path, StorageForeign)


def test_a_newer_format_is_refused(store: Path) -> None:
    """An older landline does not guess at what a newer one wrote."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")

    assert "newer landline" in refused(store, StorageNewer)


def test_an_empty_file_is_a_new_store(path: Path) -> None:
    """As ``mktemp`` makes them."""
    path.touch()
    with closing(open_file(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


# ... what is damaged...


def cut_in_half(content: bytearray) -> None:
    del content[len(content) // 2 :]


def lose_a_page(content: bytearray) -> None:
    content[4096 * 3 : 4096 * 4] = bytes(4096)


def lose_the_schema(content: bytearray) -> None:
    content[100:4096] = b"\xff" * 3996


def garble_the_schema(content: bytearray) -> None:
    """SQLite quotes it in its error, which is no text then."""
    place = content.index(b"CREATE TABLE topics (")
    content[place + 20] = 0xC5


@pytest.mark.parametrize("damage", [cut_in_half, lose_a_page, lose_the_schema, garble_the_schema])
def test_a_damaged_store_is_refused(store: Path, damage: Callable[[bytearray], None]) -> None:
    """Told as damaged, and not made worse."""
    content = bytearray(store.read_bytes())
    damage(content)
    store.write_bytes(content)

    assert "put a backup in its place" in refused(store, StorageDamaged)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE epochs SET first = 0",
        "INSERT INTO epochs (id, first, began) VALUES ('x', 1000, 0), ('y', 999, 0)",
        "UPDATE epochs SET first = 'soon'",
        "DROP TABLE records",
    ],
)
def test_a_store_that_contradicts_itself_is_refused(store: Path, damage: str) -> None:
    """Its tables may be whole and still make no sense."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute(damage)
        connection.commit()

    assert "damaged" in refused(store, StorageDamaged)


# ... and what is not for us.


def test_what_we_make_is_for_its_owner_only(tmp_path: Path) -> None:
    """The file, its log, its lock and its folder, whatever the umask."""
    path = tmp_path / "new" / "store.db"
    modes: dict[str, int] = {}

    async def look() -> None:
        async with SQLiteStorage(path) as storage:
            await storage.append("a", b"1")
            for entry in (path.parent, *path.parent.iterdir()):
                modes[entry.name] = stat.S_IMODE(entry.stat().st_mode)

    before = os.umask(0)
    try:
        asyncio.run(look())
    finally:
        os.umask(before)
    assert modes == {"new": 0o700, "store.db": 0o600, "store.db-wal": 0o600, "store.db.lock": 0o600}


def test_a_folder_without_rights_is_refused(tmp_path: Path) -> None:
    """The sentence names what may not be used; seen as somebody without rights, if we are root."""
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)
    attempt = (
        "import asyncio, os, sys, landline.storage.database; from landline.storage import SQLiteStorage\n"
        "os.getuid() or os.setuid(65534)\n"
        "try: asyncio.run(SQLiteStorage(sys.argv[1]).open())\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", attempt, folder / "store.db"], capture_output=True, text=True, check=True
    )

    assert told.stdout.startswith("StorageDenied")
    assert "check the rights" in told.stdout
    assert str(folder) in told.stdout
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("inside", ["file/store.db", "file/deeper/store.db"])
def test_a_file_is_no_folder(tmp_path: Path, inside: str) -> None:
    """A mistaken path is a sentence, not a traceback."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageDenied):
        open_it(tmp_path / inside)


def test_a_folder_is_no_file(path: Path) -> None:
    """Nor is the other mistake."""
    path.mkdir()

    with pytest.raises(StorageDenied):
        open_it(path)


def test_a_link_for_a_lock_is_refused(path: Path, tmp_path: Path) -> None:
    """Who can write the folder could make us empty another file of ours."""
    precious = tmp_path / "precious"
    precious.write_text("keep")
    path.with_name("store.db.lock").symlink_to(precious)

    with pytest.raises(StorageDenied):
        open_it(path)
    assert precious.read_text() == "keep"


def test_a_file_in_use_by_another_program_is_refused(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that knows nothing of our lock, such as SQLite's own shell."""
    monkeypatch.setattr("landline.storage.opening.BUSY_TIMEOUT", 0.0)
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM topics").fetchall()

        with pytest.raises(StorageLocked, match="another program"):
            open_it(store)


def test_the_lock_is_held_once_and_free_after(path: Path) -> None:
    """The second one is told who has it."""
    lock = Lock(path)
    with pytest.raises(StorageLocked, match=f"process {os.getpid()}"):
        Lock(path)
    lock.release()
    lock.release()
    Lock(path).release()


def test_an_interrupted_creation_is_taken_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead between any two of its steps, the next opening makes a good store of it."""
    steps = len(MIGRATIONS[0])
    for step in range(steps):
        broken = (*MIGRATIONS[0][:step], "a step that fails")
        monkeypatch.setattr("landline.storage.opening.MIGRATIONS", (broken,))
        with pytest.raises(StorageError):
            open_it(path)
    monkeypatch.undo()

    open_it(path)


def open_it(path: Path) -> None:
    lock = Lock(path)
    try:
        open_file(path).close()
    finally:
        lock.release()


@pytest.mark.limit("storage.checked_bytes")
@pytest.mark.parametrize("is_over", [False, True])
def test_a_file_up_to_a_size_is_checked_whole(
    store: Path, monkeypatch: pytest.MonkeyPatch, is_over: bool
) -> None:
    """Damage that nobody reads is found in it at the opening; a larger one opens at once."""
    content = bytearray(store.read_bytes())
    lose_a_page(content)
    store.write_bytes(content)
    monkeypatch.setattr("landline.storage.opening.CHECKED_BYTES", len(content) - is_over)

    if is_over:
        open_file(store).close()
    else:
        with pytest.raises(StorageDamaged):
            open_file(store)


@pytest.mark.limit("storage.busy_timeout")
def test_another_program_is_waited_for_so_long(path: Path) -> None:
    """The wait is SQLite's own, and it is told the table's figure; who holds on for longer is refused."""
    with closing(open_file(path)) as connection:
        (milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()

    assert milliseconds == STORAGE.busy_timeout * 1000


# A file whose first page was torn while the log was copied into it...


def torn(store: Path, *, log: Callable[[bytes], bytes] = lambda log: log) -> None:
    """Leave the store as a power cut in the midst of a checkpoint may: the log whole, the file's first sector rubbish."""

    async def work() -> tuple[bytes, bytes]:
        async with SQLiteStorage(store) as storage:
            await storage.append("a", bytes(10_000))  # the file grows: its first page changes
            return store.read_bytes(), store.with_name("store.db-wal").read_bytes()

    content, kept = asyncio.run(work())
    store.write_bytes(b"\xa5" * 512 + content[512:])
    store.with_name("store.db-wal").write_bytes(log(kept))


def without_first_page(log: bytes) -> bytes:
    """Return the log without the frames of the first page."""
    frames = [log[at : at + 4120] for at in range(32, len(log), 4120)]
    return log[:32] + b"".join(frame for frame in frames if frame[:4] != b"\0\0\0\1")


def test_a_first_page_that_the_log_has_is_taken_from_there(store: Path) -> None:
    """The log was synced before anything of it was copied: nothing is lost."""
    torn(store)

    async def read() -> list[bytes]:
        async with SQLiteStorage(store) as storage:
            return [one.data for one in (await storage.last("a", 1)).publications]

    assert asyncio.run(read()) == [bytes(10_000)]


@pytest.mark.parametrize(
    "log", [without_first_page, lambda log: log[:50], lambda log: b"", lambda log: b"\xff" * 9000]
)
def test_a_first_page_that_nobody_has_is_refused(store: Path, log: Callable[[bytes], bytes]) -> None:
    """A log without it, cut short, empty, or no log at all."""
    torn(store, log=log)

    assert "not a landline store" in refused(store, StorageForeign)


# A folder that cannot be synced...


def fail_to_sync(monkeypatch: pytest.MonkeyPatch, reason: int) -> None:
    def fsync(_file: int) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr("landline.storage.opening.os.fsync", fsync)


def test_a_folder_that_fails_to_sync_is_a_disk_that_failed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's name may not be on the disk, so nothing may be acknowledged; and the file is let go, so that it can be tried again."""
    with monkeypatch.context() as patch:
        fail_to_sync(patch, errno.EIO)
        with pytest.raises(StorageFailed, match="look at the system"):
            open_it(path)

    with closing(sqlite3.connect(path, timeout=0)) as other:
        assert other.execute("SELECT count(*) FROM epochs").fetchall() == [(0,)]
    open_it(path)


def test_a_file_system_that_does_not_sync_folders_has_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some say so with an error; it is no failure."""
    fail_to_sync(monkeypatch, errno.EINVAL)

    open_it(path)


async def test_what_is_not_ours_gets_no_lock_beside_it(tmp_path: Path) -> None:
    """Its folder is left as it was."""
    path = tmp_path / "README.md"
    path.write_text("not a store " * 20)
    with pytest.raises(StorageForeign, match="move it away, put a backup in its place, or use another file"):
        await SQLiteStorage(path).open()

    assert list(tmp_path.iterdir()) == [path]
