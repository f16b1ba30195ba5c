"""The groups of a server: who is in them, by clients' flows or by the server's own program, and telling whoever watches.

A membership is tied to its session: while the line is down it is reconnecting, and it ends with the session. Changes are told together, at most
once a tick, so that a crowd costs each watcher a few messages and not one for each who comes.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Any, Final, Self

from msgspec.structs import replace

from ..errors import NotAllowed, ProtocolError, TopicError
from ..limits import PROTOCOL, SESSION, Limits
from ..protocol.frames import CloseCode, ResetCode
from ..protocol.group import NOTHING, Group
from ..protocol.lease import Lease
from ..protocol.presence import (
    PRESENCE_PURPOSE,
    Begun,
    Change,
    Enter,
    Member,
    Put,
    decode_asked,
    decode_state,
    encode,
    encode_state,
    membership_id,
)
from ..sessions.bare import BareSession
from ..sessions.flow import BareFlow
from ..sessions.signal import Signal
from ..storage.names import Pattern, check_topic
from .messages import Messages
from .publications import heard, say
from .readers import Readers
from .rules import Authorize
from .serving import Serving

_TICK: Final = SESSION.presence_tick
_BATCH: Final = PROTOCOL.presence_batch
_MOST: Final = PROTOCOL.presence_members
_ENVELOPE: Final = 16
"""Bytes of a message besides the members that it tells of."""


class Membership:
    """Somebody's being in a group. Leave it by ``with``, or ``leave`` it; it ends with its session.

    Attributes:
        member: as others see it, or saw it last.
    """

    def __init__(self, gathering: _Gathering, lease: _Lease, member: Member) -> None:
        self.member = member
        self._gathering = gathering
        self._lease = lease
        self._is_over = False
        lease.memberships.append(self)
        gathering.put(member)

    def update(self, state: Any) -> None:
        """Say something else of oneself; nothing happens when it is over.

        Raises:
            DataError: it cannot be sent, or is too large (``protocol.presence_state``).
        """
        self.put(encode_state(state))

    def put(self, data: bytes) -> None:
        """Take another state, as it travels.

        Raises:
            ProtocolError: it is not what its type says.
        """
        decode_state(data)  # once for all who are told
        if not self._is_over:
            self._show(replace(self.member, data=data))

    def show_here(self, is_here: bool) -> None:
        """The line is up, or down."""
        if self.member.is_here is not is_here:
            self._show(replace(self.member, is_here=is_here))

    def _show(self, member: Member) -> None:
        self.member = member
        self._gathering.put(member)

    def leave(self, reason: str = "") -> None:
        """Be in the group no longer; ``reason`` is a clause for the others. Nothing happens when it is over."""
        if not self._is_over:
            self._is_over = True
            self._lease.left(self)
            self._gathering.remove(self.member.id, reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


class Groups:
    """The groups of one life of a server.

    Args:
        patterns: which there are.
        limits: see there.
        authorize: who may join and watch which.
        clock: the wall clock, in seconds since 1970.
    """

    def __init__(
        self,
        patterns: list[Pattern],
        limits: Limits,
        *,
        authorize: Authorize,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._patterns = patterns
        self._limits = limits
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._settled_at = self._loop.time() + limits.resume_window
        self._readers = Readers(authorize)
        self._gatherings: dict[str, _Gathering] = {}
        self._leases: dict[BareSession, _Lease] = {}
        self._numbers = itertools.count(1)
        self._serving = Serving()
        self._is_going = False

    @property
    def has_any(self) -> bool:
        """Whether there can be groups at all."""
        return bool(self._patterns)

    def go(self) -> None:
        """The server goes: from here on nobody is told of anybody's leaving, since they come back to its next life, or are lost to everybody."""
        self._is_going = True
        for gathering in tuple(self._gatherings.values()):
            gathering.stop()

    async def close(self) -> None:
        """Let go of everything."""
        self.go()
        await self._serving.cancel()
        for lease in tuple(self._leases.values()):
            lease.end()

    # The server's own program...

    def members(self, name: str) -> dict[str, Member]:
        """Return who is in a group; see ``Server.members``."""
        self._check(name)
        gathering = self._gatherings.get(name)
        return {} if gathering is None else dict(gathering.group.roster.members)

    def join(self, bare: BareSession, name: str, state: Any) -> Membership:
        """Put somebody into a group; see ``Server.join``."""
        self._check(name)
        return self._join(bare, name, f"{bare.id.hex()}+{next(self._numbers)}", encode_state(state))

    async def watch(self, name: str) -> AsyncGenerator[Change, None]:
        """Yield who is in a group, and every change; see ``Server.watch``."""
        self._check(name)
        gathering = self._gather(name)
        cursor = gathering.group.roster.read()
        gathering.readers += 1
        try:
            while True:
                while (change := cursor.next()) is not None:
                    yield change
                if self._is_going:
                    return
                await gathering.changed.wait()
        finally:
            gathering.group.roster.drop(cursor)
            gathering.readers -= 1
            self._let_go(gathering)

    def reauthorize(self, principal: str) -> None:
        """End what a client may no longer do; see ``Server.reauthorize``."""
        self._readers.ask_again(principal)

    # A client's flow...

    def takes(self, bare: BareSession, flow: BareFlow) -> bool:
        """Serve a flow that a client opened, if it is for presence; return whether it is."""
        if flow.purpose != PRESENCE_PURPOSE:
            return False
        if not self._is_going:  # else the next life of the server is asked
            self._serving.run(bare, flow, self._serve(bare, flow))
        return True

    async def _serve(self, bare: BareSession, flow: BareFlow) -> None:
        messages = Messages(bare, flow)
        asked = decode_asked(heard(await messages.receive()))
        if not isinstance(asked, Enter):
            raise ProtocolError("presence begins with its group", "bad-data")
        if asked.state is None and not asked.watches:  # nothing would be asked about it
            raise ProtocolError("presence joins, or watches, or both", "bad-data")
        self._check(asked.group)
        verbs = ("join",) * (asked.state is not None) + ("watch",) * asked.watches
        with self._readers.admitted(bare.principal, asked.group, flow, verbs):
            membership = None
            if asked.state is not None:
                membership = self._join(bare, asked.group, membership_id(bare.id, asked.number), asked.state)
            gathering = self._gather(asked.group)
            try:
                say(flow, encode(Begun(max(self._settled_at - self._loop.time(), 0.0))))
                if asked.watches:
                    gathering.watch(bare, flow)
                while True:
                    said = decode_asked(heard(await messages.receive()))
                    if not isinstance(said, Put) or membership is None:
                        raise ProtocolError(
                            "presence says another state of who joined, and nothing else", "bad-data"
                        )
                    membership.put(said.state)
            finally:
                gathering.unwatch(bare, flow)
                if membership is not None:
                    membership.leave()
                self._let_go(gathering)

    # Both...

    def _check(self, name: str) -> None:
        check_topic(name)
        if not any(pattern.matches(name) for pattern in self._patterns):
            raise TopicError(f"this server has no group {name!r}")

    def _join(self, bare: BareSession, name: str, id: str, data: bytes) -> Membership:
        if bare.ended is not None:
            raise bare.ended
        if self._is_going or bare.is_closing or bare.is_peer_closed:
            raise bare.closing()
        gathering = self._gather(name)
        try:
            if id in gathering.group.roster.members:
                raise ProtocolError("a membership that is there already", "bad-data")
            if len(gathering.group.roster.members) >= _MOST:
                bare.on_limit("protocol.presence_members", "nobody more may join a group")
                raise NotAllowed(f"the group {name!r} is full: {_MOST:,} members are in it")
            decode_state(data)
            lease = self._leases.get(bare)
            if lease is None:
                lease = self._leases[bare] = _Lease(bare, self._limits.presence_grace, self._leases.pop)
            member = Member(id, bare.principal, data, lease.is_here, self._clock())
            return Membership(gathering, lease, member)
        finally:
            self._let_go(gathering)

    def _gather(self, name: str) -> _Gathering:
        gathering = self._gatherings.get(name)
        if gathering is None:
            gathering = self._gatherings[name] = _Gathering(name, self._let_go)
        return gathering

    def _let_go(self, gathering: _Gathering) -> None:
        """Forget a group of which nothing is left."""
        if not gathering.is_needed and self._gatherings.get(gathering.name) is gathering:
            gathering.stop()
            del self._gatherings[gathering.name]


class _Gathering:
    """A group that somebody is in, or watches; whoever watches has been told up to a number.

    Attributes:
        changed: woken when something did.
        readers: how many of the server's own program are told.
    """

    def __init__(self, name: str, on_left: Callable[[_Gathering], None]) -> None:
        self.name = name
        self.group = Group()
        self.changed = Signal()
        self.readers = 0
        self._told: dict[tuple[BareSession, BareFlow], int] = {}
        self._on_left = on_left
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._next_at = 0.0
        self._is_stopped = False

    @property
    def is_needed(self) -> bool:
        return bool(self.group.roster.members or self._told or self.readers)

    def put(self, member: Member) -> None:
        if not self._is_stopped:
            self.group.put(member)
            self._tell_soon()

    def remove(self, id: str, reason: str) -> None:
        if not self._is_stopped:
            self.group.remove(id, reason)
            self._tell_soon()
            self._on_left(self)

    def watch(self, bare: BareSession, flow: BareFlow) -> None:
        self._told[bare, flow] = NOTHING
        bare.on_room[flow] = lambda: self._fill(bare, flow)
        self._fill(bare, flow)

    def unwatch(self, bare: BareSession, flow: BareFlow) -> None:
        if self._told.pop((bare, flow), None) is not None:
            del bare.on_room[flow]

    def stop(self) -> None:
        """Nothing changes any more, and nobody is told."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
        self.changed.wake()

    def _tell_soon(self) -> None:
        """At once where it was quiet; what comes within the tick after that is told together."""
        if self._timer is None:
            self._timer = self._loop.call_at(max(self._next_at, self._loop.time()), self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._next_at = self._loop.time() + _TICK
        self.changed.wake()
        for bare, flow in tuple(self._told):
            self._fill(bare, flow)

    def _fill(self, bare: BareSession, flow: BareFlow) -> None:
        """Tell a watcher what it takes now."""
        most = bare.core.max_message
        told = self._told[bare, flow]
        while told != self.group.number and flow.takes_more and not self._is_stopped:
            data, told = self.group.news(told, min(_BATCH, most - _ENVELOPE))
            if len(data) > most:
                flow.reset(
                    ResetCode.UNWANTED, "a member does not fit the largest message that this client takes"
                )
                return
            say(flow, data)
            self._told[bare, flow] = told


class _Lease:
    """What a session holds: its memberships, for as long as it lives."""

    def __init__(self, bare: BareSession, grace: float, forget: Callable[[BareSession], object]) -> None:
        self.memberships: list[Membership] = []
        self._bare = bare
        self._lease = Lease(grace)
        self._forget = forget
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        bare.on_state = (*bare.on_state, self._look)
        self._look()

    @property
    def is_here(self) -> bool:
        return self._lease.is_here

    def left(self, membership: Membership) -> None:
        self.memberships.remove(membership)
        if not self.memberships:
            self.end()

    def end(self) -> None:
        """Look no more."""
        self._stop_timer()
        if self._look in self._bare.on_state:
            self._bare.on_state = tuple(told for told in self._bare.on_state if told != self._look)
            self._forget(self._bare)

    def _look(self) -> None:
        """The session is in another state."""
        lease = self._lease
        bare = self._bare
        was_revoked = bare.end_code is CloseCode.REVOKED
        lease.look(bare.state, self._loop.time(), since=bare.state_since, was_revoked=was_revoked)
        self._stop_timer()
        if lease.timeout_at is not None:
            self._timer = self._loop.call_at(lease.timeout_at, self._grace_is_over)
        for membership in tuple(self.memberships):
            if lease.is_over:
                membership.leave(lease.reason)
            else:
                membership.show_here(lease.is_here)

    def _grace_is_over(self) -> None:
        self._timer = None
        self._lease.handle_timeout()
        for membership in self.memberships:
            membership.show_here(is_here=False)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
