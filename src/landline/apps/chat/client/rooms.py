"""The rooms that a chat client is in: who is there, and how far each has been read.

Where one has read to is what makes a lost session harmless: the server is asked for everything after it, and nothing is shown twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from landline.apps.chat import text, wire
from landline.apps.chat.client import events


@dataclass(slots=True)
class RoomView:
    """A room that we are in, or shall be as soon as the server has answered."""

    members: dict[str, wire.Member] = field(default_factory=dict)
    seen: wire.Seen | None = None
    """Where we have read to: lost lines are asked for from here."""
    known: bool = False
    """We have been in it before: what its next history brings was missed, not merely before our time."""
    caught_up: bool = False
    """Its history has arrived whole since the session began; only then our own lines follow."""
    history: list[wire.Line] = field(default_factory=list)
    """The parts of a history that is still arriving."""

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
        """Nothing more arrives of the histories that were on their way."""
        for view in self._views.values():
            view.caught_up = False
            view.history.clear()

    # ... what is said there...

    def joined(self, told: wire.Joined) -> None:
        """We are in this room now; its history follows."""
        view = self._views.setdefault(told.room, RoomView())
        view.members = {member.name: member for member in told.members}
        self.current = self.current or told.room
        if not view.known:
            self._tell(events.Entered(told.room, tuple(told.members)))

    def history(
        self, told: wire.History, epoch: str, is_own: Callable[[wire.Line], bool]
    ) -> list[wire.Line] | None:
        """Take a part of a history; return its lines when this was the last one.

        Args:
            told: the part.
            epoch: the store's life, to say later what was seen.
            is_own: tells our own lines, which are not counted as missed.
        """
        view = self._views.get(told.room)
        if view is None:
            return None
        if told.missing:
            self._tell(events.Unreachable(told.room, told.missing))
        view.history.extend(told.lines)
        if told.more:
            return None
        lines, view.history = view.history, []
        others = [line for line in lines if not is_own(line)]
        if view.known and others:
            self._tell(events.Missed(told.room, len(others)))
        # Offset 0 is the place before the first line of all: with it nothing that is said in an empty room can be missed.
        last = lines[-1].offset if lines else view.seen.offset if view.seen and not told.missing else 0
        view.seen = wire.Seen(epoch, last)
        view.known = view.caught_up = True
        return lines

    def said(self, room: str, line: wire.Line, epoch: str) -> bool:
        """Take a line as it is said; return False when it was within the history already, or when we have left the room."""
        view = self._views.get(room)
        if view is None or (view.caught_up and view.seen and line.offset <= view.seen.offset):
            return False
        view.seen = wire.Seen(epoch, line.offset)
        return True

    # ... and who is there.

    def listed(self, told: wire.MemberList) -> None:
        """The server named everybody in a room."""
        if told.room in self._views:
            self._views[told.room].members = {member.name: member for member in told.members}

    def people(self, told: wire.Came | wire.Went | wire.Away, own: str) -> None:
        """Somebody came, went, lost their line or has it back; what is told of ourselves (``own``) is no news."""
        match told:
            case wire.Came(room, name) if room in self._views and name != own:
                self._views[room].members[name] = wire.Member(name)
                self._tell(events.Came(room, name))
            case wire.Went(room, name, why) if room in self._views and name != own:
                self._views[room].members.pop(name, None)
                self._tell(events.Went(room, name, why))
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
