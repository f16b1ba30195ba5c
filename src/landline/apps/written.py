"""Small files that programs keep: whole and on the disk or not there at all, and for our own user alone."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def write(path: Path, data: bytes) -> None:
    """Write a file, in the place of what is there.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    with _unfinished(path, data) as unfinished:
        unfinished.replace(path)


def write_new(path: Path, data: bytes) -> bool:
    """Write a file; return False where there is one already, which somebody else may have written just now.

    Raises:
        OSError: it cannot be written.
    """
    with _unfinished(path, data) as unfinished:
        try:
            os.link(unfinished, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # A disk without hard links: of two who begin in the same moment the later one wins.
            if path.exists():
                return False
            unfinished.replace(path)
    return True


@contextlib.contextmanager
def _unfinished(path: Path, data: bytes) -> Iterator[Path]:
    """Have it under another name, beside its own, for as long as this lasts."""
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)
