"""The groups that a simulated client is in, or watches: the real ``protocol.presence.View``, as ``patterns.presence`` runs it on the loop.

Where that changes, this follows. A circle outlives the lives of a server, and no session.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from ...protocol.flow import Flow
from ...protocol.frames import ResetCode
from ...protocol.presence import PRESENCE_PURPOSE, Enter, Member, Put, View, encode, membership_id
from .crowd import seat_of
from .ends import End
from .flows import abandon, open_flow, say, takes_more
from .line import Timer, Violation
from .presence_books import PresenceBooks, Stay, Watch

GROUPS: Final = ("a", "b")
_BY_SERVER: Final = "+"
"""In the ids of memberships that the server's own program began."""
_MOST: Final = 4
"""Groups that a session is in at once."""


class Circle:
    """What one session of a client has of groups.

    Attributes:
        end: the end of the session that there is now.
        books: what must be true.
        attendances: those that are not over.
    """

    def __init__(self, end: End, books: PresenceBooks) -> None:
        self.end = end
        self.books = books
        self.attendances: list[Attendance] = []
        self._numbers = 0

    # Its session...

    def takes(self, flow: Flow) -> bool:
        """Nobody opens such flows to a client."""
        return False

    def wake(self) -> None:
        """The session is closing, or over."""
        for each in self.attendances:
            each.arrived(self.end)
        self._sweep()

    def renewed(self, before: End, end: End) -> None:
        """Another life of the server goes on with the session."""
        self.end = end
        for each in self.attendances:
            each.arrived(before)
        self._sweep()

    def _sweep(self) -> None:
        self.attendances = [each for each in self.attendances if not each.is_over]

    # The program...

    def do_presence(self, a: int, b: int) -> None:
        """Join a group or watch it; or say something else of oneself, read what changed, or leave."""
        what = b % 16
        if b % 32 == 31:
            self._be_put(b)
            return
        if what < 2 or not self.attendances:
            self._begin(GROUPS[(b >> 4) & 1], (b >> 5) % 4, 20 + (b >> 7) % 60)
            return
        attendance = self.attendances[(a >> 1) % len(self.attendances)]
        if what < 8:
            for _ in range(1 + (b >> 10) % 3):
                attendance.update(20 + (b >> 4) % 60)
        elif what < 15:
            if not self.end.is_lazy:
                for _ in range(1 + (b >> 4) % 4):
                    attendance.hear()
        else:
            attendance.leave()
            self._sweep()

    def _be_put(self, b: int) -> None:
        """The server's program has the session join, likewise."""
        seat = seat_of(self.end)
        if seat is not None and not seat.end.node.is_stalled:
            seat.do_join(GROUPS[(b >> 5) & 1], b & 0xC0, 20 + (b >> 8) % 60)

    def _begin(self, group: str, how: int, size: int) -> None:
        end = self.end
        if len(self.attendances) >= _MOST or end.ended or end.is_closing or end.is_peer_closed:
            return
        self._numbers += 1
        stay = None if how == 2 else self.books.stay()
        attendance = Attendance(self, group, self._numbers, stay, watches=how != 3)
        if stay is not None:
            self.books.stays[attendance.id] = stay
            attendance.update(size)
        attendance.begin()
        if not attendance.is_over:
            self.attendances.append(attendance)

    # ... until there is nothing to do.

    def wind_up(self) -> None:
        """Everything is read."""
        for each in self.attendances:
            while each.hear():
                pass

    def lacks(self, groups: Mapping[str, Mapping[str, Member]]) -> str:
        """What is not yet as the server has it, if anything is not."""
        ours = self.end.talk.session_id.hex()
        wanted = {each.id for each in self.attendances if each.id}
        for name, members in groups.items():
            for member in members.values():
                if member.session == ours and member.id not in wanted and _BY_SERVER not in member.id:
                    return f"member {member.id} left group {name}, and is there"
        return next(filter(None, (each.lacks(groups[each.group]) for each in self.attendances)), "")

    def close(self) -> None:
        """Leave all of them."""
        for each in self.attendances:
            each.leave()
        self._sweep()


class Attendance:
    """Being in a group, or watching it.

    Attributes:
        group: its name.
        id: of the membership; empty for who only watches.
        is_over: nothing more is said or told of it.
    """

    def __init__(self, circle: Circle, group: str, number: int, stay: Stay | None, *, watches: bool) -> None:
        self.group = group
        self.id = "" if stay is None else membership_id(circle.end.talk.session_id, number)
        self.is_over = False
        self._circle = circle
        self._number = number
        self._stay = stay
        self._state: bytes | None = None
        self._watches = watches
        self._watch = Watch(circle.books)
        self._view = View(circle.end.limits.presence_grace)
        self._cursor = self._view.roster.read()
        self._is_unsaid = False
        self._flow: Flow | None = None
        self._timer: Timer = []
        self._life = 0

    # The program...

    def update(self, size: int) -> None:
        """Say something else of oneself."""
        if self._stay is not None and not self.is_over:
            self._state = self._stay.say(size)
            self._is_unsaid = True
            self._fill()

    def hear(self) -> bool:
        """Ask for the next change; return whether there was one."""
        if not self._watches or not (self._view.is_complete or self._cursor.shown):
            return False
        change = self._cursor.next()
        if change is not None:
            self._watch.hear(change)
        return change is not None

    def leave(self) -> None:
        """Be there no longer."""
        flow, end = self._flow, self._circle.end
        if flow is not None:
            abandon(end, flow, ResetCode.CANCELLED)
        self._over()

    def lacks(self, members: Mapping[str, Member]) -> str:
        """What is not yet as the server has it, if anything is not."""
        if self.id and (
            self.id not in members or members[self.id].data != self._state or not members[self.id].is_here
        ):
            return f"member {self.id} of group {self.group} is not shown as it is"
        if not self._watches:
            return ""
        told, there = ({id: _shown(each) for id, each in of.items()} for of in (self._watch.picture, members))
        if told != there:
            who = ", ".join(sorted(id for id in told | there if told.get(id) != there.get(id)))
            return f"session {self._circle.end.talk.number} sees members of group {self.group} as they are not: {who}"
        return ""

    # The flow...

    def begin(self) -> None:
        """Open a flow, the first or one to another life of the server, with the newest state."""
        end = self._circle.end
        may_open = not (end.ended or end.is_closing or end.is_peer_closed)
        self._flow = flow = open_flow(end, PRESENCE_PURPOSE) if may_open else None
        if flow is None:
            self._over()
            return
        end.serving[flow.number] = partial(self.arrived, end)
        end.on_room[flow.number] = self._fill
        self._view.begin()
        seat = seat_of(end)
        self._life = 0 if seat is None else seat.crowd.life
        self._is_unsaid = False
        say(end, flow, encode(Enter(self.group, self._number, self._state, self._watches)))

    def _fill(self) -> None:
        end, flow = self._circle.end, self._flow
        if self._is_unsaid and self._state is not None and flow is not None and takes_more(end.core, flow):
            self._is_unsaid = False
            say(end, flow, encode(Put(self._state)))

    def arrived(self, end: End) -> None:
        """There is news, or there never will be; ``end`` is where the flow is, or was before the server's last life."""
        flow = self._flow
        if flow is None or self.is_over:
            return
        while flow.inbox:
            said = end.core.take(flow)
            self._watch.receive(said, self._life)
            self._view.receive(said, end.node.now)
        if not end.ended:
            end.core.handle_taken(flow)
            end.drained()
        if flow.reset is not None and not end.ended:
            raise Violation(f"group {self.group} ended, and nobody did that: {flow.reset}")
        if end.ended == "renewed":
            self.begin()
        elif end.ended or end.is_closing or end.is_peer_closed:
            while self.hear():
                pass
            self._over()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer:
            self._timer[2] = None
            self._timer = []
        at, node = self._view.timeout_at(), self._circle.end.node
        if at is not None and not self.is_over:
            self._timer = node.after(at - node.now, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = []
        if not self.is_over:
            self._view.handle_timeout(self._circle.end.node.now)
            self._set_timer()

    def _over(self) -> None:
        self.is_over = True
        flow = self._flow
        if flow is not None:
            self._circle.end.on_room.pop(flow.number, None)
            self._circle.end.serving.pop(flow.number, None)


def _shown(member: Member) -> tuple[str, bytes, bool]:
    return member.principal, member.data, member.is_here
