"""Files that people of a chat offer each other: who offers what to whom, and who has accepted. Pure state and its rules; ``relays`` passes the bytes on.

An offer stands for a while, as long as its sender is here. Whoever accepts gets a *ticket*, which the sender is told and under which the file
comes. Nothing is stored: in another session, or in another life of the server, the sender's client offers the same again, and whoever had
accepted goes on.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.people import Person, Refusal, Telling

_GONE = "There is no such file any more."


@dataclass(slots=True, eq=False)
class Ticket:
    """Somebody has accepted a file, and it is not there yet."""

    number: int
    offer: Offer
    taker: int
    """Their client."""
    stop: Callable[[], object] | None = None
    """Ends its passing on, where the sender has begun."""

    @property
    def is_passing(self) -> bool:
        """Whether the sender has begun."""
        return self.stop is not None


@dataclass(slots=True, eq=False)
class Offer:
    """A file that is offered."""

    file: int
    sender: int
    """Their client."""
    name: str
    size: int
    room: str
    to: int | None
    """The client of the one person that it is offered to; None where that is the room."""
    ends_at: float
    tickets: dict[int, Ticket] = field(default_factory=dict)
    """By the client of who has accepted."""

    def goes_on_as(self, again: Offer) -> bool:
        """Whether the same is offered again to the same."""
        return (self.sender, self.name, self.size, self.room, self.to) == (
            again.sender,
            again.name,
            again.size,
            again.room,
            again.to,
        )


class FileOffers:
    """All files that are offered.

    Args:
        limits: see there.
        clock: a steady clock, in seconds.
        by_client: who is here with a client.
        in_room: who is in a room.
    """

    def __init__(
        self,
        limits: ChatLimits,
        clock: Callable[[], float],
        by_client: Callable[[int], Person | None],
        in_room: Callable[[str], Iterable[Person]],
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._by_client = by_client
        self._in_room = in_room
        self._offers: dict[int, Offer] = {}
        self._tickets: dict[int, Ticket] = {}

    # Offering...

    def offer(self, sender: Person, request: wire.OfferFile, room: str, to: int | None) -> None:
        """Have a file stand, and tell whom it is for.

        Raises:
            Refusal: it is too large, there are too many, or somebody else has its number.
        """
        self.expire()
        limits = self._limits
        if not sender.client:
            raise Refusal("Files need a program of landline at both ends.")
        if request.size > limits.file_size:
            raise Refusal(
                f"That file is too large for this chat: {request.size:,} bytes, and {limits.file_size:,} is the most.",
                "chat.file_size",
            )
        ends_at = self._clock() + limits.file_stands
        offer = Offer(request.file, sender.client, request.name, request.size, room, to, ends_at)
        before = self._offers.get(request.file)
        if before is not None and not before.goes_on_as(offer):
            raise Refusal("Another file is offered under that number.")
        if before is None and len(self._of(sender.client)) >= limits.file_offers:
            raise Refusal(
                f"You offer {limits.file_offers} files, which is the most; /refuse takes one back.",
                "chat.file_offers",
            )
        if before is None:
            self._offers[offer.file] = before = offer
        for ticket in list(before.tickets.values()):
            if not ticket.is_passing:  # the sender knows nothing of it any more
                self._void(ticket)
        for person in self._audience(before):
            self._tell_of(before, person)

    def came(self, person: Person, room: str = "") -> None:
        """Tell somebody who has come, into the chat or into this room, what is offered there."""
        self.expire()
        for offer in self._offers.values():
            is_for = offer.room == room if room else offer.to == person.client
            if is_for and offer.sender != person.client:
                self._tell_of(offer, person)

    # ... accepting and refusing...

    def take(self, person: Person, file: int) -> None:
        """Somebody accepts a file: tell its sender.

        Raises:
            Refusal: it is not offered to them, or there are too many.
        """
        self.expire()
        limits = self._limits
        offer = self._offered_to(person, file)
        before = offer.tickets.get(person.client)
        if before is not None:
            self._void(before)  # they have begun anew
        sender = self._by_client(offer.sender)
        if sender is None:
            raise Refusal(_GONE)
        if len(offer.tickets) >= limits.file_takers:
            raise Refusal(
                f"{limits.file_takers} people are receiving that; /accept it again in a while.",
                "chat.file_takers",
            )
        if sum(ticket.taker == person.client for ticket in self._tickets.values()) >= limits.files_each:
            raise Refusal(
                f"You are receiving {limits.files_each} files, which is the most at once; /accept it again in a while.",
                "chat.files_each",
            )
        if len(self._tickets) >= limits.files:
            raise Refusal(
                f"{limits.files} files are on their way in this chat; /accept it again in a while.",
                "chat.files",
            )
        self._await(offer, person, sender)

    def drop(self, person: Person, file: int) -> None:
        """Its sender takes a file back, or somebody does not want it.

        Raises:
            Refusal: there is none.
        """
        self.expire()
        offer = self._offers.get(file)
        if offer is not None and offer.sender == person.client:
            self._end(offer, f"{person.name} took it back", with_passing=True)
            return
        offer = self._offered_to(person, file)
        ticket = offer.tickets.get(person.client)
        if ticket is not None:
            self._void(ticket)
        sender = self._by_client(offer.sender)
        if sender is not None:
            sender.tell(Telling(wire.FileRefused(file, person.name)))

    # ... sending...

    def awaits(self, client: int, name: str) -> bool:
        """Whether a client may send a file under this name now."""
        ticket = self._ticket(name)
        return ticket is not None and ticket.offer.sender == client and not ticket.is_passing

    def begin(self, client: int, name: str, size: int, stop: Callable[[], object]) -> tuple[Ticket, Person]:
        """A client begins to send under this name; return what for and to whom. ``end`` must follow; ``stop`` is called where it is not wanted any more.

        Raises:
            Refusal: it may not.
        """
        ticket = self._ticket(name)
        taker = None if ticket is None else self._by_client(ticket.taker)
        if ticket is None or taker is None or not self.awaits(client, name):
            raise Refusal("nobody waits for that any more")
        if size != ticket.offer.size:
            self._void(ticket)
            raise Refusal("it is not of the size that was offered")
        most = self._limits.files_each
        if self._passing(client) >= most:
            raise Refusal(f"you are sending {most} files, which is the most at once", "chat.files_each")
        ticket.stop = stop
        return ticket, taker

    def end(self, ticket: Ticket, *, is_there: bool = False) -> None:
        """It is there, or given up; what was for one person only, and is there, is not offered any more."""
        ticket.stop = None
        self._void(ticket)
        offer = ticket.offer
        if is_there and offer.to is not None and self._offers.get(offer.file) is offer:
            del self._offers[offer.file]

    def holds_up(self, ticket: Ticket) -> bool:
        """Whether its sender sends as many as one may, while others wait for another one of theirs."""
        sender = ticket.offer.sender
        waiting = any(each.offer.sender == sender and not each.is_passing for each in self._tickets.values())
        return waiting and self._passing(sender) >= self._limits.files_each

    def wait_again(self, ticket: Ticket) -> None:
        """It is given up for now: whoever accepted it is the last of those who wait for its sender."""
        self.end(ticket)
        offer = ticket.offer
        sender, taker = self._by_client(offer.sender), self._by_client(ticket.taker)
        is_offered = self._offers.get(offer.file) is offer
        if is_offered and sender is not None and taker is not None and ticket.taker not in offer.tickets:
            self._await(offer, taker, sender)

    # ... and going.

    def gone(self, client: int, why: str) -> None:
        """Somebody is not in the chat any more; ``why`` is a clause where there is a reason to tell."""
        for offer in self._of(client):
            self._end(offer, why or "they left the chat", with_passing=True)
        for ticket in list(self._tickets.values()):
            if ticket.taker == client:
                self._void(ticket)

    def expire(self) -> int:
        """End the offers that have stood for long enough; return how many did."""
        now = self._clock()
        over = [offer for offer in self._offers.values() if offer.ends_at <= now]
        for offer in over:
            self._end(offer, "nobody may accept it any more", with_passing=False)
        return len(over)

    @property
    def next_end(self) -> float | None:
        """When the next offer ends, by the clock."""
        return min((offer.ends_at for offer in self._offers.values()), default=None)

    def _end(self, offer: Offer, why: str, *, with_passing: bool) -> None:
        del self._offers[offer.file]
        for ticket in list(offer.tickets.values()):
            if with_passing or not ticket.is_passing:
                self._void(ticket)
        gone = Telling(wire.FileGone(offer.file, why))
        for person in [self._by_client(offer.sender), *self._audience(offer)]:
            if person is not None and person.client not in offer.tickets:
                person.tell(gone)

    def _await(self, offer: Offer, taker: Person, sender: Person) -> None:
        number = secrets.randbits(63) or 1
        self._tickets[number] = offer.tickets[taker.client] = Ticket(number, offer, taker.client)
        sender.tell(Telling(wire.FileWanted(offer.file, number, taker.name)))

    def _passing(self, client: int) -> int:
        """How many they send just now."""
        return sum(each.is_passing and each.offer.sender == client for each in self._tickets.values())

    def _void(self, ticket: Ticket) -> None:
        if self._tickets.pop(ticket.number, None) is None:
            return
        del ticket.offer.tickets[ticket.taker]
        if ticket.stop is not None:
            ticket.stop()

    def _ticket(self, name: str) -> Ticket | None:
        try:
            return self._tickets.get(int(name, 16)) if len(name) <= 16 else None
        except ValueError:
            return None

    def _of(self, client: int) -> list[Offer]:
        return [offer for offer in self._offers.values() if offer.sender == client]

    def _offered_to(self, person: Person, file: int) -> Offer:
        offer = self._offers.get(file)
        if offer is None or person not in self._audience(offer):
            raise Refusal(_GONE)
        return offer

    def _audience(self, offer: Offer) -> Iterator[Person]:
        """Yield those whom it is for."""
        if offer.to is not None:
            people: Iterable[Person | None] = [self._by_client(offer.to)]
        else:
            people = self._in_room(offer.room)
        return (person for person in people if person is not None and person.client not in (0, offer.sender))

    def _tell_of(self, offer: Offer, person: Person) -> None:
        sender = self._by_client(offer.sender)
        if sender is not None:
            person.tell(
                Telling(wire.FileOffered(offer.file, sender.name, offer.name, offer.size, offer.room))
            )
