"""The disk of simulated files: what was seen to be on it outlives a power cut, and anything else may or may not."""

from __future__ import annotations

import random

from landline.testing.simulation.shelf import Change, File, Folder, Shelf, files_in


def cut(seed: int, *, is_synced: str) -> Shelf:
    """A file is written, named in a folder, and moved to the root; some of that is synchronized; then the power fails."""
    shelf = Shelf(random.Random(seed))
    own, file = Folder(), File()
    shelf.change(Change(shelf.root, "own", own))
    shelf.change(Change(own, "data", file))
    shelf.write(file, 0, b"hello")
    if "file" in is_synced:
        shelf.sync_file(file)
    shelf.change(Change(own, "data", None), Change(shelf.root, "x", file))
    if "root" in is_synced:
        shelf.sync_folder(shelf.root)
    shelf.cut_power()
    return shelf


def left(shelf: Shelf) -> dict[str, bytes]:
    return {
        name: data for name, entry in shelf.root.entries.items() for _, data in files_in(entry)
    }  # fmt: skip


def test_each_file_and_folder_has_a_number_of_its_own() -> None:
    """Whatever it is called."""
    shelf = cut(1, is_synced="file, root")
    file, other = shelf.root.entries["x"], File()

    assert [shelf.number_of(each) for each in (file, other, file)] == [1, 2, 1]


def test_what_is_synchronized_stays() -> None:
    """The file, its name, and what was done before to the folder that it came from."""
    for seed in range(50):
        assert left(cut(seed, is_synced="file, root")) == {"x": b"hello"}


def test_what_is_not_may_be_gone_or_full_of_holes() -> None:
    """A name without what it names, or neither, or both; never the end of something without its beginning."""
    files = [left(cut(seed, is_synced="root"))["x"] for seed in range(200)]
    names = [tuple(left(cut(seed, is_synced="file"))) for seed in range(200)]

    assert {b"", b"hello", b"he\0\0\0", b"hel"} <= set(files)
    assert all(b"hello".startswith(each.rstrip(b"\0")) for each in files)
    assert set(names) == {(), ("own",), ("x",)}


def test_a_folder_keeps_what_was_done_to_it_in_order() -> None:
    """Nothing that was done later without what was done before."""
    for seed in range(100):
        shelf = Shelf(random.Random(seed))
        for number in range(5):
            shelf.change(Change(shelf.root, str(number), File()))
        shelf.cut_power()
        assert list(shelf.root.entries) == [str(number) for number in range(len(shelf.root.entries))]


def test_a_file_is_cut_off_and_written() -> None:
    """From a place on; of what was there behind it nothing is left."""
    shelf, file = Shelf(random.Random(1)), File()
    shelf.write(file, 0, b"hello")
    shelf.write(file, 2, b"y")

    assert bytes(file.data) == b"hey"


def test_what_is_removed_is_gone_with_all_in_it() -> None:
    """The innermost first; what is not there is no matter."""
    shelf = Shelf(random.Random(1))
    own = Folder()
    shelf.change(Change(shelf.root, "own", own))
    shelf.change(Change(own, "data", File()))
    shelf.remove(shelf.root, "own")
    shelf.remove(shelf.root, "own")

    assert shelf.root.entries == own.entries == {}


def test_files_are_told_by_their_paths() -> None:
    """In the order of their names; a single one has none."""
    folder, inner, file = Folder(), Folder(), File()
    shelf = Shelf(random.Random(1))
    shelf.change(Change(folder, "b", inner))
    shelf.change(Change(inner, "c", file))
    shelf.change(Change(folder, "a", file))
    shelf.write(file, 0, b"x")

    assert list(files_in(folder)) == [("a", b"x"), ("b/c", b"x")]
    assert list(files_in(file)) == [("", b"x")]
    assert list(files_in(folder, is_durable=True)) == []
