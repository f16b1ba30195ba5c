"""What is left of transfers goes in its time, and nobody who comes back for theirs is in the way."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from landline.limits import FILES
from landline.patterns.files import forgetting
from landline.patterns.files.forgetting import forget_old, forget_published
from landline.patterns.files.staging import Staging
from tests.patterns.files.house import names
from tests.patterns.files.test_staging import PART, arrive, opened


@pytest.mark.limit("files.unfinished_age")
def test_what_nobody_goes_on_with_is_removed(tmp_path: Path) -> None:
    """After its time, and not while somebody has it open; nothing that is not ours."""
    with opened(tmp_path) as staging:
        staging.go_on(0)
        staging.write([b"x"])
    began = (tmp_path / PART).stat().st_mtime
    (tmp_path / ".landline-mine").touch()
    (tmp_path / ".landline-file.part").touch()

    forget_old(tmp_path, began + FILES.unfinished_age)
    assert (tmp_path / PART).exists()
    with opened(tmp_path):
        forget_old(tmp_path, time.time() + 2 * FILES.unfinished_age)
        assert (tmp_path / PART).exists()
    forget_old(tmp_path, time.time() + FILES.unfinished_age + 1)
    assert names(tmp_path) == [".landline-file.part", ".landline-mine"]


def test_to_look_for_what_is_remembered_makes_nothing_younger(tmp_path: Path) -> None:
    """What nobody goes on with gets old, also in a folder that is used every day."""
    with opened(tmp_path) as staging:
        staging.go_on(0)
        staging.write([b"x"])
    os.utime(tmp_path / PART, (1000, 1000))

    forget_published(tmp_path)

    assert (tmp_path / PART).stat().st_mtime == 1000
    with opened(tmp_path):
        assert (tmp_path / PART).stat().st_mtime > 1000


def test_to_look_for_what_is_remembered_locks_nothing_that_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender may come back at that moment, and would be refused; a large folder takes a while to look through."""
    for key in ("file", "folder", "whole"):
        staging = Staging(tmp_path, key)
        if key == "file":
            staging.go_on(0)
            staging.write([b"x"])
        else:
            arrive(staging, b"hello")
            if key == "folder":
                staging.place(["a"])
            else:
                staging.publish("x", is_folder=False)
        staging.close()
    locked: list[str] = []

    class Seen(Staging):
        def __init__(self, folder: Path, key: str, *, goes_on: bool = True) -> None:
            locked.append(key)
            super().__init__(folder, key, goes_on=goes_on)

    monkeypatch.setattr(forgetting, "Staging", Seen)
    forget_published(tmp_path)

    assert locked == ["whole"]
    assert [name for name in names(tmp_path) if "/" not in name] == [
        ".landline-file.part",
        ".landline-folder.part",
        "x",
    ]
