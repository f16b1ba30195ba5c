"""The disk in virtual time: what is committed outlives the process, and the process hears of it later, or never."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from landline.errors import StorageFailed, StorageFull
from landline.history import Position
from landline.storage.base import Append, Change, Put
from landline.testing.simulation.disk import POINTS, Disk, Outcome, at_once
from landline.testing.simulation.faults import make_world
from landline.testing.simulation.schedule import draw_shape


class Notes:
    """Books that only note what they are told."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.lives: list[tuple[str, int]] = []

    def committed(self, changes: Sequence[Change], positions: list[Position]) -> None:
        del positions
        self.commits.append(
            [change.topic if isinstance(change, Append) else change.key for change in changes]
        )

    def began(self, epoch: str, head: int) -> None:
        self.lives.append((epoch, head))

    def failed(self) -> None:
        self.commits.append(["failed"])

    def copy(self) -> Any:
        return list(self.commits)

    def put_back(self, backup: Any) -> None:
        self.commits = list(backup)


class Office:
    """A disk, the process that has it open, and what that heard."""

    def __init__(self) -> None:
        world = make_world(1, draw_shape(random.Random(1)))
        self.world = world
        self.node = world.clients[0].node
        self.notes = Notes()
        self.disk = Disk(self.node, self.notes, random.Random(1), 1.0)
        self.disk.open()
        self.heard: list[Outcome] = []

    def write(self, *changes: Change) -> None:
        self.disk.write(changes, self.heard.append)

    def wait(self, seconds: float) -> None:
        self.world.now += seconds
        self.node.run_due()

    def restart(self) -> None:
        self.node.die()
        self.disk.crash()
        self.disk.open()


def test_a_write_is_committed_and_then_told() -> None:
    """Between the two a crash leaves what nobody heard of."""
    office = Office()
    office.disk.crash_at = "committed"
    office.write(Append("news", b"one"))
    assert office.notes.commits == []
    office.wait(1.6)
    office.wait(10)

    assert (office.notes.commits, office.heard, office.disk.has_crashed) == ([["news"]], [], True)
    office.restart()
    assert office.disk.head.offset == 1
    assert not office.disk.has_crashed


def test_writes_come_one_after_the_other() -> None:
    """In the order in which they were asked for."""
    office = Office()
    office.write(Append("news", b"one"))
    office.write(Append("other", b"two"))
    for _ in range(8):
        office.wait(1.6)

    assert office.notes.commits == [["news"], ["other"]]
    assert [outcome[0].offset for outcome in office.heard if isinstance(outcome, list)] == [1, 2]


@pytest.mark.parametrize("point", POINTS)
def test_a_process_crashes_where_it_was_ordered_to(point: str) -> None:
    """Once, and nothing more happens on the disk until it is opened again."""
    office = Office()
    office.disk.crash_at = point
    office.write(Put("key", b"value"))
    for _ in range(4):
        office.wait(1.6)
    office.write(Put("other", b"value"))
    for _ in range(4):
        office.wait(1.6)

    assert office.disk.has_crashed
    assert office.notes.commits == ([] if point == "asked" else [["key"]])
    assert len(office.heard) == (point == "told")


def test_what_was_being_written_at_a_crash_is_there_or_not() -> None:
    """What waited behind it is not."""
    lengths = set()
    for seed in range(20):
        office = Office()
        office.disk._chance = random.Random(seed)
        office.write(Append("news", b"one"))
        office.write(Append("news", b"two"))
        office.restart()
        lengths.add(office.disk.head.offset)

    assert lengths == {0, 1}


def test_a_full_disk_stores_nothing_and_says_so() -> None:
    """When there is room again it goes on."""
    office = Office()
    office.disk.is_full = True
    office.write(Append("news", b"one"))
    office.wait(1.6)
    office.wait(1.6)
    office.disk.heal()
    office.write(Append("news", b"two"))
    office.wait(1.6)
    office.wait(1.6)

    assert isinstance(office.heard[0], StorageFull)
    assert isinstance(office.heard[1], list)
    assert office.disk.head.offset == 1


def test_a_disk_that_failed_fails_until_it_is_opened_again() -> None:
    """What it failed at is there or not."""
    lengths = set()
    for seed in range(20):
        office = Office()
        office.disk._chance = random.Random(seed)
        office.disk.is_failing = True
        office.write(Append("news", b"one"))
        office.write(Append("news", b"two"))
        for _ in range(6):
            office.wait(1.6)
        assert all(isinstance(outcome, StorageFailed) for outcome in office.heard)
        assert len(office.heard) == 2
        lengths.add(office.disk.head.offset)
        office.restart()
        assert not office.disk.is_broken

    assert lengths == {0, 1}


def test_an_old_copy_is_another_history() -> None:
    """It has what it had then, and begins a life that no earlier one was."""
    office = Office()
    assert not office.disk.put_backup_back()
    office.write(Append("news", b"one"))
    office.wait(1.6)
    office.wait(1.6)
    office.disk.keep_backup()
    office.write(Append("news", b"two"))
    office.wait(1.6)
    office.wait(1.6)
    office.node.die()
    office.disk.crash()
    assert office.disk.put_backup_back()
    office.disk.open()

    assert office.notes.commits == [["news"]]
    assert office.disk.head.offset == 1
    assert [head for _, head in office.notes.lives] == [0, 1]
    assert len({epoch for epoch, _ in office.notes.lives}) == 2


def test_what_waits_does_not_run_at_once() -> None:
    """The simulator must not take half of a call for the whole."""

    class Later:
        def __await__(self) -> Any:
            yield

    async def waits() -> None:
        await Later()

    with pytest.raises(AssertionError, match="waited"):
        at_once(waits())
