"""A guest: somebody who is in the chat by plain text, with ``nc`` or a socket script.

A guest is in one room at a time; joining another one leaves the first. How they are written to is ``plain``'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Protocol

from landline.apps.chat import commands, wire
from landline.apps.chat.plain import caller as plain_caller
from landline.apps.chat.server import calls
from landline.apps.chat.server.chat import Chat
from landline.apps.chat.server.founding import source
from landline.apps.chat.server.history import Recent
from landline.apps.chat.server.people import Listener, Refusal, Telling
from landline.apps.chat.words import listed_members, listed_rooms, news
from landline.settings import DEFAULT_ROOM


class Line(Protocol):
    """How somebody is written to; ``plain_caller.PlainLine`` says what each of these means. None of them waits or raises."""

    def welcome(
        self, name: str, room: str, others: Sequence[str], recent: Sequence[tuple[str, str]] = ()
    ) -> None:
        """They are in."""

    def room_said(self, name: str, text: str) -> None:
        """Somebody else said a line in their room."""

    def whispered(self, name: str, text: str) -> None:
        """Somebody said this to them alone."""

    def talked(self, name: str, text: str) -> None:
        """The other one in the call said this."""

    def told(self, text: str) -> None:
        """An answer, or something they must know."""

    def noticed(self, text: str) -> None:
        """Small news."""

    def called(self, name: str) -> None:
        """They have another name now."""

    def moved(self, room: str) -> None:
        """They are in another room now."""

    def recalled(self, lines: Sequence[tuple[str, str]]) -> None:
        """These (name, text) were said before in a room that they have just moved to."""

    def call_began(self, name: str) -> None:
        """They are in a call."""

    def call_ended(self, name: str, why: str) -> None:
        """The call, or the ringing, is over."""

    def operator_present(self, present: bool) -> None:
        """Somebody sits at the server, or no longer does."""

    def close(self, reason: str) -> None:
        """It ends here."""


class Guest(Listener):
    """Somebody with a plain line.

    Args:
        line: theirs.
        chat: what they are in.
        peer: the address of their end; None for somebody of the house.
    """

    kind: ClassVar[str] = "plain"

    def __init__(self, line: Line, chat: Chat, peer: str | None = None) -> None:
        super().__init__(source=source(peer) if peer is not None else "")
        self.line = line
        self._chat = chat
        self._house = chat.house

    @property
    def room(self) -> str:
        """The room they are in; an empty string before they are welcome."""
        return next(iter(self.rooms), "")

    async def enter(self) -> None:
        """Come into the lobby under a name that the house gives."""
        try:
            with self._refusals():
                self._claim_name()
                room = self._house.rooms.join(self, DEFAULT_ROOM)
            assert room is not None, "who comes is in no room yet"
            self.line.operator_present(self._house.operator is not None)
            recent = await self._chat.recent(self, room.name)
        except BaseException:  # the full room, or the end of the program
            self._house.leave(self)
            raise
        others = [person.name for person in room.members if person is not self]
        self.line.welcome(self.name, room.name, others, [(line.name, line.text) for line in recent.lines])
        self._missing(recent)

    def _claim_name(self) -> None:
        self._house.enter_as_guest(self)

    def hear(self, room: str, line: wire.Line) -> None:
        """Pass on what is said; they are in one room."""
        del room
        self.line.room_said(line.name, line.text)

    def tell(self, telling: Telling) -> None:
        """Pass on what they are told."""
        line = self.line
        match telling.message:
            case wire.Whispered(name, said_text):
                line.whispered(name, said_text)
            case wire.Talked(name, said_text):
                line.talked(name, said_text)
            case wire.Rang(name):
                line.told(f"{name} is calling you: /call {name} answers.")
            case wire.CallBegan(name):
                line.call_began(name)
            case wire.CallEnded(name, why):
                line.call_ended(name, why)
            case wire.Notice():
                pass  # that the house closes is told by ``Desk.close``, as the last thing they hear
            case message:
                if text := news(message, self.name):
                    line.noticed(text)

    # What they do.

    async def say(self, text: str) -> int:
        """Say a line in their room, or in the call; return to how many others."""
        with self._refusals():
            if self.call is not None and self.call.is_talking:
                self._house.talk(self, text)
                return 1
            return await self._chat.say(self, self.room, text)

    async def do(self, command: commands.Command) -> None:
        """Carry out a command."""
        with self._refusals():
            await self._do(command)

    async def _do(self, command: commands.Command) -> None:
        house, line = self._house, self.line
        match command:
            case commands.Nick(name):
                house.rename(self, name)
                line.called(self.name)
                line.told(f"You are {self.name} now.")
            case commands.Join(room):
                await self._go_to(room)
            case commands.Leave():
                if self.room == DEFAULT_ROOM:
                    raise Refusal("You are in the lobby, where everybody begins: bye leaves the chat.")
                await self._go_to(DEFAULT_ROOM)
            case commands.Rooms():
                line.told(listed_rooms(house.rooms.listed()))
            case commands.Who(room):
                name, people = house.rooms.find(room or self.room)
                line.told(listed_members(name, [person.as_member() for person in people]))
            case commands.Message(to, text):
                other = house.whisper(self, to, text)
                line.told(f"Said to {other.name} alone.")
            case commands.Call(name):
                self._chat.ring(self, name)
                if self.call is not None and not self.call.is_talking:
                    line.told(f"Ringing {self.call.callee.name}.")
            case _:
                raise Refusal("That cannot be done over a plain line.")

    async def hang_up(self) -> None:
        """End the call."""
        with self._refusals():
            calls.hang_up(self)

    async def leave(self, reason: str) -> None:
        """They have gone; ``reason`` is a clause for the others."""
        self._house.leave(self, "" if reason == "said bye" else reason)

    async def _go_to(self, wished: str) -> None:
        before = self.room
        room = self._house.rooms.join(self, wished)
        if room is None:
            raise Refusal(f"You are in {before} already.")
        self._house.rooms.leave(self, before)
        self.line.moved(room.name)
        recent = await self._chat.recent(self, room.name)
        others = [person.as_member() for person in room.members if person is not self]
        company = listed_members(room.name, others) if others else "Nobody else is there."
        self.line.told(f"You are in {room.name} now. {company}")
        self.line.recalled([(line.name, line.text) for line in recent.lines])
        self._missing(recent)

    def _missing(self, recent: Recent) -> None:
        if recent.missing:
            self.line.noticed(recent.missing)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Say the house's refusals in the words of the plain line."""
        try:
            yield
        except Refusal as refusal:
            self._chat.hit(self, refusal.limit, f"{self.name or 'somebody'} was refused")
            raise plain_caller.Refused(str(refusal)) from None


class Desk:
    """Lets plain callers in."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._closed = ""

    async def enter(self, line: plain_caller.PlainLine) -> Guest:
        """Let one in; see ``plain_caller.Desk``."""
        if self._closed:
            raise plain_caller.Refused(self._closed)
        guest = Guest(line, self._chat, line.peer)
        await guest.enter()
        return guest

    def hit(self, limit: str, what: str) -> None:
        """Count that a caller hit a limit."""
        self._chat.hits.add(limit, Guest.kind, what)

    def operator_present(self, present: bool) -> None:
        """Somebody sits at the server now, or no longer does."""
        for guest in self._guests():
            guest.line.operator_present(present)

    def close(self, reason: str) -> None:
        """Tell all why, and let them go; so is who comes after this."""
        self._closed = reason
        for guest in self._guests():
            guest.line.close(reason)

    def _guests(self) -> Iterator[Guest]:
        return (person for person in self._chat.house.names if isinstance(person, Guest))
