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
    """A line of ours is not confirmed yet, longer than it should take; it still goes out by itself."""

    text: str
    aim: str


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


# The line itself, and everything else.


class GoingOut(msgspec.Struct, frozen=True):
    """So many lines that were typed before this program was started, and never confirmed, go out now."""

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
    Heard | Missed | Unreachable | Whispered | Talked | Waiting | Arrived | Doubtful | NotSent | Named | Entered | Turned | Left | Came
    | Went | Renamed | Away | Rooms | Members | Calling | Rang | CallBegan | CallEnded | CallMissed | NoCall | LineDown | Redialling | LineBack | GoingOut | Paced | Said
)  # fmt: skip
