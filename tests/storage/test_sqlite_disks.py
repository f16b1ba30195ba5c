"""Disks that are full, cannot be written or have a limit, for real: nothing is acknowledged that is not there, and each says what it is."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from landline.errors import StorageDenied, StorageFull
from landline.storage import SQLiteStorage, Storage
from landline.storage.integrity import examine


def mounted(folder: Path, *options: str) -> bool:
    mount = shutil.which("mount")
    return (
        mount is not None
        and not subprocess.run([mount, *options, folder], check=False, capture_output=True).returncode
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not mounted(folder, "-t", "tmpfs", "-o", "size=2m", "tmpfs"):
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def sizes(storage: Storage) -> list[int]:
    """The sizes of everything in the store, in order, after a check that no number is missing."""
    found: list[int] = []
    page = None
    while page is None or page.more:
        page = await storage.read("**", page.end if page else None)
        assert page.gaps == []
        found += [len(one.data) for one in page.publications]
        if page.publications:
            assert page.publications[-1].position.offset == len(found)
    return found


async def fill(storage: Storage) -> int:
    """Append until the disk is full, and return how many were acknowledged."""
    acked = 0
    with contextlib.suppress(StorageFull):
        while acked < 10_000:
            await storage.append("a", bytes(5000))
            acked += 1
    assert acked < 10_000
    return acked


@pytest.mark.parametrize("log_bytes", [100_000, 4 << 20])
async def test_a_full_disk_acknowledges_nothing_and_passes(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, log_bytes: int
) -> None:
    """In the log or, where that is small, in the main file too; reading works, and writing by itself when there is room again."""
    monkeypatch.setattr("landline.storage.database.CHECKPOINT_BYTES", log_bytes)
    filler = small_disk / "filler"
    acked = 0
    async with SQLiteStorage(small_disk / "store.db") as storage:
        for taken in (1_400_000, 900_000, 500_000):
            filler.write_bytes(bytes(taken))
            acked += await fill(storage)
            for _ in range(3):
                with pytest.raises(StorageFull, match="make room"):
                    await storage.append("a", bytes(90_000))
            assert await sizes(storage) == [5000] * acked
            filler.unlink()
            assert (await storage.append("a", bytes(5000))).offset == acked + 1
            acked += 1

    assert acked > 50
    assert examine(small_disk / "store.db").is_good
    async with storage:
        assert await sizes(storage) == [5000] * acked


async def test_a_full_disk_cannot_be_opened_on_and_loses_nothing(small_disk: Path) -> None:
    """Neither a new store nor an old one; the sentence says what to do, and then it works."""
    old, new = SQLiteStorage(small_disk / "old.db"), SQLiteStorage(small_disk / "new.db")
    async with old:
        await old.append("a", bytes(5000))
    filler = small_disk / "filler"
    with contextlib.suppress(OSError):
        filler.write_bytes(bytes(3 << 20))
    for storage in (old, new):
        with pytest.raises(StorageFull, match="make room"):
            await storage.open()
    filler.unlink()

    async with old, new:
        assert await sizes(old) == [5000]
        assert (await new.append("a", b"1")).offset == 1


async def test_a_read_only_file_system_is_refused_and_can_be_examined(small_disk: Path) -> None:
    """Before anything is asked of it."""
    storage = SQLiteStorage(small_disk / "store.db")
    async with storage:
        await storage.append("a", bytes(5000))
    assert mounted(small_disk, "-o", "remount,ro")

    with pytest.raises(StorageDenied, match="Read-only file system"):
        await storage.open()
    assert examine(storage.path).is_good


LIMITED = """
import asyncio, resource, signal, sys
from landline.errors import StorageError
from landline.storage import SQLiteStorage

async def main(path):
    async with SQLiteStorage(path) as storage:
        while True:
            try:
                position = await storage.append("a", bytes(5000))
            except StorageError as error:
                print(type(error).__name__)
                break
            print(position.offset)
        try:
            await storage.append("a", b"small")
        except StorageError as error:
            print(type(error).__name__)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
asyncio.run(main(sys.argv[1]))
"""


async def test_a_limit_on_the_size_of_files_is_an_error_and_no_acknowledgement(tmp_path: Path) -> None:
    """``ulimit -f``, and a quota in the same way: SQLite does not tell them from a broken disk, so it says that the disk failed."""
    path = tmp_path / "store.db"
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    *acked, first, second = ended.stdout.split()

    assert acked == [str(number) for number in range(1, len(acked) + 1)]
    assert len(acked) > 20
    assert (first, second) == ("StorageFailed", "StorageFailed")
    async with SQLiteStorage(path) as storage:
        assert await sizes(storage) == [5000] * len(acked)
    assert examine(path).is_good


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody may enter, up to the root."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


async def test_a_file_that_may_only_be_read_is_refused(public_folder: Path) -> None:
    """Seen as somebody without rights, if we are root; the sentence says who needs which."""
    path = public_folder / "store.db"
    async with SQLiteStorage(path) as storage:
        await storage.append("a", b"1")
    path.chmod(0o444)
    path.with_name("store.db.lock").chmod(0o666)
    before = path.read_bytes()
    attempt = (
        "import asyncio, os, sys, landline.storage.database; from landline.storage import SQLiteStorage\n"
        "os.getuid() or os.setuid(65534)\n"
        "try: asyncio.run(SQLiteStorage(sys.argv[1]).open())\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    told = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", attempt, str(path)], capture_output=True, text=True, check=True
    )

    assert told.stdout.startswith("StorageDenied")
    assert "can only be read; give user" in told.stdout
    assert path.read_bytes() == before
