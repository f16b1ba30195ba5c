"""The files of a chat client: those that it offers, and those that are offered to it, by the small numbers that its person types.

It moves no bytes: ``carrying`` asks what is to be sent and what may come, and says how far it is. A file that was accepted is accepted again by
itself whenever its sender offers it again, in another session or life of the server, so that it goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import landline
from landline.apps.chat import text, wire
from landline.apps.chat.client import events
from landline.apps.chat.limits import CLIENT
from landline.apps.rates import Meter

Find = Callable[[str], tuple[Path, str, int]]
"""Takes what somebody typed; returns a file's path, name and size, or raises ``ValueError`` with a sentence."""


def no_file(typed: str) -> tuple[Path, str, int]:
    """Find none."""
    raise ValueError("Files cannot be sent from here.")


@dataclass(slots=True, eq=False)
class Move:
    """A file on its way to somebody, or from them."""

    name: str
    size: int
    other: str
    own: bool
    meter: Meter = field(default_factory=Meter)
    done: int = 0
    is_moving: bool = False

    def moved(self, done: int) -> None:
        """So many bytes are through."""
        self.done, self.is_moving = done, True
        self.meter.mark(done)


@dataclass(slots=True, eq=False)
class Outgoing:
    """A file that we offer."""

    number: int
    file: int
    path: Path
    name: str
    size: int
    to: str
    room: str
    is_told: bool = False
    is_unheard: bool = False
    """It stood, and whom it is for was not there when we offered it again."""
    moves: dict[int, Move] = field(default_factory=dict)
    """By ticket: those who have accepted it, and have it not yet."""

    @property
    def aim(self) -> str:
        """Whom it is for, as a person writes it."""
        return self.to or f"#{self.room}"


@dataclass(slots=True, eq=False)
class Incoming:
    """A file that is offered to us."""

    number: int
    file: int
    name: str
    size: int
    by: str
    room: str
    is_accepted: bool = False
    is_gone: bool = False
    """Its sender is not there to send it just now."""
    is_again: bool = False
    """It was offered again while it came: the session that it came over may have ended without our knowing."""
    move: Move | None = None


class ClientFiles:
    """The files of one client.

    Args:
        ask: sends a request: ``ask(kind, *fields, now=now)``.
        tell: takes the events.
        draw: gives 63 random bits.
        find: finds a file that somebody typed.
    """

    def __init__(
        self,
        ask: Callable[..., None],
        tell: Callable[[events.Event], None],
        draw: Callable[[], int],
        find: Find,
    ) -> None:
        self._ask = ask
        self._tell = tell
        self._draw = draw
        self._find = find
        self._outgoing: dict[int, Outgoing] = {}
        self._incoming: dict[int, Incoming] = {}
        self._over: dict[int, None] = {}
        self._last = 0

    @property
    def moves(self) -> list[Move]:
        """What is on its way, the oldest first."""
        found = [move for each in self._outgoing.values() for move in each.moves.values()]
        found += [each.move for each in self._incoming.values() if each.move is not None]
        return [move for move in found if move.is_moving]

    @property
    def is_busy(self) -> bool:
        """Whether anything is on its way."""
        return any(each.moves for each in self._outgoing.values()) or any(
            each.is_accepted and not each.is_gone for each in self._incoming.values()
        )

    # What the person does...

    def offer(self, typed: str, to: str, room: str, now: float) -> None:
        """Offer a file to a person, or to a room.

        Raises:
            ValueError: there is no such file, or nobody to offer it to.
        """
        if not (to or room):
            raise ValueError("You are in no room: /send FILE @NAME offers it to one person.")
        path, name, size = self._find(typed)
        self._last += 1
        each = Outgoing(self._last, self._draw(), path, name, size, to, room)
        self._outgoing[each.file] = each
        self._say(each, now)

    def accept(self, number: int, now: float) -> None:
        """Receive a file.

        Raises:
            ValueError: there is none of this number.
        """
        each = self._chosen([each for each in self._incoming.values() if each.move is None], number, "accept")
        each.is_accepted = True
        if each.is_gone:
            raise ValueError(f"{each.by} is not there to send {each.name}; it comes when they are back.")
        self._ask(wire.TakeFile, each.file, now=now)

    def refuse(self, number: int, now: float) -> None:
        """Not to receive a file, or not any more; or to take one's own back.

        Raises:
            ValueError: there is none of this number.
        """
        known: list[Outgoing | Incoming] = [*self._incoming.values()]
        if number or not known:
            known += self._outgoing.values()
        each = self._chosen(known, number, "refuse")
        if isinstance(each, Incoming):
            self._forget(each)
            done = f"You refused {each.name} of {each.by}."
        else:
            del self._outgoing[each.file]
            done = f"You took {each.name} back."
        self._tell(events.Said(done))
        if not (isinstance(each, Incoming) and each.is_gone):
            self._ask(wire.DropFile, each.file, now=now)

    def tell_all(self) -> None:
        """Tell which there are."""
        found = [
            events.FileState(each.number, each.name, each.size, each.aim, True, tuple(move.done for move in each.moves.values()))
            for each in self._outgoing.values()
        ] + [
            events.FileState(each.number, each.name, each.size, each.by, False, () if each.move is None else (each.move.done,))
            for each in self._incoming.values()
        ]  # fmt: skip
        self._tell(events.Files(tuple(sorted(found, key=lambda state: state.number))))

    # ... what the server says...

    def heard(
        self, told: wire.FileOffered | wire.FileWanted | wire.FileRefused | wire.FileGone, now: float
    ) -> None:
        """Take what is told of files."""
        match told:
            case wire.FileOffered():
                self._on_offer(told, now)
            case wire.FileWanted(file, ticket, by):
                if (each := self._outgoing.get(file)) is not None:
                    each.moves[ticket] = Move(each.name, each.size, by, own=True)
                    self._tell(events.FileWanted(each.name, by))
            case wire.FileRefused(file, by):
                if (each := self._outgoing.get(file)) is not None:
                    each.moves = {ticket: move for ticket, move in each.moves.items() if move.other != by}
                    self._tell(events.FileNotWanted(each.name, by))
            case wire.FileGone(file, why):
                self._on_gone(file, why)

    def stands(self, file: int) -> None:
        """The server has told of a file of ours."""
        each = self._outgoing.get(file)
        if each is not None and not each.is_told:
            each.is_told = True
            self._tell(events.FileOut(each.number, each.name, each.size, each.aim))

    def refused(self, request: wire.OfferFile | wire.TakeFile) -> None:
        """The server does not let us; why is told by others."""
        if isinstance(request, wire.OfferFile):
            each = self._outgoing.get(request.file)
            if each is not None and each.is_told and each.to:
                each.is_unheard = True  # they may only be later than we
            else:
                self._outgoing.pop(request.file, None)
        elif request.file in self._incoming:
            self._incoming[request.file].is_accepted = False

    def renamed(self, old: str, new: str) -> None:
        """Somebody is called otherwise."""
        for sent in self._outgoing.values():
            sent.to = new if sent.to and text.name_key(sent.to) == text.name_key(old) else sent.to
            for move in sent.moves.values():
                move.other = new if move.other == old else move.other
        for each in self._incoming.values():
            each.by = new if each.by == old else each.by

    def is_here(self, name: str, now: float) -> None:
        """Somebody is there again: offer them again what they could not be told of."""
        for each in self._outgoing.values():
            if each.is_unheard and text.name_key(each.to) == text.name_key(name):
                self._say(each, now)

    def entered(self, now: float) -> None:
        """We are in the chat, on another session or with another life of the server: offer again what we offer."""
        for each in self._outgoing.values():
            self._say(each, now)

    def session_ended(self) -> None:
        """Nothing comes or goes any more; what was accepted waits for its sender, whose client offers it again."""
        for sent in self._outgoing.values():
            sent.moves.clear()
        for each in self._incoming.values():
            each.is_gone, each.move, each.is_again = True, None, False

    def _on_offer(self, told: wire.FileOffered, now: float) -> None:
        before = self._incoming.get(told.file)
        if before is not None and (before.name, before.size, before.by) == (told.name, told.size, told.by):
            before.is_gone = False
            before.is_again = before.move is not None
            if before.is_accepted and not before.is_again:
                self._ask(wire.TakeFile, told.file, now=now)
            return
        if told.file in self._over:
            return
        self._last += 1
        each = Incoming(self._last, told.file, told.name, told.size, told.by, told.room)
        self._incoming[told.file] = each
        if len(self._incoming) > CLIENT.files:
            waiting = (old for old in self._incoming.values() if not old.is_accepted and old is not each)
            if (oldest := next(waiting, None)) is not None:
                del self._incoming[oldest.file]
        self._tell(events.FileOffered(each.number, each.name, each.size, each.by, each.room))

    def _on_gone(self, file: int, why: str) -> None:
        sent = self._outgoing.pop(file, None)
        if sent is not None:
            self._tell(events.FileGone(sent.name, sent.aim, why, own=True))
        each = self._incoming.get(file)
        if each is None:
            return
        each.is_gone = True
        if not each.is_accepted:
            del self._incoming[file]
        self._tell(events.FileGone(each.name, each.by, why, own=False, goes_on=each.is_accepted))

    # ... and what is carried.

    def to_send(self) -> dict[int, Outgoing]:
        """Return what is to be sent, by ticket; what is not there any more is to be given up."""
        return {ticket: each for each in self._outgoing.values() for ticket in each.moves}

    def expected(self, file: int, size: int) -> Incoming | None:
        """Return the file that comes under this number, if we have accepted one of this size."""
        each = self._incoming.get(file)
        return each if each is not None and each.is_accepted and each.size == size else None

    def is_wanted(self, each: Incoming) -> bool:
        """Whether it is still to be received."""
        return self._incoming.get(each.file) is each

    def began(self, each: Incoming, folder: str) -> Move:
        """It begins to come."""
        each.move = Move(each.name, each.size, each.by, own=False)
        self._tell(events.FileArriving(each.name, each.size, folder))
        return each.move

    def received(self, each: Incoming, path: str) -> None:
        """It is there."""
        if self.is_wanted(each):
            self._forget(each)
        self._tell(events.FileReceived(each.name, each.size, path, each.by))

    def not_received(self, each: Incoming, move: Move, why: str, now: float) -> None:
        """It stands still; another one of the same may have begun by now."""
        if each.move is not move:
            return
        each.move = None
        if self.is_wanted(each):
            self._tell(events.FileStopped(each.number, each.name, each.by, why, own=False))
            if each.is_again:
                each.is_again = False
                self._ask(wire.TakeFile, each.file, now=now)

    def sent(self, each: Outgoing, ticket: int) -> None:
        """It is there, whole."""
        move = each.moves.pop(ticket, None)
        if move is not None:
            self._tell(events.FileSent(each.name, move.other))
        if each.to and self._outgoing.get(each.file) is each:
            del self._outgoing[each.file]  # nobody else waits for it

    def not_sent(self, each: Outgoing, ticket: int, error: landline.LandlineError) -> None:
        """It did not come through."""
        move = each.moves.pop(ticket, None)
        if move is not None:
            is_refused = isinstance(error, landline.TransferRefused)
            self._tell(
                events.FileStopped(
                    each.number, each.name, move.other, str(error), own=True, is_refused=is_refused
                )
            )

    def _forget(self, each: Incoming) -> None:
        """It is there, or refused: to be told of it again is no news."""
        del self._incoming[each.file]
        self._over[each.file] = None
        if len(self._over) > CLIENT.files:
            del self._over[next(iter(self._over))]

    def _say(self, each: Outgoing, now: float) -> None:
        each.is_unheard = False
        self._ask(wire.OfferFile, each.file, each.name, each.size, each.to, each.room, now=now)

    def _chosen(self, known: list[Any], number: int, verb: str) -> Any:
        found = [each for each in known if number in (0, each.number)]
        if not found:
            raise ValueError(
                f"There is no file {number} to {verb}; /files lists them."
                if number
                else f"There is no file to {verb}."
            )
        if len(found) > 1:
            numbers = ", ".join(f"/{verb} {each.number} ({each.name})" for each in found[:5])
            raise ValueError(f"Which one? {numbers}")
        return found[0]
