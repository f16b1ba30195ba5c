"""What a server decides, without I/O: who is let in, which connection carries which session, and what the end of either means.

A session's first line and every later one come the same way: greeted, judged (``resume``), welcomed, confirmed. Only the newest welcomed
connection carries the session; the one before is fenced off first. ``sessions.accept`` runs this on the loop, ``testing.simulation`` in
virtual time.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, cast

from msgspec.structs import replace

from ..errors import ProtocolError
from ..limits import Limits
from .credit import Pressure
from .events import Confirmed, ConnectionEnded, Event, HelloReceived, ResumeReceived
from .frames import CloseCode
from .grants import Grants
from .handshake import ID_SIZE, TOKEN_SIZE, Hello, Refusal, Resume, Welcome, clean_reason
from .kept import C, Caller, E, Kept, Store, nothing
from .resume import Record, SessionTable, hash_token
from .session import Session
from .shortage import Shortage
from .states import Role

_GOING = "the server is going away"


class Host(Generic[C, E]):
    """The sessions of one life of a server, and who carries them.

    Args:
        table: where sessions are judged; empty.
        life: names this life of the server's process.
        draw: returns that many bytes that nobody can guess: ids and tokens.
        make_end: called with the state, the id, the principal and the first carrier of a new session (None: it is of an earlier life of the server);
            returns its end.
        identify: called with a caller and its credentials; answer now or later with ``admit`` or ``refuse``.
        begin: called with each new session, once its client confirmed.
        turned_away: called with a caller and how its connection ended, when that was before it was let in.
        hit: called with the source, the limit's name, and what was done, when a limit was hit.
        wake: called when ``timeout_at`` may be earlier than it was.
        pressure: counts what all sessions hold together; new.
        redirect: the address that clients are told to go on with, when this server goes or is full.
        store: called with a session's id, what is to be kept of it (None: nothing any more), and what to call with the time when it is; by
            default sessions do not outlive the server.

    Attributes:
        kept: the sessions that live, by their id: the table's records, which are all made here.
        grants: until when they may, where that is limited.
        pressure: see there.
        back_in: asked for each who is told to come back because the server goes: after how many seconds.
    """

    def __init__(
        self,
        table: SessionTable,
        limits: Limits,
        *,
        life: bytes,
        draw: Callable[[int], bytes],
        make_end: Callable[[Session, bytes, str, C | None], E],
        identify: Callable[[C, Any], None],
        begin: Callable[[E], None],
        turned_away: Callable[[C, ConnectionEnded], None],
        hit: Callable[[str, str, str], None],
        wake: Callable[[], None],
        pressure: Pressure,
        redirect: str | None = None,
        store: Store | None = None,
    ) -> None:
        self.kept = cast(dict[bytes, Kept[C, E]], table.records)
        self.grants = Grants(self.kept, wake)
        self._table = table
        self._limits = limits
        self._life = life
        self._draw = draw
        self._make_end = make_end
        self._identify = identify
        self._begin = begin
        self._turned_away = turned_away
        self._hit = hit
        self._wake = wake
        self.pressure = pressure
        self._redirect = redirect
        self._store = store
        self.back_in: Callable[[], float] = lambda: 1.0
        self._greeting: dict[C, Caller] = {}
        self._carried: dict[C, Kept[C, E]] = {}
        self._unconfirmed = OrderedDict[bytes, float]()  # until when, by their ids
        self._held_by_source: Counter[str] = Counter()
        self._is_closed = False
        self._shortage = Shortage(limits, pressure, table, self.kept, self._carried, hit, wake)

    # Somebody comes...

    def greet(self, carrier: C, source: str) -> None:
        """Expect a greeting of this caller; hand every event of its connection to ``receive``.

        Args:
            carrier: the caller.
            source: whom it counts for among the sessions of one source; empty for who is not counted.
        """
        if len(self._greeting) >= self._limits.max_handshakes:
            # The oldest goes, not the newest: who means it has said hello long ago, and a crowd that never does must not shut the door.
            # Nor does chance decide: of callers that say hello at once, dropping newcomers at random turned away a third under a slow crowd.
            oldest = next(iter(self._greeting))
            self._hit(self._greeting[oldest].source, "max_handshakes", "the oldest caller was too slow")
            self.refuse(oldest, self._not_now(CloseCode.BUSY, "too many are being greeted", 1.0))
            del self._greeting[oldest]
        self._greeting[carrier] = Caller(source)

    def receive(self, carrier: C, event: Event, now: float) -> None:
        """Take what a connection reports."""
        kept = self._carried.get(carrier)
        if kept is None:
            self._greeted(carrier, event)
            return
        if isinstance(event, ConnectionEnded):
            del self._carried[carrier]
            if event.limit:
                self._hit(kept.source, event.limit, event.reason)
        if kept.carrier is not carrier:
            return  # fenced off, or its session is over: whatever it still says does not count
        if isinstance(event, Confirmed):
            self._confirmed(kept, carrier, event)
        elif isinstance(event, ConnectionEnded):
            self._line_ended(kept, event, now)
        elif kept.is_told:  # a client that comes at the last moment is sent away, and nothing that it says meanwhile is refused
            kept.end.deliver(event)

    def _greeted(self, carrier: C, event: Event) -> None:
        """Take what a connection without a session reports."""
        caller = self._greeting.get(carrier)
        if isinstance(event, ConnectionEnded):
            self._greeting.pop(carrier, None)
            if event.limit:
                self._hit("" if caller is None else caller.source, event.limit, event.reason)
            self._turned_away(carrier, event)
        elif caller is not None and isinstance(event, HelloReceived):
            caller.asked = event.hello
            self._identify(carrier, event.hello.credentials)
        elif caller is not None and isinstance(event, ResumeReceived):
            caller.asked = event.resume
            self._identify(carrier, event.resume.credentials)

    def refuse(self, carrier: C, refusal: Refusal, *, limit: str = "") -> None:
        """Turn a caller away that was not let in yet, because of the limit of that name if there is one."""
        carrier.connection.refuse(refusal, limit=limit)
        carrier.schedule()

    def _not_now(self, code: CloseCode, reason: str, retry_in: float) -> Refusal:
        """Return the refusal of somebody who may come back, or go elsewhere."""
        return Refusal(code=code, reason=reason, retry_in=retry_in, redirect=self._redirect)

    def admit(self, carrier: C, principal: str | None, now: float, lasts: float | None = None) -> None:
        """Give a caller what it asked for, for so many seconds, now that it is known who it is; None is nobody, and refused."""
        caller = self._greeting.get(carrier)
        if caller is None:
            return  # it went while it was asked about
        caller.granted_until = None if lasts is None else now + lasts
        if principal is None:
            self.refuse(carrier, Refusal(code=CloseCode.UNAUTHORIZED, reason=caller.why_nobody))
        elif self._is_closed:
            self.refuse(carrier, self._not_now(CloseCode.GOING_AWAY, _GOING, self.back_in()))
        elif isinstance(caller.asked, Resume):
            self._resume(carrier, caller.asked, principal, now)
        elif caller.asked is not None:
            self._welcome(carrier, caller.asked, principal, caller.source, now)

    # ... with a new session ...

    def _welcome(self, carrier: C, hello: Hello, principal: str, source: str, now: float) -> None:
        crowded = bool(source) and self._held_by_source[source] >= self._limits.max_per_source
        self._shortage.make_place(source, crowded=crowded)
        if self._table.is_full or crowded:
            self.refuse(
                carrier,
                self._not_now(CloseCode.BUSY, "the server holds no more sessions", 5.0),
                limit="max_per_source" if crowded else "max_sessions",
            )
            return
        self._held_by_source[source] += 1
        core = Session(
            self._limits,
            peer_window=hello.window,
            peer_max_message=min(self._limits.max_message, hello.max_message),
            peer_max_flows=hello.max_flows,
            role=Role.SERVER,
            pressure=self.pressure,
        )
        session_id, token = self._draw(ID_SIZE), self._draw(TOKEN_SIZE)
        kept: Kept[C, E] = Kept(
            session_id, principal, core, attempt=1, current=hash_token(token), born_at=now, source=source
        )
        kept.end = self._make_end(core, session_id, principal, carrier)
        self._table.add(kept)
        # Who is new lacks nothing.
        self._commit(kept, carrier, now, partial(self._carry, kept, carrier, token, core.sent))

    # ... or with one that we know.

    def _resume(self, carrier: C, resume: Resume, principal: str, now: float) -> None:
        verdict = self._judge(resume, principal, now)
        if isinstance(verdict, Refusal):
            known = self.kept.get(resume.session)
            if known is not None and verdict.code in (CloseCode.REVOKED, CloseCode.EXPIRED):
                # At once: what was told of its counts stays true.
                known.end.lose(verdict.code, verdict.reason)
            self.refuse(carrier, verdict)
            return
        kept = self.kept[verdict.id]
        if kept.carrier is not None:
            kept.carrier.connection.fence()
            kept.carrier.schedule()
            self._detach(kept, "another line takes over", now)
        token = self._draw(TOKEN_SIZE)
        verdict.offer(token)
        self._commit(kept, carrier, now, partial(self._go_on, kept, carrier, token, resume))

    def _judge(self, resume: Resume, principal: str, now: float) -> Record | Refusal:
        verdict = self._table.judge(resume, principal, now)
        if isinstance(verdict, Refusal) and resume.life != self._life:
            # They say nothing of what an earlier life had received.
            return replace(verdict, received=None, handled=None)
        return verdict

    def _go_on(self, kept: Kept[C, E], carrier: C, token: bytes, resume: Resume, now: float) -> None:
        is_same = resume.life == self._life
        try:
            # Who says of a session that has counts by now that it is of another life is wrong.
            received = resume.received if is_same else 0
            self._carry(kept, carrier, token, received, now, resumed=True, is_same=is_same)
        except ProtocolError as error:
            self.refuse(carrier, Refusal(code=CloseCode.MISCOUNT, reason=error.reason))
            kept.end.lose(CloseCode.MISCOUNT, f"{CloseCode.MISCOUNT.text}: {error.reason}")

    # ... stored before it is answered ...

    def restore(self, session_id: bytes, data: bytes, now: float) -> None:
        """Take over a session of an earlier life of this server; it has its whole window to come back in.

        Where there is no room it is forgotten: an old disk, or one that failed, may hold more sessions than ever lived at once.

        Raises:
            ValueError: what is stored of it cannot be read.
        """
        if self._table.is_full:
            self._hit("", "max_sessions", "a session of an earlier life found no room")
            if self._store is not None:
                self._store(session_id, None, nothing)
            return
        kept: Kept[C, E] = Kept.decode(session_id, data, self._limits, self.pressure)
        kept.born_at = now
        kept.end = self._make_end(kept.session, session_id, kept.principal, None)
        kept.is_restored = True
        self._table.add(kept)
        self._table.detached(kept, now)
        self._wake()

    def _commit(self, kept: Kept[C, E], carrier: C, now: float, then: Callable[[float], None]) -> None:
        if self._store is None:
            then(now)
            return
        kept.awaited = carrier
        self._store(kept.id, kept.encode(), partial(self._committed, kept, carrier, then))

    def _committed(self, kept: Kept[C, E], carrier: C, then: Callable[[float], None], now: float) -> None:
        is_awaited = kept.awaited is carrier
        if is_awaited:
            kept.awaited = None
        if carrier in self._greeting:
            refusal = self._why_late(kept, carrier, now, is_awaited=is_awaited)
            if refusal is None:
                then(now)
            else:
                self.refuse(carrier, refusal)
        elif is_awaited and not (kept.is_told or self._is_closed or kept.attempt > 1):
            kept.end.lose(CloseCode.EXPIRED, "it was never welcomed")

    def _why_late(self, kept: Kept[C, E], carrier: C, now: float, *, is_awaited: bool) -> Refusal | None:
        """Return why a caller cannot be welcomed any more, now that its session is stored, or None."""
        asked = self._greeting[carrier].asked
        if kept.id not in self.kept:
            if isinstance(asked, Resume):  # how it ended, and its counts, as if the caller had come now
                verdict = self._judge(asked, kept.principal, now)
                assert isinstance(verdict, Refusal)
                return verdict
            return Refusal(code=CloseCode.UNKNOWN_SESSION, reason="the session ended")
        if not is_awaited:
            reason, attempt = "a later attempt was accepted", kept.attempt
            return Refusal(code=CloseCode.STALE, reason=reason, attempt=attempt)
        return self._not_now(CloseCode.GOING_AWAY, _GOING, self.back_in()) if self._is_closed else None

    def _carry(
        self,
        kept: Kept[C, E],
        carrier: C,
        token: bytes,
        peer_received: int,
        now: float,
        *,
        resumed: bool = False,
        is_same: bool = False,
    ) -> None:
        limits, core = self._limits, kept.end.core
        until = self._greeting.pop(carrier).granted_until
        welcome = Welcome(
            session=kept.id,
            token=token,
            life=self._life,
            received=core.received,
            resumed=resumed,
            window=limits.window if is_same else core.messages.granted,
            max_message=limits.max_message,
            heartbeat=limits.heartbeat_interval,
            dead_after=limits.dead_after,
            resume_window=limits.resume_window,
            max_flows=limits.max_flows,
            expires_in=None if until is None else max(until - now, 0.0),
        )
        carrier.connection.welcome(welcome, core, peer_received, now)
        kept.carrier = carrier
        kept.is_confirmed = False
        self._carried[carrier] = kept
        self.grants.set(kept.id, until)
        carrier.schedule()

    # A session's connection reports...

    def _confirmed(self, kept: Kept[C, E], carrier: C, event: Confirmed) -> None:
        if not kept.confirm(event.token):
            carrier.connection.break_off(CloseCode.UNAUTHORIZED, "that is not the token that was given")
            return
        if self._store is not None and kept.attempt > 1:  # the token before is bad in another life, too
            self._store(kept.id, kept.encode(), nothing)
        self._table.attached(kept)
        kept.is_confirmed = True
        kept.end.attach(carrier)
        if not kept.is_told:
            kept.is_told = True
            self._begin(kept.end)

    def _line_ended(self, kept: Kept[C, E], event: ConnectionEnded, now: float) -> None:
        if kept.end.connection_ended(event):
            return
        if self._is_closed:  # nobody will be let in to go on with it
            kept.end.lose(CloseCode.EXPIRED, _GOING)
            return
        if not (
            kept.is_told or kept.is_restored
        ):  # its client may hold the welcome, and come back to confirm
            self._unconfirmed.setdefault(kept.id, now + self._limits.handshake_timeout)
        self._detach(kept, event.reason or event.code.text, now)

    def _detach(self, kept: Kept[C, E], reason: str, now: float) -> None:
        kept.carrier = None
        kept.end.core.gather(0)
        kept.end.detach(reason)
        if kept.detached_at is None:
            self._table.detached(kept, now)
        self._shortage.line_dropped()
        self._wake()

    def ended(
        self, session_id: bytes, code: CloseCode, reason: str, now: float, *, goes_on: bool = False
    ) -> None:
        """A session is over, whoever ended it; ``code`` and ``reason`` are told to who comes back for it.

        Where it ``goes_on``, it is over only here: another life of the server takes it up.
        """
        if self._store is not None and not goes_on:
            self._store(session_id, None, nothing)
        self.grants.set(session_id, None)
        self._unconfirmed.pop(session_id, None)
        kept, reason = self.kept[session_id], clean_reason(reason)
        self._table.remove(kept, code, reason, now)
        self._held_by_source[kept.source] -= 1
        if not self._held_by_source[kept.source]:
            del self._held_by_source[kept.source]
        carrier, kept.carrier = kept.carrier, None
        if carrier is not None and not kept.is_confirmed:
            self._turn_out(carrier, code, reason)

    def _turn_out(self, carrier: C, code: CloseCode, reason: str) -> None:
        """A connection waits for its token to be shown, and its session is over: it is not the session's yet, so nobody else would tell it."""
        carrier.connection.break_off(code, reason)
        carrier.schedule()

    # Time passes...

    def timeout_at(self) -> float | None:
        """When ``handle_timeout`` must be called, or None for never."""
        if self._shortage.is_due:
            return 0.0
        forgotten_at = next(iter(self._unconfirmed.values()), None)
        times = (forgotten_at, self._table.timeout_at(), self.grants.timeout_at())
        return min((at for at in times if at is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """End the sessions whose time is over: their window passed, nobody came to confirm them, or their memory is needed."""
        self._shortage.make_room(now)
        self.grants.handle_timeout(now)
        while self._unconfirmed and next(iter(self._unconfirmed.values())) <= now:
            kept = self.kept[self._unconfirmed.popitem(last=False)[0]]
            if not kept.is_told and kept.carrier is None:
                self._hit(kept.source, "handshake_timeout", "nobody confirmed a welcome")
                kept.end.lose(CloseCode.EXPIRED, "it was never confirmed")
        for record in self._table.expired(now):
            self._hit(self.kept[record.id].source, "resume_window", "nobody came back to a session")
            self.kept[record.id].end.lose(CloseCode.EXPIRED, "the resume window passed")

    # The server goes...

    def close(self) -> None:
        """Let nobody in any more, and let no session wait for another line."""
        self._is_closed = True

    def leave(self, now: float) -> None:
        """Tell everybody who is connected to come back, and lose every session that is left."""
        for carrier, kept in self._carried.items():
            if not kept.is_confirmed:  # told first: it may hold its welcome already
                self._send_away(carrier, now)
        for kept in list(self.kept.values()):
            kept.end.lose(CloseCode.EXPIRED, _GOING)
        for caller in self._greeting:
            self.refuse(caller, self._not_now(CloseCode.GOING_AWAY, _GOING, self.back_in()))
        for carrier in self._carried:
            self._send_away(carrier, now)

    def _send_away(self, carrier: C, now: float) -> None:
        carrier.connection.close(CloseCode.GOING_AWAY, _GOING, now, self.back_in(), self._redirect)
        carrier.schedule()
