"""What a sender offers: always the same for the same files, and nothing that a link points to."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from landline.errors import TransferError
from landline.limits import FILES
from landline.patterns.files import listing as module
from landline.patterns.files.listing import Listing, list_files, name_of, open_found, open_root
from tests.patterns.files.house import content, make_file, make_tree


@contextmanager
def opened(path: str | Path) -> Iterator[int]:
    """What is sent, open, and closed in every case."""
    root = open_root(path)
    try:
        yield root
    finally:
        os.close(root)


def listed(path: str | Path) -> Listing:
    """What there is to send."""
    with opened(path) as root:
        return list_files(path, root)


def test_the_same_files_have_the_same_id(tmp_path: Path) -> None:
    """However their path is written; a change of any makes it another one."""
    folder = make_tree(tmp_path / "f")
    before = listed(folder)

    assert listed(f"{tmp_path}/./f/../f") == before._replace(files=listed(f"{tmp_path}/./f/../f").files)
    os.utime(folder / "sub" / "c", ns=(1, 1))
    after = listed(folder)
    assert after.id != before.id
    (folder / "sub" / "c").rename(folder / "sub" / "d")
    assert listed(folder).id not in {before.id, after.id}
    assert listed(folder / "a.txt").id != listed(folder / "sub" / "d").id


def test_a_folder_is_listed_in_order(tmp_path: Path) -> None:
    """The order is part of where a transfer goes on."""
    listing = listed(make_tree(tmp_path / "f"))

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

    assert listed(tmp_path / "link").files[0].size == 3
    assert listed(tmp_path / "f" / "b").files[0].size == 3
    assert [found.path for found in listed(tmp_path / "f").files] == [("a",)]


def test_what_became_a_link_meanwhile_is_not_opened(tmp_path: Path) -> None:
    """Within a folder nothing outside is sent, whoever swaps it in."""
    make_file(tmp_path / "f" / "a", 3)
    with opened(tmp_path / "f") as root:
        found = list_files(tmp_path / "f", root).files[0]
        (tmp_path / "f" / "a").rename(tmp_path / "secret")
        (tmp_path / "f" / "a").symlink_to("../secret")

        with pytest.raises(TransferError, match="cannot be read"):
            open_found(found, root)


@pytest.mark.parametrize("swapped", ["f/sub", "f/sub/deep", "f"])
def test_a_folder_that_became_a_link_meanwhile_is_not_gone_through(tmp_path: Path, swapped: str) -> None:
    """What it points to looks the same, to the second, and is another's: it is not sent, wherever on the way the link is."""
    for top in ("f", "secret"):
        os.utime(make_file(tmp_path / top / "sub" / "deep" / "a", 3), ns=(1, 1))
    (tmp_path / "secret" / "sub" / "deep" / "a").write_bytes(b"key")
    os.utime(tmp_path / "secret" / "sub" / "deep" / "a", ns=(1, 1))
    with opened(tmp_path / "f") as root:
        found = list_files(tmp_path / "f", root).files[0]
        (tmp_path / swapped).rename(tmp_path / "away")
        (tmp_path / swapped).symlink_to(tmp_path / swapped.replace("f", "secret", 1))

        if swapped == "f":  # what is sent is still that which was named
            with os.fdopen(open_found(found, root), "rb") as file:
                assert file.read() == content(3)
        else:
            with pytest.raises(TransferError, match="cannot be read: not a directory"):
                open_found(found, root)


def test_a_folder_that_becomes_a_link_while_it_is_listed_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was a folder when its own folder was looked through, and a link when its turn comes."""
    make_file(tmp_path / "f" / "sub" / "a", 3)
    make_file(tmp_path / "secret" / "key", 3)
    scan = os.scandir

    def swapping(folder: int) -> Any:
        found = scan(folder)
        if (tmp_path / "f" / "sub").is_dir() and not (tmp_path / "f" / "sub").is_symlink():
            entries = list(found)
            (tmp_path / "f" / "sub").rename(tmp_path / "away")
            (tmp_path / "f" / "sub").symlink_to(tmp_path / "secret")
            return contextlib.nullcontext(entries)
        return found

    monkeypatch.setattr(os, "scandir", swapping)
    with pytest.raises(TransferError, match="cannot be read: not a directory"):
        listed(tmp_path / "f")


@pytest.mark.limit("files.depth")
def test_a_folder_is_only_so_deep(tmp_path: Path) -> None:
    """A path of so many names, and no longer."""
    path = tmp_path / "f"
    make_file(path.joinpath(*["d"] * (FILES.depth - 1), "a"), 1)
    assert len(listed(path).files[0].path) == FILES.depth

    make_file(path.joinpath(*["d"] * FILES.depth, "a"), 1)
    with pytest.raises(TransferError, match="33 deep: 32 can be sent"):
        listed(path)


def test_folders_without_files_are_only_so_deep_either(tmp_path: Path) -> None:
    """Nothing of them is sent, and they are not looked through for ever."""
    path = tmp_path / "f"
    path.joinpath(*["d"] * FILES.depth).mkdir(parents=True)
    assert listed(path).files == []

    path.joinpath(*["d"] * (FILES.depth + 1)).mkdir()
    with pytest.raises(TransferError, match="33 deep: 32 can be sent"):
        listed(path)


@pytest.mark.limit("files.files")
def test_a_folder_has_only_so_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is too much."""
    for name in "abc":
        make_file(tmp_path / "f" / name, 1)
    monkeypatch.setattr(module, "FILES", dataclasses.replace(FILES, files=3))
    assert len(listed(tmp_path / "f").files) == 3

    make_file(tmp_path / "f" / "d", 1)
    with pytest.raises(TransferError, match="more than 3 files"):
        listed(tmp_path / "f")


@pytest.mark.limit("files.entries")
def test_a_folder_has_only_so_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty folders and what is not sent are looked at as well."""
    make_file(tmp_path / "f" / "sub" / "a", 1)
    (tmp_path / "f" / "empty").mkdir()
    (tmp_path / "f" / "link").symlink_to("gone")
    monkeypatch.setattr(module, "FILES", dataclasses.replace(FILES, entries=4))
    assert (len(listed(tmp_path / "f").files), listed(tmp_path / "f").skipped) == (1, 1)

    (tmp_path / "f" / "empty" / "more").mkdir()
    with pytest.raises(TransferError, match="more than 4 files, folders and other entries"):
        listed(tmp_path / "f")


def test_what_vanishes_while_it_is_looked_at_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there, and then it was not: the library's own error says so, as of one that never was."""
    make_file(tmp_path / "f" / "a", 1)
    with opened(tmp_path / "f") as root:
        found = list_files(tmp_path / "f", root).files[0]
        shutil.rmtree(tmp_path / "f")
        with pytest.raises(TransferError, match="f/a cannot be read: no such file"):
            open_found(found, root)
    with pytest.raises(TransferError, match="cannot be read: no such file"):
        open_root(tmp_path / "f")

    make_file(tmp_path / "f" / "sub" / "a", 1)
    stat = os.stat

    def vanishes(path: Any, **options: Any) -> os.stat_result:
        if path == "a":
            shutil.rmtree(tmp_path / "f")
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", vanishes)
    with pytest.raises(TransferError, match="cannot be read: no such file"):
        listed(tmp_path / "f")


def test_what_is_neither_a_file_nor_a_folder_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it opened, unless it takes a file's place in the very moment."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TransferError, match="neither a file nor a folder"):
        open_root(tmp_path / "pipe")

    about = make_file(tmp_path / "a", 1).stat()
    monkeypatch.setattr(os, "stat", lambda _: about)
    with pytest.raises(TransferError, match="neither a file nor a folder"):
        listed(tmp_path / "pipe")


def test_a_name_that_is_no_text_can_be_sent(tmp_path: Path) -> None:
    """What is no text in it is replaced."""
    make_file(Path(os.fsdecode(os.fsencode(tmp_path) + b"/f/\xff\xfe.txt")), 1)

    assert listed(tmp_path / "f").files[0].path == ("??.txt",)


def test_what_a_path_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the folder that one is in."""
    monkeypatch.chdir(tmp_path)

    assert name_of(".") == tmp_path.name
    assert name_of("a/b/") == "b"
    assert name_of("a/..") == tmp_path.name
