"""A chat client that knows no screen, no socket and no clock: what a person typed, what the server said and the time go in;
requests to send and events to show come out.

It keeps the promise of the chat: a line of ours is confirmed by its own echo, goes out once and in order whatever the line does, and is
shown as doubtful rather than said twice when nobody can know. ``link`` gives it a session, ``terminal`` a screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from landline.apps.chat import client_events as events
from landline.apps.chat import commands, text, wire
from landline.apps.chat.client_events import Aim
from landline.apps.chat.client_rooms import RoomViews
from landline.apps.chat.pending import Numbered, Pending, PendingRequests, Stage, Text

WAITING_AFTER: Final = 2.0
"""Seconds without a confirmation after which a line is shown as waiting."""
MAX_WAITING: Final = 1000
"""Lines of ours without an answer; a person who types on after that is told."""
MAX_DOUBTED: Final = 100
"""Doubtful lines remembered, in case one of them turns up after all."""


@dataclass(slots=True)
class Call:
    """A call, from the first ring."""

    name: str
    stage: str
    """``calling``, ``ringing`` or ``talking``."""


@dataclass(slots=True)
class Line:
    """The line to the server, as a person wants to know it."""

    state: str = "connecting"
    """``connecting``, ``connected``, ``suspect``, ``reconnecting`` or ``closed``."""
    redial_at: float | None = None
    """The moment of the next dial, if one is waited for."""
    down_since: float | None = None
    """Since when nothing can travel; None while it is up."""


class Client:
    """One person's end of the chat.

    Every method that takes ``now`` may leave something in ``to_send()`` and ``events()``; ask for both afterwards.

    Args:
        name: the name wished for; the server may give another.
        number: 63 random bits that tell this client's lines from all others'; keep it over reconnects.
        rooms: the rooms to be in to begin with; what is typed goes to the first.
    """

    def __init__(self, name: str, number: int, rooms: Sequence[str] = ("lobby",)) -> None:
        self.name = name
        self.number = number
        self.rooms = RoomViews(rooms, self._tell)
        self.call: Call | None = None
        self.line = Line()
        self.entered = False
        self.leaving = False
        self.given_up = False
        self.failed = 0
        self.pending = PendingRequests()
        self._wished = name
        self._epoch = ""
        self._next_id = 1
        self._told_waiting_since: float | None = None
        self._doubted: dict[int, Pending] = {}
        self._send: list[wire.Request] = []
        self._events: list[events.Event] = []
        self._drop: float | None = None

    # What a person sees of it...

    @property
    def aim(self) -> Aim:
        """Where a line would go that is typed now."""
        if self.call and self.call.stage == "talking":
            return Aim(call=self.call.name)
        return Aim(room=self.rooms.current)

    @property
    def waiting(self) -> list[Pending]:
        """Our lines that are not confirmed, oldest first."""
        return self.pending.texts()

    @property
    def is_done(self) -> bool:
        """Whether the person wants to leave and nothing is left that should go out before."""
        return self.given_up or (self.leaving and not len(self.pending))

    def events(self) -> list[events.Event]:
        """Return what happened since the last time."""
        happened, self._events = self._events, []
        return happened

    # ... and what the link asks for.

    def to_send(self) -> list[wire.Request]:
        """Return the requests to hand to the session now, in this order."""
        requests, self._send = self._send, []
        return requests

    def drop_asked(self) -> float | None:
        """Return for how many seconds the line shall be dropped, once, when the person asked for it."""
        seconds, self._drop = self._drop, None
        return seconds

    def next_at(self) -> float | None:
        """Return when ``advance`` has something to do, or None."""
        fresh = [pending.asked_at + WAITING_AFTER for pending in self.waiting if not pending.late]
        if self._told_waiting_since is not None:
            fresh.append(self._told_waiting_since + WAITING_AFTER)
        return min(fresh, default=None)

    def advance(self, now: float) -> None:
        """Let time have its effect: lines that are unconfirmed for too long are shown as waiting."""
        for pending in self.waiting:
            if not pending.late and (self.line.down_since is not None or now >= pending.asked_at + WAITING_AFTER):
                pending.late = True
                self._tell(events.Waiting(pending.text, pending.aim))
        if self._told_waiting_since is not None and now >= self._told_waiting_since + WAITING_AFTER:
            self._told_waiting_since = None
            if not self.is_done and self.waiting:
                self._tell(events.Said(f"{_lines(len(self.waiting))} still waiting to go out first; /bye again leaves without.", True))

    # What the person typed...

    def typed(self, line: str, now: float, *, aim: Aim | None = None) -> None:
        """Take what was entered: a line to say or a command.

        Args:
            line: as typed; several lines that were pasted together are one message.
            now: the time, in seconds of any steady clock.
            aim: where it was meant to go when the typing began. A line that was meant for a call that has ended since is never
                said to a room: it comes back as ``NotSent`` with ``back`` set.
        """
        match commands.parse(line, with_drop=True):
            case commands.Say(said):
                self._say(said, aim or self.aim, now)
            case commands.Nick(name):
                self._rename(name, now)
            case commands.Join(room):
                self._join(room, now)
            case commands.Leave(room):
                self._leave(room, now)
            case commands.Rooms():
                self._ask(wire.ListRooms(self._new_id()), now)
            case commands.Who(room):
                self._who(room, now)
            case commands.Message(to, said):
                self._whisper(to, said, now)
            case commands.Call(name):
                self._ring(name, now)
            case commands.Drop(seconds):
                self._drop_line(seconds)
            case commands.Help():
                self._tell(events.Said(commands.help_text(with_drop=True)))
            case commands.Bye():
                self._bye(now)
            case commands.Mistake(why):
                self._tell(events.Said(why, trouble=True))
            case commands.Nothing():
                pass

    def leave(self, now: float, *, at_once: bool = False) -> None:
        """Leave the chat as soon as everything said is confirmed, or ``at_once``."""
        self.leaving = True
        self.given_up = self.given_up or at_once
        if self.waiting and not self.given_up:
            self._told_waiting_since = now

    def trouble(self, said: str) -> None:
        """Tell the person something about the line that they should read."""
        self._tell(events.Said(said, trouble=True))

    def give_up(self) -> None:
        """Say what became of the lines that are still unconfirmed: nothing more will happen to them."""
        for pending in self.waiting:
            self.pending.take(pending.request.id)
            if pending.stage is Stage.HELD:
                self._not_sent(pending, "you left before the line was back")
            else:
                self._doubt(pending)

    def _say(self, line: str, aim: Aim, now: float) -> None:
        try:
            said = text.valid_line(line)
        except ValueError as error:
            self._tell(events.Said(str(error), trouble=True))
            return
        if len(self.waiting) >= MAX_WAITING:
            self._tell(events.NotSent(said, _aim_text(aim), "too many lines are waiting already", back=True))
        elif aim.call:
            if self.aim != aim:
                self._tell(events.NotSent(said, aim.call, f"the call with {aim.call} is over", back=True))
            else:
                self._ask(wire.Talk(self._new_id(), said), now, to=aim.call)
        elif not aim.room:
            self._tell(events.Said("You are in no room: /join lobby takes you to the lobby.", trouble=True))
        elif aim.room not in self.rooms:
            self._tell(events.NotSent(said, _aim_text(aim), f"you are no longer in #{aim.room}", back=True))
        else:
            self._ask(wire.Say(self._new_id(), aim.room, said), now)

    def _whisper(self, to: str, said: str, now: float) -> None:
        try:
            said = text.valid_line(said)
        except ValueError as error:
            self._tell(events.Said(str(error), trouble=True))
            return
        self._ask(wire.Whisper(self._new_id(), to, said), now)

    def _rename(self, wished: str, now: float) -> None:
        try:
            name = text.valid_name(wished)
        except ValueError as error:
            self._tell(events.Said(str(error), trouble=True))
            return
        if name == self.name:
            self._tell(events.Said(f"You are {name} already."))
        else:
            self._ask(wire.Rename(self._new_id(), name), now)

    def _join(self, wished: str, now: float) -> None:
        try:
            room = text.valid_room(wished)
        except ValueError as error:
            self._tell(events.Said(str(error), trouble=True))
            return
        if room in self.rooms:
            self.rooms.current = room
            self._tell(events.Turned(room))
        else:
            # From here on lines are meant for it; they wait until the server has let us in.
            self.rooms.add(room)
            self._ask(wire.Join(self._new_id(), room), now)

    def _leave(self, wished: str, now: float) -> None:
        room = _room_name(wished) or self.rooms.current
        if room not in self.rooms:
            self._tell(events.Said(f"You are not in #{room}." if room else "You are in no room.", trouble=True))
        else:
            self._left(room, f"you left #{room}")
            self._ask(wire.Leave(self._new_id(), room), now)

    def _who(self, wished: str, now: float) -> None:
        room = _room_name(wished) or self.rooms.current
        if room:
            self._ask(wire.ListMembers(self._new_id(), room), now)
        else:
            self._tell(events.Said("You are in no room: /rooms lists those there are.", trouble=True))

    def _drop_line(self, seconds: float) -> None:
        if self.line.down_since is not None or not self.entered:
            self._tell(events.Said("The line is down already."))
        else:
            self._drop = seconds

    def _bye(self, now: float) -> None:
        if self.call is None:
            self.leave(now, at_once=self.leaving)
            return
        name, stage = self.call.name, self.call.stage
        self.call = None
        self._ask(wire.Hangup(self._new_id()), now, to=name)
        why = {"calling": "you stopped ringing", "ringing": "you declined"}.get(stage, "you hung up")
        self._tell(events.CallEnded(name, why, self.rooms.current))

    def _ring(self, name: str, now: float) -> None:
        same = self.call is not None and text.name_key(self.call.name) == text.name_key(name)
        if self.call is None:
            self.call = Call(name, "calling")
            self._ask(wire.Ring(self._new_id(), name), now)
            self._tell(events.Calling(name))
        elif same and self.call.stage == "ringing":
            self._ask(wire.Accept(self._new_id()), now)
        elif same:
            doing = "talking to" if self.call.stage == "talking" else "ringing"
            self._tell(events.Said(f"You are {doing} {self.call.name} already."))
        else:
            self._tell(events.Said(f"There is a call with {self.call.name}: /bye ends it, then call {name}.", trouble=True))

    # What the line does...

    def opened(self, now: float) -> None:
        """A new session is there: introduce ourselves, with what we have seen of each room."""
        self.entered = False
        self.line.state, self.line.redial_at = "connected", None
        self._send = [wire.Enter(self._wished, self.number, self.rooms.wanted())]

    def line_changed(self, state: str, now: float, *, why: str = "", redial_in: float | None = None) -> None:
        """The line beneath the session (or the dialling for a new one) is in another state."""
        self.line.state = state
        self.line.redial_at = None if redial_in is None else now + redial_in
        if state == "reconnecting":
            self._went_down(now, events.LineDown(why))
        elif state == "connected" and self.entered:
            self._came_up(now, restarted=False)
        self.advance(now)

    def settled(self, id: int, status: str, now: float) -> None:
        """The session says what became of a request: ``acked``, ``failed`` (it never arrived) or ``unknown``."""
        pending = self.pending.get(id)
        if pending is None or status == "acked":
            return  # acked says that the server has done with it; its answer says what came of it
        pending.stage = Stage.HELD if status == "failed" else Stage.DOUBTFUL

    def ended(self, now: float, why: str) -> None:
        """The session is gone, with everything in it settled; another one will follow."""
        was_down = self.line.down_since is not None
        self.entered = False
        self.line.state = "reconnecting"
        self._send.clear()
        self._went_down(now, events.LineDown(why))
        if was_down:
            self._tell(events.Redialling(why))
        if self.call:
            name, self.call = self.call.name, None
            self._tell(events.CallEnded(name, "the line to the server was lost", self.rooms.current))
        self.rooms.session_ended()
        for pending in self.pending:
            self._keep_or_give_up(pending)
        self.advance(now)

    def _keep_or_give_up(self, pending: Pending) -> None:
        """Decide what a pending request means to the next session."""
        request = pending.request
        if pending.stage is Stage.SENT:
            pending.stage = Stage.DOUBTFUL
        match request:
            case wire.Say(room=name) if name in self.rooms:
                return  # the room's history tells, as soon as it arrives
            case wire.ListRooms() | wire.ListMembers():
                pending.stage = Stage.HELD  # asking twice does no harm
                return
            case wire.Whisper() if pending.stage is Stage.HELD:
                return
        self.pending.take(request.id)
        match request:
            case wire.Say() | wire.Whisper():
                self._doubt(pending)
            case wire.Talk() if pending.stage is Stage.HELD:
                self._not_sent(pending, f"the call with {pending.to} is over")
            case wire.Talk():
                self._doubt(pending)
            case wire.Rename(name=name):
                self._wished = name  # the next Enter says the same; for Join and Leave the list of rooms does

    def _went_down(self, now: float, event: events.Event) -> None:
        if self.line.down_since is None:
            self.line.down_since = now
            self._tell(event)

    def _came_up(self, now: float, *, restarted: bool) -> None:
        since, self.line.down_since = self.line.down_since, None
        if since is not None:
            self._tell(events.LineBack(now - since, restarted))

    # ... what the server says...

    def heard(self, told: wire.Told, now: float) -> None:
        """Take one message of the server."""
        match told:
            case wire.Said(room, line):
                self._on_said(room, line)
            case wire.Entered():
                self._on_entered(told, now)
            case wire.Joined():
                self._on_joined(told)
            case wire.History():
                self._on_history(told)
            case wire.Done(id) | wire.Sorry(id):
                self._on_answer(told)
            case wire.RoomList(id, rooms):
                self.pending.take(id)
                self._tell(events.Rooms(tuple(rooms)))
            case wire.MemberList(id, room, members):
                self.pending.take(id)
                self.rooms.listed(told)
                self._tell(events.Members(room, tuple(members)))
            case wire.Came() | wire.Went() | wire.Away():
                self.rooms.people(told, self.name)
            case wire.Renamed(old, new):
                self._renamed(old, new)
            case wire.Rang() | wire.CallBegan() | wire.CallEnded():
                self._on_call(told)
            case wire.Talked(name, said):
                self._tell(events.Talked(name, said))
            case wire.Whispered(name, said):
                self._tell(events.Whispered(name, said))
            case wire.Notice(said):
                self._tell(events.Said(said))

    def _on_entered(self, told: wire.Entered, now: float) -> None:
        self.entered = True
        again = bool(self._epoch)
        restarted = again and told.epoch != self._epoch
        self._epoch = told.epoch
        self._came_up(now, restarted=restarted)
        if told.name != self._wished or not again:
            self._tell(events.Named(told.name, self._wished if told.name != self._wished else ""))
        elif told.name != self.name:
            self._tell(events.Named(told.name))
        self.name = self._wished = told.name
        if told.notice:
            self._tell(events.Said(told.notice))
        for pending in self.pending:
            if pending.stage is Stage.HELD and not isinstance(pending.request, wire.Say):
                self._hand_over(pending)

    def _on_joined(self, told: wire.Joined) -> None:
        for pending, request in self.pending.of(wire.Join):
            if request.room == told.room:
                self.pending.take(request.id)
        left = any(request.room == told.room for _, request in self.pending.of(wire.Leave))
        if told.room in self.rooms or not left:
            self.rooms.joined(told)

    def _on_history(self, told: wire.History) -> None:
        lines = self.rooms.history(told, self._epoch, self.number)
        if lines is None:
            return
        for line in lines:
            self._show(told.room, line, old=True)
        for pending, request in self.pending.of(wire.Say):
            if request.room == told.room and pending.stage is Stage.DOUBTFUL:
                self.pending.take(request.id)
                self._doubt(pending)
            elif request.room == told.room and pending.stage is Stage.HELD:
                self._hand_over(pending)

    def _on_said(self, room: str, line: wire.Line) -> None:
        if self.rooms.said(room, line, self._epoch):
            self._show(room, line, old=False)
        elif self._is_own(line):
            self.pending.take(line.id)

    def _show(self, room: str, line: wire.Line, *, old: bool) -> None:
        own = self._is_own(line)
        pending = self.pending.take(line.id) if own else None
        self._tell(events.Heard(room, line, own, old))
        if pending and pending.late:
            self._tell(events.Arrived(line.text, f"#{room}"))
        elif own and self._doubted.pop(line.id, None):
            self._tell(events.Arrived(line.text, f"#{room}", doubted=True))

    def _is_own(self, line: wire.Line) -> bool:
        return line.client == self.number

    def _on_answer(self, told: wire.Done | wire.Sorry) -> None:
        pending = self.pending.take(told.id)
        if pending is None:
            return
        if isinstance(told, wire.Sorry):
            self._on_refusal(pending, told.why)
            return
        match pending.request:
            case wire.Rename(name=name) if name != self.name:
                self._renamed(self.name, name)
            case wire.Whisper(to=to, text=said):
                self._tell(events.Whispered(to, said, own=True))
            case wire.Talk(text=said):
                self._tell(events.Talked(pending.to, said, own=True))
            case wire.Say(text=said) if pending.late:
                self._tell(events.Arrived(said, pending.aim))

    def _on_refusal(self, pending: Pending, why: str) -> None:
        if isinstance(pending.request, Text):
            self._not_sent(pending, why)
            return
        if isinstance(pending.request, wire.Ring | wire.Accept):
            self.call = None
        if isinstance(pending.request, wire.Join):
            self._left(pending.request.room, "you are not in that room")
        if not isinstance(pending.request, wire.Hangup):  # the call that we wanted to end was over before
            self._tell(events.Said(why, trouble=True))

    # ... about people and rooms...

    def _renamed(self, old: str, new: str) -> None:
        if old == new:
            return
        self.rooms.renamed(old, new)
        if self.call and self.call.name == old:
            self.call.name = new
        if old == self.name:
            self.name = self._wished = new
            self._tell(events.Named(new))
        else:
            self._tell(events.Renamed(old, new))

    def _left(self, name: str, why: str) -> None:
        """Forget a room, and say of the lines that still wait for it that they will not go out."""
        if not self.rooms.remove(name):
            return
        for pending, request in self.pending.of(wire.Say):
            if request.room != name or pending.stage is Stage.SENT:
                continue
            self.pending.take(request.id)
            if pending.stage is Stage.HELD:
                self._not_sent(pending, why)
            else:
                self._doubt(pending)
        self._tell(events.Left(name, self.rooms.current))

    # ... and about calls.

    def _on_call(self, told: wire.Rang | wire.CallBegan | wire.CallEnded) -> None:
        match told:
            case wire.Rang(name):
                if self.call is None:
                    self.call = Call(name, "ringing")
                self._tell(events.Rang(name))
            case wire.CallBegan(name):
                for kind in (wire.Ring, wire.Accept):
                    for pending, _ in self.pending.of(kind):
                        self.pending.take(pending.request.id)
                self.call = Call(name, "talking")
                self._tell(events.CallBegan(name))
            case wire.CallEnded(name, why):
                # The end of a call that we hung up ourselves was told when we did.
                if self.call and self.call.name == name and not self.pending.of(wire.Hangup):
                    self.call = None
                    self._tell(events.CallEnded(name, why, self.rooms.current))

    # Sending...

    def _ask(self, request: Numbered, now: float, *, to: str = "") -> None:
        pending = Pending(request, now, to=to)
        self.pending.add(pending)
        if isinstance(request, wire.Say):
            ready = self.rooms[request.room].caught_up
        else:
            ready = self.entered
        if ready and self.entered:
            self._hand_over(pending)
        self.advance(now)

    def _hand_over(self, pending: Pending) -> None:
        pending.stage = Stage.SENT
        self._send.append(pending.request)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    # ... and telling.

    def _doubt(self, pending: Pending) -> None:
        self.failed += 1
        self._doubted[pending.request.id] = pending
        if len(self._doubted) > MAX_DOUBTED:
            del self._doubted[next(iter(self._doubted))]
        self._tell(events.Doubtful(pending.text, pending.aim))

    def _not_sent(self, pending: Pending, why: str) -> None:
        self.failed += 1
        self._tell(events.NotSent(pending.text, pending.aim, why))

    def _tell(self, event: events.Event) -> None:
        self._events.append(event)


def _lines(count: int) -> str:
    return "1 line is" if count == 1 else f"{count} lines are"


def _aim_text(aim: Aim) -> str:
    return aim.call or f"#{aim.room}"


def _room_name(wished: str) -> str:
    """Return a room's name as it is kept; one that could not exist stays as it is, and will not be found."""
    try:
        return text.valid_room(wished) if wished else ""
    except ValueError:
        return wished
