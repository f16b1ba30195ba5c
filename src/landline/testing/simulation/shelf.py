"""The disk that a simulated process keeps files on: it outlives the process, and forgets in a power cut what nobody saw to be on it.

What is done to a folder is done in one step, and lies in a log until that folder, or another one that took part in it, is synchronized. In a power cut each folder keeps
what was done to it up to some point of its own, and a file what it had when it was synchronized, what it has now, or something in between with holes in it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple


class File:
    """A file: what it has now, and what is certain to be on the disk of that."""

    __slots__ = ("data", "durable")

    def __init__(self) -> None:
        self.data = bytearray()
        self.durable = b""


class Folder:
    """A folder, likewise."""

    __slots__ = ("durable", "entries")

    def __init__(self) -> None:
        self.entries: dict[str, File | Folder] = {}
        self.durable: dict[str, File | Folder] = {}


class Change(NamedTuple):
    """Something has a name in a folder from now on, or nothing has."""

    folder: Folder
    name: str
    entry: File | Folder | None


class Shelf:
    """A disk with one folder on it, and what is in that.

    Attributes:
        root: the folder.
        is_full: there is no room now.
    """

    def __init__(self, chance: random.Random) -> None:
        self.root = Folder()
        self.is_full = False
        self._chance = chance
        self._log: list[tuple[Change, ...]] = []
        self._written: dict[File, None] = {}
        self._numbers: dict[File | Folder, int] = {}

    # A process...

    def change(self, *changes: Change) -> None:
        """Change folders, all of it or nothing."""
        for each in changes:
            _apply(each, each.folder.entries)
        self._log.append(changes)

    def remove(self, folder: Folder, name: str) -> None:
        """Remove what has this name, and all that is in it, the innermost first."""
        entry = folder.entries.get(name)
        if isinstance(entry, Folder):
            for inner in list(entry.entries):
                self.remove(entry, inner)
        if entry is not None:
            self.change(Change(folder, name, None))

    def number_of(self, entry: File | Folder) -> int:
        """Return the number that a file or folder has, which no other one gets."""
        return self._numbers.setdefault(entry, len(self._numbers) + 1)

    def write(self, file: File, at: int, data: bytes) -> None:
        """Cut a file off here, and write behind that."""
        del file.data[at:]
        file.data += data
        self._written[file] = None

    def sync_file(self, file: File) -> None:
        """See what a file has on the disk; that it has a name is another thing."""
        file.durable = bytes(file.data)
        self._written.pop(file, None)

    def sync_folder(self, folder: Folder) -> None:
        """See what was done to a folder on the disk, with what was done before to the others that took part."""
        needed, kept = {id(folder)}, []
        for changes in reversed(self._log):
            folders = {id(each.folder) for each in changes}
            if folders & needed:
                needed |= folders
                kept.append(changes)
        for changes in reversed(kept):
            for each in changes:
                _apply(each, each.folder.durable)
        self._log = [changes for changes in self._log if not any(changes is each for each in kept)]

    # ... and the power fails.

    def cut_power(self) -> None:
        """Forget what was not seen to be on the disk, as it happens."""
        chance = self._chance.random
        luck = (0.0, 0.5, 0.9, 1.0)[int(4 * chance())]
        lost: set[int] = set()
        touched: dict[int, Folder] = {}
        for changes in self._log:
            touched |= {id(each.folder): each.folder for each in changes}
            folders = {id(each.folder) for each in changes}
            if folders & lost or chance() >= luck:
                lost |= folders
                continue
            for each in changes:
                _apply(each, each.folder.durable)
        self._log.clear()
        for folder in touched.values():
            folder.entries = dict(folder.durable)
        for file in self._written:
            file.data = bytearray(self._left_of(file))
            file.durable = bytes(file.data)
        self._written.clear()

    def _left_of(self, file: File) -> bytes:
        now, size = bytes(file.data), len(file.data)
        how = int(4 * self._chance.random())
        at = int((size + 1) * self._chance.random())
        if how == 0:
            return file.durable
        if how == 1:
            return now[:at]
        return now if how == 2 else now[:at] + bytes(size - at)  # its size was kept, and not all of its pages


def files_in(entry: File | Folder, *, is_durable: bool = False) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder by their paths below it, or the one file that it is."""
    if isinstance(entry, File):
        yield "", entry.durable if is_durable else bytes(entry.data)
        return
    inner = entry.durable if is_durable else entry.entries
    for name in sorted(inner):
        for path, data in files_in(inner[name], is_durable=is_durable):
            yield f"{name}/{path}".rstrip("/"), data


def _apply(change: Change, entries: dict[str, File | Folder]) -> None:
    if change.entry is None:
        entries.pop(change.name, None)
    else:
        entries[change.name] = change.entry
