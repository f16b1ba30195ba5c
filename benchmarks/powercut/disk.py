"""A disk that keeps what was synced, and of the rest what chance leaves: the files of one folder, replayed from a record.

Between two syncs of a file the disk may write any of its sectors back, at any moment and in any order, so a sector may hold any of the
contents that it had since then; it is never half one and half another. The size, and the names in the folder, are written back
in the same way and independently of the data, which is more than a journaling file system would do. After a failed sync the kernel
takes for written what it could not write (``fsyncgate``): no later sync brings that to the disk.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

SECTOR: Final = 512

Keep = Callable[[int, int], bool]
"""Whether the disk wrote this sector back just after this unsynced operation; -1 is the size, or a name."""


class Event(NamedTuple):
    """A line of the record."""

    kind: str
    """P a process began, O opened, C closed, W wrote, T truncated, S synced, F failed to sync, U unlinked, N failed otherwise, X not understood."""
    pid: int
    fd: int
    offset: int
    """Where was written; the new size; for O, 1: it is new, 2: it was emptied."""
    data: bytes
    """What was written, or the name."""


class Operation(NamedTuple):
    """A change of a file that no sync has followed yet."""

    offset: int
    data: bytes | None
    """None: the file was cut, or made longer, to ``offset``."""


def apply(operation: Operation, content: bytearray) -> tuple[int, int]:
    """Make the change, and return where it begins and ends."""
    before = len(content)
    if operation.data is None:
        if operation.offset <= before:
            del content[operation.offset :]
        else:
            content.extend(bytes(operation.offset - before))
        return min(before, operation.offset), max(before, operation.offset)
    end = operation.offset + len(operation.data)
    if end > before:
        content.extend(bytes(end - before))
    content[operation.offset : end] = operation.data
    return operation.offset, end


@dataclass(eq=False)
class File:
    """One file: what programs see of it, what the disk holds for sure, and what is on its way there."""

    cached: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    pending: list[Operation] = field(default_factory=list)
    doubtful: dict[int, list[bytes]] = field(default_factory=dict)
    """Sectors that a failed sync may or may not have written: their other possible contents."""

    def change(self, operation: Operation) -> None:
        apply(operation, self.cached)
        self.pending.append(operation)

    def sync(self) -> None:
        for sector in self._touched():
            self.doubtful.pop(sector, None)
        self.synced = bytes(self.cached)
        self.pending.clear()

    def fail_to_sync(self) -> None:
        content = bytearray(self.synced)
        for operation in self.pending:
            for sector in sectors(*apply(operation, bytearray(content))):
                self.doubtful.setdefault(sector, []).append(piece(content, sector))
            apply(operation, content)
        self.synced = bytes(content)
        self.pending.clear()

    def _touched(self) -> set[int]:
        content = bytearray(self.synced)
        return {sector for operation in self.pending for sector in sectors(*apply(operation, content))}

    def image(self, keep: Keep, chance: random.Random, mangled: float) -> bytes:
        """Return what the disk may hold."""
        disk, size = bytearray(self.synced), len(self.synced)
        for sector, contents in self.doubtful.items():
            put(disk, sector, chance.choice([piece(disk, sector), *contents]))
        content = bytearray(self.synced)
        for number, operation in enumerate(self.pending):
            start, end = apply(operation, content)
            if keep(number, -1):
                size = len(content)
                if operation.data is None:
                    del disk[
                        size:
                    ]  # at once: no file system gives up some sectors in the middle of a file, and keeps its size
            if operation.data is None:
                continue
            for sector in sectors(start, end):
                if not keep(number, sector):
                    continue
                put(disk, sector, piece(content, sector))
                if chance.random() < mangled:
                    # What was there before stays as it was; only what was being written may be rubbish.
                    low, high = max(start, sector * SECTOR), min(end, (sector + 1) * SECTOR)
                    disk[low:high] = chance.randbytes(high - low)
        del disk[size:]
        return bytes(disk) + bytes(size - len(disk))


def sectors(start: int, end: int) -> range:
    return range(start // SECTOR, -(-end // SECTOR))


def piece(content: bytearray, sector: int) -> bytes:
    found = bytes(content[sector * SECTOR : (sector + 1) * SECTOR])
    return found + bytes(SECTOR - len(found))


def put(disk: bytearray, sector: int, content: bytes) -> None:
    start = sector * SECTOR
    if len(disk) < start + SECTOR:
        disk.extend(bytes(start + SECTOR - len(disk)))
    disk[start : start + SECTOR] = content


class Disk:
    """The folder, as far as a record was replayed."""

    def __init__(self) -> None:
        self.names: dict[str, File] = {}
        """What programs see."""
        self._synced_names: dict[str, File] = {}
        self._pending_names: list[tuple[str, File | None]] = []
        self._opened: dict[tuple[int, int], File | None] = {}

    def replay(self, event: Event) -> None:
        """Do what the event says.

        Raises:
            ValueError: the record has something that a disk of ours does not know.
        """
        place = event.pid, event.fd
        match event.kind:
            case "P":
                self._opened.clear()
            case "O":
                self._opened[place] = self._open(event.data.decode(), event.offset)
            case "C":
                del self._opened[place]
            case "W":
                self._file(place).change(Operation(event.offset, event.data))
            case "T":
                self._file(place).change(Operation(event.offset, None))
            case "S":
                if file := self._opened[place]:
                    file.sync()
                else:
                    self._synced_names = dict(self.names)
                    self._pending_names.clear()
            case "F":
                if file := self._opened[place]:
                    file.fail_to_sync()
            case "U":
                name = event.data.decode()
                del self.names[name]
                self._pending_names.append((name, None))
            case "N":
                pass  # nothing was done
            case _:
                raise ValueError(f"the record has what cannot be replayed: {event.kind} {event.data!r}")

    def _open(self, name: str, how: int) -> File | None:
        if name == ".":
            return None
        if name not in self.names:
            self.names[name] = File()
            self._pending_names.append((name, self.names[name]))
        elif how & 2:
            self.names[name].change(Operation(0, None))
        return self.names[name]

    def _file(self, place: tuple[int, int]) -> File:
        file = self._opened[place]
        assert file is not None
        return file

    def image(self, chance: random.Random) -> dict[str, bytes]:
        """Return the files as a power cut at this moment may leave them."""
        manner = chance.choice(MANNERS)
        names = dict(self._synced_names)
        keep = manner(chance, len(self._pending_names))
        for number, (name, file) in enumerate(self._pending_names):
            if keep(number, -1):
                if file is None:
                    names.pop(name, None)
                else:
                    names[name] = file
        mangled = chance.choice((0.0, 0.0, 0.0, 0.05))
        return {
            name: file.image(manner(chance, len(file.pending)), chance, mangled)
            for name, file in names.items()
            if not name.startswith(".")
        }


# The manners of a cut: each is given the chance and the number of unsynced operations.


def _nothing(_chance: random.Random, _count: int) -> Keep:
    return lambda _number, _sector: False


def _everything(_chance: random.Random, _count: int) -> Keep:
    return lambda _number, _sector: True


def _in_order(chance: random.Random, count: int) -> Keep:
    """Everything up to a moment, and some sectors of what was being written then."""
    end = chance.randrange(count + 1)
    return lambda number, _sector: number < end or (number == end and chance.random() < 0.5)


def _whole_operations(chance: random.Random, count: int) -> Keep:
    """Each write as a whole or not at all, in any order."""
    share = chance.choice((0.1, 0.5, 0.9))
    kept = [chance.random() < share for _ in range(count)]
    return lambda number, _sector: kept[number]


def _sectors(chance: random.Random, _count: int) -> Keep:
    """Each sector for itself."""
    share = chance.choice((0.1, 0.5, 0.9))
    return lambda _number, _sector: chance.random() < share


def _all_but_one(chance: random.Random, count: int) -> Keep:
    """One write is lost or torn, all others are there."""
    lost = chance.randrange(count) if count else 0
    share = chance.choice((0.0, 0.5))
    return lambda number, _sector: number != lost or chance.random() < share


MANNERS: Final[tuple[Callable[[random.Random, int], Keep], ...]] = (
    _nothing,
    _everything,
    _in_order,
    _in_order,
    _whole_operations,
    _sectors,
    _all_but_one,
)


def replayed(events: Iterable[Event]) -> Disk:
    """Return the disk after these events."""
    disk = Disk()
    for event in events:
        disk.replay(event)
    return disk
