"""The steps by which a file gets its name: a death between any two of them leaves what the next process makes the best of."""

from __future__ import annotations

import pytest

from landline.errors import ProtocolError, TransferError
from landline.protocol.staged import (
    Act,
    Found,
    Note,
    Step,
    inner_name,
    is_staging,
    publish,
    read_note,
    reject,
    take,
    take_up,
)

NOTHING = Found("", is_ours=False, is_data=False, has_data=False, has_tree=False)


class Folder:
    """A transfer's own folder, the one beside it, and what was done there."""

    def __init__(self, *taken: str) -> None:
        self.taken = set(taken)
        self.acts: list[Act] = []

    def do(self, step: Step) -> bool:
        self.acts.append(step.act)
        if step.act in {Act.NAME_DATA, Act.NAME_TREE}:
            is_free = step.name not in self.taken
            self.taken.add(step.name)
            return is_free
        return True


NOTE = [Act.WRITE_NOTE, Act.SYNC_NOTE, Act.KEEP_NOTE, Act.SYNC_OWN]


def test_a_name_is_noted_before_it_is_ours_and_on_the_disk_before_the_file_goes() -> None:
    """Each step is on the disk before the next one depends on it."""
    folder = Folder()

    assert take(publish("a", "", is_folder=False), folder.do) == "a"
    assert folder.acts == [*NOTE, Act.NAME_DATA, Act.SYNC_FOLDER, Act.DROP_DATA]


def test_a_folder_takes_its_name_with_it() -> None:
    """There is nothing left to drop; one without any files is made first."""
    folder = Folder()

    assert take(publish("a", "", is_folder=True), folder.do) == "a"
    assert folder.acts == [Act.MAKE_TREE, *NOTE, Act.NAME_TREE, Act.SYNC_FOLDER]


def test_a_name_that_is_ours_is_left_alone() -> None:
    """The next like it is noted before it is tried; what was noted before comes first of all."""
    folder = Folder("a", "a (1)")

    assert take(publish("a", "", is_folder=False), folder.do) == "a (2)"
    assert folder.acts[:10] == [*NOTE, Act.NAME_DATA, *NOTE, Act.NAME_DATA]
    assert take(publish("a", "b", is_folder=False), Folder().do) == "b"


def test_too_many_like_it_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is overwritten for want of a name."""
    monkeypatch.setattr("landline.protocol.staged.numbered", lambda name: iter([name, name + "1"]))

    with pytest.raises(TransferError, match="too many files like a"):
        take(publish("a", "", is_folder=False), Folder("a", "a1").do)


@pytest.mark.parametrize(
    ("found", "acts", "published"),
    [
        (NOTHING, [], ""),
        (NOTHING._replace(has_data=True), [], ""),
        (NOTHING._replace(note="a", has_data=True), [], ""),
        (NOTHING._replace(note="a", has_data=True, is_ours=True), [], ""),
        (
            NOTHING._replace(note="a", has_data=True, is_ours=True, is_data=True),
            [Act.SYNC_FOLDER, Act.DROP_DATA],
            "a",
        ),
        (NOTHING._replace(note="a", is_ours=True), [Act.SYNC_FOLDER], "a"),
        (NOTHING._replace(note="a", is_ours=True, has_tree=True), [Act.SYNC_TREE], ""),
        (NOTHING._replace(note="a"), [], ""),
    ],
)
def test_what_a_death_left_is_ours_up(found: Found, acts: list[Act], published: str) -> None:
    """It has its name when something has, and nothing waits for it; a file that has one is written to no more."""
    folder = Folder()

    assert take(take_up(found), folder.do) == published
    assert folder.acts == acts


def test_a_note_is_read_as_it_was_written() -> None:
    """Of what was written in part nothing counts, nor of what we never write."""
    note = Note("ä.txt", (1 << 64) - 1, 1 << 62, -1)
    packed = note.packed()

    assert read_note(packed) == note
    assert {read_note(packed[:end]) for end in range(len(packed))} == {Note()}
    assert {read_note(packed[:end] + bytes(len(packed) - end)) for end in range(6)} == {Note()}
    for name in ("a/b", "..", ".", "a\0b"):
        assert read_note(Note(name, 1, 2, 3).packed()) == Note()


def test_what_is_wrong_goes_with_its_note_first() -> None:
    """A note without a file says that the file has that name."""
    folder = Folder()
    take(reject(), folder.do)

    assert folder.acts == [Act.DROP_NOTE, Act.DROP_DATA]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b"])
def test_a_path_stays_in_its_folder(name: str) -> None:
    """Whatever is no plain name ends the transfer."""
    with pytest.raises(ProtocolError, match="leaves its folder"):
        inner_name(name)


def test_what_looks_like_ours_is_not_forged() -> None:
    """Neither in capitals; anything else hidden may come."""
    assert inner_name(".hidden") == ".hidden"
    assert inner_name(".Landline-x.part") == "_Landline-x.part"
    assert is_staging(".LANDLINE-x.part")
    assert not is_staging(".landline-x")
