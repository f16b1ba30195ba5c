"""What a person does at a chat client: lines and commands become requests, or sentences about why not. ``model`` adds the line and the server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from landline.apps.chat import commands, text, wire
from landline.apps.chat.client import events
from landline.apps.chat.client.call import ClientCall
from landline.apps.chat.client.events import Aim, Event
from landline.apps.chat.client.files import ClientFiles, Find, no_file
from landline.apps.chat.client.line import Line
from landline.apps.chat.client.pending import (
    WAITING_AFTER,
    Command,
    Numbered,
    Pending,
    PendingRequests,
    Stage,
)
from landline.apps.chat.client.rooms import RoomViews, room_name
from landline.apps.chat.limits import CLIENT

MAX_WAITING: Final = CLIENT.waiting


class Typist(ABC):
    """The half of a client that its person types into; see ``model.Client``."""

    def __init__(
        self,
        name: str,
        number: int,
        rooms: Sequence[str] = ("lobby",),
        *,
        draw: Callable[[], int],
        is_kept: bool = False,
        find: Find = no_file,
    ) -> None:
        self.name = name
        self.number = number
        self.rooms = RoomViews(rooms, self._tell)
        self.line = Line()
        self.entered = False
        self.leaving = False
        self.given_up = False
        self.pending = PendingRequests(self._tell)
        self.call = ClientCall(self.pending, self._ask, self._tell)
        self.files = ClientFiles(self._ask, self._tell, draw, find)
        self._wished = name
        self._asked = name
        self._draw = draw
        self._run = draw()
        self._is_kept = is_kept
        self._typed = ""
        self._epoch = ""
        self._has_session = False
        self._next_id = 1
        self._told_waiting_at: float | None = None
        self._send: list[wire.Request | wire.Say] = []
        self._events: list[Event] = []
        self._drop: float | None = None
        self._hung_up = False

    @property
    def aim(self) -> Aim:
        """Where a line would go that is typed now."""
        if self.call.stage == "talking":
            return Aim(call=self.call.name)
        return Aim(room=self.rooms.current)

    @property
    def names(self) -> tuple[str, ...]:
        """The name that we are known by, then those that we asked for and may be known by next: who comes again under one is we."""
        asked = (self._asked, *(rename.name for rename in self.pending.of(wire.Rename)))
        return tuple(dict.fromkeys((self.name, *asked)))

    @property
    def waiting(self) -> list[Pending]:
        """Our lines that are not confirmed, oldest first."""
        return self.pending.texts()

    @abstractmethod
    def advance(self, now: float) -> None:
        """Let time have its effect."""

    # What the person typed...

    def typed(self, line: str, now: float, *, aim: Aim | None = None) -> None:
        """Take what was entered: a line to say or a command.

        Args:
            line: as typed; several lines that were pasted together are one message.
            now: the time, in seconds of any steady clock.
            aim: where it was meant to go when the typing began. A line that was meant for a call that has ended since is never
                said to a room: it comes back as ``NotSent`` with ``back`` set.
        """
        self._typed = line.strip().partition("\n")[0]
        try:
            self._do(commands.parse(line, with_session=True), aim or self.aim, now)
        except ValueError as error:
            self.not_said(str(error))  # a sentence that says what is wrong with it
        finally:
            self._typed = ""

    def leave(self, now: float, *, at_once: bool = False, quietly: bool = False) -> None:
        """Leave the chat as soon as everything said is confirmed, or ``at_once``; ``quietly`` does not tell how to hurry it."""
        self.leaving = True
        self.given_up = self.given_up or at_once
        if (len(self.pending) or self.files.is_busy) and not self.given_up and not quietly:
            self._told_waiting_at = now + WAITING_AFTER

    def kept_elsewhere(self, lines: Mapping[str, int]) -> None:
        """So many lines wait on this disk for somebody to come under other names."""
        for name, count in lines.items():
            self._tell(events.KeptElsewhere(name, count))

    def trouble(self, said: str) -> None:
        """Tell the person something about the line that they should read."""
        self._tell(events.Said(said, trouble=True))

    def not_said(self, why: str) -> None:
        """What was entered cannot be said at all; ``why`` is a sentence."""
        self.pending.failed += 1
        self.trouble(why)

    def give_up(self) -> None:
        """Say what became of the lines that are still unconfirmed: nothing more will happen to them."""
        self.pending.give_up(is_kept=self._is_kept)

    def _do(self, command: commands.Command, aim: Aim, now: float) -> None:
        match command:
            case commands.Say(said):
                self._say(said, aim, now)
            case commands.Nick(name):
                self._rename(text.valid_name(name), now)
            case commands.Join(room):
                self._join(text.valid_room(room), now)
            case commands.Leave(room):
                self._leave(room_name(room) or self.rooms.current, now)
            case commands.Rooms():
                self._ask(wire.ListRooms, now=now)
            case commands.Who(room):
                self._who(room_name(room) or self.rooms.current, now)
            case commands.History(lines):
                self._look_back(lines, now)
            case commands.Message(to, said):
                self._ask(wire.Whisper, to, text.valid_line(said), now=now)
            case commands.Call(name):
                self.call.ring(name, now, is_down=self.line.is_down)
            case commands.Send() | commands.Accept() | commands.Refuse() | commands.Files():
                self._do_with_files(command, aim, now)
            case commands.Drop(seconds):
                self._drop_line(seconds)
            case commands.Help():
                self._tell(events.Said(commands.help_text(with_session=True)))
            case commands.Bye():
                if not self.call.bye(self.rooms.current, now):
                    self.leave(now, at_once=self.leaving)
            case commands.Mistake(why):
                self.not_said(why)

    def _do_with_files(
        self,
        command: commands.Send | commands.Accept | commands.Refuse | commands.Files,
        aim: Aim,
        now: float,
    ) -> None:
        match command:
            case commands.Send(path, to):
                # A reserved name is refused by whoever knows whether somebody is called that.
                to = (to if text.is_reserved(to) else text.valid_name(to)) if to else aim.call
                self.files.offer(path, to, "" if to else aim.room, now)
            case commands.Accept(number):
                self.files.accept(number, now)
            case commands.Refuse(number):
                self.files.refuse(number, now)
            case commands.Files():
                self.files.tell_all()

    def _say(self, line: str, aim: Aim, now: float) -> None:
        try:
            said = text.valid_line(line)
        except ValueError as error:
            self.pending.failed += 1
            self._not_said(line, aim, str(error))
            return
        if not (aim.call or aim.room):
            self.trouble("You are in no room: /join lobby takes you to the lobby.")
        elif len(self.waiting) >= MAX_WAITING:
            self._not_said(said, aim, "too many lines are waiting already")
        elif aim.call and aim != self.aim:
            self._not_said(said, aim, f"the call with {aim.call} is over")
        elif aim.call:
            self._ask(wire.Talk, said, now=now, to=aim.call)
        elif aim.room not in self.rooms:
            self._not_said(said, aim, f"you are no longer in #{aim.room}")
        else:
            say = wire.Say(self._draw(), aim.room, said, self._run, self._next_id - 1)
            self._await(Pending(say, now, is_kept=not self._is_kept), now)

    def _not_said(self, said: str, aim: Aim, why: str) -> None:
        self._tell(events.NotSent(said, aim.call or f"#{aim.room}", why, back=True))

    def _rename(self, name: str, now: float) -> None:
        if name == self.name:
            self._tell(events.Said(f"You are {name} already."))
        else:
            self._ask(wire.Rename, name, now=now)

    def _join(self, room: str, now: float) -> None:
        if room in self.rooms:
            self.rooms.current = room
            self._tell(events.Turned(room))
        else:
            # From here on lines are meant for it; they wait until the server has let us in.
            self.rooms.add(room)
            self._ask(wire.Join, room, now=now)

    def _leave(self, room: str, now: float) -> None:
        if room not in self.rooms:
            self.trouble(f"You are not in #{room}." if room else "You are in no room.")
        else:
            self._left(room, f"you left #{room}")
            self._ask(wire.Leave, room, now=now)

    def _who(self, room: str, now: float) -> None:
        if room:
            self._ask(wire.ListMembers, room, now=now)
        else:
            self.trouble("You are in no room: /rooms lists those there are.")

    def _look_back(self, lines: int, now: float) -> None:
        room = self.rooms.current
        view = self.rooms.get(room)
        if view is None:
            self.trouble("You are in no room: /rooms lists those there are.")
        elif not view.caught_up:
            self.trouble(f"#{room} is still being read; try again in a moment.")
        elif self.pending.of(wire.Earlier):  # the answer says where the next begins
            if self.line.is_down:
                self._tell(events.Said("/history waits already; its answer says where the next begins."))
        else:
            self._ask(partial(wire.Earlier, room=room, before=view.begins + 1, limit=lines), now=now)

    def _drop_line(self, seconds: float) -> None:
        if self.line.is_down or not self.entered:
            self._tell(events.Said("The line is down already."))
        else:
            self._drop = seconds
            self._hung_up = True

    def _left(self, name: str, why: str) -> None:
        """Forget a room, and say of the lines that still wait for it that they will not go out."""
        if not self.rooms.remove(name):
            return
        self.pending.room_left(name, why)
        self._tell(events.Left(name, self.rooms.current))

    # Sending...

    def _ask(self, kind: Callable[..., Numbered], *fields: str | int, now: float, to: str = "") -> None:
        request = kind(self._next_id, *fields)
        pending = Pending(request, now, to=to, typed=self._typed if isinstance(request, Command) else "")
        self._next_id += 1
        self._await(pending, now)

    def _await(self, pending: Pending, now: float) -> None:
        """Wait for what becomes of it; a line for a room goes into the outbox at once, whether its server is there or not."""
        self.pending.add(pending)
        if self._has_session if isinstance(pending.request, wire.Say) else self.entered:
            self._hand_over(pending)
        self.advance(now)

    def _hand_over(self, pending: Pending) -> None:
        pending.stage = Stage.SENT
        self._send.append(pending.request)

    # ... and telling.

    def _tell(self, event: Event) -> None:
        self._events.append(event)
