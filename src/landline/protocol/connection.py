"""One transport's life as a state machine: bytes and time in, bytes and events out.

A connection greets, then carries a ``Session`` until it ends; the session outlives it. It knows both roles; which frame may arrive when
stands in ``states.ACCEPTED``. It ends by itself when the peer breaks a rule, is silent for too long, or takes too long.
"""

from __future__ import annotations

from ..errors import ProtocolError
from ..limits import PROTOCOL, Limits
from .events import (
    Confirmed,
    ConnectionEnded,
    Event,
    Heard,
    HelloReceived,
    LoopBlocked,
    PeerClosed,
    ResumeReceived,
    Suspected,
    Turned,
    Welcomed,
)
from .frames import (
    COUNTS,
    FIRST_COUNTED,
    MAGIC,
    CloseCode,
    FrameDecoder,
    FrameType,
    decode_count,
    encode_frame,
    is_magic,
)
from .handshake import (
    TOKEN_SIZE,
    Close,
    Hello,
    Refusal,
    Resume,
    Welcome,
    clean_reason,
    decode_payload,
    encode_payload,
)
from .heartbeat import MIN_BEAT, Heartbeat, Progress, Verdict
from .news import take_news
from .session import Session
from .states import ACCEPTED, GREETINGS, TYPES, Phase, Role, why_not

WRITE_BUDGET = PROTOCOL.write

_TALKING = (Phase.OPEN, Phase.CLOSING, Phase.DRAINING)

_Back = tuple[float | None, str | None]
"""When and where the peer may come back."""


class Connection:
    """The state machine of one transport.

    Args:
        role: which end we are.
        limits: ours.
        now: the time of the start, in seconds of any monotonic clock; all other times are of the same clock.
        jitter: from 0 to 1: how much of a fifth is taken off the heartbeat's interval.

    Attributes:
        frame_began_at: when the unfinished frame began that is here, if there is one.
    """

    def __init__(self, role: Role, limits: Limits, now: float, *, jitter: float = 0.0) -> None:
        self.role = role
        self.phase = Phase.GREETING
        self.session: Session | None = None
        self._limits = limits
        self._jitter = jitter
        self._decoder = FrameDecoder(limits.max_message)
        self._head = b""
        self._is_magic_seen = False
        self._preauth_left = limits.preauth_bytes
        self._resumed: bytes | None = None
        self._control: list[bytes] = []
        self._closing: bytes | None = None
        self._is_pong_due = False
        self._events: list[Event] = []
        self._heartbeat: Heartbeat | None = None
        patience = limits.connect_timeout if role is Role.CLIENT else limits.handshake_timeout
        self._deadline: float | None = now + patience
        self.frame_began_at = now
        self._frame_deadline: float | None = None
        self._progress = Progress(limits.write_timeout)
        self._peer_closed: PeerClosed | None = None
        self._end_event: ConnectionEnded | None = None

    # The client greets...

    def greet(self, greeting: Hello | Resume) -> None:
        """Write the client's first frame."""
        self._resumed = greeting.session if isinstance(greeting, Resume) else None
        kind = FrameType.HELLO if isinstance(greeting, Hello) else FrameType.RESUME
        self._control.append(MAGIC + encode_payload(kind, greeting))

    # The server answers...

    def welcome(self, welcome: Welcome, session: Session, peer_received: int, now: float) -> None:
        """Let the caller in: from here this connection carries ``session``.

        Raises:
            ProtocolError: the caller's count of what it received cannot be; nothing was written.
        """
        if self.phase is Phase.CLOSED:
            return  # the caller went while it was decided about; that event is on its way
        session.attach(peer_received)
        self._control.append(MAGIC + encode_payload(FrameType.WELCOME, welcome))
        self.phase = Phase.CONFIRMING
        self._deadline = now + self._limits.handshake_timeout
        self._begin(session, welcome, now)

    def refuse(self, refusal: Refusal, *, limit: str = "") -> None:
        """Turn the caller away, because of the limit of that name if there is one; who has not shown the magic is told nothing."""
        if self.phase is not Phase.CLOSED:
            if self._is_magic_seen:
                self._control.append(MAGIC + encode_payload(FrameType.REFUSE, refusal))
            self._end(refusal.code, refusal.reason, local=True, limit=limit)

    # The client, once welcomed...

    def carry(self, welcome: Welcome, session: Session, now: float) -> None:
        """Go on with ``session`` here, as the server's ``welcome`` allowed.

        Raises:
            ProtocolError: the server's count of what it received cannot be.
        """
        if self._end_event is not None:
            # Again: who waited for the answer did not look for this.
            self._events += [event for event in (self._peer_closed, self._end_event) if event is not None]
            return
        session.attach(welcome.received)
        self._control.append(encode_frame(FrameType.CONFIRM, 0, welcome.token))
        self.phase = Phase.OPEN
        self._deadline = None
        self._begin(session, welcome, now)

    def _begin(self, session: Session, welcome: Welcome, now: float) -> None:
        self.session = session
        interval = max(welcome.heartbeat, MIN_BEAT) * (1 - 0.2 * self._jitter)
        self._heartbeat = Heartbeat(interval, max(welcome.dead_after, MIN_BEAT), now)

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
        if self.phase is Phase.OPEN:
            self._close_with(code, reason, (retry_in, redirect))
            self.phase = Phase.CLOSING
            self._deadline = now + self._limits.close_timeout
        elif self.phase is not Phase.CLOSING:
            self._fail(code, reason, (retry_in, redirect))

    def break_off(self, code: CloseCode, reason: str) -> None:
        """End at once, and tell the peer why."""
        self._fail(code, reason)

    def fence(self) -> None:
        """End at once as ``replaced``: a newer connection carries the session; nothing that comes here counts any more."""
        self.session = None
        self._fail(CloseCode.REPLACED, "another connection carries this session now")

    # Bytes come in...

    def receive_data(self, data: bytes, now: float) -> None:
        """Take what arrived, in any chunks; events follow. Never raises: a broken rule ends the connection."""
        if self.phase is Phase.CLOSED:
            return
        if self._heartbeat is not None and self._heartbeat.heard(now):
            self._events.append(Heard())
        try:
            if not self._is_magic_seen:
                data = self._receive_magic(data)
            if data:
                self._receive_frames(data, now)
        except ProtocolError as error:
            self._report()
            self._fail(CloseCode[error.code.upper().replace("-", "_")], error.reason, limit=error.limit)
        self._report()

    def receive_end(self) -> None:
        """The transport ended, in whatever way: nothing more comes or goes."""
        if self.phase is not Phase.CLOSED:
            self._end(CloseCode.DEAD, "the line dropped", local=False)

    def _receive_magic(self, data: bytes) -> bytes:
        head = self._head + data
        try:
            self._is_magic_seen = is_magic(head)
        except ProtocolError as error:
            self._is_magic_seen = error.code == "version"  # enough of it to be told in frames
            raise
        self._head = b"" if self._is_magic_seen else head
        return head[len(MAGIC) :]

    def _receive_frames(self, data: bytes, now: float) -> None:
        if self.session is None and self.role is Role.SERVER:
            self._preauth_left -= len(data)
            if self._preauth_left < 0:
                raise ProtocolError("too many bytes before being let in", "too-large", limit="preauth_bytes")
        kind, phase, decoder, accepted = -1, self.phase, self._decoder, None
        for kind, number, payload in decoder.feed(data):
            accepted = accepted or ACCEPTED[self.role, phase]
            if kind not in accepted:
                raise ProtocolError(why_not(kind, phase))
            if kind >= FIRST_COUNTED:
                assert self.session is not None  # every phase that accepts these has one
                self.session.receive(kind, number, payload)
            else:
                self._receive_frame(TYPES[kind], number, payload, now)
            if self.phase is not phase:
                if self.phase is Phase.CLOSED:
                    return
                phase, accepted = self.phase, None
        if held := decoder.held:
            if kind >= 0 or self._frame_deadline is None:
                self.frame_began_at = now
            self._frame_deadline = self.frame_began_at + self._limits.frame_timeout + decoder.needed / 1024
        else:
            self._frame_deadline = None
        if self.session is not None:
            self.session.gather(held)

    def _receive_frame(self, frame_type: FrameType, number: int, payload: bytes, now: float) -> None:
        if frame_type is FrameType.PING:
            self._is_pong_due = True
        elif frame_type is FrameType.PONG:
            pass
        elif frame_type is FrameType.CLOSE:
            self._receive_close(decode_payload(Close, payload), now)
        elif frame_type in GREETINGS:
            self._receive_greeting(frame_type, payload)
        else:
            self._receive_talk(frame_type, number, payload)

    def _receive_greeting(self, frame_type: FrameType, payload: bytes) -> None:
        if frame_type is FrameType.HELLO:
            self._decide(HelloReceived(decode_payload(Hello, payload)))
        elif frame_type is FrameType.RESUME:
            self._decide(ResumeReceived(decode_payload(Resume, payload)))
        elif frame_type is FrameType.WELCOME:
            self._decide(self._answer(decode_payload(Welcome, payload)))
        elif frame_type is FrameType.REFUSE:
            refusal = decode_payload(Refusal, payload)
            self._events.append(Turned(refusal))
            self._end(refusal.code, refusal.reason, local=False)
        else:
            self._receive_confirm(payload)

    def _receive_talk(self, frame_type: FrameType, number: int, payload: bytes) -> None:
        session = self.session
        assert session is not None  # every phase that accepts these has one
        if frame_type is FrameType.ACK:
            if len(payload) != COUNTS.size:
                raise ProtocolError("an ACK of the wrong size")
            session.receive_ack(*COUNTS.unpack(payload))
        elif frame_type is FrameType.HANDLED:
            session.receive_handled(number, decode_count(payload))
        elif frame_type is FrameType.CREDIT:
            session.receive_credit(number, decode_count(payload))
        elif frame_type is FrameType.ASK:
            session.receive_ask(number, decode_count(payload))
        else:
            session.receive_waiting(number, decode_count(payload))

    def _decide(self, event: Event) -> None:
        self.phase = Phase.DECIDING
        self._deadline = None  # what decides has a deadline of its own
        self._events.append(event)

    def _answer(self, welcome: Welcome) -> Welcomed:
        if welcome.resumed is (self._resumed is None) or self._resumed not in (None, welcome.session):
            raise ProtocolError("WELCOME does not answer what was asked")
        return Welcomed(welcome)

    def _receive_confirm(self, payload: bytes) -> None:
        if len(payload) != TOKEN_SIZE:
            raise ProtocolError("a token of the wrong size")
        self.phase = Phase.OPEN
        self._deadline = None
        self._events.append(Confirmed(payload))

    def _receive_close(self, close: Close, now: float) -> None:
        session = self.session
        self._report()
        self._peer_closed = PeerClosed(close.code, close.reason, close.retry_in, close.redirect)
        self._events.append(self._peer_closed)
        if self.phase is Phase.OPEN and close.code is CloseCode.NORMAL:
            self.phase = Phase.DRAINING
            self._deadline = now + self._limits.close_timeout
            return
        if self.phase is Phase.OPEN:
            self._close_with(close.code, "")
        if self._closing is not None and session is not None:
            self._control += session.last_words()
        self._end(close.code, close.reason, local=False)

    def _report(self) -> None:
        if self.session is not None:
            self._events += take_news(self.session)

    # Bytes go out...

    def data_to_send(self, now: float) -> list[bytes]:
        """Return what to write now, in order; call it once per tick of the loop, while the transport takes more."""
        out = self._control
        self._control = []
        if self._is_pong_due:
            self._is_pong_due = False
            out.append(encode_frame(FrameType.PONG))
        session = self.session
        if session is not None and self.phase in _TALKING:
            out += session.data_to_send(now, WRITE_BUDGET if self._may_send else 0)
            if session.made_room or session.stall.is_on:
                self._report()
        if self._closing is not None:
            if self.phase is not Phase.CLOSING or session is None:
                out.append(self._closing)
                self._closing = None
            elif not session.has_unsent:
                out += session.last_words()
                out.append(self._closing)
                self._closing = None
        if out:
            self._progress.wrote(sum(map(len, out)), now)
        return out

    @property
    def has_more_to_send(self) -> bool:
        """Whether ``data_to_send`` stopped at its budget, and should be called again when the transport takes more."""
        return self.session is not None and self._may_send and self.session.can_write_more

    @property
    def _may_send(self) -> bool:
        """Whether counted frames may still go: our CLOSE is not written."""
        return self.phase is Phase.OPEN or (self.phase is Phase.CLOSING and self._closing is not None)

    # Time passes...

    def timeout_at(self) -> float | None:
        """When ``handle_timeout`` must be called, or None for never."""
        if self.phase is Phase.CLOSED:
            return None
        due, times = self._deadline, [self._frame_deadline, self._progress.look_at]
        if self.session is not None and self._heartbeat is not None and self.phase in _TALKING:
            times += (self._heartbeat.timeout_at(), self.session.timeout_at())
        for at in times:
            if at is not None and (due is None or at < due):
                due = at
        return due

    def handle_timeout(self, now: float, backlog: int = 0) -> None:
        """Do what is due by now.

        Args:
            now: the time.
            backlog: bytes that ``data_to_send`` returned and that have not left this process.
        """
        if self.phase is Phase.CLOSED:
            return
        if self._deadline is not None and now >= self._deadline:
            if self.phase is Phase.CLOSING:
                why = "the peer did not answer our close"
                self._end(CloseCode.TIMED_OUT, why, local=True, limit="close_timeout")
            elif self.phase is Phase.DRAINING:
                self.close(CloseCode.NORMAL, "", now)
            else:
                self._fail(CloseCode.TIMED_OUT, "the handshake took too long", limit="handshake_timeout")
            return
        if self._frame_deadline is not None and now >= self._frame_deadline:
            self._fail(CloseCode.TIMED_OUT, "a frame took too long to arrive", limit="frame_timeout")
            return
        if not self._progress.check(now, backlog):
            self._end(CloseCode.DEAD, "the peer takes no more bytes", local=True, limit="write_timeout")
            return
        if self.session is not None and self._heartbeat is not None and self.phase in _TALKING:
            self.session.handle_timeout(now)
            self._check_heartbeat(self._heartbeat, now)

    def _check_heartbeat(self, heartbeat: Heartbeat, now: float) -> None:
        due = heartbeat.timeout_at()
        verdict = heartbeat.check(now)
        if verdict is Verdict.BLOCKED:
            self._events.append(LoopBlocked(now - due))
        if verdict in (Verdict.PING, Verdict.BLOCKED):
            self._control.append(encode_frame(FrameType.PING))
        elif verdict is Verdict.SUSPECT:
            self._events.append(Suspected())
        elif verdict is Verdict.DEAD:
            self._end(CloseCode.DEAD, "nothing was heard from the peer", local=True, limit="dead_after")

    # What happened...

    def events(self) -> list[Event]:
        """Return what happened since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    def _fail(self, code: CloseCode, reason: str, back: _Back = (None, None), *, limit: str = "") -> None:
        """End at once, and tell the peer why, in the one frame that it may be told with by now."""
        if self.phase in (Phase.GREETING, Phase.DECIDING):
            if self.role is Role.SERVER:
                refusal = Refusal(code=code, reason=clean_reason(reason), retry_in=back[0], redirect=back[1])
                self.refuse(refusal, limit=limit)
        elif self.phase is not Phase.CLOSED and (
            self.phase is not Phase.CLOSING or self._closing is not None
        ):
            self._close_with(code, reason, back)  # CLOSE is written once
            if self.phase is Phase.DRAINING and self.session is not None:
                self._control += self.session.last_words()
        self._end(code, reason, local=True, limit=limit)

    def _close_with(self, code: CloseCode, reason: str, back: _Back = (None, None)) -> None:
        close = Close(code=code, reason=clean_reason(reason), retry_in=back[0], redirect=back[1])
        self._closing = encode_payload(FrameType.CLOSE, close)

    def _end(self, code: CloseCode, reason: str, *, local: bool, limit: str = "") -> None:
        if self._end_event is None:
            self.phase = Phase.CLOSED
            self._decoder = FrameDecoder(0)  # lets go of what it holds: who does not hang up keeps us alive
            self._end_event = ConnectionEnded(code, reason, local, limit)
            self._events.append(self._end_event)
