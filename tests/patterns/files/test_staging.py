"""Where transfers wait: nothing partial gets a name, nothing is overwritten, and tricks with links gain nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from landline.errors import TransferError, TransferRefused
from landline.limits import FILES
from landline.patterns.files import staging as module
from landline.patterns.files.staging import Staging
from landline.protocol import staged
from landline.protocol.staged import Act, Note, Step
from tests.patterns.files.house import names

KEY = "0123456789abcdef"
PART = f".landline-{KEY}.part"


@contextmanager
def opened(folder: Path) -> Iterator[Staging]:
    """A transfer's folder, closed in every case."""
    staging = Staging(folder, KEY)
    try:
        yield staging
    finally:
        staging.close()


def arrive(staging: Staging, data: bytes, modified: int = 5) -> None:
    """A file comes whole."""
    staging.go_on(0)
    staging.write([data[:3], data[3:]])
    assert staging.digest() == hashlib.sha256(data).digest()
    staging.keep(modified)


def received(folder: Path, data: bytes, name: str = "name.txt") -> Path:
    """A file comes whole, gets its name, and the sender knows."""
    with opened(folder) as staging:
        arrive(staging, data)
        path = staging.publish(name, is_folder=False)
        staging.forget()
    return path


def test_a_file_waits_hidden_until_it_has_its_name(tmp_path: Path) -> None:
    """For our own user alone, from its first byte to its last."""
    with opened(tmp_path / "to") as staging:
        arrive(staging, b"hello")
        assert names(tmp_path / "to") == [PART, f"{PART}/data"]
        assert (tmp_path / "to" / PART).stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "to" / PART / "data").stat().st_mode & 0o777 == 0o600

        path = staging.publish("name.txt", is_folder=False)
        assert (path.read_bytes(), path.stat().st_mode & 0o777, path.stat().st_nlink) == (b"hello", 0o600, 1)
        staging.forget()

    assert names(tmp_path / "to") == ["name.txt"]


@pytest.mark.parametrize("kind", ["file", "link", "dead link", "folder", "pipe"])
def test_what_is_there_stays(tmp_path: Path, kind: str) -> None:
    """Whatever it is; the file takes a number behind its name."""
    there = tmp_path / "name.txt"
    outside = tmp_path / "outside"
    outside.write_text("mine")
    if kind == "file":
        there.write_text("mine")
    elif kind == "folder":
        there.mkdir()
    elif kind == "pipe":
        os.mkfifo(there)
    else:
        there.symlink_to(outside if kind == "link" else tmp_path / "nowhere")
    before = there.lstat()

    assert received(tmp_path, b"theirs") == tmp_path / "name (1).txt"
    assert received(tmp_path, b"theirs") == tmp_path / "name (2).txt"

    after = there.lstat()
    assert (before.st_ino, before.st_mtime_ns, before.st_size) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_size,
    )
    assert outside.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("kind", ["file", "link", "full folder"])
def test_a_folder_overwrites_nothing_either(tmp_path: Path, kind: str) -> None:
    """An empty folder of its name is filled, nothing else touched."""
    if kind == "file":
        (tmp_path / "album").write_text("mine")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "album").symlink_to("elsewhere")
    else:
        (tmp_path / "album").mkdir()
        (tmp_path / "album" / "mine").touch()

    with opened(tmp_path) as staging:
        arrive(staging, b"x")
        staging.place(["sub", "a"])
        assert staging.publish("album", is_folder=True) == tmp_path / "album (1)"
        staging.forget()

    assert names(tmp_path / "album (1)") == ["sub", "sub/a"]


def test_names_that_become_one_are_told_apart(tmp_path: Path) -> None:
    """Two files that are the same to this disk both stay, and a file that would have to be a folder."""
    with opened(tmp_path) as staging:
        for path in (["a"], ["a"], ["a", "b"]):
            arrive(staging, b"x")
            staging.place(path)
        staging.publish("album", is_folder=True)
        staging.forget()

    assert names(tmp_path / "album") == ["a", "a (1)", "a (2)", "a (2)/b"]


@pytest.mark.limit("files.entries")
def test_a_folder_has_only_so_many_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of an earlier try count as well; what is there already costs nothing more."""
    monkeypatch.setattr(module, "FILES", dataclasses.replace(FILES, entries=5))
    with opened(tmp_path) as staging:
        arrive(staging, b"x")
        staging.place(["sub", "deep", "a"])
    with opened(tmp_path) as staging:
        assert (staging.files, staging.folders) == (1, 2)
        for name in "bc":
            arrive(staging, b"x")
            staging.place(["sub", "deep", name])
        arrive(staging, b"x")
        with pytest.raises(TransferRefused, match="more than 5 files and folders"):
            staging.place(["d"])

    assert len(names(tmp_path / PART / "tree")) == 5


@pytest.mark.limit("files.numbers")
def test_there_are_only_so_many_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is told, and what came stays."""
    monkeypatch.setattr(staged, "numbered", lambda name: iter([name, name + " (1)"]))
    received(tmp_path, b"x")
    received(tmp_path, b"x")

    with pytest.raises(TransferError, match="too many files like name"):
        received(tmp_path, b"x")
    assert (tmp_path / PART / "data").read_bytes() == b"x"


def test_what_came_is_there_for_the_next(tmp_path: Path) -> None:
    """Its size and its hash; it goes on behind it."""
    with opened(tmp_path) as staging:
        staging.go_on(0)
        staging.write([b"hello "])

    with opened(tmp_path) as staging:
        assert staging.offset == 6
        assert staging.prefix() == hashlib.sha256(b"hello ").digest()
        staging.go_on(6)
        staging.write([b"world"])
        assert staging.digest() == hashlib.sha256(b"hello world").digest()
        staging.keep(1)
        assert staging.publish("x", is_folder=False).read_bytes() == b"hello world"


def test_what_is_wrong_goes(tmp_path: Path) -> None:
    """And nothing is left behind."""
    with opened(tmp_path) as staging:
        staging.go_on(0)
        staging.write([b"hello"])
        staging.reject()

    assert names(tmp_path) == []


def test_nothing_received_leaves_nothing(tmp_path: Path) -> None:
    """An offer alone fills no folder."""
    with opened(tmp_path):
        pass

    assert names(tmp_path) == []


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_has_its_name_is_remembered_until_the_sender_knows(tmp_path: Path, is_folder: bool) -> None:
    """Who comes back for it is told the name; where that is gone, it begins anew."""
    with opened(tmp_path) as staging:
        arrive(staging, b"hello")
        if is_folder:
            staging.place(["a"])
        path = staging.publish("x", is_folder=is_folder)

    with opened(tmp_path) as staging:
        assert staging.published == "x"
        assert staging.publish("other", is_folder=is_folder) == path
    path.rename(tmp_path / "moved")
    with opened(tmp_path) as staging:
        assert (staging.published, staging.offset, staging.files) == ("", 0, 0)


@pytest.mark.parametrize("change", ["another", "written to", "touched"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_what_has_its_name_and_is_another_is_not_taken_for_it(
    tmp_path: Path, is_folder: bool, change: str
) -> None:
    """The program moved ours away, and another sender's has the name by now; or it is not what came any more. It is received again, under a name of its own."""
    with opened(tmp_path) as staging:
        arrive(staging, b"hello")
        if is_folder:
            staging.place(["a"])
        path = staging.publish("x", is_folder=is_folder)
    inner = path / "b" if is_folder else path
    if change == "another":
        path.rename(tmp_path / "moved")
    elif change == "touched":
        os.utime(path, ns=(6, 6))
    if change != "touched":
        inner.parent.mkdir(exist_ok=True)
        inner.write_bytes(b"other")
    if change == "another":  # and nothing else is different
        os.utime(path, ns=(5, (tmp_path / "moved").stat().st_mtime_ns))

    with opened(tmp_path) as staging:
        assert (staging.published, staging.offset, staging.files) == ("", 0, 0)
        arrive(staging, b"hello")
        if is_folder:
            staging.place(["a"])
        assert staging.publish("x", is_folder=is_folder) == tmp_path / "x (1)"
    if change != "touched":
        assert inner.read_bytes() == b"other"


@pytest.mark.parametrize("step", ["link", "unlink", "rename", "fsync"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_death_at_any_step_costs_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, is_folder: bool
) -> None:
    """Whatever was done of giving it its name, the next process finishes: one file, one name."""

    class Death(BaseException):
        pass

    done = getattr(os, step)
    deaths = 0
    for at in range(1, 9):
        folder = tmp_path / f"to{at}"
        calls = 0

        def dies(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            result = done(*args, **options)
            if calls == at:  # noqa: B023 - called within this turn
                raise Death
            return result

        staging = Staging(folder, KEY)
        arrive(staging, b"hello")
        if is_folder:
            staging.place(["a"])
        monkeypatch.setattr(os, step, dies)
        try:
            staging.publish("x", is_folder=is_folder)
        except Death:
            deaths += 1
        finally:
            monkeypatch.setattr(os, step, done)
        staging._open.close()  # as a death would

        with opened(folder) as staging:
            if not staging.published and not is_folder:
                staging.prefix()
            assert staging.publish("x", is_folder=is_folder) == folder / "x"
            staging.forget()
        assert names(folder) == (["x", "x/a"] if is_folder else ["x"])

    assert deaths or (is_folder and step in {"link", "unlink"})


def no_links(*_: Any, **__: Any) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def no_rename_to_new(*_: Any, **__: Any) -> None:
    raise OSError(errno.EINVAL, "Invalid argument")


@pytest.mark.parametrize("has_rename", [True, False])
def test_a_disk_without_links_keeps_the_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_rename: bool
) -> None:
    """There the file is renamed in one step; or the name is taken first, where there is no such step either."""
    monkeypatch.setattr(os, "link", no_links)
    if not has_rename:
        monkeypatch.setattr(module, "rename_to_new", no_rename_to_new)
    (tmp_path / "name.txt").write_text("mine")

    assert received(tmp_path, b"theirs").read_bytes() == b"theirs"
    assert (tmp_path / "name.txt").read_text() == "mine"
    assert names(tmp_path) == ["name (1).txt", "name.txt"]


@pytest.mark.parametrize("step", ["open", "unlink", "rename", "fsync"])
def test_a_death_leaves_no_empty_file_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Under its final name there is all of it or nothing, after every step; the next process finishes it."""

    class Death(BaseException):
        pass

    monkeypatch.setattr(os, "link", no_links)
    done = getattr(os, step)
    for at in range(1, 5):
        folder = tmp_path / f"to{at}"
        calls = 0

        def dies(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            result = done(*args, **options)
            if calls == at:  # noqa: B023 - called within this turn
                raise Death
            return result

        staging = Staging(folder, KEY)
        arrive(staging, b"hello")
        with monkeypatch.context() as patched, contextlib.suppress(Death):
            patched.setattr(os, step, dies)
            staging.publish("x", is_folder=False)
        staging._open.close()  # as a death would

        assert not (folder / "x").exists() or (folder / "x").read_bytes() == b"hello"
        with opened(folder) as staging:
            assert staging.publish("x", is_folder=False) == folder / "x"
            staging.forget()
        assert names(folder) == ["x"]


def test_a_name_that_was_taken_in_vain_is_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails just then: what is here of it is the whole file, still hidden."""
    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(module, "rename_to_new", no_rename_to_new)
    done = os.rename

    def rename(name: str, new: str, **options: Any) -> None:
        if new == "x":
            raise OSError(errno.EIO, "Input/output error")
        done(name, new, **options)

    with opened(tmp_path) as staging:
        arrive(staging, b"hello")
        monkeypatch.setattr(os, "rename", rename)
        with pytest.raises(OSError, match="Input/output"):
            staging.publish("x", is_folder=False)

    assert names(tmp_path) == [PART, f"{PART}/data", f"{PART}/named"]


def test_two_processes_do_not_receive_the_same(tmp_path: Path) -> None:
    """The second is refused, and so is a second one here."""
    code = "import sys; from pathlib import Path; from landline.patterns.files.staging import Staging; Staging(Path(sys.argv[1]), sys.argv[2])"
    with opened(tmp_path):
        other = subprocess.run([sys.executable, "-c", code, tmp_path, KEY], capture_output=True, check=False)
        assert b"another program there is receiving the same" in other.stderr
        with pytest.raises(TransferRefused):
            Staging(tmp_path, KEY)

    with opened(tmp_path):
        pass


@pytest.mark.parametrize("target", ["folder", "file"])
def test_a_link_in_the_place_of_our_folder_is_not_followed(tmp_path: Path, target: str) -> None:
    """Somebody else may write to the same folder, and wait for us."""
    outside = tmp_path / "outside"
    outside.mkdir() if target == "folder" else outside.touch()
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / PART).symlink_to(outside)

    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        Staging(tmp_path / "to", KEY)
    assert outside.is_file() or names(outside) == []


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    """What came may have been put there by them."""
    (tmp_path / PART).mkdir()
    (tmp_path / PART).chmod(0o777)

    with pytest.raises(TransferRefused, match="others may write to it"):
        Staging(tmp_path, KEY)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_or_a_device_in_the_place_of_the_data_is_not_written_to(tmp_path: Path, kind: str) -> None:
    """Nor waited for."""
    (tmp_path / PART).mkdir(mode=0o700)
    outside = tmp_path / "outside"
    outside.write_text("mine")
    if kind == "link":
        (tmp_path / PART / "data").symlink_to(outside)
    else:
        os.mkfifo(tmp_path / PART / "data")

    with opened(tmp_path) as staging:
        with pytest.raises((OSError, TransferError)):
            staging.go_on(0)
    assert outside.read_text() == "mine"


def test_links_that_are_swapped_in_while_it_works_gain_nothing(tmp_path: Path) -> None:
    """Somebody puts a link to another folder in the place of the final name, and takes it away, as fast as they can."""
    victim = tmp_path / "victim"
    victim.mkdir()
    to = tmp_path / "to"
    to.mkdir()
    over = threading.Event()

    def swap() -> None:
        trap = to / "name.txt"
        while not over.is_set():
            with contextlib.suppress(FileExistsError):
                trap.symlink_to(victim / "planted")
            trap.unlink()

    racing = threading.Thread(target=swap)
    racing.start()
    try:
        for _ in range(50):
            received(to, b"theirs")
    finally:
        over.set()
        racing.join()

    assert names(victim) == []


def test_the_folder_is_held_by_itself_not_by_its_name(tmp_path: Path) -> None:
    """It is moved away, and a link put in its place: what comes goes where it began."""
    to, victim = tmp_path / "to", tmp_path / "victim"
    victim.mkdir()
    with opened(to) as staging:
        arrive(staging, b"hello")
        to.rename(tmp_path / "moved")
        to.symlink_to(victim)
        staging.publish("x", is_folder=False)
        staging.forget()

    assert names(victim) == []
    assert names(tmp_path / "moved") == ["x"]


@pytest.mark.parametrize("step", ["open", "link", "unlink", "rename", "fsync", "mkdir"])
@pytest.mark.parametrize("has_links", [True, False])
def test_a_death_while_a_file_of_a_folder_finds_its_place_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, has_links: bool
) -> None:
    """The next process knows it as complete, or as all here and not placed; and what it writes next goes into no file that was placed."""

    class Death(BaseException):
        pass

    if not has_links:
        monkeypatch.setattr(os, "link", no_links)
    done = getattr(os, step)
    for at in range(1, 9):
        folder = tmp_path / f"to{at}"
        calls = 0

        def dies(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            result = done(*args, **options)
            if calls == at:  # noqa: B023 - called within this turn
                raise Death
            return result

        staging = Staging(folder, KEY)
        arrive(staging, b"first")
        with monkeypatch.context() as patched, contextlib.suppress(Death):
            patched.setattr(os, step, dies)
            staging.place(["sub", "a"])
        staging._open.close()  # as a death would

        with opened(folder) as staging:
            here = (staging.files, staging.before, staging.offset)
            assert here in {(1, 5, 0), (0, 0, 5)}
            if not staging.files:
                arrive(staging, b"first")
                staging.place(["sub", "a"])
            arrive(staging, b"the second")
            staging.place(["b"])
            path = staging.publish("x", is_folder=True)
        assert (path / "sub" / "a").read_bytes() == b"first"
        assert names(path) == ["b", "sub", "sub/a"]


def test_a_file_that_has_its_name_is_never_written_to_again(tmp_path: Path) -> None:
    """Its receiver died just then: to the next it is received, whatever its sender says."""
    staging = Staging(tmp_path, KEY)
    arrive(staging, b"hello")
    for act in (Act.WRITE_NOTE, Act.KEEP_NOTE):
        staging._do(Step(act, "x"))
    os.link(tmp_path / PART / "data", tmp_path / "x")
    staging._open.close()  # as a death would

    with opened(tmp_path) as staging:
        assert (staging.published, staging.offset) == ("x", 0)
        staging.go_on(0)
    assert (tmp_path / "x").read_bytes() == b"hello"


def forged(path: Path) -> list[int]:
    """What a note says of what is there, so that it would pass for ours."""
    if not path.exists():
        return []
    about = path.stat()
    return [about.st_ino, about.st_size, about.st_mtime_ns]


@pytest.mark.parametrize("named", ["../planted", "..", ".", "sub/planted", "/tmp/landline-planted"])
def test_a_name_that_we_did_not_write_is_not_taken(tmp_path: Path, named: str) -> None:
    """Somebody sent a folder in which there is one like ours, and we receive into that."""
    to = tmp_path / "to"
    (to / PART).mkdir(mode=0o700, parents=True)
    (to / "sub").mkdir()
    note = Note(named, *forged(to / "sub" / named))
    (to / PART / "named").write_bytes(note.packed())

    with opened(to) as staging:
        arrive(staging, b"hello")
        assert staging.publish("x", is_folder=False) == to / "x"
        staging.forget()

    assert names(tmp_path) == ["to", "to/sub", "to/x"]


def test_a_new_folder_within_a_folder_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that a file is placed in, before the file counts as placed: a folder that is lost takes its files with it."""
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with opened(tmp_path) as staging:
        arrive(staging, b"hello")
        staging.place(["a", "b", "c"])
        tree = tmp_path / PART / "tree"
        for path in (tree, tree / "a", tree / "a" / "b"):
            assert path.stat().st_ino in synced


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done on the disk, in its order."""
    done: list[str] = []
    sync, link, unlink, rename = os.fsync, os.link, os.unlink, os.rename

    def synced(descriptor: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        sync(descriptor)

    def said(word: str, call: Any) -> Any:
        def do(name: str, *rest: Any, **options: Any) -> None:
            call(name, *rest, **options)
            done.append(f"{word} {name}")

        return do

    monkeypatch.setattr(os, "fsync", synced)
    for word, call in (("link", link), ("unlink", unlink), ("rename", rename)):
        monkeypatch.setattr(os, word, said(word, call))
    return done


def test_the_note_of_a_name_is_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a power cut leaves a file of which nobody knows whose it is, and it comes a second time."""
    with opened(tmp_path / "to") as staging:
        arrive(staging, b"hello")
        done = recorded(monkeypatch)
        staging.publish("x", is_folder=False)

    order = ["sync named.new", "rename named.new", f"sync {PART}", "link data", "sync to", "unlink data"]
    assert [each for each in done if each != "unlink named.new"] == order


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_a_process_did_not_live_to_see_on_the_disk_the_next_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_folder: bool
) -> None:
    """Its sender is told that it is there, and a power cut must not undo that."""
    staging = Staging(tmp_path / "to", KEY)
    arrive(staging, b"hello")
    if is_folder:
        staging.place(["sub", "a"])
        wanted = ["sync tree", "sync sub"]
    else:
        for act in (Act.WRITE_NOTE, Act.KEEP_NOTE, Act.NAME_DATA):
            staging._do(Step(act, "x"))
        wanted = ["sync to", "unlink data"]
    staging._open.close()  # as a death would
    done = recorded(monkeypatch)

    with opened(tmp_path / "to"):
        assert done == wanted
