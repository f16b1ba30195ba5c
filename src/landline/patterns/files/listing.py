"""What a sender offers: one file, or all that a folder holds, in an order that is always the same. Links and devices are not followed."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from pathlib import Path
from typing import NamedTuple

import msgspec

from ...errors import TransferError
from ...limits import FILES


class Found(NamedTuple):
    """A file to send."""

    path: tuple[str, ...]
    """Below the folder that is sent; of a single file its name."""
    where: str
    size: int
    modified: int
    """In nanoseconds since 1970."""


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


def list_files(path: str | os.PathLike[str]) -> Listing:
    """Return what there is to send.

    Raises:
        TransferError: it cannot be read, is no file, or is too much.
    """
    where = Path(path)
    try:
        about = where.stat()
        if stat.S_ISDIR(about.st_mode):
            files, skipped = _walk(where)
            return Listing(_id_of(where, files), True, files, skipped)
        if not stat.S_ISREG(about.st_mode):
            raise TransferError(f"{path} is neither a file nor a folder")
        files = [Found((_text(where.name),), str(where), about.st_size, about.st_mtime_ns)]
        return Listing(_id_of(where, files), False, files, 0)
    except OSError as error:
        raise unreadable(str(path), error) from error


def name_of(path: str | os.PathLike[str]) -> str:
    """Return what a file or folder is called, however its path is written."""
    return _text(Path(os.path.abspath(path)).name)  # noqa: PTH100 - a link's own name


def open_found(found: Found, *, is_link_followed: bool) -> int:
    """Return a descriptor of a file that was listed.

    Raises:
        TransferError: it cannot be read, or is another one by now.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if is_link_followed else os.O_NOFOLLOW)
    try:
        descriptor = os.open(found.where, flags)
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


def _walk(folder: Path) -> tuple[list[Found], int]:
    files: list[Found] = []
    skipped = entries = 0
    waiting: list[tuple[tuple[str, ...], str]] = [((), str(folder))]
    while waiting:
        below, where = waiting.pop()
        names, folders = [], []
        with os.scandir(where) as found:
            for entry in found:
                entries += 1
                if entries > FILES.entries:  # one by one: a folder may have more than fit in memory
                    raise TransferError(
                        f"{folder} has more than {FILES.entries:,} files, folders and other entries"
                    )
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    names.append(entry.name)
        for name in sorted(names):
            about = os.lstat(os.path.join(where, name))  # noqa: PTH118 - of 100,000 files, paths would take seconds
            if not stat.S_ISREG(about.st_mode):
                skipped += 1
                continue
            path = (*map(_text, below), _text(name))
            _see_depth(folder, len(path))
            files.append(Found(path, os.path.join(where, name), about.st_size, about.st_mtime_ns))  # noqa: PTH118 - likewise
            if len(files) > FILES.files:
                raise TransferError(f"{folder} has more than {FILES.files:,} files")
        if folders:
            _see_depth(folder, len(below) + 1)
        waiting += [((*below, name), os.path.join(where, name)) for name in sorted(folders, reverse=True)]  # noqa: PTH118 - likewise
    return files, skipped


def _see_depth(folder: Path, depth: int) -> None:
    if depth > FILES.depth:
        raise TransferError(f"{folder} has folders within folders, {depth} deep: {FILES.depth} can be sent")


def _id_of(path: Path, files: list[Found]) -> bytes:
    about = path.stat()
    identity = [
        socket.gethostname(),
        str(path.resolve()),
        about.st_ino,
        [found[2:] for found in files],
    ]
    names = [found.path for found in files]
    packed = msgspec.msgpack.encode([repr(identity), names])
    return hashlib.sha256(b"landline file 1\0" + packed).digest()[:16]


def _text(name: str) -> str:
    """Return a name as it can be sent: what is no valid text in it is replaced."""
    return name.encode(errors="replace").decode()
