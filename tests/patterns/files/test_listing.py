"""What a sender offers: always the same for the same files, and nothing that a link points to."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from landline.errors import TransferError
from landline.limits import FILES
from landline.patterns.files import listing as module
from landline.patterns.files.listing import list_files, name_of, open_found
from tests.patterns.files.house import make_file, make_tree


def test_the_same_files_have_the_same_id(tmp_path: Path) -> None:
    """However their path is written; a change of any makes it another one."""
    folder = make_tree(tmp_path / "f")
    before = list_files(folder)

    assert list_files(f"{tmp_path}/./f/../f") == before._replace(
        files=list_files(f"{tmp_path}/./f/../f").files
    )
    os.utime(folder / "sub" / "c", ns=(1, 1))
    after = list_files(folder)
    assert after.id != before.id
    (folder / "sub" / "c").rename(folder / "sub" / "d")
    assert list_files(folder).id not in {before.id, after.id}
    assert list_files(folder / "a.txt").id != list_files(folder / "sub" / "d").id


def test_a_folder_is_listed_in_order(tmp_path: Path) -> None:
    """The order is part of where a transfer goes on."""
    listing = list_files(make_tree(tmp_path / "f"))

    assert ["/".join(found.path) for found in listing.files] == [
        "a.txt",
        ".git/config",
        "sub/c",
        "sub/deep/b.bin",
    ]
    assert (listing.is_folder, listing.skipped, listing.size) == (True, 3, 196619)


def test_a_link_that_is_named_is_followed_and_one_that_is_found_is_not(tmp_path: Path) -> None:
    """Who names it means what it points to."""
    make_file(tmp_path / "f" / "a", 3)
    (tmp_path / "link").symlink_to("f")
    (tmp_path / "f" / "b").symlink_to("a")

    assert list_files(tmp_path / "link").files[0].size == 3
    assert list_files(tmp_path / "f" / "b").files[0].size == 3
    assert [found.path for found in list_files(tmp_path / "f").files] == [("a",)]


def test_what_became_a_link_meanwhile_is_not_opened(tmp_path: Path) -> None:
    """Within a folder nothing outside is sent, whoever swaps it in."""
    make_file(tmp_path / "f" / "a", 3)
    found = list_files(tmp_path / "f").files[0]
    (tmp_path / "f" / "a").rename(tmp_path / "secret")
    (tmp_path / "f" / "a").symlink_to("../secret")

    with pytest.raises(TransferError, match="cannot be read"):
        open_found(found, is_link_followed=False)
    os.close(open_found(found, is_link_followed=True))


@pytest.mark.limit("files.depth")
def test_a_folder_is_only_so_deep(tmp_path: Path) -> None:
    """A path of so many names, and no longer."""
    path = tmp_path / "f"
    make_file(path.joinpath(*["d"] * (FILES.depth - 1), "a"), 1)
    assert len(list_files(path).files[0].path) == FILES.depth

    make_file(path.joinpath(*["d"] * FILES.depth, "a"), 1)
    with pytest.raises(TransferError, match="33 deep: 32 can be sent"):
        list_files(path)


def test_folders_without_files_are_only_so_deep_either(tmp_path: Path) -> None:
    """Nothing of them is sent, and they are not looked through for ever."""
    path = tmp_path / "f"
    path.joinpath(*["d"] * FILES.depth).mkdir(parents=True)
    assert list_files(path).files == []

    path.joinpath(*["d"] * (FILES.depth + 1)).mkdir()
    with pytest.raises(TransferError, match="33 deep: 32 can be sent"):
        list_files(path)


@pytest.mark.limit("files.files")
def test_a_folder_has_only_so_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is too much."""
    for name in "abc":
        make_file(tmp_path / "f" / name, 1)
    monkeypatch.setattr(module, "FILES", dataclasses.replace(FILES, files=3))
    assert len(list_files(tmp_path / "f").files) == 3

    make_file(tmp_path / "f" / "d", 1)
    with pytest.raises(TransferError, match="more than 3 files"):
        list_files(tmp_path / "f")


@pytest.mark.limit("files.entries")
def test_a_folder_has_only_so_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty folders and what is not sent are looked at as well."""
    make_file(tmp_path / "f" / "sub" / "a", 1)
    (tmp_path / "f" / "empty").mkdir()
    (tmp_path / "f" / "link").symlink_to("gone")
    monkeypatch.setattr(module, "FILES", dataclasses.replace(FILES, entries=4))
    assert (len(list_files(tmp_path / "f").files), list_files(tmp_path / "f").skipped) == (1, 1)

    (tmp_path / "f" / "empty" / "more").mkdir()
    with pytest.raises(TransferError, match="more than 4 files, folders and other entries"):
        list_files(tmp_path / "f")


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_vanishes_while_it_is_looked_at_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_folder: bool
) -> None:
    """It was there, and then it was not: the library's own error says so, as of one that never was."""
    gone = make_file(tmp_path / "f" / "a", 1)
    path = gone.parent if is_folder else gone
    done = module._id_of

    def vanishes(where: Path, files: list[module.Found]) -> bytes:
        shutil.rmtree(gone.parent)
        return done(where, files)

    monkeypatch.setattr(module, "_id_of", vanishes)
    with pytest.raises(TransferError, match="cannot be read: no such file"):
        list_files(path)


def test_a_name_that_is_no_text_can_be_sent(tmp_path: Path) -> None:
    """What is no text in it is replaced."""
    make_file(Path(os.fsdecode(os.fsencode(tmp_path) + b"/f/\xff\xfe.txt")), 1)

    assert list_files(tmp_path / "f").files[0].path == ("??.txt",)


def test_what_a_path_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the folder that one is in."""
    monkeypatch.chdir(tmp_path)

    assert name_of(".") == tmp_path.name
    assert name_of("a/b/") == "b"
    assert name_of("a/..") == tmp_path.name
