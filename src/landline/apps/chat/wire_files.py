"""What is said about files; see ``wire``, which has it with everything else."""

from __future__ import annotations

import msgspec

from landline.apps.chat.wire_texts import FileName, Name, RoomName, Sentence, Size

# What a client says.


class OfferFile(msgspec.Struct, frozen=True, tag_field="t", tag="offer-file", omit_defaults=True):
    """Offer a file to one person, or to a room. Said again with the same ``file`` in another session or life of the server, it goes on there."""

    id: int
    file: int
    """63 bits that its sender drew."""
    name: FileName
    size: Size
    """In bytes."""
    to: Name = ""
    room: RoomName = ""


class TakeFile(msgspec.Struct, frozen=True, tag_field="t", tag="take-file"):
    """Have a file that is offered: it comes in a file's flow of the session, which is named by ``file``, in hexadecimal digits."""

    id: int
    file: int


class DropFile(msgspec.Struct, frozen=True, tag_field="t", tag="drop-file"):
    """No more of a file: its sender takes it back, anybody else does not want it, or not any more."""

    id: int
    file: int


# What the server says.


class FileOffered(msgspec.Struct, frozen=True, tag_field="t", tag="file-offered", omit_defaults=True):
    """Somebody offers a file, to you or to a room; said again where it goes on."""

    file: int
    by: Name
    name: FileName
    size: Size
    room: RoomName = ""


class FileWanted(msgspec.Struct, frozen=True, tag_field="t", tag="file-wanted"):
    """Somebody takes your file: send it in a file's flow that is named by ``ticket``, in hexadecimal digits."""

    file: int
    ticket: int
    by: Name


class FileRefused(msgspec.Struct, frozen=True, tag_field="t", tag="file-refused"):
    """Somebody does not want your file, or not any more."""

    file: int
    by: Name


class FileGone(msgspec.Struct, frozen=True, tag_field="t", tag="file-gone"):
    """A file is not offered any more; ``why`` is a clause."""

    file: int
    why: Sentence
