"""What happened, for the person at a chat client: small facts that ``client`` reports and ``show`` turns into words.

Text and names in here come from other people as they sent them; whoever shows them cleans them (``text.safe_text``) at the last step.
"""

from __future__ import annotations

from dataclasses import dataclass

from landline.apps.chat import wire


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a typed line goes: into a room, or into the call with somebody; nowhere when both are empty."""

    room: str = ""
    call: str = ""


# Lines...


@dataclass(frozen=True, slots=True)
class Heard:
    """A line is in a room's history; one's own come this way too, when they are stored."""

    room: str
    line: wire.Line
    own: bool
    old: bool = False
    """It was said before we came, or while we were away."""


@dataclass(frozen=True, slots=True)
class Missed:
    """The next ``count`` lines were said in this room while we were away."""

    room: str
    count: int


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Lines of this room between what we had seen and what follows cannot be shown."""

    room: str
    why: str


@dataclass(frozen=True, slots=True)
class Whispered:
    """A private message to us, or (``own``) one of ours that arrived."""

    name: str
    text: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Talked:
    """A line within the call, from the other one or (``own``) one of ours that arrived."""

    name: str
    text: str
    own: bool = False


# ... and what became of our own.


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line of ours is not confirmed yet, longer than it should take; it still goes out by itself."""

    text: str
    aim: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A line that was told as ``Waiting``, or as ``Doubtful``, arrived."""

    text: str
    aim: str
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Nobody can know whether this line of ours arrived; it is not sent again."""

    text: str
    aim: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """This line of ours did not go out, and will not by itself."""

    text: str
    aim: str
    why: str
    back: bool = False
    """Put the text back where it was typed: it was meant for somewhere else than it would have gone."""


# Rooms and people...


@dataclass(frozen=True, slots=True)
class Named:
    """We are called this now; ``wished`` is what we asked for, when that is another name."""

    name: str
    wished: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """We are in this room, for the first time since we started."""

    room: str
    members: tuple[wire.Member, ...]


@dataclass(frozen=True, slots=True)
class Turned:
    """What is typed goes to this room now."""

    room: str


@dataclass(frozen=True, slots=True)
class Left:
    """We are no longer in this room; ``now`` is the room that is typed into from here, or empty."""

    room: str
    now: str


@dataclass(frozen=True, slots=True)
class Came:
    """Somebody came into a room."""

    room: str
    name: str


@dataclass(frozen=True, slots=True)
class Went:
    """Somebody left a room."""

    room: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """Somebody else is called otherwise now."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Away:
    """Somebody's line went down, or is back."""

    name: str
    away: bool


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms there are."""

    rooms: tuple[wire.Room, ...]


@dataclass(frozen=True, slots=True)
class Members:
    """Who is in a room."""

    room: str
    members: tuple[wire.Member, ...]


# Calls...


@dataclass(frozen=True, slots=True)
class Calling:
    """Somebody is being rung for us."""

    name: str


@dataclass(frozen=True, slots=True)
class Rang:
    """Somebody is ringing us."""

    name: str


@dataclass(frozen=True, slots=True)
class CallBegan:
    """What is typed goes to this person alone now."""

    name: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over; what is typed goes to ``now`` (a room, or nothing)."""

    name: str
    why: str
    now: str


@dataclass(frozen=True, slots=True)
class CallMissed:
    """Somebody rang us, and does not any more."""

    name: str


@dataclass(frozen=True, slots=True)
class NoCall:
    """The ringing is over before anybody talked."""

    name: str
    why: str


# The line itself, and everything else.


@dataclass(frozen=True, slots=True)
class Paced:
    """More was said at once than the chat takes; the rest goes out by itself, ``rate`` lines a second."""

    rate: float


@dataclass(frozen=True, slots=True)
class LineDown:
    """The line to the server is gone; it is being redialled, and what is typed waits."""

    why: str


@dataclass(frozen=True, slots=True)
class Redialling:
    """The server no longer holds our conversation: we dial it again and take it up from what we have seen."""

    why: str


@dataclass(frozen=True, slots=True)
class LineBack:
    """The line is back after ``gone`` seconds."""

    gone: float
    restarted: bool = False
    """The server was started again meanwhile."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something for the person to read: an answer, the server's notice, or (``trouble``) what was wrong with what they typed."""

    text: str
    trouble: bool = False


Event = (
    Heard | Missed | Unreachable | Whispered | Talked | Waiting | Arrived | Doubtful | NotSent | Named | Entered | Turned | Left | Came
    | Went | Renamed | Away | Rooms | Members | Calling | Rang | CallBegan | CallEnded | CallMissed | NoCall | LineDown | Redialling | LineBack | Paced | Said
)  # fmt: skip
