"""What chat clients and the chat server say to each other: one message each, told apart by its ``t``.

Every request that can be refused carries an ``id`` of the client's choosing, rising by one; the answer (``Done`` or ``Sorry``) names it. A
request is answered in the order it was made. A line is no request: ``Say`` is published to the topic of its room (``topics``), where it is kept as
``Kept``; who is in the room subscribes to that, and the sender reads its own line there like everybody else, marked with a number of its own.
Field names stay short because they travel.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from landline.apps.chat import wire_files
from landline.apps.chat.limits import TEXT
from landline.apps.chat.wire_texts import Name, RoomName, Sentence, Text, Word

VERSION: Final = 1

T = TypeVar("T")


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a room's history, the same for everybody."""

    offset: int
    """Its place in the store; rises over all rooms."""
    at: float
    """When the server stored it, in seconds since 1970; for people, never for order."""
    name: Name
    """Who said it, as they were called then."""
    text: Text
    id: int = 0
    """The line's own number, 63 bits that its sender drew: it tells the sender which of its lines this is, and nobody anything else."""


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line as the topic of its room keeps it; its place is its publication's."""

    at: float
    name: Name
    text: Text
    id: int = 0
    room: RoomName = ""
    """The room's name, where the topic does not say it."""

    def line(self, offset: int) -> Line:
        """Return it as the line at this place."""
        return Line(offset, self.at, self.name, self.text, self.id)


class Seen(msgspec.Struct, frozen=True):
    """Where a client has read to in a room: the place ``(epoch, offset)`` of the last line that it showed, or has one before it."""

    epoch: Word
    offset: int


class Room(msgspec.Struct, frozen=True):
    """A room in a list of rooms."""

    name: RoomName
    members: int


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody in a room."""

    name: Name
    away: bool = False
    """Their line is down and their client is redialling."""
    kind: Word = "session"
    """``session``, ``plain`` or ``operator``."""


# What a client says.


class Enter(msgspec.Struct, frozen=True, tag_field="t", tag="enter", omit_defaults=True):
    """The first message: the name wished for, and the rooms to be in, each with what was seen there before (None: never there).

    Which client it is, the session's credentials say: the number that it drew once, 63 bits.
    """

    name: Name
    rooms: dict[RoomName, Seen | None]
    version: int = VERSION
    run: int = 0
    """63 bits that the client's program drew at its start."""
    asked: int = 0
    """The number of the last request that this run made before; none of those is under way any more."""


class Say(msgspec.Struct, frozen=True, tag_field="t", tag="say", omit_defaults=True):
    """A line for a room: not sent, but published to its ``topic``."""

    id: int
    """The line's own number, 63 bits."""
    room: RoomName
    text: Text
    run: int = 0
    """As in ``Enter``; what an earlier run left in its outbox names that one."""
    asked: int = 0
    """The number of the last request that this run made before: the line comes after it."""


class Join(msgspec.Struct, frozen=True, tag_field="t", tag="join"):
    """Enter a room; it is made if nobody was there before."""

    id: int
    room: RoomName


class Leave(msgspec.Struct, frozen=True, tag_field="t", tag="leave"):
    """Leave a room."""

    id: int
    room: RoomName


class Rename(msgspec.Struct, frozen=True, tag_field="t", tag="rename"):
    """Ask for another name; refused when it is taken or reserved."""

    id: int
    name: Name


class ListRooms(msgspec.Struct, frozen=True, tag_field="t", tag="rooms"):
    """Ask which rooms there are; answered by ``RoomList``."""

    id: int


class ListMembers(msgspec.Struct, frozen=True, tag_field="t", tag="who"):
    """Ask who is in a room; answered by ``MemberList``."""

    id: int
    room: RoomName


class Earlier(msgspec.Struct, frozen=True, tag_field="t", tag="earlier"):
    """Ask for the last ``limit`` lines of a room before an offset, itself excluded; answered by ``EarlierLines``."""

    id: int
    room: RoomName
    before: int
    limit: int


class Whisper(msgspec.Struct, frozen=True, tag_field="t", tag="msg"):
    """One private message to one person; not kept."""

    id: int
    to: Name
    text: Text


class Ring(msgspec.Struct, frozen=True, tag_field="t", tag="call"):
    """Ring one person. When they ring back (or say Accept), the two are in a call."""

    id: int
    to: Name


class Accept(msgspec.Struct, frozen=True, tag_field="t", tag="accept"):
    """Take the call that is ringing."""

    id: int


class Hangup(msgspec.Struct, frozen=True, tag_field="t", tag="hangup"):
    """End the call, decline the ringing one, or stop ringing."""

    id: int


class Talk(msgspec.Struct, frozen=True, tag_field="t", tag="talk"):
    """A line within the call."""

    id: int
    text: Text


OfferFile = wire_files.OfferFile
TakeFile = wire_files.TakeFile
DropFile = wire_files.DropFile

Request = (
    Enter | Join | Leave | Rename | ListRooms | ListMembers | Earlier | Whisper | Ring | Accept | Hangup | Talk
    | OfferFile | TakeFile | DropFile
)  # fmt: skip


# What the server says.


class Entered(msgspec.Struct, frozen=True, tag_field="t", tag="entered", omit_defaults=True):
    """The answer to ``Enter``: the name one has now, which is another one (``ana-2``) when it was taken."""

    name: Name
    epoch: Word
    notice: Sentence = ""


class Joined(msgspec.Struct, frozen=True, tag_field="t", tag="joined", omit_defaults=True):
    """You are in this room now, and may subscribe to its topic until you leave."""

    room: RoomName
    members: list[Member]
    after: Seen
    """Where to begin to read: after what was seen, or such that somebody new gets the last few lines."""
    until: int = 0
    """Up to this offset it was said before; 0 where nothing was."""
    missing: Sentence = ""
    """Why lines between what was seen and that beginning cannot be told."""


class Barred(msgspec.Struct, frozen=True, tag_field="t", tag="barred"):
    """A room that ``Enter`` named is not open to you; ``why`` is a sentence. Nothing more comes of it."""

    room: RoomName
    why: Sentence


class Came(msgspec.Struct, frozen=True, tag_field="t", tag="came", omit_defaults=True):
    """Somebody joined a room."""

    room: RoomName
    name: Name
    at: int = 0
    """The offset of the last line that was said there before: what is read of the room's topic travels apart from this."""


class Went(msgspec.Struct, frozen=True, tag_field="t", tag="went", omit_defaults=True):
    """Somebody left a room; ``why`` when there is a reason to tell."""

    room: RoomName
    name: Name
    why: Sentence = ""
    at: int = 0
    """As in ``Came``."""


class Renamed(msgspec.Struct, frozen=True, tag_field="t", tag="renamed"):
    """Somebody (perhaps you) is called otherwise now."""

    old: Name
    new: Name


class Away(msgspec.Struct, frozen=True, tag_field="t", tag="away"):
    """Somebody's line went down (``away`` true) or is back."""

    name: Name
    away: bool


class RoomList(msgspec.Struct, frozen=True, tag_field="t", tag="room-list"):
    """The answer to ``ListRooms``."""

    id: int
    rooms: list[Room]


class MemberList(msgspec.Struct, frozen=True, tag_field="t", tag="member-list"):
    """The answer to ``ListMembers``."""

    id: int
    room: RoomName
    members: list[Member]


class EarlierLines(msgspec.Struct, frozen=True, tag_field="t", tag="earlier-lines", omit_defaults=True):
    """The answer to ``Earlier``: all that is kept between ``after`` and the offset asked about, oldest first."""

    id: int
    room: RoomName
    lines: list[Line]
    after: int
    is_start: bool = False
    """There is nothing before them."""
    missing: Sentence = ""
    """Why lines before or among them cannot be told."""


class Whispered(msgspec.Struct, frozen=True, tag_field="t", tag="whispered"):
    """A private message for you."""

    name: Name
    text: Text


class Rang(msgspec.Struct, frozen=True, tag_field="t", tag="rang"):
    """Somebody is calling you: ``Accept`` or ``Hangup``."""

    name: Name


class CallBegan(msgspec.Struct, frozen=True, tag_field="t", tag="call-began"):
    """You and they talk privately from here."""

    name: Name


class Talked(msgspec.Struct, frozen=True, tag_field="t", tag="talked"):
    """The other one in the call said this."""

    name: Name
    text: Text


class CallEnded(msgspec.Struct, frozen=True, tag_field="t", tag="call-ended"):
    """The call, or the ringing, is over; ``why`` is a clause such as ``declined``."""

    name: Name
    why: Sentence


FileOffered = wire_files.FileOffered
FileWanted = wire_files.FileWanted
FileRefused = wire_files.FileRefused
FileGone = wire_files.FileGone


class Done(msgspec.Struct, frozen=True, tag_field="t", tag="done"):
    """The request was carried out, and there is no other answer to it."""

    id: int


class Sorry(msgspec.Struct, frozen=True, tag_field="t", tag="sorry"):
    """The request was refused; ``why`` is a sentence that says what to do."""

    id: int
    why: Sentence


class Notice(msgspec.Struct, frozen=True, tag_field="t", tag="notice"):
    """Something everybody should know, for example that the server is about to restart."""

    text: Text


Told = (
    Entered | Joined | Barred | Came | Went | Renamed | Away | RoomList | MemberList | EarlierLines | Whispered
    | Rang | CallBegan | Talked | CallEnded | FileOffered | FileWanted | FileRefused | FileGone | Done | Sorry | Notice
)  # fmt: skip

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_told: msgspec.msgpack.Decoder[Told] = msgspec.msgpack.Decoder(Told)
_says: msgspec.msgpack.Decoder[Say] = msgspec.msgpack.Decoder(Say)
_kept: msgspec.msgpack.Decoder[Kept] = msgspec.msgpack.Decoder(Kept)


def encode(message: Request | Told | Say | Kept) -> bytes:
    """Return the message as the bytes that travel."""
    return _encoder.encode(message)


def decode_request(data: object) -> Request:
    """Return what a client said.

    Raises:
        ValueError: it is not a request of this protocol; the message says why.
    """
    return _decode(_requests, data)


class _Numbered(msgspec.Struct):
    id: int


_numbered: msgspec.msgpack.Decoder[_Numbered] = msgspec.msgpack.Decoder(_Numbered)


def request_id(data: object) -> int | None:
    """Return the id of something that is no request but may carry one, so that the refusal can name it."""
    try:
        return _decode(_numbered, data).id
    except ValueError:
        return None


def decode_say(data: object) -> Say:
    """Return the line that a client published.

    Raises:
        ValueError: it is none.
    """
    return _decode(_says, data)


def decode_kept(data: object) -> Kept:
    """Return a line as its room's topic keeps it.

    Raises:
        ValueError: it is none.
    """
    return _decode(_kept, data)


def decode_told(data: object) -> Told:
    """Return what the server said.

    Raises:
        ValueError: it is not a message of this protocol; the message says why.
    """
    return _decode(_told, data)


def _decode(decoder: msgspec.msgpack.Decoder[T], data: object) -> T:
    if not isinstance(data, bytes):
        raise ValueError(f"a chat message is bytes, not {type(data).__name__}")
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        # It may quote what was sent, which may be long.
        raise ValueError(f"not a chat message: {str(error)[: TEXT.quoted]}") from error
