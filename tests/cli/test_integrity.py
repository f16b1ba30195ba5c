"""What ``landline integrity`` says of a file, and how it ends."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pexpect
import pytest

from landline.cli.exits import Exit
from landline.cli.main import main
from landline.storage import Append, Put, SQLiteStorage


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a hundred publications and a value, in a folder without a landline.toml."""

    async def fill() -> None:
        async with SQLiteStorage(tmp_path / "store.db") as storage:
            await storage.write([*(Append(f"t.{number % 3}", b"x") for number in range(100)), Put("k", b"v")])

    asyncio.run(fill())
    return tmp_path / "store.db"


def change(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute(statement)


def test_a_good_file_ends_with_0(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what is in it."""
    assert main(["integrity", str(store)]) == Exit.OK

    told = capsys.readouterr()
    words = [line.split() for line in told.out.splitlines()]
    assert words[1] == ["publications", "100,", "positions", "1", "to", "100"] or words[1][1] == "100,"
    assert [line[:2] for line in words[2:5]] == [["topics", "3"], ["values", "1"], ["epochs", "1"]]
    assert told.out.endswith("everything is as it was written\n")
    assert told.err == ""


def test_a_damaged_file_ends_with_6(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names what is damaged, some of it; with -v all."""
    change(store, "UPDATE records SET crc = crc + 1 WHERE offset <= 30")
    assert main(["integrity", str(store)]) == Exit.INTEGRITY
    some = capsys.readouterr().out
    assert main(["integrity", str(store), "-v"]) == Exit.INTEGRITY
    all_of_it = capsys.readouterr().out

    assert "  damaged: publication 1 of t.0 is not as it was written\n" in some
    assert "  and 10 more; -v shows more\n30 damages: put a backup in its place" in some
    assert all_of_it.count("  damaged: publication ") == 30
    assert "more" not in all_of_it


def test_a_name_from_the_file_reaches_no_terminal_as_it_is(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It could move the cursor, or worse."""
    change(store, "UPDATE topics SET name = char(27) || '[2J' WHERE id = 1")

    assert main(["integrity", str(store)]) == Exit.INTEGRITY
    assert "\x1b" not in capsys.readouterr().out


def test_a_newer_file_ends_with_1(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not damaged, as far as anybody here can say; not good either."""
    change(store, "PRAGMA user_version = 7")

    assert main(["integrity", str(store)]) == Exit.FAILURE
    assert "written by a newer landline" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"hello" * 100])
def test_no_store_ends_with_2(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """No such file, an empty one, another one; a folder."""
    path = tmp_path / "store.db"
    if content is not None:
        path.write_bytes(content)

    assert main(["integrity", str(path)]) == Exit.USAGE
    assert main(["integrity", str(tmp_path)]) == Exit.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("landline: Invalid value for") == 2


async def test_a_store_in_use_ends_with_1(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the number of the process that has it."""
    async with SQLiteStorage(store):
        assert main(["integrity", str(store)]) == Exit.FAILURE

    assert "is in use by process" in capsys.readouterr().err


def test_on_a_terminal_it_shows_how_far_it_is(store: Path) -> None:
    """A bar, which is gone at the end."""
    program = (
        "import sys, landline.cli.integrity as command, landline.storage.integrity as integrity\n"
        "command._SHOWN_INTERVAL = 0.0\n"
        "integrity._ROWS = 1\n"
        "from landline.cli.main import main\n"
        "sys.exit(main(['integrity', sys.argv[1]]))"
    )
    child = pexpect.spawn(sys.executable, ["-c", program, str(store)], encoding="utf-8", timeout=30)
    child.expect(r"\[#+ *\] publications +\d+%")
    child.expect(r"\r +\r.*everything is as it was written\r\n")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 0


def test_a_name_that_is_wrong_is_told_the_stores_that_are_there(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 2: the chat's store has a port in its name where that is not the usual one."""
    wrong = str(store.with_name("chat.db"))
    assert main(["integrity", wrong]) == Exit.USAGE
    assert f"there is no {wrong}; in {store.parent} there is store.db" in capsys.readouterr().err

    store.unlink()
    assert main(["integrity", wrong]) == Exit.USAGE
    assert f"there is no {wrong};" in capsys.readouterr().err
