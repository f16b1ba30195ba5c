"""Where a simulated process receives files: the staging of ``patterns.files`` on a disk in virtual time, and the thread that works on it, one step after the other.

Each step takes time, so that everything else can happen between two; a process may also be made to die right after one. Where ``staging`` changes, this follows.
"""

from __future__ import annotations

import errno
import hashlib
import random
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from ...errors import TransferError
from ...protocol.filenames import numbered
from ...protocol.staged import (
    PREFIX,
    SUFFIX,
    Act,
    Found,
    Note,
    Standing,
    Step,
    Steps,
    publish,
    read_note,
    reject,
    take_up,
)
from .file_books import FileBooks, Offering
from .line import Node
from .shelf import Change, File, Folder, Shelf

T = TypeVar("T")

Jobs = Generator[Callable[[], Any], Any, T]
"""What the thread does, one after the other, each answered with what it returned."""

_DATA: Final = "data"
_TREE: Final = "tree"
_NOTE: Final = "named"
_NEW_NOTE: Final = "named.new"
_PAUSE: Final = 0.002


class Process(Protocol):
    """Who has a depot."""

    node: Node

    def die(self) -> None:
        """Be killed, and start again."""
        ...


class Sends(Protocol):
    """A transfer that goes out."""

    offering: Offering

    @property
    def is_ending(self) -> bool:
        """It is there, and the program will be told so."""
        ...

    def died(self) -> None:
        """The process is gone."""
        ...


class Receives(Protocol):
    """A transfer that comes in."""

    closed: list[Callable[[], None]]

    def give_up(self) -> None:
        """The same has begun anew over another flow."""
        ...


class Depot:
    """The files of one process: what it has received, on a disk that outlives it, and what it would send.

    Attributes:
        process: whose it is.
        shelf: the disk.
        outgoing: what its program wants to send, by the number of the process that it is for; incoming: what others want to send here.
        running: what is being received, by its key; sending: what is being sent.
        crash_in: steps on the disk after which the process is to die; 0: it is not. counts_writes: also those that write data, which most do.
        has_crashed: it has come there.
        deaths: of the process, so far.
        loses_power: when it dies, so does the machine.
    """

    def __init__(self, process: Process, books: FileBooks, chance: random.Random) -> None:
        self.process = process
        self.books = books
        self.shelf = Shelf(chance)
        self.outgoing: dict[int, list[Offering]] = {}
        self.incoming: list[Offering] = []
        self.running: dict[str, Receives] = {}
        self.sending: list[Sends] = []
        self.crash_in = 0
        self.counts_writes = False
        self.deaths = 0
        self.has_crashed = self.loses_power = False
        self._chance = chance

    def die(self) -> None:
        """The process is gone, and perhaps what was not on the disk."""
        for each in self.sending:
            each.died()
        self.sending.clear()
        self.running.clear()
        if self.loses_power:
            self.shelf.cut_power()
            for offering in self.incoming:
                offering.begins_anew()
        self.deaths += 1
        self.crash_in = 0
        self.has_crashed = self.loses_power = False
        self.books.check(self.shelf)

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.crash_in = 0
        self.shelf.is_full = False

    def is_sending(self, offering: Offering) -> bool:
        """Whether it is on its way."""
        return any(each.offering is offering for each in self.sending)

    def is_ending(self, offering: Offering) -> bool:
        """Whether it is there, on the word of another session, and the program waits for the end of that."""
        return any(each.offering is offering and each.is_ending for each in self.sending)

    def work(self, jobs: Jobs[T], then: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        """Have the thread do something; call back with what came of it, unless the process dies of it."""
        self._go_on(jobs, then, failed, None)

    def _go_on(
        self, jobs: Jobs[T], then: Callable[[T], None], failed: Callable[[Exception], None], answer: Any
    ) -> None:
        try:
            job = jobs.send(answer)
        except StopIteration as end:
            then(end.value)
        except TransferError as error:
            failed(error)
        else:
            pause = _PAUSE * self._chance.random() ** 2
            self.process.node.after(pause, partial(self._do, job, jobs, then, failed))

    def _do(
        self,
        job: Callable[[], Any],
        jobs: Jobs[T],
        then: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        try:
            answer = job()
        except OSError as error:
            failed(error)
            return
        self.books.check(self.shelf)
        if self.crash_in and (self.counts_writes or not isinstance(job, _Write)):
            self.crash_in -= 1
            self.has_crashed = not self.crash_in
        if not self.has_crashed:
            self._go_on(jobs, then, failed, answer)


def depots_of(processes: Sequence[Process], books: FileBooks, chance: random.Random) -> dict[int, Depot]:
    """Return one for each process, by its number."""
    return {number: Depot(each, books, chance) for number, each in enumerate(processes)}


class Staged:
    """One transfer's folder.

    Args:
        depot: where it is.
        key: tells transfers apart.

    Attributes:
        standing: how far it was when it was opened.
        offset: bytes that are here of the file that arrives; before: of those that are complete, of which there are ``files``.
    """

    def __init__(self, depot: Depot, key: str, chance: random.Random) -> None:
        self.standing = Standing()
        self.published = ""
        self.files = self.before = self.offset = 0
        self._shelf = depot.shelf
        self._name = f"{PREFIX}{key}{SUFFIX}"
        self._own = Folder()
        self._hash = hashlib.sha256()
        self._chance = chance

    @property
    def _root(self) -> dict[str, File | Folder]:
        return self._shelf.root.entries

    @property
    def _data(self) -> File:
        found = self._own.entries.get(_DATA)
        if not isinstance(found, File):
            found = File()
            self._shelf.change(Change(self._own, _DATA, found))
        return found

    @property
    def _note(self) -> Note:
        found = self._own.entries.get(_NOTE)
        return read_note(bytes(found.data)) if isinstance(found, File) else Note()

    def _note_of(self, name: str, entry: File | Folder | None) -> Note:
        """Return a note that something has this name or is to have it."""
        if entry is None:
            return Note(name)
        size = len(entry.data) if isinstance(entry, File) else 0
        return Note(name, self._shelf.number_of(entry), size)

    # The thread...

    def open(self) -> Jobs[Standing]:
        """Find out how far it is."""
        yield self._make
        note, entries = self._note, self._own.entries
        found = Found(
            note.name,
            is_ours=note.name in self._root and note == self._note_of(note.name, self._root[note.name]),
            is_data=_DATA in entries and self._root.get(note.name) is entries[_DATA],
            has_data=_DATA in entries,
            has_tree=_TREE in entries,
        )
        self.published = yield from self._steps(take_up(found))
        tree = self._own.entries.get(_TREE)
        if isinstance(tree, Folder):
            sizes = [len(file.data) for file in _files_of(tree)]
            self.files, self.before = len(sizes), sum(sizes)
        if _DATA in self._own.entries:
            self.offset = len(self._data.data)
        return Standing(self.published, self.files, self.before, self.offset)

    def _make(self) -> None:
        there = self._root.get(self._name)
        if isinstance(there, Folder):
            self._own = there
        else:
            self._shelf.change(Change(self._shelf.root, self._name, self._own))

    def prefix(self) -> Jobs[bytes]:
        """Return the SHA-256 of what is here of the next file."""
        yield _nothing
        self._hash = hashlib.sha256(self._data.data[: self.offset])
        return self._hash.digest()

    def go_on(self, offset: int) -> Jobs[None]:
        """Write from here on."""
        if not offset:
            self._hash = hashlib.sha256()
        yield lambda: self._shelf.write(self._data, offset, b"")
        self.offset = offset

    def write(self, pieces: Sequence[bytes]) -> Jobs[None]:
        """Write what comes next, perhaps a part at a time."""
        for piece in pieces:
            at = int(self._chance.random() * len(piece))
            for part in filter(None, (piece[:at], piece[at:])):
                yield _Write(self._write, part)
                self._hash.update(part)
                self.offset += len(part)

    def _write(self, part: bytes) -> None:
        self._see_room()
        self._shelf.write(self._data, self.offset, part)

    def digest(self) -> bytes:
        """Return the SHA-256 of what is here of it."""
        return self._hash.digest()

    def reject(self) -> Jobs[None]:
        """What came of it goes."""
        yield from self._steps(reject())
        self.offset = 0

    def keep(self) -> Jobs[None]:
        """See the file on the disk."""
        yield partial(self._do, Step(Act.SYNC_DATA))

    def place(self, path: Sequence[str]) -> Jobs[None]:
        """Put the file where it belongs in its folder."""
        yield partial(self._do, Step(Act.MAKE_TREE))
        below = self._own.entries[_TREE]
        assert isinstance(below, Folder)
        for name in path[:-1]:
            if name not in below.entries:
                yield partial(self._shelf.change, Change(below, name, Folder()))
                yield partial(self._shelf.sync_folder, below)
            inner = below.entries[name]
            assert isinstance(inner, Folder)
            below = inner
        name = next(name for name in numbered(path[-1]) if name not in below.entries)
        yield partial(
            self._shelf.change, Change(self._own, _DATA, None), Change(below, name, self._own.entries[_DATA])
        )
        yield partial(self._shelf.sync_folder, below)
        self.files, self.before, self.offset = self.files + 1, self.before + self.offset, 0
        self._hash = hashlib.sha256()

    def publish(self, name: str, *, is_folder: bool) -> Jobs[str]:
        """Give it its final name."""
        if not self.published:
            self.published = yield from self._steps(publish(name, self._note.name, is_folder=is_folder))
        return self.published

    def forget(self) -> Jobs[None]:
        """Nothing is to be remembered of it."""
        yield partial(self._shelf.remove, self._shelf.root, self._name)

    def close(self) -> Jobs[None]:
        """Let go of it; what came stays, unless nothing did."""
        if not (self.files or self.offset or self.published):
            yield from self.forget()

    def _steps(self, steps: Steps[T]) -> Jobs[T]:
        answer: Any = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = yield partial(self._do, step)

    # ... and the disk.

    def _do(self, step: Step) -> bool:
        shelf, own, root = self._shelf, self._own, self._shelf.root
        match step.act:
            case Act.SYNC_DATA:
                shelf.sync_file(self._data)
            case Act.DROP_DATA:
                shelf.remove(own, _DATA)
            case Act.WRITE_NOTE:
                self._see_room()
                note = File()
                shelf.change(Change(own, _NEW_NOTE, note))
                named = own.entries.get(_TREE, own.entries.get(_DATA))
                shelf.write(note, 0, self._note_of(step.name, named).packed())
            case Act.SYNC_NOTE:
                note = self._file(_NEW_NOTE)
                shelf.sync_file(note)
            case Act.KEEP_NOTE:
                shelf.change(Change(own, _NEW_NOTE, None), Change(own, _NOTE, self._file(_NEW_NOTE)))
            case Act.DROP_NOTE:
                shelf.remove(own, _NOTE)
            case Act.SYNC_OWN:
                shelf.sync_folder(own)
            case Act.MAKE_TREE:
                if _TREE not in own.entries:
                    shelf.change(Change(own, _TREE, Folder()))
            case Act.SYNC_TREE:
                for folder in _folders_in(own.entries[_TREE]):
                    shelf.sync_folder(folder)
            case Act.NAME_DATA:
                return self._name_it(step.name, Change(root, step.name, self._data))
            case Act.NAME_TREE:
                tree = own.entries[_TREE]
                return self._name_it(step.name, Change(own, _TREE, None), Change(root, step.name, tree))
            case Act.SYNC_FOLDER:
                shelf.sync_folder(root)
        return True

    def _name_it(self, name: str, *changes: Change) -> bool:
        if name in self._root:
            return False
        self._shelf.change(*changes)
        return True

    def _file(self, name: str) -> File:
        found = self._own.entries[name]
        assert isinstance(found, File)
        return found

    def _see_room(self) -> None:
        if self._shelf.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")


class _Write(partial[None]):
    """A job that writes data."""


def _files_of(folder: Folder) -> list[File]:
    found: list[File] = []
    for entry in folder.entries.values():
        found += [entry] if isinstance(entry, File) else _files_of(entry)
    return found


def _folders_in(entry: File | Folder) -> list[Folder]:
    if isinstance(entry, File):
        return []
    return [entry, *(folder for inner in entry.entries.values() for folder in _folders_in(inner))]


def _nothing() -> None:
    pass
