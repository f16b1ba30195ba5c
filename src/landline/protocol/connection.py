"""One transport's life as a state machine: bytes and time in, bytes and events out.

A connection greets, then carries a ``Session`` until it ends; the session outlives it. It knows both roles; which frame may arrive when
stands in ``states.ACCEPTED``. It ends by itself when the peer breaks a rule, is silent for too long, or takes too long.
"""

from __future__ import annotations

from typing import Final

from ..errors import ProtocolError
from ..limits import PROTOCOL, Limits
from .empty import EMPTY_LIST
from .events import Event, Heard, LoopBlocked, PeerClosed, Suspected
from .frames import COUNTS, FIRST_COUNTED, LAST_DATA, CloseCode, FrameType, decode_count, encode_frame
from .greeting import Greeting
from .handshake import Close, decode_payload
from .heartbeat import Heartbeat, Progress, Verdict
from .news import take_news
from .session import Session
from .states import ACCEPTED, Phase, Role, why_not

WRITE_BUDGET = PROTOCOL.write

# An enumeration's members are looked up slowly, and these with every chunk of bytes.
_OPEN: Final = Phase.OPEN
_CLOSING: Final = Phase.CLOSING
_DRAINING: Final = Phase.DRAINING
_CLOSED: Final = Phase.CLOSED
_TALKING: Final = (_OPEN, _CLOSING, _DRAINING)

_ACCEPTING: Final = {(role, phase): (phase, kinds) for (role, phase), kinds in ACCEPTED.items()}
"""What may arrive, with the phase that this is for: connections keep it as one, made once."""

_ACK, _HANDLED = int(FrameType.ACK), int(FrameType.HANDLED)
_CREDIT, _ASK, _WAITING = int(FrameType.CREDIT), int(FrameType.ASK), int(FrameType.WAITING)
_TALK: Final = frozenset({_ACK, _HANDLED, _CREDIT, _ASK, _WAITING})
"""What the sessions of both ends tell each other besides counted frames."""

_PONG: Final = encode_frame(FrameType.PONG)


class Connection(Greeting):
    """The state machine of one transport: a ``Greeting``, and what comes after it.

    Attributes:
        frame_began_at, frame_deadline: when the unfinished frame began that is here, if there is one, and when it must be whole.
        has_more_to_send: ``data_to_send`` stopped at its budget, and should be called again when the transport takes more.
        is_quiet: what arrived last, data, ACK and HANDLED, needs no answer of ours; that the session itself has something to write, it tells its ``writer``.
    """

    __slots__ = (
        "_accepting", "_progress", "frame_began_at", "frame_deadline", "has_more_to_send",
        "is_quiet",
    )  # fmt: skip

    def __init__(self, role: Role, limits: Limits, now: float, *, jitter: float = 0.0) -> None:
        super().__init__(role, limits, now, jitter=jitter)
        self._accepting = _ACCEPTING[role, self.phase]
        self.has_more_to_send = False
        self.is_quiet = False
        self.frame_began_at = 0.0
        self.frame_deadline: float | None = None
        self._progress = Progress()

    # Either end closes...

    def close(
        self,
        code: CloseCode,
        reason: str,
        now: float,
        retry_in: float | None = None,
        redirect: str | None = None,
    ) -> None:
        """Write CLOSE, after which nothing counted follows, once everything that was sent is written.

        The connection then waits for the peer's CLOSE, which comes when its program has handled what we sent, or for ``close_timeout``. Where
        the peer had closed before us, ours ends the connection.
        """
        if self.phase is _OPEN:
            self._close_with(code, reason, (retry_in, redirect))
            self.phase = _CLOSING
            self._deadline = now + self._limits.close_timeout
        elif self.phase is not _CLOSING:
            self._fail(code, reason, (retry_in, redirect))

    def break_off(
        self, code: CloseCode, reason: str, retry_in: float | None = None, redirect: str | None = None
    ) -> None:
        """End at once, and tell the peer why."""
        self._fail(code, reason, (retry_in, redirect))

    def fence(self) -> None:
        """End at once as ``replaced``: a newer connection carries the session; nothing that comes here counts any more."""
        self.session = None
        self._fail(CloseCode.REPLACED, "another connection carries this session now")

    # Bytes come in...

    def receive_data(self, data: bytes | memoryview, now: float) -> None:
        """Take what arrived, in any chunks; events follow. Never raises: a broken rule ends the connection."""
        if self.phase is _CLOSED:
            return
        self.is_quiet = False
        heartbeat = self._heartbeat
        if heartbeat is not None:
            if heartbeat.pinged_at is None:
                heartbeat.heard_at = now  # the usual case
            else:
                self._is_beat_new = True
                if heartbeat.heard(now):
                    self.happened = [*self.happened, Heard()]
        try:
            if not self._is_magic_seen:
                data = self._receive_magic(data)
            if data:
                self._receive_frames(data, now)
        except ProtocolError as error:
            self._report()
            self._fail(CloseCode[error.code.upper().replace("-", "_")], error.reason, limit=error.limit)
        if self.session is not None:
            self.happened = take_news(self.session, self.happened)

    def receive_end(self) -> None:
        """The transport ended, in whatever way: nothing more comes or goes."""
        if self.phase is not _CLOSED:
            self._end(CloseCode.DEAD, "the line dropped", local=False)

    def _receive_frames(self, data: bytes | memoryview, now: float) -> None:
        if self.session is None and self.role is Role.SERVER:
            self._preauth_bytes += len(data)
            if self._preauth_bytes > self._limits.preauth_bytes:
                raise ProtocolError("too many bytes before being let in", "too-large", limit="preauth_bytes")
        kind, phase, decoder, session = -1, self.phase, self._decoder, self.session
        is_quiet = not self._is_beat_new
        if phase is not self._accepting[0]:
            self._accepting = _ACCEPTING[self.role, phase]
        accepted = self._accepting[1]
        for kind, number, payloads in decoder.series(data):
            if kind not in accepted:
                raise ProtocolError(why_not(kind, phase))
            if kind >= FIRST_COUNTED and session is not None:  # every phase that accepts these has one
                session.receive(kind, number, payloads)
                is_quiet = is_quiet and kind <= LAST_DATA
                continue
            if kind in _TALK and session is not None:
                for payload in payloads:
                    _receive_talk(session, kind, number, payload)
                is_quiet = is_quiet and kind <= _HANDLED
                continue
            is_quiet = False
            for payload in payloads:
                if kind not in accepted:
                    raise ProtocolError(why_not(kind, phase))
                self._receive_frame(kind, payload, now)
                if self.phase is not phase:
                    if self.phase is _CLOSED:
                        return
                    phase, session = self.phase, self.session
                    accepted = ACCEPTED[self.role, phase]
        self.is_quiet = is_quiet
        held = decoder.held
        if held:
            if kind >= 0 or self.frame_deadline is None:
                self.frame_began_at = now
            self.frame_deadline = self.frame_began_at + self._limits.frame_timeout + decoder.needed / 1024
        else:
            self.frame_deadline = None
        if session is not None and held != session.unfinished:
            session.gather(held)

    def _receive_frame(self, kind: int, payload: bytes, now: float) -> None:
        if kind == FrameType.PING:
            if _PONG not in self._control:  # one for all that came since
                self._control = [*self._control, _PONG]
        elif kind == FrameType.CLOSE:
            self._receive_close(decode_payload(Close, payload), now)
        elif kind != FrameType.PONG:
            self._receive_greeting(kind, payload)

    def _receive_close(self, close: Close, now: float) -> None:
        session = self.session
        self._report()
        self._peer_closed = PeerClosed(close.code, close.reason, close.retry_in, close.redirect)
        self.happened = [*self.happened, self._peer_closed]
        if self.phase is _OPEN and close.code is CloseCode.NORMAL:
            self.phase = _DRAINING
            self._deadline = now + self._limits.close_timeout
            if session is not None:
                session.tell_now()
            return
        if self.phase is _OPEN:
            self._close_with(close.code, "")
        if self._closing is not None and session is not None:
            self._control = [*self._control, *session.last_words()]
        self._end(close.code, close.reason, local=False)

    def _report(self) -> None:
        if self.session is not None:
            self.happened = take_news(self.session, self.happened)

    # Bytes go out...

    def data_to_send(self, now: float) -> list[bytes]:
        """Return what to write now, in order; call it once per tick of the loop, while the transport takes more."""
        out, session, phase = self._control, self.session, self.phase
        if out:
            self._control = EMPTY_LIST
        else:
            out = []
        if session is not None and phase in _TALKING:
            may_send = phase is _OPEN or (phase is _CLOSING and self._closing is not None)
            out += session.data_to_send(now, WRITE_BUDGET if may_send else 0)
            self.has_more_to_send = may_send and session.is_cut_short
            if session.made_room or session.stall.is_on:
                self._report()
        if self._closing is not None:
            if phase is not _CLOSING or session is None:
                out.append(self._closing)
                self._closing = None
            elif not session.has_unsent:
                out += session.last_words()
                out.append(self._closing)
                self._closing = None
        if out:
            progress = self._progress
            if progress.look_at is None:
                progress.begin(now, self._limits.write_timeout)
            progress.written += len(out[0]) if len(out) == 1 else sum(map(len, out))
        return out

    # Time passes...

    def timeout_at(self) -> float | None:
        """When ``handle_timeout`` must be called, or None for never."""
        if self.phase is _CLOSED:
            return None
        self._is_beat_new = False
        due, times = self._deadline, [self.frame_deadline, self._progress.look_at]
        if self.session is not None and self._heartbeat is not None and self.phase in _TALKING:
            times += (self._heartbeat.timeout_at(), self.session.timeout_at())
        for at in times:
            if at is not None and (due is None or at < due):
                due = at
        return due

    def is_due_before(self, moment: float) -> bool:
        """Whether ``timeout_at`` may by now be earlier than it was at first: all that bytes can do to it, looked at cheaply.

        Of the heartbeat only that it began, or that a ping was answered since: what else arrives makes its time later, never earlier.
        """
        if self._is_beat_new:
            return True
        at = self._progress.look_at
        if at is not None and at < moment:
            return True
        at = self.frame_deadline
        if at is not None and at < moment:
            return True
        at = self._deadline
        if at is not None and at < moment:
            return True
        session = self.session
        if session is None:
            return False
        at = session.ack_due_at
        if at is not None and at < moment:
            return True
        if not session.stall.is_waiting:
            return False
        at = session.stall.timeout_at()
        return at is not None and at < moment

    def handle_timeout(self, now: float, backlog: int = 0, wrapping: int = 0) -> None:
        """Do what is due by now.

        Args:
            now: the time.
            backlog: bytes that have not left this process: of what ``data_to_send`` returned, and of the wrapping.
            wrapping: bytes that the carrier has put around the former so far.
        """
        if self.phase is _CLOSED:
            return
        if self._deadline is not None and now >= self._deadline:
            if self.phase is _CLOSING:
                self._end(CloseCode.TIMED_OUT, "our close got no answer", local=True, limit="close_timeout")
            elif self.phase is _DRAINING:
                self.close(CloseCode.NORMAL, "", now)
            else:
                self._fail(CloseCode.TIMED_OUT, "the handshake took too long", limit="handshake_timeout")
            return
        if self.frame_deadline is not None and now >= self.frame_deadline:
            self._fail(CloseCode.TIMED_OUT, "a frame took too long to arrive", limit="frame_timeout")
            return
        if not self._progress.check(now, self._limits.write_timeout, backlog, wrapping):
            self._end(CloseCode.DEAD, "the peer takes no more bytes", local=True, limit="write_timeout")
            return
        if self.session is not None and self._heartbeat is not None and self.phase in _TALKING:
            self.session.handle_timeout(now)
            self._check_heartbeat(self._heartbeat, now)

    def _check_heartbeat(self, heartbeat: Heartbeat, now: float) -> None:
        due = heartbeat.timeout_at()
        verdict = heartbeat.check(now)
        if verdict is Verdict.BLOCKED:
            self.happened = [*self.happened, LoopBlocked(now - due)]
        if verdict in (Verdict.PING, Verdict.BLOCKED):
            self._control = [*self._control, encode_frame(FrameType.PING)]
        elif verdict is Verdict.SUSPECT:
            self.happened = [*self.happened, Suspected()]
        elif verdict is Verdict.DEAD:
            self._end(CloseCode.DEAD, "nothing was heard from the peer", local=True, limit="dead_after")

    # What happened...

    def events(self) -> list[Event]:
        """Return what happened since the last call, oldest first."""
        events, self.happened = self.happened, EMPTY_LIST
        return events


def _receive_talk(session: Session, kind: int, number: int, payload: bytes) -> None:
    if kind == _ACK:
        if len(payload) != COUNTS.size:
            raise ProtocolError("an ACK of the wrong size")
        session.receive_ack(*COUNTS.unpack(payload))
    elif kind == _HANDLED:
        session.receive_handled(number, decode_count(payload))
    elif kind == _CREDIT:
        session.receive_credit(number, decode_count(payload))
    elif kind == _ASK:
        session.receive_ask(number, decode_count(payload))
    else:
        session.receive_waiting(number, decode_count(payload))
