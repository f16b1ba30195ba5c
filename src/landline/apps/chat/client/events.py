"""What happened, for the person at a chat client: small facts that ``client`` reports and ``show`` turns into words.

Text and names in here come from other people as they sent them; whoever shows them cleans them (``text.safe_text``) at the last step.
"""

from __future__ import annotations

import msgspec

from landline.apps.chat import wire


class Aim(msgspec.Struct, frozen=True):
    """Where a typed line goes: into a room, or into the call with somebody; nowhere when both are empty."""

    room: str = ""
    call: str = ""


# Lines...


class Heard(msgspec.Struct, frozen=True):
    """A line is in a room's history; one's own come this way too, when they are stored."""

    room: str
    line: wire.Line
    own: bool
    old: bool = False
    """It was said before we came, or while we were away."""


class Missed(msgspec.Struct, frozen=True):
    """The next ``count`` lines were said in this room while we were away."""

    room: str
    count: int


class Unreachable(msgspec.Struct, frozen=True):
    """Lines of this room between what we had seen and what follows cannot be shown."""

    room: str
    why: str


class LookedBack(msgspec.Struct, frozen=True):
    """The next ``count`` lines were said in this room before all those shown so far."""

    room: str
    count: int
    is_start: bool
    """Nothing was said there before them."""
    missing: str = ""
    """Why lines before or among them cannot be shown."""


class Whispered(msgspec.Struct, frozen=True):
    """A private message to us, or (``own``) one of ours that arrived."""

    name: str
    text: str
    own: bool = False


class Talked(msgspec.Struct, frozen=True):
    """A line within the call, from the other one or (``own``) one of ours that arrived."""

    name: str
    text: str
    own: bool = False


# ... and what became of our own.


class Waiting(msgspec.Struct, frozen=True):
    """A line or command of ours is not confirmed yet, longer than it should take; it still goes out by itself."""

    text: str
    aim: str
    """Where a line goes; empty for a command."""


class Arrived(msgspec.Struct, frozen=True):
    """A line that was told as ``Waiting``, or as ``Doubtful``, arrived."""

    text: str
    aim: str
    doubted: bool = False


class Doubtful(msgspec.Struct, frozen=True):
    """Nobody can know whether this line of ours arrived; it is not sent again."""

    text: str
    aim: str


class NotSent(msgspec.Struct, frozen=True):
    """This line of ours did not go out."""

    text: str
    aim: str
    why: str
    back: bool = False
    """Put the text back where it was typed: it was meant for somewhere else than it would have gone."""
    later: bool = False
    """It is kept on this disk, and goes out when the chat is started again."""


# Rooms and people...


class Named(msgspec.Struct, frozen=True):
    """We are called this now; ``wished`` is what we asked for, when that is another name."""

    name: str
    wished: str = ""


class Entered(msgspec.Struct, frozen=True):
    """We are in this room, for the first time since we started."""

    room: str
    members: tuple[wire.Member, ...]


class Turned(msgspec.Struct, frozen=True):
    """What is typed goes to this room now."""

    room: str


class Left(msgspec.Struct, frozen=True):
    """We are no longer in this room; ``now`` is the room that is typed into from here, or empty."""

    room: str
    now: str


class Came(msgspec.Struct, frozen=True):
    """Somebody came into a room."""

    room: str
    name: str


class Went(msgspec.Struct, frozen=True):
    """Somebody left a room."""

    room: str
    name: str
    why: str


class Renamed(msgspec.Struct, frozen=True):
    """Somebody else is called otherwise now."""

    old: str
    new: str


class Away(msgspec.Struct, frozen=True):
    """Somebody's line went down, or is back."""

    name: str
    away: bool


class Rooms(msgspec.Struct, frozen=True):
    """The rooms there are."""

    rooms: tuple[wire.Room, ...]


class Members(msgspec.Struct, frozen=True):
    """Who is in a room."""

    room: str
    members: tuple[wire.Member, ...]


# Calls...


class Calling(msgspec.Struct, frozen=True):
    """Somebody is being rung for us."""

    name: str


class Rang(msgspec.Struct, frozen=True):
    """Somebody is ringing us."""

    name: str


class CallBegan(msgspec.Struct, frozen=True):
    """What is typed goes to this person alone now."""

    name: str


class CallEnded(msgspec.Struct, frozen=True):
    """The call is over; what is typed goes to ``now`` (a room, or nothing)."""

    name: str
    why: str
    now: str


class CallMissed(msgspec.Struct, frozen=True):
    """Somebody rang us, and does not any more."""

    name: str


class NoCall(msgspec.Struct, frozen=True):
    """The ringing is over before anybody talked."""

    name: str
    why: str


# Files; each has a small number for whoever types, which is never used again...


class FileOffered(msgspec.Struct, frozen=True):
    """Somebody offers a file to us, or to a room."""

    number: int
    name: str
    size: int
    by: str
    room: str = ""


class FileOut(msgspec.Struct, frozen=True):
    """A file of ours is offered."""

    number: int
    name: str
    size: int
    to: str
    """A person, or a room with its #."""


class FileWanted(msgspec.Struct, frozen=True):
    """Somebody accepted a file of ours, which goes to them now."""

    name: str
    by: str


class FileNotWanted(msgspec.Struct, frozen=True):
    """Somebody does not want a file of ours, or not any more."""

    name: str
    by: str


class FileSent(msgspec.Struct, frozen=True):
    """A file of ours is on their disk, whole."""

    name: str
    to: str


class FileArriving(msgspec.Struct, frozen=True):
    """A file that we accepted begins to come."""

    name: str
    size: int
    folder: str


class FileReceived(msgspec.Struct, frozen=True):
    """A file is on our disk, whole."""

    name: str
    size: int
    path: str
    by: str


class FileStopped(msgspec.Struct, frozen=True):
    """A file that is sent to somebody (``own``), or comes from them, stands still; what came is kept."""

    number: int
    name: str
    other: str
    why: str
    own: bool
    is_refused: bool = False
    """It will not go on."""


class FileGone(msgspec.Struct, frozen=True):
    """A file is not offered any more."""

    name: str
    by: str
    why: str
    own: bool
    goes_on: bool = False
    """We have accepted it, and receive the rest when it is offered again."""


class FileState(msgspec.Struct, frozen=True):
    """One of the files in a list of them."""

    number: int
    name: str
    size: int
    who: str
    own: bool
    done: tuple[int, ...]
    """How many bytes have come through, for each that it goes to."""


class Files(msgspec.Struct, frozen=True):
    """The files that are offered or on their way."""

    files: tuple[FileState, ...]


# The line itself, and everything else.


class GoingOut(msgspec.Struct, frozen=True):
    """So many lines that were typed before this program was started, and never confirmed, go out now."""

    count: int


class KeptElsewhere(msgspec.Struct, frozen=True):
    """So many lines are on this disk that were never confirmed, and go out when the chat is started under this name."""

    name: str
    count: int


class Paced(msgspec.Struct, frozen=True):
    """More was said at once than the chat takes; the rest goes out by itself, ``rate`` lines a second."""

    rate: float


class LineDown(msgspec.Struct, frozen=True):
    """The line to the server is gone; it is being redialled, and what is typed waits."""

    why: str


class Redialling(msgspec.Struct, frozen=True):
    """The server no longer holds our conversation: we dial it again and take it up from what we have seen."""

    why: str


class LineBack(msgspec.Struct, frozen=True):
    """The line is back after ``gone`` seconds."""

    gone: float
    restarted: bool = False
    """The server was started again meanwhile."""


class Said(msgspec.Struct, frozen=True):
    """Something for the person to read: an answer, the server's notice, or (``trouble``) what was wrong with what they typed."""

    text: str
    trouble: bool = False


Event = (
    Heard | Missed | LookedBack | Unreachable | Whispered | Talked | Waiting | Arrived | Doubtful | NotSent | Named | Entered | Turned | Left | Came
    | FileOffered | FileOut | FileWanted | FileNotWanted | FileSent | FileArriving | FileReceived | FileStopped | FileGone | Files
    | Went | Renamed | Away | Rooms | Members | Calling | Rang | CallBegan | CallEnded | CallMissed | NoCall | LineDown | Redialling | LineBack | GoingOut | KeptElsewhere | Paced | Said
)  # fmt: skip
