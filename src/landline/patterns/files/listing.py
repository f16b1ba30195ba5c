"""What a sender offers: one file, or all that a folder holds, in an order that is always the same. Links and devices are not followed.

What is sent is opened once and held open; all below it is reached from there, one name after the other. So nobody who swaps a folder or a file for a link, at
whatever moment, has anything sent that is outside.
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from ...errors import TransferError
from ...limits import FILES

_FILE_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW


class Found(NamedTuple):
    """A file to send."""

    path: tuple[str, ...]
    """Below the folder that is sent; of a single file its name."""
    root: str
    """What is sent, as its path was given."""
    names: tuple[str, ...]
    """The way from there to this file, as the disk has it: none where it is what is sent."""
    size: int
    modified: int
    """In nanoseconds since 1970."""

    @property
    def where(self) -> str:
        """Its path, to show."""
        return os.path.join(self.root, *self.names)  # noqa: PTH118 - names that are no text


class Listing(NamedTuple):
    """What is sent."""

    id: bytes
    """Of these files as they are now; another one when one of them changes."""
    is_folder: bool
    files: list[Found]
    skipped: int
    """Links and what is no file: neither is sent."""

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(found.size for found in self.files)


def open_root(path: str | os.PathLike[str]) -> int:
    """Return a descriptor of what is to be sent. A link that somebody names is followed: they mean what it points to.

    Raises:
        TransferError: it cannot be read, or is no file.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - of a device even to open it may do something
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise TransferError(f"{path} is neither a file nor a folder")
        return os.open(path, _FILE_FLAGS)
    except OSError as error:
        raise unreadable(str(path), error) from error


def list_files(path: str | os.PathLike[str], root: int) -> Listing:
    """Return what there is to send.

    Args:
        path: what is called so.
        root: the same, open.

    Raises:
        TransferError: it cannot be read, is no file, or is too much.
    """
    where = Path(path)
    try:
        about = os.fstat(root)
        if stat.S_ISDIR(about.st_mode):
            files, skipped = _walk(str(where), root)
            return Listing(_id_of(where, about.st_ino, files), True, files, skipped)
        if not stat.S_ISREG(about.st_mode):
            raise TransferError(f"{path} is neither a file nor a folder")
        files = [Found((_text(where.name),), str(where), (), about.st_size, about.st_mtime_ns)]
        return Listing(_id_of(where, about.st_ino, files), False, files, 0)
    except OSError as error:
        raise unreadable(str(path), error) from error


def name_of(path: str | os.PathLike[str]) -> str:
    """Return what a file or folder is called, however its path is written."""
    return _text(Path(os.path.abspath(path)).name)  # noqa: PTH100 - a link's own name


def open_found(found: Found, root: int) -> int:
    """Return a descriptor of a file that was listed.

    Args:
        found: the file.
        root: what is sent, open.

    Raises:
        TransferError: it cannot be read, or is another one by now.
    """
    try:
        descriptor = _open_below(root, found.names)
    except OSError as error:
        raise unreadable(found.where, error) from error
    try:
        see_unchanged(found, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def see_unchanged(found: Found, descriptor: int) -> None:
    """See that it is the file that was listed.

    Raises:
        TransferError: it is not.
    """
    about = os.fstat(descriptor)
    if (about.st_size, about.st_mtime_ns) != (found.size, found.modified) or not stat.S_ISREG(about.st_mode):
        raise TransferError(f"{found.where} changed while it was sent")


def unreadable(path: str, error: OSError) -> TransferError:
    """Return the error for a file that cannot be read."""
    return TransferError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}")


def _open_below(root: int, names: tuple[str, ...]) -> int:
    if not names:
        descriptor = os.dup(root)
        os.lseek(descriptor, 0, os.SEEK_SET)  # which both have in common
        return descriptor
    folder = _open_folder(root, names[:-1])
    try:
        return os.open(names[-1], _FILE_FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _open_folder(root: int, names: tuple[str, ...]) -> int:
    folder = os.dup(root)
    for name in names:
        try:
            inner = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


def _walk(root: str, opened: int) -> tuple[list[Found], int]:
    files: list[Found] = []
    skipped = entries = 0
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        below = waiting.pop()
        names, folders = [], []
        folder = _open_folder(opened, below)
        try:
            with os.scandir(folder) as found:
                for entry in found:
                    entries += 1
                    if entries > FILES.entries:  # one by one: a folder may have more than fit in memory
                        raise TransferError(
                            f"{root} has more than {FILES.entries:,} files, folders and other entries"
                        )
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    else:
                        names.append(entry.name)
            for name in sorted(names):
                about = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISREG(about.st_mode):
                    skipped += 1
                    continue
                inner = (*below, name)
                _see_depth(root, len(inner))
                files.append(Found(tuple(map(_text, inner)), root, inner, about.st_size, about.st_mtime_ns))
                if len(files) > FILES.files:
                    raise TransferError(f"{root} has more than {FILES.files:,} files")
        finally:
            os.close(folder)
        if folders:
            _see_depth(root, len(below) + 1)
        waiting += [(*below, name) for name in sorted(folders, reverse=True)]
    return files, skipped


def _see_depth(folder: str, depth: int) -> None:
    if depth > FILES.depth:
        raise TransferError(f"{folder} has folders within folders, {depth} deep: {FILES.depth} can be sent")


def _id_of(path: Path, number: int, files: list[Found]) -> bytes:
    identity = [
        socket.gethostname(),
        str(path.resolve()),
        number,
        [(found.size, found.modified) for found in files],
    ]
    names = [found.path for found in files]
    packed = msgspec.msgpack.encode([repr(identity), names])
    return hashlib.sha256(b"landline file 1\0" + packed).digest()[:16]


def _text(name: str) -> str:
    """Return a name as it can be sent: what is no valid text in it is replaced."""
    return name.encode(errors="replace").decode()
