"""Power cuts: the disk that forgets what was not synced, a real recording cut at a few moments, and the proof that it can fail.

A few images of one short life, for the engine's sake; ``make powercut`` makes thousands, of stores that live long and disks that fail.
"""

from __future__ import annotations

import errno
import random
import sys
from pathlib import Path

import pytest

from benchmarks.powercut.disk import Disk, Event, replayed
from benchmarks.powercut.images import Found, try_images
from benchmarks.powercut.recording import CannotRecord, Plan, check, compiled, read, record


def event(kind: str, offset: int = 0, data: bytes = b"", fd: int = 3) -> Event:
    return Event(kind, 1, fd, offset, data)


CREATED = [event("O", 1, b"store"), event("O", 0, b".", fd=4), event("S", fd=4)]
"""A file whose name is on the disk."""


def contents(disk: Disk) -> set[bytes | None]:
    """What a thousand cuts leave of the file; None: not even its name."""
    return {disk.image(random.Random(number)).get("store") for number in range(1000)}


# The disk...


def test_what_was_synced_is_in_every_image() -> None:
    """However the cut comes."""
    assert contents(replayed([*CREATED, event("W", 0, b"x" * 1000), event("S")])) == {b"x" * 1000}


def test_what_was_not_synced_is_lost_kept_or_torn_at_sectors() -> None:
    """Each sector is old or new, or rubbish where it was being written; the size is on its way, too."""
    disk = replayed([*CREATED, event("W", 0, b"a" * 1024), event("S"), event("W", 0, b"b" * 1500)])
    images = contents(disk)

    a, b = b"a" * 512, b"b" * 512
    assert {a + a, b + a, a + b, b + b, b + b + b[:476], a + a + bytes(476)} <= images
    assert {len(image or b"") for image in images} == {1024, 1500}


def test_a_sector_holds_one_moment_of_its_own() -> None:
    """Two unsynced writes to one sector: the disk may have the first, both or none, and never the second alone."""
    disk = replayed([*CREATED, event("W", 0, b"--"), event("S"), event("W", 0, b"1"), event("W", 1, b"2")])

    plain = {image for image in contents(disk) if image in {b"--", b"1-", b"12", b"-2"}}
    assert plain == {b"--", b"1-", b"12"}


def test_a_name_is_there_for_certain_when_its_folder_was_synced() -> None:
    """Neither making nor removing a file is sure before that, whatever was synced of its content."""
    made = [event("O", 1, b"store"), event("W", 0, b"x"), event("S")]
    removed = [*CREATED, event("W", 0, b"x"), event("S"), event("U", 0, b"store")]

    assert contents(replayed(made)) == {None, b"x"}
    assert contents(replayed(removed)) == {None, b"x"}
    assert contents(replayed([*removed, event("S", fd=4)])) == {None}


def test_a_failed_sync_leaves_doubts_that_no_later_sync_ends() -> None:
    """The kernel takes for written what it could not write; only writing it anew helps."""
    failed = [*CREATED, event("W", 0, b"x"), event("F"), event("S")]

    assert b"x" in contents(replayed(failed))
    assert b"\0" in contents(replayed(failed))
    assert contents(replayed([*failed, event("W", 0, b"x"), event("S")])) == {b"x"}


def test_a_cut_file_is_cut_at_once() -> None:
    """With its old size it has its old content."""
    disk = replayed([*CREATED, event("W", 0, b"x" * 2000), event("S"), event("T", 600)])

    assert contents(disk) == {b"x" * 2000, b"x" * 600}


# ... the recorder...


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux":
        pytest.skip("files are watched on Linux only")
    return compiled(tmp_path_factory.mktemp("recorder"))


def cut(plan: Plan, recorder: Path, folder: Path) -> Found:
    """Record a run and judge a few images of it."""
    events = record(plan, recorder, folder / "run")
    count = 60 if plan.broken else 12
    return try_images(plan, events, folder / "image", count=count, stop_early=True)


@pytest.mark.needs("gcc")
def test_a_record_that_misses_something_is_refused(recorder: Path, tmp_path: Path) -> None:
    """The record, replayed, must give the files that the run left, to the last byte."""
    record(Plan("1", lives=1, turns=1), recorder, tmp_path)
    events = read(tmp_path / "record")
    check(events, tmp_path / "files")

    written = next(number for number in range(len(events))[::-1] if events[number].kind == "W")
    with pytest.raises(CannotRecord, match="does not agree"):
        check(events[:written], tmp_path / "files")
    with pytest.raises(CannotRecord, match="mmap"):
        check([*events, event("X", 0, b"mmap")], tmp_path / "files")


# ... and the storage under it.


@pytest.mark.needs("gcc")
def test_no_cut_takes_what_was_acknowledged(recorder: Path, tmp_path: Path) -> None:
    """Twelve moments of a short life."""
    found = cut(Plan("2", lives=1, turns=1), recorder, tmp_path)

    assert found.failures == []
    assert found.images == 12
    assert found.asked > 12


@pytest.mark.needs("gcc")
def test_a_commit_that_does_not_wait_for_the_disk_is_found(recorder: Path, tmp_path: Path) -> None:
    """With ``synchronous=NORMAL`` some cut takes what was acknowledged, rows or the epoch; the first that does ends the test."""
    found = cut(Plan("2", broken="normal", lives=1, turns=1), recorder, tmp_path)

    assert found.failures


@pytest.mark.needs("gcc")
def test_a_sync_that_fails_for_real_costs_nothing_acknowledged(recorder: Path, tmp_path: Path) -> None:
    """The recorder answers one sync with an error: a commit's, whose writers are not told that it is done."""
    found = cut(Plan("3", fault=f"sync:8:1:{errno.EIO}", lives=1, turns=1), recorder, tmp_path)

    assert found.events["F"] == 1
    assert found.failures == []
