"""Where a transfer is until it is whole: a hidden folder of our own beside its final name, which outlives sessions and processes.

``.landline-<key>.part/`` holds ``data``, the file that is arriving; ``tree/``, the complete files of a folder; and ``named``, the final name,
once that is taken. Nothing gets its final name before it is whole, verified and on the disk, and nothing is ever overwritten: in which order that is done,
and what is made of what a death leaves, says ``protocol.staged``. Everything is done relative to open folders and without following links, so who swaps
one for a link meanwhile gains nothing. To be used in a thread.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from ...errors import TransferError, TransferRefused
from ...limits import FILES
from ...protocol.filenames import numbered
from ...protocol.staged import (
    PREFIX,
    SUFFIX,
    Act,
    Found,
    Note,
    Standing,
    Step,
    publish,
    read_note,
    reject,
    take,
    take_up,
)
from .naming import NOT_HERE, rename_to_new

_DATA: Final = "data"
TREE: Final = "tree"
NAMED: Final = "named"

_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NOTE_SIZE: Final = FILES.name + 64
"""Bytes of a note, and more."""
_TAKEN: Final = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})


class Staging:
    """One transfer's folder, locked while it is open.

    Args:
        folder: where the result goes. It is made where it is not there.
        key: tells transfers apart: letters and digits.
        goes_on: somebody would go on with it; otherwise it is only looked at, and is as old as before.

    Attributes:
        published: the final name, where everything was complete before.
        files, before: how many complete files of a folder are here, and their bytes.
        folders: how many folders they are in, below the one that is received.
        offset: bytes of the next.

    Raises:
        TransferRefused: another process has it open.
        OSError: the folder cannot be used.
    """

    def __init__(self, folder: Path, key: str, *, goes_on: bool = True) -> None:
        self._folder_path = folder
        self._name = f"{PREFIX}{key}{SUFFIX}"
        self._data: int | None = None
        self._hash = hashlib.sha256()
        self.published = ""
        self.files = self.folders = self.before = self.offset = 0
        with contextlib.ExitStack() as stack:
            folder.mkdir(parents=True, exist_ok=True)
            self._folder = os.open(folder, _FOLDER_FLAGS)
            stack.callback(os.close, self._folder)
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._name, 0o700, dir_fd=self._folder)
            self._own = os.open(self._name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=self._folder)
            stack.callback(os.close, self._own)
            self._look()
            if goes_on:
                os.utime(self._own)  # somebody cares for it
            self._open = stack.pop_all()

    def _look(self) -> None:
        about = os.fstat(self._own)
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            raise TransferRefused(f"{self._name} there belongs to somebody else, or others may write to it")
        try:
            fcntl.flock(self._own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TransferRefused("another program there is receiving the same just now") from None
        names = set(os.listdir(self._own))  # noqa: PTH208 - a descriptor
        note = self._read_note()
        found = Found(
            note.name,
            is_ours=bool(note.name) and note == _note_of(note.name, note.name, self._folder),
            is_data=bool(note.name) and _DATA in names and self._is_data(note.name),
            has_data=_DATA in names,
            has_tree=TREE in names,
        )
        self.published = take(take_up(found), self._do)
        if TREE in names:
            self.files, self.folders, self.before = _measure(self._own, TREE)
        with contextlib.suppress(FileNotFoundError):
            about = os.stat(_DATA, dir_fd=self._own, follow_symlinks=False)
            self.offset = about.st_size

    @property
    def standing(self) -> Standing:
        """How far it is."""
        return Standing(self.published, self.files, self.before, self.offset)

    @property
    def room(self) -> int:
        """Bytes that the disk has left for us."""
        about = os.fstatvfs(self._folder)
        return about.f_bavail * about.f_frsize

    # A file arrives...

    def prefix(self) -> bytes:
        """Return the SHA-256 of what is here of the next file."""
        data = self._open_data()
        os.lseek(data, 0, os.SEEK_SET)
        self._hash, left = hashlib.sha256(), self.offset
        while left:
            piece = os.read(data, min(left, FILES.read))
            if not piece:
                raise TransferError("what had come of it was cut off meanwhile")
            self._hash.update(piece)
            left -= len(piece)
        return self._hash.digest()

    def go_on(self, offset: int) -> None:
        """Write from here on: 0, or where ``prefix`` ended."""
        if not offset:
            self._hash = hashlib.sha256()
        data = self._open_data()
        os.ftruncate(data, offset)
        os.lseek(data, offset, os.SEEK_SET)
        self.offset = offset

    def write(self, pieces: Iterable[bytes]) -> None:
        """Write what comes next.

        Raises:
            OSError: the disk is full, for example; what was written stays.
        """
        data = self._open_data()
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                written = os.write(data, rest)
                self._hash.update(rest[:written])
                rest = rest[written:]
                self.offset += written

    def digest(self) -> bytes:
        """Return the SHA-256 of what is here of it."""
        return self._hash.digest()

    def reject(self) -> None:
        """What came of it goes."""
        take(reject(), self._do)
        self.offset = 0

    def keep(self, modified: int) -> None:
        """See the file on the disk; ``modified`` is in nanoseconds since 1970."""
        data = self._open_data()
        with contextlib.suppress(OSError, OverflowError):  # a time that this disk cannot keep
            os.utime(data, ns=(modified, modified))
        self._do(Step(Act.SYNC_DATA))
        self._close_data()

    def place(self, path: list[str]) -> None:
        """Put the file where it belongs in its folder, under names that are clean.

        Raises:
            TransferRefused: the folder has too many files and folders with it.
        """
        with contextlib.ExitStack() as stack:
            self._do(Step(Act.MAKE_TREE))
            below = _open_folder(self._own, TREE)
            stack.callback(os.close, below)
            for name in path[:-1]:
                below, is_new = _make_folder(below, name)
                stack.callback(os.close, below)
                self.folders += is_new
            if self.files + self.folders >= FILES.entries:
                raise TransferRefused(f"it has more than {FILES.entries:,} files and folders")
            for name in numbered(path[-1]):
                if not _is_there(below, name):
                    # In one step, so that whoever dies here leaves it in one place. The tree is ours alone: nobody takes the name meanwhile.
                    os.rename(_DATA, name, src_dir_fd=self._own, dst_dir_fd=below)
                    break
            else:
                raise TransferError(f"there are too many files like {path[-1]}")
            os.fsync(below)
        self.files, self.before, self.offset = self.files + 1, self.before + self.offset, 0
        self._hash = hashlib.sha256()

    # ... and everything has.

    def publish(self, name: str, *, is_folder: bool) -> Path:
        """Give it its final name, or another like it where that is taken; return where it is.

        Raises:
            TransferError: too many like it are there.
            OSError: it cannot be.
        """
        if not self.published:
            self.published = take(publish(name, self._read_note().name, is_folder=is_folder), self._do)
        return self._folder_path / self.published

    def forget(self) -> None:
        """The sender knows: nothing is to be remembered of it."""
        shutil.rmtree(self._name, ignore_errors=True, dir_fd=self._folder)

    def close(self) -> None:
        """Let go of it; what came stays, unless nothing did."""
        self._close_data()
        if not (self.files or self.offset or self.published):
            self.forget()
        self._open.close()

    # One step each...

    def _do(self, step: Step) -> bool:
        done = _DOING[step.act](self, step.name)
        return True if done is None else done

    def _sync_data(self, _: str) -> None:
        os.fsync(self._open_data())

    def _drop_data(self, _: str) -> None:
        self._close_data()
        with contextlib.suppress(FileNotFoundError):  # a disk without links has none left
            os.unlink(_DATA, dir_fd=self._own)

    def _write_note(self, name: str) -> None:
        self._drop(f"{NAMED}.new")
        noted = _note_of(name, TREE, self._own) or _note_of(name, _DATA, self._own) or Note(name)
        note = os.open(f"{NAMED}.new", _NEW_FLAGS, 0o600, dir_fd=self._own)
        try:
            os.write(note, noted.packed())
        finally:
            os.close(note)

    def _sync_note(self, _: str) -> None:
        note = os.open(f"{NAMED}.new", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._own)
        try:
            os.fsync(note)
        finally:
            os.close(note)

    def _keep_note(self, _: str) -> None:
        os.rename(f"{NAMED}.new", NAMED, src_dir_fd=self._own, dst_dir_fd=self._own)

    def _drop_note(self, _: str) -> None:
        self._drop(NAMED)

    def _sync_own(self, _: str) -> None:
        os.fsync(self._own)

    def _sync_folder(self, _: str) -> None:
        os.fsync(self._folder)

    def _make_tree(self, _: str) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(TREE, 0o700, dir_fd=self._own)

    def _sync_tree(self, _: str) -> None:
        for *_about, folder in os.fwalk(TREE, dir_fd=self._own, follow_symlinks=False):
            os.fsync(folder)

    def _name_tree(self, name: str) -> bool:
        try:
            # Onto what is there it fails, but for an empty folder.
            os.rename(TREE, name, src_dir_fd=self._own, dst_dir_fd=self._folder)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True

    def _name_data(self, name: str) -> bool:
        try:
            os.link(_DATA, name, src_dir_fd=self._own, dst_dir_fd=self._folder, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._name_data_without_links(name)
        return True

    def _name_data_without_links(self, name: str) -> bool:
        try:
            rename_to_new(_DATA, name, src_dir_fd=self._own, dst_dir_fd=self._folder)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NOT_HERE:
                raise
        else:
            return True
        # Nor has it this: the name is taken first, and the file put in the place of what takes it. Who dies in between leaves an empty file;
        # to look whether the name is free, and rename then, would overwrite what somebody else puts there in between.
        try:
            os.close(os.open(name, _NEW_FLAGS, 0o600, dir_fd=self._folder))
        except FileExistsError:
            return False
        try:
            os.rename(_DATA, name, src_dir_fd=self._own, dst_dir_fd=self._folder)
        except OSError:
            os.unlink(name, dir_fd=self._folder)
            raise
        return True

    def _drop(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._own)

    # ... on what is open.

    def _is_data(self, name: str) -> bool:
        with contextlib.suppress(FileNotFoundError):
            there = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
            return os.path.samestat(there, os.stat(_DATA, dir_fd=self._own, follow_symlinks=False))
        return False

    def _open_data(self) -> int:
        if self._data is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            data = os.open(_DATA, flags, 0o600, dir_fd=self._own)
            if not stat.S_ISREG(os.fstat(data).st_mode):
                os.close(data)
                raise TransferError("what had come of it is no file any more")
            self._data = data
        return self._data

    def _close_data(self) -> None:
        if self._data is not None:
            os.close(self._data)
            self._data = None

    def _read_note(self) -> Note:
        with contextlib.suppress(OSError):
            note = os.open(NAMED, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._own)
            try:
                return read_note(os.read(note, _NOTE_SIZE))
            finally:
                os.close(note)
        return Note()


_DOING: Final[dict[Act, Callable[[Staging, str], bool | None]]] = {
    Act.SYNC_DATA: Staging._sync_data,
    Act.DROP_DATA: Staging._drop_data,
    Act.WRITE_NOTE: Staging._write_note,
    Act.SYNC_NOTE: Staging._sync_note,
    Act.KEEP_NOTE: Staging._keep_note,
    Act.DROP_NOTE: Staging._drop_note,
    Act.SYNC_OWN: Staging._sync_own,
    Act.MAKE_TREE: Staging._make_tree,
    Act.SYNC_TREE: Staging._sync_tree,
    Act.NAME_DATA: Staging._name_data,
    Act.NAME_TREE: Staging._name_tree,
    Act.SYNC_FOLDER: Staging._sync_folder,
}
"""How each step is taken."""


def _is_there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _note_of(name: str, there: str, folder: int) -> Note | None:
    """Return a note that what is there, if something is, has this name or is to have it."""
    with contextlib.suppress(OSError):
        about = os.stat(there, dir_fd=folder, follow_symlinks=False)
        return Note(name, about.st_ino, about.st_size, about.st_mtime_ns)
    return None


def _open_folder(below: int, name: str) -> int:
    return os.open(name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=below)


def _make_folder(below: int, name: str) -> tuple[int, bool]:
    """Return a folder of this name, or of one like it where a file has it, and whether it is new."""
    for candidate in numbered(name):
        is_new = False
        with contextlib.suppress(FileExistsError):
            os.mkdir(candidate, 0o700, dir_fd=below)
            os.fsync(below)
            is_new = True
        with contextlib.suppress(NotADirectoryError):
            return _open_folder(below, candidate), is_new
    raise TransferError(f"there are too many files like {name}")


def _measure(below: int, name: str) -> tuple[int, int, int]:
    """Return how many files and folders a tree has, and the bytes of its files."""
    files = folders = size = 0
    for _, inner, names, folder in os.fwalk(name, dir_fd=below, follow_symlinks=False):
        folders += len(inner)
        files += len(names)
        size += sum(os.stat(each, dir_fd=folder, follow_symlinks=False).st_size for each in names)
    return files, folders, size
