"""What is said in a flow of presence, and who is in a group as a program sees it: its members, and their changes one at a time.

A ``Roster`` is who is there; whoever is told of changes has a ``Cursor`` of it and is told the difference to what it was told before, so that
one who is slow costs no more than the group. ``View`` is the client's half of the flow; the server's is ``group``.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec.structs import replace

from ..errors import DataError, ProtocolError
from ..limits import PROTOCOL
from .codec import Packed, encode_data
from .handshake import ID_SIZE
from .subscription import unwrap, wrap

PRESENCE_PURPOSE: Final = "landline.presence"
"""The flow of somebody who joins or watches a group is opened for this."""

MOST_MEMBERS: Final = PROTOCOL.presence_members
_SESSION_ID: Final = 2 * ID_SIZE
MOST_STATE: Final = PROTOCOL.presence_state
_READABLE: Final = 1 << 20
"""Bytes that a state may have to be told how many it has too many."""

NOT_BACK: Final = "did not come back after the server was restarted"
"""Why somebody left who was there before a restart of the server, and was not seen again."""


# What a program sees...


class Member(msgspec.Struct, frozen=True):
    """Somebody in a group.

    Attributes:
        id: of this membership; it begins with the id of the session, and stays the same over a restart of the server.
        principal: who it is, as the server's ``authenticate`` found.
        data: its state as it travels, which may become seventy times as large.
        is_here: whether its line is up; while it is not, it is reconnecting and may come back.
        since: when it joined, in seconds since 1970 by the server's clock; after a restart of the server, when it joined again.
    """

    id: str
    principal: str
    data: bytes
    is_here: bool = True
    since: float = 0.0

    @property
    def session(self) -> str:
        """The id of its session, as ``Session.id``."""
        return self.id[:_SESSION_ID]

    @property
    def state(self) -> Any:
        """What it says of itself; a new object each time."""
        return decode_state(self.data)

    def __repr__(self) -> str:
        return f"Member({self.id!r}, {self.principal!r}, {self.state!r}, is_here={self.is_here})"


class Snapshot(msgspec.Struct, frozen=True):
    """Everybody who is in the group now; what comes next are changes of this."""

    members: tuple[Member, ...]


class Joined(msgspec.Struct, frozen=True):
    """Somebody came into the group."""

    member: Member


class Left(msgspec.Struct, frozen=True):
    """Somebody is in the group no longer.

    Attributes:
        member: as it was last told.
        reason: a clause; empty where it left by itself.
    """

    member: Member
    reason: str = ""


class Updated(msgspec.Struct, frozen=True):
    """Somebody has another state, or began to reconnect (``not member.is_here``), or is back.

    Attributes:
        member: as it is now.
        before: as it was last told.
    """

    member: Member
    before: Member


Change = Snapshot | Joined | Left | Updated


class Roster:
    """Who is in a group.

    Attributes:
        members: by their ids.
    """

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self._cursors: list[Cursor] = []

    def put(self, member: Member) -> None:
        """Somebody is there, or is not as before."""
        self.members[member.id] = member
        for cursor in self._cursors:
            cursor.changed[member.id] = ""

    def remove(self, id: str, reason: str = "") -> None:
        """Somebody is there no longer; nothing happens where they were not."""
        if self.members.pop(id, None) is not None:
            for cursor in self._cursors:
                if id in cursor.shown:
                    cursor.changed[id] = reason
                else:
                    cursor.changed.pop(id, None)

    def read(self) -> Cursor:
        """Return somebody who is told of the changes from now on, until ``drop``."""
        cursor = Cursor(self)
        self._cursors.append(cursor)
        return cursor

    def drop(self, cursor: Cursor) -> None:
        """It is not to be told any more."""
        self._cursors.remove(cursor)


class Cursor:
    """Somebody who is told of changes.

    Attributes:
        shown: the members as it was told of them.
        changed: those to be looked at, each with why it left if it did; in the order in which they changed first.
    """

    def __init__(self, roster: Roster) -> None:
        self.shown: dict[str, Member] = {}
        self.changed: dict[str, str] = {}
        self._roster = roster
        self._has_begun = False

    def next(self) -> Change | None:
        """Return the next change, first of all a snapshot, or None while there is none."""
        members = self._roster.members
        if not self._has_begun:
            self._has_begun = True
            self.shown = dict(members)
            self.changed.clear()
            return Snapshot(tuple(members.values()))
        while self.changed:
            id = next(iter(self.changed))
            reason = self.changed.pop(id)
            before, member = self.shown.pop(id, None), members.get(id)
            if member is not None:
                self.shown[id] = member
                if before is None:
                    return Joined(member)
                if (before.data, before.is_here) != (member.data, member.is_here):
                    return Updated(member, before)
            elif before is not None:
                return Left(before, reason)
        return None


# What a client says in its flow...


StateData = Annotated[bytes, msgspec.Meta(max_length=MOST_STATE)]
"""A state, as what is published is stored: the type of a frame, and its payload."""


class Enter(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """The first message."""

    group: str
    number: Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
    """Its own for each membership of the session."""
    state: StateData | None
    """None: it does not join."""
    watches: bool


class Put(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Another state."""

    state: StateData


# ... and hears.


class Begun(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """It is in. This long members of an earlier life of the server may still come back."""

    settles_in: Annotated[float, msgspec.Meta(ge=0, le=PROTOCOL.longest)]


class Here(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """Somebody is in the group, and how."""

    id: str
    principal: str
    state: bytes
    is_here: bool
    since: float


class Gone(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Somebody is not."""

    id: str
    reason: str


class News(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """What is new of each member; where it is the first, of all there are."""

    is_first: bool
    is_complete: bool
    """Whether nothing more was to be told when this was."""
    entries: list[Here | Gone]


encode: Final = msgspec.msgpack.Encoder().encode
_decode_asked = msgspec.msgpack.Decoder(Enter | Put).decode
_decode_said = msgspec.msgpack.Decoder(Begun | News).decode


def decode_asked(payload: bytes) -> Enter | Put:
    """Return what a client says.

    Raises:
        ProtocolError: it cannot be read.
    """
    try:
        asked: Enter | Put = _decode_asked(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"presence that cannot be read: {error}", "bad-data") from error
    return asked


def membership_id(session_id: bytes, number: int) -> str:
    """Return the id of a membership that a client entered by that number: both ends make it, and it does not travel."""
    return f"{session_id.hex()}-{number}"


def encode_state(state: Any) -> bytes:
    """Return a state as it travels.

    Raises:
        DataError: it cannot be sent, or is over ``protocol.presence_state`` bytes.
    """
    data = wrap(*encode_data(state, _READABLE))
    if len(data) > MOST_STATE:
        raise DataError(f"a state of {len(data):,} bytes is over the limit of {MOST_STATE:,} bytes")
    return data


def decode_state(data: bytes) -> Any:
    """Return a state.

    Raises:
        ProtocolError: it is not what its type says.
    """
    value = unwrap(data)
    return value.unpack() if isinstance(value, Packed) else value


class View:
    """The client's half: who is in a group, as the server tells it.

    Another life of the server knows nothing of who was there before, and they come back one by one. Until all of them had the time to, who is
    missing is in doubt: it counts as reconnecting after the grace, and as gone at the end of that time.

    Args:
        grace: seconds.

    Attributes:
        roster: who is there.
        is_begun: whether the server has let us in, in this life of it.
        is_complete: whether everybody was told, likewise.
    """

    def __init__(self, grace: float) -> None:
        self.roster = Roster()
        self.is_begun = False
        self.is_complete = False
        self._grace = grace
        self._lives = 0
        self._is_listing = False
        self._found: set[str] = set()
        self._doubted: set[str] = set()
        self._doubted_at: float | None = None
        self._settled_at = 0.0

    def begin(self) -> None:
        """A flow begins, the first or one to another life of the server."""
        self._lives += 1
        self.is_begun = self.is_complete = False

    def receive(self, payload: bytes, now: float) -> None:
        """Take what the server says.

        Raises:
            ProtocolError: it cannot be read.
        """
        try:
            said = _decode_said(payload)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise ProtocolError(f"presence that cannot be read: {error}", "bad-data") from error
        if isinstance(said, Begun):
            self.is_begun = True
            self._settled_at = now + (said.settles_in if self._lives > 1 else 0)
            return
        if said.is_first:
            self._is_listing = True
            self._found.clear()
        for entry in said.entries:
            self._take(entry)
        if said.is_complete and self._is_listing:
            self._is_listing = False
            self._listed(now)

    def _take(self, entry: Here | Gone) -> None:
        self._doubted.discard(entry.id)
        if isinstance(entry, Gone):
            self.roster.remove(entry.id, entry.reason)
            return
        if entry.id not in self.roster.members and len(self.roster.members) >= MOST_MEMBERS:
            raise ProtocolError(
                f"more than {MOST_MEMBERS:,} members of one group",
                "bad-data",
                limit="protocol.presence_members",
            )
        if self._is_listing:
            self._found.add(entry.id)
        decode_state(entry.state)  # what cannot be read is found here, and not by the program
        self.roster.put(Member(entry.id, entry.principal, entry.state, entry.is_here, entry.since))

    def _listed(self, now: float) -> None:
        """Everybody was told who is there."""
        missing = self.roster.members.keys() - self._found - self._doubted
        if not self.is_complete and self._settled_at > now:
            self._doubted |= missing
            self._doubted_at = now + self._grace
        else:
            for id in missing:
                self.roster.remove(id)
        self._found.clear()
        self.is_complete = True

    # Time passes...

    def timeout_at(self) -> float | None:
        """When ``handle_timeout`` is due, or None."""
        if not self._doubted:
            return None
        return self._settled_at if self._doubted_at is None else min(self._doubted_at, self._settled_at)

    def handle_timeout(self, now: float) -> None:
        """Who was in doubt for long enough is reconnecting, and then gone."""
        if self._settled_at <= now:
            for id in self._doubted:
                self.roster.remove(id, NOT_BACK)
            self._doubted.clear()
        if self._doubted_at is not None and self._doubted_at <= now:
            self._doubted_at = None
            for id in self._doubted:
                self.roster.put(replace(self.roster.members[id], is_here=False))
