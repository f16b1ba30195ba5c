"""A chat client that knows no screen, no socket and no clock: what a person typed, what the server said and the time go in;
requests to send and events to show come out.

It keeps the promise of the chat: a line of ours goes out once and in order whatever the line does, is confirmed by its own echo, and is
shown as doubtful rather than said twice when nobody can know. ``link`` gives it a session, ``terminal`` a screen and a place for its outbox.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import landline
from landline.apps.chat import wire, words
from landline.apps.chat.client import events
from landline.apps.chat.client.events import Event
from landline.apps.chat.client.pending import Pending, Text
from landline.apps.chat.client.rooms import Reading
from landline.apps.chat.client.typist import Typist


class Client(Typist):
    """One person's end of the chat.

    Every method that takes ``now`` may leave something in ``to_send()`` and ``events()``; ask for both afterwards.

    Args:
        name: the name wished for; the server may give another.
        number: 63 random bits that tell this client from all others, kept with its outbox: who shows it as credentials is this client.
        rooms: the rooms to be in to begin with; what is typed goes to the first.
        draw: gives 63 random bits: the number of a line.
        is_kept: the outbox outlives this program.
    """

    # What a person sees of it...

    @property
    def is_paced(self) -> bool:
        """Whether lines of ours wait for nothing but the server's pace."""
        return self._is_up and self.pending.is_flood

    @property
    def is_done(self) -> bool:
        """Whether the person wants to leave, and has read what was said before and had everything confirmed."""
        is_through = not len(self.pending) and self.rooms.are_known and not self.files.is_busy
        return self.given_up or (self.leaving and is_through)

    def events(self) -> list[Event]:
        """Return what happened since the last time."""
        happened, self._events = self._events, []
        return happened

    # ... and what the link asks for.

    def to_send(self) -> list[wire.Request | wire.Say]:
        """Return the requests to send, and the lines to publish, now and in this order."""
        requests, self._send = self._send, []
        return requests

    def drop_asked(self) -> float | None:
        """Return for how many seconds the line shall be dropped, once, when the person asked for it."""
        seconds, self._drop = self._drop, None
        return seconds

    def next_at(self) -> float | None:
        """Return when ``advance`` has something to do, or None."""
        told_at = self._told_waiting_at
        return min((at for at in (self.pending.next_at(), told_at) if at is not None), default=None)

    def advance(self, now: float) -> None:
        """Let time have its effect: lines that are unconfirmed for too long are shown as waiting."""
        self.pending.grow_late(now, is_down=self.line.is_down)
        if self._is_up:
            self.pending.watch_flood()
        if self._told_waiting_at is not None and now >= self._told_waiting_at:
            self._told_waiting_at = None
            if self.waiting and not self.is_done:
                kept = [each for each in self.waiting if self._is_kept and isinstance(each.request, wire.Say)]
                without = "leaves, and what is kept goes out when you come back"
                if len(kept) < len(self.waiting):
                    without = f"{without}; private lines are not kept" if kept else "leaves without"
                self.trouble(
                    f"{_lines(len(self.waiting))} still waiting to go out first; /bye again {without}."
                )
            elif self.files.is_busy and not self.is_done:
                self.trouble("Files are on their way; /bye again leaves without waiting for them.")
            elif len(self.pending) and not self.is_done:
                self.trouble("What you asked for is not answered yet; /bye again leaves without waiting.")

    # What the line does...

    def opened(self, now: float, earlier: Sequence[wire.Say] | None = None) -> None:
        """A new session is there: introduce ourselves, with what we have seen of each room.

        Args:
            now: the time.
            earlier: the lines in its outbox, which go out by themselves; None where it is the same session with another life of the server.
        """
        self.entered = False
        self._has_session = True
        self._hung_up = False
        self.line.change("connected")
        # Enter says for itself what these asked for.
        self.pending.take_all(wire.Join)
        self.pending.take_all(wire.Leave)
        for rename in self.pending.of(wire.Rename):
            self.pending.take(rename.id)
            self._wished = self._asked = rename.name
        enter = wire.Enter(self._wished, self.rooms.wanted(), run=self._run, asked=self._next_id - 1)
        self._send.insert(0, enter)
        if earlier is not None and (found := self.pending.in_outbox(earlier, now)):
            self._tell(events.GoingOut(found))
        for pending in self.pending.unsaid():
            self._hand_over(pending)

    def line_changed(self, state: str, now: float, *, why: str = "", redial_in: float | None = None) -> None:
        """The line beneath the session (or the dialling for a new one) is in another state."""
        self.line.change(state, None if redial_in is None else now + redial_in)
        if state == "reconnecting":
            hung_up, self._hung_up = self._hung_up, False
            if self.line.goes_down(now):
                self._tell(events.LineDown("you hung up" if hung_up else why))
        elif state == "connected" and self.entered:
            self._line_back(now, restarted=False)
        self.advance(now)

    def settled(self, id: int, status: str) -> None:
        """The lost session says what became of a request: ``acked``, ``failed`` (it never arrived) or ``unknown``."""
        self.pending.settled(id, status)

    def kept(self, id: int, now: float) -> None:
        """A line of ours is in the outbox: from here on it survives us, if that does."""
        self.pending.kept(id)
        self.advance(now)

    def published(self, id: int, offset: int, now: float) -> None:
        """A line of ours is stored."""
        pending = self.pending.get(id)
        if pending is not None and isinstance(pending.request, wire.Say):
            view = self.rooms.get(pending.request.room)
            self.pending.stored(id, offset, is_awaited=view is not None and not view.has_passed(offset))
            self.advance(now)

    def unpublished(self, id: int, why: str, now: float, *, is_doubtful: bool) -> None:
        """A line of ours is not stored, or nobody knows."""
        self.pending.unpublished(id, why, is_doubtful=is_doubtful)
        self.advance(now)

    def interrupted(self, now: float) -> None:
        """Another life of the server goes on with the session, and what the one before left is settled; ``opened`` must follow."""
        self.line.goes_down(now)
        self._send = [say for say in self._send if isinstance(say, wire.Say)]
        self._begin_again()
        self.advance(now)

    def ended(self, now: float, why: str) -> None:
        """The session is gone, with everything in it settled; another one will follow."""
        self.line.change("reconnecting")
        self._tell(events.LineDown(why) if self.line.goes_down(now) else events.Redialling(why))
        self._send.clear()
        self._begin_again()
        self.advance(now)

    def _begin_again(self) -> None:
        self.entered = self._has_session = False
        self.call.session_ended(self.rooms.current)
        self.rooms.session_ended()
        self.files.session_ended()
        self.pending.session_ended()

    @property
    def _is_up(self) -> bool:
        return self.entered and not self.line.is_down

    def _line_back(self, now: float, *, restarted: bool) -> None:
        gone = self.line.comes_up(now)
        if gone is not None:
            self._tell(events.LineBack(gone, restarted))

    # ... what the server says...

    def heard(self, told: wire.Told, now: float) -> None:
        """Take one message of the server."""
        match told:
            case wire.Entered():
                self._on_entered(told, now)
            case wire.Joined():
                self._on_joined(told)
            case wire.Barred(room, why):
                self._left(room, why)
                self.trouble(why)
            case wire.Done() | wire.Sorry():
                self._on_answer(told)
            case wire.RoomList(id, rooms):
                self.pending.take(id)
                self._tell(events.Rooms(tuple(rooms)))
            case wire.MemberList(id, room, members):
                self.pending.take(id)
                self.rooms.listed(told)
                self._tell(events.Members(room, tuple(members)))
            case wire.EarlierLines(id):
                if self.pending.take(id):
                    self.rooms.looked_back(told)
            case wire.Came() | wire.Went() | wire.Away():
                self.rooms.people(told, self.name)
                if not isinstance(told, wire.Went):
                    self.files.is_here(told.name, now)
            case wire.Renamed(old, new):
                self._renamed(old, new)
            case wire.Rang() | wire.CallBegan() | wire.CallEnded():
                self.call.heard(told, self.rooms.current)
            case wire.Talked(name, said):
                self._tell(events.Talked(name, said))
            case wire.FileOffered() | wire.FileWanted() | wire.FileRefused() | wire.FileGone():
                self.files.heard(told, now)
            case wire.Whispered(name, said):
                self._tell(events.Whispered(name, said))
            case wire.Notice(said):
                self._tell(events.Said(said))

    def read(
        self, room: str, reading: Reading, item: landline.Publication | landline.Gap, now: float
    ) -> None:
        """Take what comes next in a room's topic."""
        if not self.rooms.is_read(room, reading):
            return
        line = None
        if isinstance(item, landline.Gap):
            position = item.to
            self._tell(events.Unreachable(room, words.missing(item.reason)))
        else:
            position = item.position
            with contextlib.suppress(ValueError):  # what is no line is left out
                line = wire.decode_kept(item.data).line(position.offset)
        is_old = not reading.is_live
        lines = self.rooms.read(room, reading, position, line, self.pending.is_own)
        self._show_all(room, lines, old=is_old)
        self.advance(now)

    def unreadable(self, room: str, reading: Reading, why: str, now: float) -> None:
        """A room cannot be read just now; it is tried again."""
        if self.rooms.is_read(room, reading):
            self._tell(events.Unreachable(room, why))
            if not reading.is_live:
                lines = self.rooms.cut_short(room, reading, self.pending.is_own)
                self._show_all(room, lines, old=True)
            self.advance(now)

    def put_out(self, room: str, reading: Reading, now: float) -> None:
        """The server does not let us read a room any more: we are not in it."""
        if self.rooms.is_read(room, reading):
            self._left(room, f"you are no longer in #{room}")
            self.trouble(f"You are no longer in #{room}: the server has put you out.")
            self.advance(now)

    def _show_all(self, room: str, lines: list[wire.Line], *, old: bool) -> None:
        for line in lines:
            self._show(room, line, old=old)
        view = self.rooms[room]
        if view.caught_up and view.seen is not None:
            self.pending.passed(room, view.seen.offset)
        self.rooms.release(room)

    def _on_entered(self, told: wire.Entered, now: float) -> None:
        self.entered = True
        again = bool(self._epoch)
        restarted = again and told.epoch != self._epoch
        self._epoch = told.epoch
        self._line_back(now, restarted=restarted)
        if told.name != self._wished or not again:
            # Where the notice says why it is another name, it is not for somebody who has the one that was wished for.
            is_taken = told.name != self._wished and not told.notice
            self._tell(events.Named(told.name, self._wished if is_taken else ""))
        elif told.name != self.name:
            self._tell(events.Named(told.name))
        self.name = self._wished = told.name
        if told.notice:
            self._tell(events.Said(told.notice))
        for pending in self.pending.held():
            self._hand_over(pending)
        if again:
            self.files.entered(now)

    def _on_joined(self, told: wire.Joined) -> None:
        for request in self.pending.of(wire.Join):
            if request.room == told.room:
                self.pending.take(request.id)
        left = any(request.room == told.room for request in self.pending.of(wire.Leave))
        if told.room in self.rooms or not left:
            self.rooms.joined(told)
            self._show_all(told.room, [], old=True)

    def _show(self, room: str, line: wire.Line, *, old: bool) -> None:
        own = self.pending.is_own(line)
        self._tell(events.Heard(room, line, own, old))
        if own:
            self.pending.appeared(line.id, room)

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
            case wire.Ring(to=to):
                self.call.rings(to)
            case wire.OfferFile(file=file):
                self.files.stands(file)
            case wire.Talk(text=said):
                self._tell(events.Talked(pending.to, said, own=True))

    def _on_refusal(self, pending: Pending, why: str) -> None:
        if isinstance(pending.request, Text):
            self.pending.refused(pending, why)
            return
        if isinstance(pending.request, wire.Ring | wire.Accept):
            self.call.refused()
        if isinstance(pending.request, wire.OfferFile | wire.TakeFile):
            self.files.refused(pending.request)
        if isinstance(pending.request, wire.Join):
            self._left(pending.request.room, "you are not in that room")
        # What we wanted to end was over before.
        if not isinstance(pending.request, wire.Hangup | wire.DropFile):
            self.trouble(why)

    # ... about people and rooms...

    def _renamed(self, old: str, new: str) -> None:
        if old == new:
            return
        self.rooms.renamed(old, new)
        self.call.renamed(old, new)
        self.files.renamed(old, new)
        if old == self.name:
            self.name = self._wished = self._asked = new
            self._tell(events.Named(new))
        else:
            self._tell(events.Renamed(old, new))


def _lines(count: int) -> str:
    return "1 line is" if count == 1 else f"{count} lines are"
