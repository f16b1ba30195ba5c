"""The groups of a simulated server: the real groups and leases, as ``patterns.groups`` runs them on the loop; where that changes, this follows.

A ``Crowd`` is of one life of the server; a ``Seat`` is what one session has in it.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Final

from msgspec.structs import replace

from ...limits import PROTOCOL, SESSION, Limits
from ...protocol.flow import Flow
from ...protocol.group import NOTHING, Group
from ...protocol.lease import Lease
from ...protocol.presence import (
    PRESENCE_PURPOSE,
    Begun,
    Enter,
    Member,
    decode_asked,
    decode_state,
    encode,
    membership_id,
)
from .ends import End
from .flows import is_writable, say, takes_more
from .line import Node, Timer, Violation
from .presence_books import PresenceBooks, Stay, check_member

_ENVELOPE: Final = 16


class Crowd:
    """The groups of one life of a server.

    Attributes:
        life: which, as a number.
        numbers: of the memberships that the server's own program begins.
        settled_at: until when members of the life before may come back.
    """

    def __init__(self, node: Node, limits: Limits, books: PresenceBooks, life: int) -> None:
        self.node = node
        self.limits = limits
        self.books = books
        self.life = life
        self.numbers = count(1)
        self.settled_at = node.now + limits.resume_window
        self._gatherings: dict[str, Gathering] = {}
        self._seats: dict[str, Seat] = {}

    def gather(self, name: str) -> Gathering:
        """Return a group, which begins with whoever comes first."""
        if name not in self._gatherings:
            self._gatherings[name] = Gathering(self.node)
        return self._gatherings[name]

    def let_go(self, name: str) -> None:
        """Forget a group of which nothing is left."""
        gathering = self._gatherings.get(name)
        if gathering is not None and not gathering.is_needed:
            gathering.stop()
            del self._gatherings[name]

    def sit(self, end: End) -> Seat:
        """A session begins, or is back from the life before."""
        seat = Seat(self, end)
        self._seats[end.talk.session_id.hex()] = seat
        return seat

    def members(self, name: str) -> dict[str, Member]:
        """Return who is in a group."""
        gathering = self._gatherings.get(name)
        return {} if gathering is None else gathering.group.roster.members

    def check(self) -> None:
        """Everybody who is in a group has a session, and is shown as it is."""
        if self.node.is_stalled:
            return
        for gathering in self._gatherings.values():
            for member in gathering.group.roster.members.values():
                seat = self._seats[member.session]
                if seat.end.ended:
                    raise Violation(f"member {member.id} is there, and its session is over")
                check_member(
                    member, seat.down_since, self.node.late_at, self.node.now, self.limits.presence_grace
                )


class Seat:
    """One session's part at the server.

    Attributes:
        down_since: when it lost its line; None: it has one.
    """

    def __init__(self, crowd: Crowd, end: End) -> None:
        self.crowd = crowd
        self.end = end
        self.lease: Lease | None = None
        self._memberships: list[Membership] = []
        self._serving: list[_Serving] = []
        self._timer: Timer = []
        self.down_since: float | None = None
        self._held: tuple[Membership, Stay] | None = None
        end.on_line = self._line_changed

    # Its session...

    def takes(self, flow: Flow) -> bool:
        """Take a flow that the client opened, if it is one of these; return whether it is."""
        if flow.purpose != PRESENCE_PURPOSE:
            return False
        serving = _Serving(self, flow)
        self._serving = [*(each for each in self._serving if not each.is_over), serving]
        self.end.serving[flow.number] = serving.arrived
        self.end.node.ready.append(serving.arrived)  # what came together with it was reported before it
        return True

    def wake(self) -> None:
        """The session is closing, or over."""
        self._look()
        for serving in self._serving:
            serving.arrived()

    def renewed(self, before: End, end: End) -> None:
        """That is for clients."""

    def _line_changed(self) -> None:
        if self.end.port is not None:
            self.down_since = None
        elif self.down_since is None:
            self.down_since = self.crowd.node.now
        self._look()

    def _look(self) -> None:
        lease = self.lease
        if lease is None:
            return
        lease.look(self.end.state, self.end.node.now, since=self.down_since)
        self._stop_timer()
        if lease.timeout_at is not None:
            self._timer = self.end.node.after(
                lease.timeout_at - self.end.node.now, partial(self._grace_is_over, lease)
            )
        for membership in tuple(self._memberships):
            if lease.is_over:
                membership.leave(lease.reason)
            else:
                membership.show_here(is_here=lease.is_here)

    def _grace_is_over(self, lease: Lease) -> None:
        self._timer = []
        lease.handle_timeout()
        for membership in self._memberships:
            membership.show_here(is_here=False)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer[2] = None
            self._timer = []

    # Its memberships...

    def join(self, name: str, id: str, data: bytes) -> Membership:
        """Be in a group."""
        end, crowd = self.end, self.crowd
        if not end.talk.is_confirmed:
            raise Violation("somebody joined before it was let in")
        if self.lease is None:
            self.lease = Lease(crowd.limits.presence_grace)
            if self.down_since is not None:
                self.down_since = end.node.now  # nobody else knew of the session before
            self._look()
        decode_state(data)
        crowd.books.joined(id, data, crowd.life)
        member = Member(id, end.talk.principal, data, self.lease.is_here, end.node.now)
        membership = Membership(self, name, member)
        self._memberships.append(membership)
        crowd.gather(name).put(member)
        return membership

    def do_join(self, name: str, what: int, size: int) -> None:
        """The server's own program puts the session into a group, or says something else of it, or takes it out."""
        end, books = self.end, self.crowd.books
        if end.ended or end.is_closing or end.is_peer_closed or not end.talk.is_confirmed:
            return
        if self._held is None or self._held[0].is_over:
            id = f"{end.talk.session_id.hex()}+{next(self.crowd.numbers)}"
            stay = books.stays.get(id) or books.stay()  # another life of the server counts anew
            books.stays[id] = stay
            self._held = self.join(name, id, stay.say(size)), stay
        elif what:
            membership, stay = self._held
            membership.put(stay.say(size))
        else:
            self._held[0].leave()

    def left(self, membership: Membership) -> None:
        """One is over."""
        self._memberships.remove(membership)
        if not self._memberships:
            self._stop_timer()
            self.lease = None


class Membership:
    """A session's being in a group.

    Attributes:
        member: as others see it.
        is_over: it left.
    """

    def __init__(self, seat: Seat, name: str, member: Member) -> None:
        self.member = member
        self._seat = seat
        self._name = name
        self.is_over = False

    def put(self, data: bytes) -> None:
        """Have another state."""
        decode_state(data)
        if not self.is_over:
            self._show(replace(self.member, data=data))

    def show_here(self, *, is_here: bool) -> None:
        """The line is up, or down."""
        if self.member.is_here is not is_here:
            self._show(replace(self.member, is_here=is_here))

    def _show(self, member: Member) -> None:
        self.member = member
        self._seat.crowd.gather(self._name).put(member)

    def leave(self, reason: str = "") -> None:
        """Be in the group no longer."""
        if not self.is_over:
            self.is_over = True
            crowd = self._seat.crowd
            self._seat.left(self)
            crowd.books.left(self.member.id, crowd.life)
            crowd.gather(self._name).remove(self.member.id, reason)
            crowd.let_go(self._name)


class _Serving:
    """One flow of a client that joins, or watches."""

    def __init__(self, seat: Seat, flow: Flow) -> None:
        self._seat = seat
        self._end = seat.end
        self._flow = flow
        self._asked: Enter | None = None
        self._membership: Membership | None = None
        self.is_over = False

    def arrived(self) -> None:
        """Something came, or nothing more will."""
        end, flow = self._end, self._flow
        if self.is_over:
            return
        while flow.reset is None and flow.inbox and not end.is_closing:
            asked = decode_asked(end.core.take(flow))
            if isinstance(asked, Enter):
                self._enter(asked)
            elif self._membership is not None:
                self._membership.put(asked.state)
            else:
                raise Violation("somebody who did not join has a state")
        if not end.ended:
            end.core.handle_taken(flow)
            end.drained()
        if end.ended or flow.reset is not None or flow.is_read_out or end.is_closing or end.is_peer_closed:
            self._finish()

    def _enter(self, asked: Enter) -> None:
        end, crowd = self._end, self._seat.crowd
        if self._asked is not None:
            raise Violation("a group was entered twice")
        self._asked = asked
        if asked.state is not None:
            self._membership = self._seat.join(
                asked.group, membership_id(end.talk.session_id, asked.number), asked.state
            )
        say(end, self._flow, encode(Begun(max(crowd.settled_at - end.node.now, 0.0))))
        if asked.watches:
            crowd.gather(asked.group).watch(end, self._flow)

    def _finish(self) -> None:
        self.is_over = True
        asked, crowd = self._asked, self._seat.crowd
        if asked is not None:
            crowd.gather(asked.group).unwatch(self._end, self._flow)
            if self._membership is not None:
                self._membership.leave()
            crowd.let_go(asked.group)
        if is_writable(self._flow) and not (self._end.ended or self._end.is_closing):
            self._end.core.end_flow(self._flow)


class Gathering:
    """A group that somebody is in, or watches; whoever watches has been told up to a number.

    Attributes:
        group: who is in it.
    """

    def __init__(self, node: Node) -> None:
        self.group = Group()
        self._node = node
        self._told: dict[Flow, tuple[End, int]] = {}
        self._timer: Timer = []
        self._next_at = 0.0
        self._is_stopped = False

    @property
    def is_needed(self) -> bool:
        """Whether somebody is in it, or watches."""
        return bool(self.group.roster.members or self._told)

    def put(self, member: Member) -> None:
        """Somebody is in it, or is not as before."""
        self.group.put(member)
        self._tell_soon()

    def remove(self, id: str, reason: str) -> None:
        """Somebody is in it no longer."""
        self.group.remove(id, reason)
        self._tell_soon()

    def watch(self, end: End, flow: Flow) -> None:
        """Tell somebody of it from now on."""
        self._told[flow] = end, NOTHING
        end.on_room[flow.number] = partial(self._fill, flow)
        self._fill(flow)

    def unwatch(self, end: End, flow: Flow) -> None:
        """Tell them no more."""
        if self._told.pop(flow, None) is not None:
            end.on_room.pop(flow.number, None)

    def stop(self) -> None:
        """Nothing is left of it."""
        self._is_stopped = True
        if self._timer:
            self._timer[2] = None

    def _tell_soon(self) -> None:
        if not self._timer and not self._is_stopped:
            self._timer = self._node.after(max(self._next_at - self._node.now, 0.0), self._tell)

    def _tell(self) -> None:
        self._timer = []
        self._next_at = self._node.now + SESSION.presence_tick
        for flow in tuple(self._told):
            self._fill(flow)

    def _fill(self, flow: Flow) -> None:
        end, told = self._told[flow]
        most = min(PROTOCOL.presence_batch, end.core.max_message - _ENVELOPE)
        while told != self.group.number and not end.ended and takes_more(end.core, flow):
            data, told = self.group.news(told, most)
            say(end, flow, data)
            self._told[flow] = end, told


def seat_of(end: End) -> Seat | None:
    """Return what a client's session has at the server, if it is there."""
    peer = end.talk.ends[1]
    return peer.pattern(Seat) if isinstance(peer, End) else None
