"""The house: everybody in the chat, and what each may do there. It ties names, rooms and calls together and is as pure as they are.

``server`` brings people to it; ``history`` keeps what is said.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from landline.apps.chat import text, wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server import calls
from landline.apps.chat.server.calls import Call
from landline.apps.chat.server.files import FileOffers
from landline.apps.chat.server.names import Names
from landline.apps.chat.server.people import Absent, Person, Refusal, Telling
from landline.apps.chat.server.rooms import Rooms, valid_room


class House:
    """Everybody in the chat.

    Args:
        limits: see there.
        kept: the rooms whose lines are kept, as for ``Rooms``; shared with whoever keeps them.
        clock: a steady clock, in seconds.
        left: as for ``Rooms``.

    Attributes:
        operator: who sits at the server's terminal, if anybody.
        is_closing: everybody goes at once, and may come back to the next life of the server.
    """

    def __init__(
        self,
        limits: ChatLimits,
        kept: dict[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        left: Callable[[Person], None] | None = None,
    ) -> None:
        self.limits = limits
        self.names = Names()
        self.rooms = Rooms(limits, kept, clock, left)
        self.files = FileOffers(limits, clock, self.by_client, self._in_room)
        self.operator: Person | None = None
        self._clients: dict[int, Person] = {}
        self.is_closing = False

    # Coming...

    def enter(self, person: Person, wished: str) -> str:
        """Let somebody in under the wished name or the nearest; return a sentence when the wish could not be a name.

        Whoever shows the number of a client that is here already is that client on a new session: it takes over its name and its
        rooms, and nobody is told of a going and a coming.

        Raises:
            Refusal: the house is full.
        """
        before = self._clients.get(person.client) if person.client else None
        if before is not None:
            self._replace(before, person, wished)
            return ""
        self._has_room()
        notice = self.names.claim(person, wished)
        if person.client:
            self._clients[person.client] = person
        return notice

    def _replace(self, person: Person, successor: Person, wished: str) -> None:
        calls.gone(person, "lost the line")  # the new session knows nothing of it
        self.names.replace(person, successor)
        self.rooms.replace(person, successor)
        self._clients[successor.client] = successor
        person.has_left = True  # what it is in the middle of goes on until its session has ended
        person.replaced()
        if person.away:
            self.rooms.tell_acquaintances(successor, wire.Away(successor.name, False), besides=successor)
        if wished != successor.name:
            with contextlib.suppress(Refusal):
                self.rename(successor, wished)

    def enter_as_guest(self, person: Person) -> None:
        """Let somebody in who has not said a name.

        Raises:
            Refusal: the house is full.
        """
        self._has_room()
        self.names.claim_guest(person)

    def enter_as_operator(self, person: Person, name: str) -> None:
        """Somebody sits at the server now."""
        self.names.claim_reserved(person, name)
        self.operator = person

    def expect(self, person: Absent) -> None:
        """Hold the name of somebody who may come back; they ``leave`` when they do not. Where there is no room for them it is free."""
        if len(self.names) < self.limits.people and not self.names.is_taken(person.name):
            self.names.claim_reserved(person, person.name)
            self._clients[person.client] = person

    def _has_room(self) -> None:
        if len(self.names) >= self.limits.people:
            raise Refusal(
                f"The chat is full: {self.limits.people} people are in it. Please try again later.",
                "chat.people",
            )

    # ... and going.

    def is_here(self, person: Person) -> bool:
        """Say whether the person has entered and not left."""
        return bool(person.name) and self.names.holds(person)

    def by_client(self, client: int) -> Person | None:
        """Return who is here with this client."""
        return self._clients.get(client)

    def leave(self, person: Person, why: str = "") -> None:
        """Somebody has gone, or must; ``why`` is a clause for the others. From here on nothing lets them in again.

        Whether they bear their name still does not matter: what they are in, they leave.
        """
        person.has_left = True
        if person.name:
            self.names.release(person)
        if self._clients.get(person.client) is person:
            del self._clients[person.client]
            if not self.is_closing:
                self.files.gone(person.client, why)
        if self.operator is person:
            self.operator = None
        if self.is_closing:
            person.rooms.clear()  # everybody goes at once: nobody needs to be told of each
            return
        calls.gone(person)
        self.rooms.leave_all(person, why)

    def close(self, notice: str) -> None:
        """Tell everybody that the house closes; from here on nobody is told who goes."""
        self.is_closing = True
        telling = Telling(wire.Notice(notice))
        for person in self.names:
            person.tell(telling)

    # Being here...

    def rename(self, person: Person, wished: str) -> None:
        """Give a person another name, and tell those around.

        Raises:
            Refusal: it cannot be theirs.
        """
        _must_be_here(person)
        old = self.names.rename(person, wished)
        if person.name != old:
            self.rooms.tell_acquaintances(person, wire.Renamed(old, person.name))

    def may_read(self, client: int, topic: str) -> bool:
        """Whether a client may read a topic: it is in that room."""
        person = self._clients.get(client)
        return person is not None and any(room.topic == topic for room in person.rooms.values())

    def set_away(self, person: Person, away: bool) -> None:
        """The person's line went down, or is back; everything of theirs is held meanwhile."""
        if person.away != away and self.is_here(person) and not self.is_closing:
            person.away = away
            self.rooms.tell_acquaintances(person, wire.Away(person.name, away), besides=person)

    def may_say(self, person: Person, room: str, said: str) -> tuple[str, str]:
        """Return the room's name and the line as they are kept.

        Raises:
            Refusal: they are not in that room, or it cannot be said.
        """
        return self.room_of(person, room), self._line(said)

    def room_of(self, person: Person, room: str) -> str:
        """Return the name of a room that the person is in, as it is kept.

        Raises:
            Refusal: they are not in it.
        """
        name = room if room in person.rooms else valid_room(room)
        if name not in person.rooms:
            raise Refusal(f"You are not in the room {name}; /join {name} takes you there.")
        return name

    def whisper(self, person: Person, to: str, said: str) -> Person:
        """Say something to one person alone; return who heard it.

        Raises:
            Refusal: there is no such person, or it cannot be said.
        """
        _must_be_here(person)
        line = self._line(said)
        other = self.names.find(to)
        if other is person:
            raise Refusal("That is you: nobody else heard it.")
        if isinstance(other, Absent):
            raise Refusal(
                f"Since the server was started again {other.name} is not back yet; try again when they are."
            )
        other.tell(Telling(wire.Whispered(person.name, line)))
        return other

    def offer_file(self, person: Person, offer: wire.OfferFile) -> None:
        """Offer a file to one person, or to a room that one is in; whoever may say something there may.

        Raises:
            Refusal: there is a reason why not.
        """
        _must_be_here(person)
        if not offer.to:
            self.files.offer(person, offer, self.room_of(person, offer.room), None)
            return
        other = self.names.find(offer.to)
        if other is person:
            raise Refusal("That is you: you have that file already.")
        if not other.client:
            raise Refusal(f"{other.name} is here without a program that takes files.")
        self.files.offer(person, offer, "", other.client)

    def ring(self, person: Person, to: str) -> Call | None:
        """Ring somebody, or accept when they are ringing; return the call that rings now, if one does.

        Raises:
            Refusal: there is a reason why not.
        """
        _must_be_here(person)
        return calls.ring(person, self.names.find(to))

    def talk(self, person: Person, said: str) -> Person:
        """Say something in the call; return who heard it.

        Raises:
            Refusal: nobody is at the other end, or it cannot be said.
        """
        return calls.talk(person, self._line(said))

    def _in_room(self, name: str) -> list[Person]:
        room = self.rooms.get(name)
        return [] if room is None else list(room.members)

    def _line(self, said: str) -> str:
        try:
            return text.valid_line(said)
        except ValueError as error:
            raise Refusal.of(error) from None


def _must_be_here(person: Person) -> None:
    # A session that was replaced may have a request of its own under way.
    if person.has_left:
        raise Refusal("You have left the chat.")
