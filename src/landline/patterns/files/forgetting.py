"""What is left of transfers in a folder, and when it goes: what nobody has gone on with for long, and what is remembered of those that are through."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from ...errors import TransferError
from ...limits import FILES
from ...protocol.staged import PREFIX, SUFFIX, is_staging
from .staging import NAMED, TREE, Staging


def forget_old(folder: Path, now: float | None = None) -> None:
    """Remove what is left of transfers that nobody has gone on with for long.

    Args:
        folder: where they were received.
        now: in seconds since 1970; by default the time.
    """
    oldest = (time.time() if now is None else now) - FILES.unfinished_age
    _forget(folder, lambda entry: entry.stat(follow_symlinks=False).st_mtime < oldest, lambda _: True)


def forget_published(folder: Path) -> None:
    """Remove what is remembered of those that have their names.

    Args:
        folder: where they were received.
    """
    # Looked at before it is locked: whoever comes back for what is not whole would be told that another program receives it.
    _forget(folder, _may_be_published, lambda staging: bool(staging.published))


def _forget(
    folder: Path, is_looked_at: Callable[[os.DirEntry[str]], bool], is_forgotten: Callable[[Staging], bool]
) -> None:
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            if not is_staging(entry.name):
                continue
            with contextlib.suppress(OSError, TransferError):  # somebody has it open, or it is none of ours
                if entry.is_dir(follow_symlinks=False) and is_looked_at(entry):
                    staging = Staging(folder, entry.name[len(PREFIX) : -len(SUFFIX)], goes_on=False)
                    if is_forgotten(staging):
                        staging.forget()
                    staging.close()


def _may_be_published(entry: os.DirEntry[str]) -> bool:
    names = set(os.listdir(entry.path))  # noqa: PTH208 - as above
    return NAMED in names and TREE not in names
