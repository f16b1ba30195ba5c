"""The rooms of a chat and who is in them: pure state and its rules. No storage and no socket is here, and the clock is a parameter.

Members read what is said in the topics of their rooms, which they may for as long as they are in them. Somebody who cannot *listens* from the
moment that they have been told what was said before, so that nothing is missing between the two and nothing comes twice. ``history`` keeps the lines.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial

from landline.apps.chat import text, wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.founding import Founding
from landline.apps.chat.server.people import Listener, Person, Refusal, Telling
from landline.apps.chat.topics import topic_of
from landline.settings import DEFAULT_ROOM

logger = logging.getLogger("landline.apps.chat")


class Room:
    """An open room: one with somebody in it.

    Attributes:
        name: in the form in which names are kept.
        topic: where its lines are.
        last: the offset of the last line that was told here since the room was opened.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.topic = topic_of(name)
        self.last = 0
        self.members: dict[Person, None] = {}
        self.listeners: dict[Listener, None] = {}

    def tell(self, message: wire.Told, *, besides: Person | None = None) -> None:
        """Tell everybody in the room but ``besides``."""
        telling = Telling(message)
        for member in list(self.members):
            if member is not besides:
                _safely(member, partial(member.tell, telling))

    def said(self, line: wire.Line, speaker: Person | None = None) -> int:
        """Tell a line that is stored to those who listen; return how many others are in the room, who find it in its topic.

        Args:
            line: what was said.
            speaker: who is not told, because they see it already.
        """
        self.last = line.offset
        for listener in list(self.listeners):
            if listener is not speaker:
                _safely(listener, partial(listener.hear, self.name, line))
        return len(self.members) - (speaker in self.members)


class Rooms:
    """All rooms.

    Args:
        limits: how many, and of how many people.
        kept: the names of rooms in which something was said and is kept, each with the place of its last line; shared with whoever
            keeps them. A room that gives way to a new one is taken out of it.
        clock: a steady clock, in seconds, for the pace at which rooms are made.
        left: called with whoever is in fewer rooms than before.
    """

    def __init__(
        self,
        limits: ChatLimits,
        kept: dict[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        left: Callable[[Person], None] | None = None,
    ) -> None:
        self._limits = limits
        self.kept = kept if kept is not None else {}
        self._founding = Founding(limits, clock)
        self._left = left
        self._open: dict[str, Room] = {}

    def get(self, name: str) -> Room | None:
        """Return the room if somebody is in it."""
        return self._open.get(name)

    def find(self, wished: str) -> tuple[str, Iterable[Person]]:
        """Return the name of a room that there is, and who is in it.

        Raises:
            Refusal: there is no such room.
        """
        name = valid_room(wished)
        if name in self._open:
            return name, self._open[name].members
        if name in self.kept:
            return name, ()
        raise Refusal(f"There is no room {name}; /rooms lists those there are, and /join {name} makes it.")

    def listed(self) -> list[wire.Room]:
        """Return every room, the fullest first."""
        rooms = [wire.Room(room.name, len(room.members)) for room in self._open.values()]
        rooms += [wire.Room(name, 0) for name in self.kept if name not in self._open]
        return sorted(rooms, key=lambda room: (-room.members, room.name))

    def join(self, person: Person, wished: str) -> Room | None:
        """Put a person into a room and tell the others; None when they are in it already.

        Raises:
            Refusal: it cannot be a room's name, a limit is reached, or they have left the chat.
        """
        if person.has_left:
            raise Refusal("You have left the chat.")
        name = valid_room(wished)
        if name in person.rooms:
            return None
        limits = self._limits
        if len(person.rooms) >= limits.rooms_each:
            raise Refusal(
                f"You are in {limits.rooms_each} rooms, which is the most; /leave one of them first.",
                "chat.rooms_each",
            )
        room = self._open.get(name)
        if room is None:
            self._open_up(person, name)
            room = self._open[name] = Room(name)
        elif len(room.members) >= limits.members:
            raise Refusal(f"The room {name} is full: {limits.members} people are in it.", "chat.members")
        self._tell_of(room, wire.Came(name, person.name, room.last), person)
        room.members[person] = None
        person.rooms[name] = room
        return room

    def _open_up(self, person: Person, name: str) -> None:
        # Everybody comes into the lobby first: that nobody is in it just now must not keep the next one out.
        if name in self.kept or name == DEFAULT_ROOM:
            return
        self._founding.check(person)
        self._make_place()
        self._founding.count(person)

    def _make_place(self) -> None:
        """Have the room that was silent for the longest give way when there are too many; its lines stay for whoever makes it again."""
        while len(self._open.keys() | self.kept.keys()) >= self._limits.rooms:
            silent = (name for name in self.kept if name not in self._open and name != DEFAULT_ROOM)
            oldest = min(silent, key=self.kept.__getitem__, default=None)
            if oldest is None:
                raise Refusal(
                    f"There are {self._limits.rooms} rooms, which is the most; /rooms lists them.",
                    "chat.rooms",
                )
            del self.kept[oldest]

    def listen(self, person: Listener, room: Room) -> None:
        """The person has been told everything up to now: from here on they are told what is said, if they are still in the room."""
        if person in room.members:
            room.listeners[person] = None

    def leave(self, person: Person, wished: str) -> None:
        """Take a person out of a room and tell the others.

        Raises:
            Refusal: they are not in it.
        """
        name = valid_room(wished)
        if name not in person.rooms:
            raise Refusal(f"You are not in the room {name}.")
        self._take_out(person, person.rooms[name], "")
        self._has_left(person)

    def leave_all(self, person: Person, why: str) -> None:
        """Take a person out of every room; ``why`` is a clause for the others, or empty."""
        for room in list(person.rooms.values()):
            self._take_out(person, room, why)
        self._has_left(person)

    def replace(self, person: Person, successor: Person) -> None:
        """Put somebody in a person's place in every room; nobody is told."""
        for room in person.rooms.values():
            del room.members[person]
            room.members[successor] = None
        successor.rooms, person.rooms = person.rooms, {}
        successor.founding = person.founding

    def tell_acquaintances(
        self, person: Person, message: wire.Told, *, besides: Person | None = None
    ) -> None:
        """Tell everybody once who shares a room with the person, or a call, and the person too, but not ``besides``."""
        people: dict[Person, None] = {person: None}
        if person.call is not None:
            people[person.call.other(person)] = None
        for room in person.rooms.values():
            if len(room.members) <= self._limits.members_told:
                people |= room.members
        telling = Telling(message)
        for other in people:
            if other is not besides:
                _safely(other, partial(other.tell, telling))

    def _has_left(self, person: Person) -> None:
        if self._left is not None:
            self._left(person)

    def _take_out(self, person: Person, room: Room, why: str) -> None:
        del person.rooms[room.name]
        del room.members[person]
        if isinstance(person, Listener):
            room.listeners.pop(person, None)
        if not room.members:
            del self._open[room.name]
        self._tell_of(room, wire.Went(room.name, person.name, why, room.last), person)

    def _tell_of(self, room: Room, message: wire.Told, person: Person) -> None:
        if len(room.members) < self._limits.members_told:
            room.tell(message, besides=person)


def _safely(person: Person, tell: Callable[[], None]) -> None:
    # It never raises; should it once, the others in the room are told all the same.
    try:
        tell()
    except Exception:
        logger.exception("%r could not be told something", person)


def valid_room(wished: str) -> str:
    """Return a room's name in the form in which it is kept.

    Raises:
        Refusal: it cannot be one.
    """
    try:
        return text.valid_room(wished)
    except ValueError as error:
        raise Refusal.of(error) from None
