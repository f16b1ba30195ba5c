"""The books of files: each promise that is not kept is told, and what is allowed is not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from landline.protocol.frames import FIRST_CREDIT
from landline.testing.simulation.file_books import FileBooks, Offering
from landline.testing.simulation.line import Violation
from landline.testing.simulation.shelf import Change, File, Folder, Shelf
from landline.testing.simulation.talk import LONGEST


class Books:
    """A file of twenty bytes and a folder of two, and the disk that they are for."""

    def __init__(self) -> None:
        self.books = FileBooks()
        self.file = self.books.offer("a", [20], is_folder=False)
        self.folder = self.books.offer("f", [20, 0], is_folder=True)
        self.shelf = Shelf(random.Random(1))

    def put(self, name: str, data: bytes | None = None) -> Books:
        """The file has this name; all of it, or other bytes."""
        file = File()
        self.shelf.write(file, 0, self.file.files[0][1] if data is None else data)
        self.shelf.sync_file(file)
        self.shelf.change(Change(self.shelf.root, name, file))
        return self

    def check(self) -> Books:
        self.books.check(self.shelf)
        return self


def test_what_is_promised_is_no_violation() -> None:
    """It is whole, under one name, on the disk when its sender is told; what is hidden is nobody's business."""
    seen = Books().put("a").put(".landline-x.part", b"some").check()
    seen.shelf.sync_folder(seen.shelf.root)
    tree, inner, data = Folder(), Folder(), File()
    seen.shelf.write(data, 0, seen.folder.files[0][1])
    for change in (Change(inner, "0", data), Change(tree, "0", inner), Change(seen.shelf.root, "f", tree)):
        seen.shelf.change(change)
    other = Folder()
    for change in (Change(other, "1", File()), Change(tree, "1", other)):
        seen.shelf.change(change)

    seen.check().file.done("a", seen.shelf)
    seen.file.know()
    assert not seen.file.lacks
    assert seen.folder.lacks
    assert seen.books.told == {"offered": 2, "sent": 1}


def test_what_its_program_moved_away_was_there_when_that_was_said() -> None:
    """Its sender hears so later; only what is hidden stays, and nothing comes back with the power."""
    seen = Books().put("a").put(".landline-x.part", b"some")
    seen.books.move_away(seen.shelf)
    seen.shelf.cut_power()

    assert set(seen.shelf.root.entries) == {".landline-x.part"}
    assert (seen.file.moved, seen.folder.moved, seen.file.times) == ({"a"}, set(), 2)
    seen.file.done("a", seen.shelf)
    seen.file.moved.clear()  # it is received again
    with pytest.raises(Violation, match="is not there"):
        seen.file.done("a", seen.shelf)


def test_what_changed_is_whole_as_it_was_and_as_it_is() -> None:
    """And no mixture of both."""
    seen = Books()
    before = seen.file.files[0][1]
    seen.file.change()
    after = seen.file.files[0][1]
    place = next(at for at in range(20) if before[at] != after[at])

    assert len(before) == len(after)
    seen.put("a", before).check()
    seen.put("a", after).check()
    with pytest.raises(Violation, match="nothing that was offered"):
        seen.put("a", before[: place + 1] + after[place + 1 :] if place < 19 else b"").check()


def test_a_death_costs_what_was_on_its_way() -> None:
    """A credit, and the frame that goes over it; nothing that was written, but for a reason."""
    file = Books().file
    file.wrote(5, file.times)
    file.sent(5 + FIRST_CREDIT + LONGEST, file.times)
    file.goes_on(5, 1)
    file.begins_anew()
    file.wrote(5, 0)
    file.sent(1 << 20, 0)
    file.goes_on(0, 1)


def test_what_is_damaged_on_the_way_may_be_told_so() -> None:
    """Once; and then all of it may be sent again."""
    file = Books().file
    file.wrote(20, file.times)
    file.is_garbled = True
    assert file.garble(b"hello") != b"hello"
    assert file.garble(b"hello") == b"hello"
    file.damaged()
    file.goes_on(0, 1)


def test_who_dies_before_it_knows_may_send_again() -> None:
    """And there are two then, unless its receiver remembers."""
    seen = Books().put("a").put("b")
    seen.file.died_before_it_knew()
    seen.check()
    seen.file.may_double, seen.file.remembers = False, True
    seen.file.died_before_it_knew()
    with pytest.raises(Violation, match="is there twice"):
        seen.check()


def unwanted(seen: Books) -> None:
    seen.file.is_unwanted = True
    seen.put("a").check()


def told(seen: Books) -> None:
    seen.file.done("a", seen.shelf)


def moved(file: Offering) -> Offering:
    file.wrote(5, file.times)
    file.sent(6 + FIRST_CREDIT + LONGEST, file.times)
    return file


WRONG: dict[str, Callable[[], object]] = {
    "nothing that was offered": lambda: Books().put("a", b"1/0/0 1/").check(),
    "is there twice": lambda: Books().put("a").put("b").check(),
    "was refused": lambda: unwanted(Books()),
    "was refused: why": lambda: Books().file.refuse("why"),
    "and is not there": lambda: Books().put("a").file.done("b", Books().shelf),
    "which is something else": lambda: told(Books().put("a", b"x" * 20)),
    "a, and is not there": lambda: told(Books().put("a")),
    "5 bytes were written": lambda: moved(Books().file).goes_on(4, 1),
    "are sent again": lambda: moved(Books().file).goes_on(5, 1),
    "nobody had damaged it": Books().file.damaged,
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_kept_is_a_violation(what: str) -> None:
    """What has a name, what is sent again, and what a sender is told."""
    with pytest.raises(Violation, match=what):
        WRONG[what]()
