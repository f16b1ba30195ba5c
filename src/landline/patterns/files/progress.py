"""What programs are told of a transfer: how far it is while it runs, and what was sent or has come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """How far a transfer is.

    Attributes:
        name: of the file or folder.
        done: bytes that are through: written to the disk, at the receiver; given to the session, at the sender.
        size: bytes of all of it.
        files: how many files of it are complete.
        of_files: how many there are.
        resumed: bytes that were there already when it began.
    """

    name: str
    done: int
    size: int
    files: int
    of_files: int
    resumed: int


class SentFile(msgspec.Struct, frozen=True):
    """What was sent.

    Attributes:
        name: what it is called at the other end.
        size: bytes of all of it.
        files: how many files.
        resumed: bytes that were there before.
        skipped: of a folder, links and what is no file: those were left out.
    """

    name: str
    size: int
    files: int
    resumed: int
    skipped: int


class ReceivedFile(msgspec.Struct, frozen=True):
    """What was received.

    Attributes:
        path: where it is.
        size: bytes of all of it.
        files: how many files.
        is_folder: it is a folder.
        resumed: bytes that were here before.
    """

    path: Path
    size: int
    files: int
    is_folder: bool
    resumed: int


Watch = Callable[[Progress], object]
"""Told how far a transfer is, often: once for every piece. What it raises ends the transfer."""


def watch_nothing(progress: Progress) -> None:
    """Nobody looks."""
