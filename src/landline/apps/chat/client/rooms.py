"""The rooms that a chat client is in: who is there, and how far each has been read.

Where one has read to is what makes a lost session harmless: its topic is read on from there, and nothing is shown twice. ``reading`` brings what
the topics say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from landline import Position
from landline.apps.chat import text, wire
from landline.apps.chat.client import events
from landline.apps.chat.limits import CLIENT

MOST_HELD: Final = CLIENT.held


@dataclass(slots=True, eq=False)
class Reading:
    """A room's topic as it is read, from being told that we are in the room to the end of that: one thing for each time."""

    after: Position
    """Up to here it was read."""
    until: int
    """Up to this offset it is history, which is shown when it is there whole."""
    history: list[wire.Line] = field(default_factory=list)
    """The part of it that is here."""
    is_live: bool = False
    """It is shown; only then our own lines follow."""


@dataclass(slots=True)
class RoomView:
    """A room that we are in, or shall be as soon as the server has answered."""

    members: dict[str, wire.Member] = field(default_factory=dict)
    seen: wire.Seen | None = None
    """Up to where lines were shown: from here it is read on, also in another session."""
    begins: int = 0
    """What was said up to this offset was not shown: looking back begins here."""
    known: bool = False
    """We have been in it before: what its next history brings was missed, not merely before our time."""
    reading: Reading | None = None
    """How it is read now, if we are in it."""
    held: deque[tuple[int, events.Event]] = field(default_factory=deque)
    """Who came and went, each with the line before it, which we have not read yet."""

    @property
    def caught_up(self) -> bool:
        """Whether its history was shown whole."""
        return self.reading is not None and self.reading.is_live

    def has_passed(self, offset: int) -> bool:
        """Whether we have read on behind this place."""
        return self.caught_up and self.seen is not None and self.seen.offset >= offset


class RoomViews:
    """The rooms of one client.

    Args:
        names: those to be in to begin with; what is typed goes to the first.
        tell: takes the events.
    """

    def __init__(self, names: Sequence[str], tell: Callable[[events.Event], None]) -> None:
        self.current = names[0] if names else ""
        self._views = {name: RoomView() for name in names}
        self._tell = tell

    def __contains__(self, name: str) -> bool:
        return name in self._views

    def __getitem__(self, name: str) -> RoomView:
        return self._views[name]

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def get(self, name: str) -> RoomView | None:
        """Return the room of this name if we are in it."""
        return self._views.get(name)

    @property
    def are_known(self) -> bool:
        """Whether every room's history has been read once."""
        return all(view.known for view in self._views.values())

    # What the person wants...

    def add(self, name: str) -> None:
        """Be in this room, and type into it."""
        self._views.setdefault(name, RoomView())
        self.current = name

    def remove(self, name: str) -> bool:
        """Be in this room no more; return whether we were. ``current`` is another room from here, or empty."""
        if self._views.pop(name, None) is None:
            return False
        if self.current == name:
            self.current = next(iter(self._views), "")
        return True

    def wanted(self) -> dict[str, wire.Seen | None]:
        """Return every room with what was seen there, as ``Enter`` says it."""
        return {name: view.seen for name, view in self._views.items()}

    def session_ended(self) -> None:
        """We are in no room until we have entered again, and may read none."""
        for view in self._views.values():
            view.reading = None
            self._release(view)

    # ... what is said there...

    def joined(self, told: wire.Joined) -> None:
        """We are in this room now, and may read it."""
        view = self._views.setdefault(told.room, RoomView())
        view.members = {member.name: member for member in told.members}
        self.current = self.current or told.room
        if not view.known:
            self._tell(events.Entered(told.room, tuple(told.members)))
        if told.missing:
            self._tell(events.Unreachable(told.room, told.missing))
        after = Position(told.after.epoch, told.after.offset)
        if told.after != view.seen:  # else we read on
            view.begins = after.offset
        view.reading = Reading(after, told.until)
        if not told.until:
            # With its place nothing that is said in an empty room can be missed.
            self._show_history(told.room, view, view.reading, ())

    def readings(self) -> dict[str, Reading]:
        """Return how the rooms are to be read that we are in."""
        return {name: view.reading for name, view in self._views.items() if view.reading is not None}

    def is_read(self, room: str, reading: Reading) -> bool:
        """Whether this is how the room is read; not where we left, or joined anew."""
        view = self._views.get(room)
        return view is not None and view.reading is reading

    def read(
        self,
        room: str,
        reading: Reading,
        position: Position,
        line: wire.Line | None,
        is_own: Callable[[wire.Line], bool],
    ) -> list[wire.Line]:
        """Take what comes next in a room, up to this position; return the lines to show: none while its history is not whole.

        Args:
            room: its name.
            reading: how it is read, which ``is_read``.
            position: up to where it is read with this.
            line: what was said, if it is a line.
            is_own: tells our own lines, which are not counted as missed.
        """
        view = self._views[room]
        reading.after = position
        if reading.is_live:
            view.seen = wire.Seen(position.epoch, position.offset)
            return [] if line is None else [line]
        if line is not None:
            reading.history.append(line)
        if position.offset < reading.until:
            return []
        return self.cut_short(room, reading, is_own)

    def cut_short(self, room: str, reading: Reading, is_own: Callable[[wire.Line], bool]) -> list[wire.Line]:
        """Take what there is of a room's history as the whole of it, and return its lines."""
        lines, reading.history = reading.history, []
        others = [line for line in lines if not is_own(line)]
        self._show_history(room, self._views[room], reading, others)
        return lines

    def _show_history(self, room: str, view: RoomView, reading: Reading, others: Sequence[wire.Line]) -> None:
        if view.known and others:
            self._tell(events.Missed(room, len(others)))
        view.seen = wire.Seen(reading.after.epoch, reading.after.offset)
        view.known = reading.is_live = True

    def looked_back(self, told: wire.EarlierLines) -> None:
        """Take what was said before everything that is shown."""
        if (view := self._views.get(told.room)) is not None:
            view.begins = told.after
            self._tell(events.LookedBack(told.room, len(told.lines), told.is_start, told.missing))
            for line in told.lines:
                self._tell(events.Heard(told.room, line, own=False, old=True))

    def release(self, room: str) -> None:
        """Tell who came and went after lines that are shown by now."""
        if (view := self._views.get(room)) is not None:
            self._release(view)

    def _release(self, view: RoomView) -> None:
        held = view.held
        while held and (len(held) > MOST_HELD or view.reading is None or view.has_passed(held[0][0])):
            self._tell(held.popleft()[1])

    # ... and who is there.

    def listed(self, told: wire.MemberList) -> None:
        """The server named everybody in a room."""
        if told.room in self._views:
            self._views[told.room].members = {member.name: member for member in told.members}

    def people(self, told: wire.Came | wire.Went | wire.Away, own: str) -> None:
        """Somebody came, went, lost their line or has it back; what is told of ourselves (``own``) is no news."""
        match told:
            case wire.Came(room, name, at) if room in self._views and name != own:
                self._views[room].members[name] = wire.Member(name)
                self._views[room].held.append((at, events.Came(room, name)))
                self.release(room)
            case wire.Went(room, name, why, at) if room in self._views and name != own:
                self._views[room].members.pop(name, None)
                self._views[room].held.append((at, events.Went(room, name, why)))
                self.release(room)
            case wire.Away(name, away) if name != own:
                self._change(name, away=away)
                self._tell(events.Away(name, away))

    def renamed(self, old: str, new: str) -> None:
        """Somebody, perhaps we, is called otherwise."""
        self._change(old, name=new)

    def _change(self, who: str, **change: object) -> None:
        for view in self._views.values():
            if who in view.members:
                member = msgspec.structs.replace(view.members.pop(who), **change)
                view.members[member.name] = member


def room_name(wished: str) -> str:
    """Return a room's name as it is kept; one that could not exist stays as it is, and will not be found."""
    try:
        return text.valid_room(wished) if wished else ""
    except ValueError:
        return wished
