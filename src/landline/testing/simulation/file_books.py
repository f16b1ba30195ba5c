"""What must be true of simulated transfers of files: the books of what was offered, and of what has a name on whose disk.

They never ask the protocol what it believes; a promise that is not kept is a ``Violation`` at the moment it is broken.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from ...protocol.frames import FIRST_CREDIT
from ...protocol.staged import is_staging
from .line import Violation
from .shelf import Change, File, Folder, Shelf, files_in
from .talk import LONGEST

Files = tuple[tuple[str, bytes], ...]
"""The files of an offer: their paths, and what they have. A single one has no path."""

_SIZE: Final = 16


class Offering:
    """A file or folder that a program wants the other end of its session to have, however long that takes.

    Attributes:
        name: what it is called.
        files: what there is to send; versions: the same, and what there was before, under the same id.
        remembers: its receiver remembers that it came.
        is_unwanted: its receiver's program will refuse it.
        is_garbled: a piece of it will not arrive as it was read.
        is_known: the program knows that it is there.
        refused: the reason for which it was refused.
        moved: names that it had, and from which its receiver's program has moved it since its last attempt began.
        may_double: its sender died between hearing that it is there and telling its program.
        times: how often there was a reason for which what was written may be sent again.
    """

    def __init__(
        self, books: FileBooks, ticket: int, name: str, sizes: list[int], *, is_folder: bool
    ) -> None:
        self.id = ticket.to_bytes(_SIZE, "big")
        self.name = name
        self.is_folder = is_folder
        self.remembers = self.is_unwanted = self.is_garbled = False
        self.is_known = self.may_double = False
        self.refused = ""
        self.moved: set[str] = set()
        self._books = books
        self._ticket = ticket
        self._sizes = sizes
        self.versions: list[Files] = []
        self._written = self._sent = 0
        self._was_garbled = False
        self.times = 0
        self.change()

    @property
    def files(self) -> Files:
        """What there is to send."""
        return self.versions[-1]

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(self._sizes)

    @property
    def is_over(self) -> bool:
        """Whether the program has nothing to do with it any more."""
        return self.is_known or bool(self.refused)

    def change(self) -> None:
        """It is another from some place on, and nothing but its bytes says so."""
        version = len(self.versions)
        at = self._ticket * 7 % max(1, self.size)
        files: list[tuple[str, bytes]] = []
        done = 0
        for number, size in enumerate(self._sizes):
            data = _text(self._ticket, number, 0, size)
            if version and done + size > at:
                behind = max(0, at - done)
                data = data[:behind] + _text(self._ticket, number, version, size)[behind:]
            files.append((f"{number % 2}/{number}" if self.is_folder else "", data))
            done += size
        self.versions.append(tuple(files))
        self.begins_anew()

    def begins_anew(self) -> None:
        """There is a reason for which what was written may be sent again."""
        self._written = self._sent = 0
        self.times += 1

    # Its bytes are on their way...

    def garble(self, piece: bytes) -> bytes:
        """Return what arrives of a piece; the next is good again."""
        if self.is_garbled and piece:
            self.is_garbled, self._was_garbled = False, True
            self._books.told["garbled"] += 1
            return bytes([piece[0] ^ 1]) + piece[1:]
        return piece

    def goes_on(self, offset: int, window: int) -> None:
        """Sending goes on from here; so much a receiver lets its sender have on the way."""
        if offset < self._written and self._was_garbled:
            self._was_garbled = False
            self.begins_anew()
        if offset < self._written:
            raise Violation(f"file {self._ticket} goes on from {offset}, {self._written} bytes were written")
        if self._sent - offset > max(window, FIRST_CREDIT) + LONGEST:
            raise Violation(f"{self._sent - offset} bytes of file {self._ticket} are sent again")
        if offset:
            self._books.told["resumed"] += 1

    def sent(self, offset: int, times: int) -> None:
        """So much was sent when this attempt ended, which began at that time."""
        if times == self.times:
            self._sent = max(self._sent, offset)

    def wrote(self, offset: int, times: int) -> None:
        """Its receiver has written so much, and says so by the credit that it gives; its attempt likewise."""
        if times == self.times:
            self._written = max(self._written, offset)

    def damaged(self) -> None:
        """Its receiver says that what came is not what was sent."""
        if not self._was_garbled:
            raise Violation(f"file {self._ticket} arrived damaged, and nobody had damaged it")
        self._was_garbled = False
        self._books.told["damaged"] += 1
        self.begins_anew()

    # ... and it is over.

    def done(self, name: str, shelf: Shelf) -> None:
        """Its sender hears that it is there, under this name."""
        if name in self.moved:
            return  # it was there when that was said
        for is_durable in (False, True):
            root = shelf.root.durable if is_durable else shelf.root.entries
            if name not in root:
                raise Violation(f"file {self._ticket} was called {name}, and is not there")
            if not self.is_whole(root[name], is_durable=is_durable):
                raise Violation(f"file {self._ticket} was called {name}, which is something else")

    def died_before_it_knew(self) -> None:
        """Its sender has said that it knows, and its program was not told: it sends again what its receiver may have forgotten by now."""
        if not self.remembers:
            self.may_double = True
            self.begins_anew()

    def know(self) -> None:
        """Its sender's program is told."""
        self.is_known = True
        self._books.told["sent"] += 1

    def refuse(self, reason: str) -> None:
        """Its sender's program is told that it is not wanted."""
        if not self.is_unwanted:
            raise Violation(f"file {self._ticket} was refused: {reason}")
        self.refused = reason
        self._books.told["refused"] += 1

    def is_whole(self, entry: File | Folder, *, is_durable: bool = False) -> bool:
        """Whether this is it, all of it."""
        there = tuple(files_in(entry, is_durable=is_durable))
        return any(there == tuple(sorted(files)) for files in self.versions)

    @property
    def lacks(self) -> str:
        """What is still to come, if anything is."""
        return "" if self.is_over else f"file {self._ticket} is not there"


class FileBooks:
    """The books of a world's files.

    Attributes:
        offerings: all that there ever were, by their ids.
        told: what became of them, for the curious.
    """

    def __init__(self) -> None:
        self.offerings: dict[bytes, Offering] = {}
        self.told: Counter[str] = Counter()

    def offer(self, name: str, sizes: list[int], *, is_folder: bool) -> Offering:
        """A program wants to send something."""
        offering = Offering(self, len(self.offerings) + 1, name, sizes, is_folder=is_folder)
        self.offerings[offering.id] = offering
        self.told["offered"] += 1
        return offering

    def move_away(self, shelf: Shelf) -> None:
        """The program moves away what has come, wherever to; what its sender does not know of yet, it sends again."""
        for name, entry in list(shelf.root.entries.items()):
            if is_staging(name):
                continue
            shelf.change(Change(shelf.root, name, None))
            self.told["moved away"] += 1
            for offering in self.offerings.values():
                if offering.is_whole(entry):
                    offering.moved.add(name)
                    offering.begins_anew()
        shelf.sync_folder(shelf.root)  # or a power cut brings back what has come again by then

    def check(self, shelf: Shelf) -> None:
        """What has a name is whole, and has no other name besides."""
        seen: Counter[bytes] = Counter()
        for name, entry in shelf.root.entries.items():
            if is_staging(name):
                continue
            offering = next((each for each in self.offerings.values() if each.is_whole(entry)), None)
            if offering is None:
                raise Violation(f"what is called {name} is nothing that was offered, or not all of it")
            if offering.is_unwanted:
                raise Violation(f"what is called {name} was refused")
            seen[offering.id] += 1
            if seen[offering.id] > 1 and not offering.may_double:
                raise Violation(f"what is called {name} is there twice")


def _text(ticket: int, number: int, version: int, size: int) -> bytes:
    """Return what a file has; no two of them have the same, unless they have nothing at all."""
    line = f"{ticket}/{number}/{version} ".encode()
    return (line * (size // len(line) + 1))[:size]
