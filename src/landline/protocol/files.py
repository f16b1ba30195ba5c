"""What is said in the flow of one file or folder, by which end and when: its offer, how far the receiver is, the bytes, and their hash.

The sender opens the flow. Data are frames of bytes, everything else is packed. Every file ends with the SHA-256 of all of it, also of what
an earlier flow brought; that part is compared first, by its hash, so that a file which is another by now begins anew.
"""

from __future__ import annotations

import hashlib
from enum import Enum, auto
from typing import Annotated, Any, Final

import msgspec

from ..errors import ProtocolError
from ..limits import FILES

FILE_PURPOSE: Final = "landline.file"
"""The flow of a file or folder is opened for this."""

Size = Annotated[int, msgspec.Meta(ge=0, le=(1 << 62))]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 31))]
Nanoseconds = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Sha256 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Name = Annotated[str, msgspec.Meta(max_length=FILES.raw_name)]
Path = Annotated[list[Name], msgspec.Meta(min_length=1, max_length=FILES.depth)]


# What the sender says...


class Offer(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """The first message: what there is."""

    id: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    """The same for the same, unchanged file, whenever and over whatever session it is offered."""
    name: Name
    size: Size
    """Of all files together, in bytes."""
    files: Count
    """How many; of one file 1."""
    is_folder: bool


class Proof(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """The answer to an ``Accept`` that says that some of a file is there: what its beginning must be."""

    digest: Sha256 | None
    """The SHA-256 of as many bytes; None where the file has fewer."""


class Entry(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """A file begins: its data follow from where the receiver wants them, and a ``Digest``."""

    path: Path
    """Below the folder that is offered; of a single file its name."""
    size: Size
    modified: Nanoseconds
    """Since 1970."""


class Digest(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """A file ends."""

    digest: Sha256
    """The SHA-256 of all of it."""


# ... and the receiver.


class Accept(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """It is wanted, as far as it is not there: so many files are, and so many bytes of the next."""

    files: Count
    offset: Size


class Go(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """The answer to a ``Proof``: send the file from here, which is 0 where it is another one."""

    offset: Size


class Done(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """All of it is on the disk, verified, under this name. The sender ends the flow."""

    name: Name


FromSender = Offer | Proof | Entry | Digest
FromReceiver = Accept | Go | Done


def own_id(principal: str, id: bytes) -> bytes:
    """Return an offer's id as it is known of this principal: one cannot go on with what is another's."""
    return hashlib.sha256(principal.encode() + b"\0" + id).digest()[:16]


def read_from_sender(said: object) -> FromSender:
    """Return what a sender says.

    Raises:
        ProtocolError: it cannot be read.
    """
    found: FromSender = _read(said, FromSender)
    if isinstance(found, Offer) and not found.is_folder and found.files != 1:
        raise ProtocolError("a file that is not one file", "bad-data")
    return found


def read_from_receiver(said: object) -> FromReceiver:
    """Return what a receiver says.

    Raises:
        ProtocolError: it cannot be read.
    """
    found: FromReceiver = _read(said, FromReceiver)
    return found


def _read(said: object, kinds: Any) -> Any:
    if not isinstance(said, list):
        raise unexpected(said)
    try:
        return msgspec.convert(said, kinds)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"something about a file that cannot be read: {error}", "bad-data") from error


def unexpected(said: object) -> ProtocolError:
    """Return the error for something that is not to be said now."""
    return ProtocolError(f"a {type(said).__name__.lower()} that is not to be said here", "bad-data")


class Stage(Enum):
    """What a receiver hears next."""

    OFFERED = auto()
    """Nothing: the offer is not answered."""
    PROOF = auto()
    """What the beginning must be of a file that is partly there."""
    ENTRY = auto()
    """A file."""
    DATA = auto()
    """More of it, or its end."""
    COMPLETE = auto()
    """The end of the flow: everything has arrived."""


class Arriving:
    """The receiver's half: whether what comes may come now, and how far it is. It never takes more than what was offered.

    Args:
        offer: what was offered.

    Attributes:
        stage: what comes next.
        files: how many are complete.
        offset: how many bytes of the next are here.
        before: bytes of the complete ones.
        entry: the file that is arriving.
    """

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.stage = Stage.OFFERED
        self.files = 0
        self.offset = 0
        self.before = 0
        self.entry: Entry | None = None

    @property
    def done(self) -> int:
        """Bytes that are here, of all files together."""
        return self.before + self.offset

    def accept(self, files: int, before: int, offset: int) -> Accept:
        """Answer the offer: so many files are here, of so many bytes, and so many bytes of the next."""
        if files > self.offer.files or before + offset > self.offer.size:
            raise ProtocolError("more of it is here than is offered", "bad-data")
        self.files, self.before, self.offset = files, before, offset
        self.stage = Stage.PROOF if offset else Stage.ENTRY
        self._see_complete()
        return Accept(files, offset)

    def go(self, *, is_same: bool) -> Go:
        """Answer the proof."""
        if not is_same:
            self.offset = 0
        self.stage = Stage.ENTRY
        return Go(self.offset)

    def begin(self, entry: Entry) -> None:
        """A file begins.

        Raises:
            ProtocolError: not now, or it is larger than what was offered.
        """
        if self.stage is not Stage.ENTRY:
            raise unexpected(entry)
        if self.before + entry.size > self.offer.size or self.offset > entry.size:
            raise ProtocolError("files that are larger than was offered", "bad-data")
        self.entry = entry
        self.stage = Stage.DATA

    def take(self, size: int) -> None:
        """So many bytes come.

        Raises:
            ProtocolError: not now, or they are more than the file has.
        """
        if self.stage is not Stage.DATA or self.entry is None:
            raise ProtocolError("data that is not to be sent here", "bad-data")
        if self.offset + size > self.entry.size:
            raise ProtocolError("more data than the file has", "bad-data")
        self.offset += size

    def end(self, digest: Digest) -> Entry:
        """A file ends; return it. Whether the digest is right is the caller's to see.

        Raises:
            ProtocolError: not now.
        """
        entry = self.entry
        if self.stage is not Stage.DATA or entry is None:
            raise unexpected(digest)
        if self.offset != entry.size:
            raise ProtocolError(f"a file of {entry.size:,} bytes that ends after {self.offset:,}", "bad-data")
        self.before += entry.size
        self.files += 1
        self.offset = 0
        self.entry = None
        self.stage = Stage.ENTRY
        self._see_complete()
        return entry

    def _see_complete(self) -> None:
        if self.files == self.offer.files:
            if self.before != self.offer.size:
                raise ProtocolError("files that are smaller than was offered", "bad-data")
            self.stage = Stage.COMPLETE
