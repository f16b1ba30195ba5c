"""A new name in one step: taken only where nobody has it."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from landline.patterns.files.naming import NOT_HERE, rename_to_new
from tests.patterns.files.house import names


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    """An open folder with a file in it."""
    (tmp_path / "here").write_text("ours")
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_a_file_has_its_new_name_and_no_longer_the_old(tmp_path: Path, folder: int) -> None:
    """It is the same file; a name is any text that a file can have."""
    rename_to_new("here", "später\udcff", src_dir_fd=folder, dst_dir_fd=folder)

    assert names(tmp_path) == ["später\udcff"]
    assert (tmp_path / "später\udcff").read_text() == "ours"


@pytest.mark.parametrize("kind", ["file", "empty", "folder", "link"])
def test_what_has_the_name_stays(tmp_path: Path, folder: int, kind: str) -> None:
    """Whatever it is, also a link that leads nowhere; ours stays where it was."""
    there = tmp_path / "there"
    match kind:
        case "folder":
            there.mkdir()
        case "link":
            there.symlink_to("nowhere")
        case _:
            there.write_text("theirs" if kind == "file" else "")
    before = there.lstat()

    with pytest.raises(FileExistsError):
        rename_to_new("here", "there", src_dir_fd=folder, dst_dir_fd=folder)

    assert there.lstat().st_ino == before.st_ino
    assert (tmp_path / "here").read_text() == "ours"


def test_a_system_without_it_says_so(tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was done then."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())

    with pytest.raises(OSError, match="not implemented") as told:
        rename_to_new("here", "there", src_dir_fd=folder, dst_dir_fd=folder)

    assert told.value.errno == errno.ENOSYS
    assert told.value.errno in NOT_HERE
    assert names(tmp_path) == ["here"]
