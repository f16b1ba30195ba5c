"""Where simulated files are received: the library's steps on a disk that takes its time, and deaths between two of them."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from landline.testing.simulation.depot import Depot, Jobs, Staged, depots_of
from landline.testing.simulation.file_books import FileBooks
from landline.testing.simulation.line import Node
from landline.testing.simulation.shelf import Change, File, files_in

KEY = "0123"


class Time:
    """A world that has nothing but time."""

    now = 0.0
    is_touched = False
    trace = hashlib.blake2b()


class Process:
    def __init__(self) -> None:
        self.node = Node(Time(), 0.0)
        self.deaths = 0

    def die(self) -> None:
        self.deaths += 1
        self.node.die()


class Death(Exception):
    """The process died of it."""


class House:
    """A process that receives the one file that there is."""

    def __init__(self) -> None:
        self.process = Process()
        self.books = FileBooks()
        self.offering = self.books.offer("a", [20], is_folder=False)
        self.data = self.offering.files[0][1]
        self.depot = Depot(self.process, self.books, random.Random(1))
        self.failures: list[Exception] = []

    def work(self, jobs: Jobs[Any]) -> Any:
        """Have it done; return what came of it."""
        done: list[Any] = []
        self.depot.work(jobs, done.append, self.failures.append)
        node = self.process.node
        for _ in range(1000):
            if done or self.failures:
                break
            if self.depot.has_crashed:
                self.process.die()
                self.depot.die()
                raise Death
            Time.now = max(Time.now, node.next_due())
            node.run_due()
        return done[0] if done else None

    def staged(self) -> Staged:
        staged = Staged(self.depot, KEY, random.Random(1))
        self.work(staged.open())
        return staged

    def receive(self) -> str:
        """Receive from where it is; return the name."""
        staged = self.staged()
        if not staged.published:
            self.work(staged.go_on(0))
            self.work(staged.write([self.data[:7], self.data[7:]]))
            assert staged.digest() == hashlib.sha256(self.data).digest()
            self.work(staged.keep())
        name: str = self.work(staged.publish("a", is_folder=False))
        return name

    def names(self) -> list[str]:
        return sorted(self.depot.shelf.root.entries)


def test_a_file_comes_and_is_named() -> None:
    """It is on the disk then; what is remembered of it goes when it is forgotten."""
    house = House()
    assert house.receive() == "a"
    house.offering.done("a", house.depot.shelf)
    house.work(house.staged().forget())

    assert house.names() == ["a"]


@pytest.mark.parametrize("loses_power", [False, True])
def test_a_death_after_any_step_costs_no_copy(loses_power: bool) -> None:
    """Whatever was done, the next life finishes; there is one file, and it is whole."""
    for steps in range(1, 30):
        house = House()
        house.depot.crash_in, house.depot.counts_writes = steps, True
        house.depot.loses_power = loses_power
        with contextlib.suppress(Death):
            house.receive()
        house.depot.crash_in = 0
        assert house.receive() == "a"
        house.offering.done("a", house.depot.shelf)
        assert [name for name in house.names() if not name.startswith(".")] == ["a"]


def test_another_file_of_its_name_is_not_taken_for_it() -> None:
    """Ours was moved away meanwhile."""
    house = House()
    assert house.receive() == "a"
    another = File()
    another.data += house.books.offer("a", [20], is_folder=False).files[0][1]
    house.depot.shelf.change(Change(house.depot.shelf.root, "a", another))

    assert not house.staged().published


def test_writes_are_counted_only_when_that_is_wanted() -> None:
    """Or most deaths would fall on them."""
    house = House()
    staged = house.staged()
    house.depot.crash_in = 1
    house.work(staged.write([house.data]))
    assert not house.depot.has_crashed
    with pytest.raises(Death):
        house.work(staged.keep())

    assert house.process.deaths == house.depot.deaths == 1


def test_what_came_is_there_for_the_next() -> None:
    """Its size and its hash; what nothing came of leaves nothing."""
    house = House()
    staged = house.staged()
    house.work(staged.write([house.data[:7]]))
    again = house.staged()
    assert again.offset == 7
    assert house.work(again.prefix()) == hashlib.sha256(house.data[:7]).digest()
    house.work(again.reject())
    house.work(again.close())

    assert house.names() == []


def test_files_of_a_folder_are_counted() -> None:
    """Those that were placed, by a process before as well."""
    house = House()
    folder = house.books.offer("f", [20, 3], is_folder=True)
    staged = house.staged()
    for path, data in folder.files:
        house.work(staged.go_on(0))
        house.work(staged.write([data]))
        house.work(staged.keep())
        house.work(staged.place(path.split("/")))
    again = house.staged()
    assert (again.files, again.before, again.offset) == (2, 23, 0)
    assert house.work(again.publish("f", is_folder=True)) == "f"

    folder.done("f", house.depot.shelf)
    assert tuple(files_in(house.depot.shelf.root.entries["f"])) == folder.files


@pytest.mark.parametrize("do", [lambda staged: staged.write([b"x"]), lambda staged: staged.publish("a", is_folder=False)])  # fmt: skip
def test_a_full_disk_fails(do: Callable[[Staged], Jobs[Any]]) -> None:
    """Whoever has it done is told; when it is healed there is room."""
    house = House()
    staged = house.staged()
    house.depot.shelf.is_full = True
    house.work(do(staged))
    assert isinstance(house.failures[0], OSError)
    house.depot.heal()

    assert not house.depot.shelf.is_full


def test_every_process_has_one() -> None:
    """By its number."""
    processes = [Process(), Process()]
    depots = depots_of(processes, FileBooks(), random.Random(1))

    assert [depots[number].process for number in (0, 1)] == processes
