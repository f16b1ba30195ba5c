"""What must be true of simulated groups: the books of who is in them and of who watches, kept by what programs say and are told.

They never ask the protocol what it believes; a promise that is not kept is a ``Violation`` at the moment it is broken.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec.msgpack import decode

from ...protocol.presence import (
    Begun,
    Change,
    Here,
    Joined,
    Left,
    Member,
    News,
    Snapshot,
    Updated,
    encode_state,
)
from .line import Violation

_KINDS: Final[dict[type[Change], str]] = {
    Snapshot: "snapshots",
    Joined: "joined",
    Left: "left",
    Updated: "updated",
}
_SLACK: Final = 0.01


class Stay:
    """One membership, as its program and the server know it.

    Attributes:
        places: the states that its program said, each with its place among them.
        joined: lives of the server in which it came into the group; left: in which it went.
    """

    __slots__ = ("joined", "left", "places", "ticket")

    def __init__(self, ticket: int) -> None:
        self.ticket = ticket
        self.places: dict[bytes, int] = {}
        self.joined: set[int] = set()
        self.left: set[int] = set()

    def say(self, size: int) -> bytes:
        """Return the next state, which is said now."""
        data = encode_state(f"{self.ticket}/{len(self.places)}".ljust(size, "."))
        self.places[data] = len(self.places)
        return data


class Watch:
    """Somebody who is told who is in a group.

    Attributes:
        picture: the members, as they were told.
    """

    def __init__(self, books: PresenceBooks) -> None:
        self.picture: dict[str, Member] = {}
        self._books = books
        self._life = 0
        self._places: dict[str, int] = {}
        self._heard: dict[str, int] = {}
        self._listed: set[str] | None = None
        self._joins: Counter[str] = Counter()
        self._has_begun = False

    # Its end hears...

    def receive(self, said: bytes, life: int) -> None:
        """That life of the server says something."""
        self._life = life
        news = decode(said, type=Begun | News)
        if isinstance(news, Begun):
            self._listed = None
            return
        if news.is_first:
            self._listed = set()
        for entry in news.entries:
            if isinstance(entry, Here):
                self._heard[entry.id] = life
                if self._listed is not None:
                    self._listed.add(entry.id)
            else:
                self._hear_gone(entry.id)
        if news.is_complete and self._listed is not None:  # who is not in it left since, and is forgotten
            for id in [id for id, at in self._heard.items() if at == life and id not in self._listed]:
                self._hear_gone(id)
            self._listed = None

    def _hear_gone(self, id: str) -> None:
        if self._life not in self._books.stays[id].left:
            raise Violation(f"member {id} was told to have left, and did not")
        self._heard.pop(id, None)

    # ... and its program is told.

    def hear(self, change: Change) -> None:
        """What changed."""
        if isinstance(change, Snapshot) is self._has_begun:
            raise Violation(f"a group began with {change!r:.60}, or began anew")
        self._has_begun = True
        self._books.told[_KINDS[type(change)]] += 1
        if isinstance(change, Snapshot):
            for member in change.members:
                self._come(member)
        elif isinstance(change, Joined):
            self._come(change.member)
        elif isinstance(change, Left):
            self._go(change.member.id)
        else:
            before, member = change.before, change.member
            if member.id not in self.picture or _shown(self.picture[member.id]) != _shown(before):
                raise Violation(f"member {member.id} was told as another than before")
            if _shown(before) == _shown(member):
                raise Violation(f"nothing new was told of member {member.id}")
            self._see(member)

    def _come(self, member: Member) -> None:
        stay = self._books.stays.get(member.id)
        if member.id in self.picture:
            raise Violation(f"member {member.id} joined, and was there")
        self._joins[member.id] += 1
        if stay is None or self._joins[member.id] > len(stay.joined):
            raise Violation(f"member {member.id} was told to join, and did not")
        self._see(member)

    def _see(self, member: Member) -> None:
        place = self._books.stays[member.id].places.get(member.data)
        if place is None:
            raise Violation(f"member {member.id} is told with a state that it never had")
        if place < self._places.get(member.id, 0):
            raise Violation(f"member {member.id} went back to an older state")
        self._places[member.id] = place
        self.picture[member.id] = member

    def _go(self, id: str) -> None:
        if self.picture.pop(id, None) is None:
            raise Violation(f"member {id} left, and was not there")
        # Another life of the server does not know who was there before it: who does not come back in time is told as gone.
        if self._heard.get(id) == self._life:
            raise Violation(f"member {id} was told to have left, and is there")


def _shown(member: Member) -> tuple[bytes, bool]:
    """Return what is a change where it is another; when somebody joined anew, after the server did, is none."""
    return member.data, member.is_here


class PresenceBooks:
    """All groups of a world.

    Attributes:
        stays: the memberships, by their ids.
        told: how many changes of each kind were told.
    """

    def __init__(self) -> None:
        self.stays: dict[str, Stay] = {}
        self.told: Counter[str] = Counter()
        self._tickets = 0

    def stay(self) -> Stay:
        """Somebody is about to join; its id is known when it asks to."""
        self._tickets += 1
        return Stay(self._tickets)

    def joined(self, id: str, data: bytes, life: int) -> None:
        """The server takes somebody into a group: once in each of its lives."""
        stay = self.stays.get(id)
        if stay is None or data not in stay.places:
            raise Violation(f"member {id} joined, and nobody asked for that")
        if life in stay.joined:
            raise Violation(f"member {id} joined twice")
        stay.joined.add(life)

    def left(self, id: str, life: int) -> None:
        """The server has somebody in a group no longer."""
        self.stays[id].left.add(life)


def check_member(member: Member, down_since: float | None, late_at: float, now: float, grace: float) -> None:
    """Others see somebody as here while it has a line, and for the grace after that.

    Args:
        member: as the server shows it.
        down_since: when it lost its line; None: it has one.
        late_at: when the server's loop last stood still: no timer fired before.
        now: by the same clock.
        grace: see there.
    """
    if down_since is None:
        if not member.is_here:
            raise Violation(f"member {member.id} has a line, and is shown without one")
    elif not member.is_here:
        if now < down_since + grace - _SLACK:
            raise Violation(f"member {member.id} lost its line just now, and is shown without one already")
    elif now > max(down_since + grace, late_at) + _SLACK:
        raise Violation(
            f"member {member.id} lost its line {now - down_since:.2f} s ago, and is shown with one"
        )
