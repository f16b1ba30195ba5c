"""Small files that are whole or not there, for our own user alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from landline.apps.written import write, write_new


def test_a_file_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    """At once and whole; nobody else may read it, whatever was allowed before."""
    path = tmp_path / "a"
    path.write_text("before")
    path.chmod(0o644)

    write(path, b"after")

    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_new_file_takes_nobodys_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    """The first is written, the second is told so; also on a disk without hard links."""
    if not has_links:

        def link(*_: Any) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
    path = tmp_path / "a"

    assert write_new(path, b"first")
    assert not write_new(path, b"second")

    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_a_disk_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Not half of it under any name."""

    def fails(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, step, fails)
    with pytest.raises(OSError, match="Input/output"):
        write_new(tmp_path / "a", b"data")

    assert list(tmp_path.iterdir()) == []
