"""Power cuts: the disk that forgets what was not synced, a real recording cut at a few moments, and the proof that it can fail.

A few images of one short life, for the engine's sake; ``make powercut`` makes thousands, of stores that live long and disks that fail.
"""

from __future__ import annotations

import asyncio
import errno
import json
import random
import sys
from pathlib import Path

import pytest

from benchmarks.powercut.account import Account
from benchmarks.powercut.disk import Disk, Event, replayed
from benchmarks.powercut.images import Found, try_images
from benchmarks.powercut.judge import Wrong, judge
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
    disk.replay(event("W", 1100, b"y"))
    assert b"x" * 600 + bytes(500) + b"y" in contents(disk)


# ... the recorder...


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux":
        pytest.skip("files are watched on Linux only")
    return compiled(tmp_path_factory.mktemp("recorder"))


@pytest.fixture(scope="module")
def recorded(recorder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the record of a short life, and the files that it left."""
    folder = tmp_path_factory.mktemp("recorded")
    record(SHORT, recorder, folder)
    return folder


SHORT = Plan("2", lives=1, turns=1)


def cut(plan: Plan, recorder: Path, folder: Path) -> Found:
    """Record a run and judge a few images of it."""
    events = record(plan, recorder, folder / "run")
    count = 60 if plan.broken else 12
    return try_images(plan, events, folder / "image", count=count, stop_early=True)


@pytest.mark.needs("gcc")
def test_a_record_that_misses_something_is_refused(recorded: Path) -> None:
    """The record, replayed, must give the files that the run left, to the last byte."""
    events, files = read(recorded / "record"), recorded / "files"
    check(events, files)

    written = next(number for number in range(len(events))[::-1] if events[number].kind == "W")
    with pytest.raises(CannotRecord, match="does not agree"):
        check(events[:written], files)
    with pytest.raises(CannotRecord, match="mmap"):
        check([*events, event("X", 0, b"mmap")], files)


# ... the judge...


@pytest.mark.needs("gcc")
def test_what_was_acknowledged_and_is_not_there_is_wrong(recorded: Path, tmp_path: Path) -> None:
    """A value, a publication, a whole epoch: each is missed in files that are good otherwise."""
    events = read(recorded / "record")
    noted = next(one for one in events[::-1] if one.kind == "W" and one.data.startswith(b'["'))

    def add(*lines: list[object]) -> list[Event]:
        return [*events, *(noted._replace(data=json.dumps(line).encode()) for line in lines)]

    def verdict(told: list[Event]) -> None:
        image = {name: bytes(file.cached) for name, file in replayed(events).names.items()}
        folder = tmp_path / "image"
        folder.mkdir(exist_ok=True)
        asyncio.run(judge(folder, image, Account(told).at(len(told)), reopen=True))

    verdict(events)
    epoch = Account(events).openings[-1]
    for changes, positions, wrong in (
        ([["Put", "never", "x"]], [], "the values and the head"),
        (
            [["Append", "never", "x"]],
            [[epoch.epoch, epoch.states[-1].head + 1]],
            "1 acknowledged publications are lost",
        ),
    ):
        with pytest.raises(Wrong, match=wrong):
            verdict(add(["ask", 999, changes, {}], ["ack", 999, positions]))
    values = {key: data for key, (data, _) in epoch.states[-1].values.items()}
    with pytest.raises(Wrong, match="not known any more"):
        verdict(add(["open", "never", epoch.states[-1].head, values]))


# ... and the storage under it.


@pytest.mark.needs("gcc")
def test_no_cut_takes_what_was_acknowledged(recorded: Path, tmp_path: Path) -> None:
    """Twelve moments of a short life."""
    found = try_images(SHORT, read(recorded / "record"), tmp_path / "image", count=12)

    assert found.failures == []
    assert found.images == 12
    assert found.asked > 12


@pytest.mark.needs("gcc")
def test_a_commit_that_does_not_wait_for_the_disk_is_found(recorder: Path, tmp_path: Path) -> None:
    """With ``synchronous=NORMAL`` some cut takes what was acknowledged, rows or the epoch; the first that does ends the test."""
    found = cut(Plan("2", broken="normal", lives=1, turns=1), recorder, tmp_path)

    assert found.failures


@pytest.mark.needs("gcc")
@pytest.mark.long
def test_a_sync_that_fails_for_real_costs_nothing_acknowledged(recorder: Path, tmp_path: Path) -> None:
    """The recorder answers one sync with an error: a commit's, whose writers are not told that it is done."""
    found = cut(Plan("3", fault=f"sync:8:1:{errno.EIO}", lives=1, turns=1), recorder, tmp_path)

    assert found.events["F"] == 1
    assert found.failures == []
