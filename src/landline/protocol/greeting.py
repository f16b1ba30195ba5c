"""How a connection begins, and that it ends once: the greetings of both roles, up to the session that is carried, or to the refusal."""

from __future__ import annotations

from ..errors import ProtocolError
from ..limits import Limits
from .decoder import FrameDecoder
from .empty import EMPTY_LIST
from .events import (
    Confirmed,
    ConnectionEnded,
    Event,
    HelloReceived,
    PeerClosed,
    ResumeReceived,
    Turned,
    Welcomed,
)
from .frames import MAGIC, CloseCode, FrameType, encode_frame, is_magic
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
from .heartbeat import MIN_BEAT, Heartbeat
from .session import Session
from .states import Phase, Role

Back = tuple[float | None, str | None]
"""When and where the peer may come back."""


class Greeting:
    """What two ends say to each other before a session is on their line. ``Connection`` adds what comes after.

    Args:
        role: which end we are.
        limits: ours.
        now: the time of the start, in seconds of any monotonic clock; all other times are of the same clock.
        jitter: from 0 to 1: how much of a fifth is taken off the heartbeat's interval.

    Attributes:
        happened: the events that ``events`` returns next.
    """

    __slots__ = (
        "_closing", "_control", "_deadline", "_decoder", "_end_event", "_head", "_heartbeat", "_is_beat_new", "_is_magic_seen",
        "_jitter", "_limits", "_peer_closed", "_preauth_bytes", "_resumed", "happened", "phase", "role", "session",
    )  # fmt: skip

    def __init__(self, role: Role, limits: Limits, now: float, *, jitter: float = 0.0) -> None:
        self.role = role
        self.phase = Phase.GREETING
        self.session: Session | None = None
        self._limits = limits
        self._jitter = jitter
        self._decoder = FrameDecoder(limits.max_message)
        self._head = b""
        self._is_magic_seen = False
        self._preauth_bytes = 0
        self._resumed: bytes | None = None
        self._control: list[bytes] = EMPTY_LIST
        self._closing: bytes | None = None
        self.happened: list[Event] = EMPTY_LIST
        self._heartbeat: Heartbeat | None = None
        self._is_beat_new = False
        patience = limits.connect_timeout if role is Role.CLIENT else limits.handshake_timeout
        self._deadline: float | None = now + patience
        self._peer_closed: PeerClosed | None = None
        self._end_event: ConnectionEnded | None = None

    # The client greets...

    def greet(self, greeting: Hello | Resume) -> None:
        """Write the client's first frame."""
        self._resumed = greeting.session if isinstance(greeting, Resume) else None
        kind = FrameType.HELLO if isinstance(greeting, Hello) else FrameType.RESUME
        self._control = [*self._control, MAGIC + encode_payload(kind, greeting)]

    # The server answers...

    def welcome(self, welcome: Welcome, session: Session, peer_received: int, now: float) -> None:
        """Let the caller in: from here this connection carries ``session``.

        Raises:
            ProtocolError: the caller's count of what it received cannot be; nothing was written.
        """
        if self.phase is Phase.CLOSED:
            return  # the caller went while it was decided about; that event is on its way
        session.attach(peer_received)
        self._control = [*self._control, MAGIC + encode_payload(FrameType.WELCOME, welcome)]
        self.phase = Phase.CONFIRMING
        self._deadline = now + self._limits.handshake_timeout
        self._begin(session, welcome, now)

    def refuse(self, refusal: Refusal, *, limit: str = "") -> None:
        """Turn the caller away, because of the limit of that name if there is one; who has not shown the magic is told nothing."""
        if self.phase is not Phase.CLOSED:
            if self._is_magic_seen:
                self._control = [*self._control, MAGIC + encode_payload(FrameType.REFUSE, refusal)]
            self._end(refusal.code, refusal.reason, local=True, limit=limit)

    # The client, once welcomed...

    def carry(self, welcome: Welcome, session: Session, now: float) -> None:
        """Go on with ``session`` here, as the server's ``welcome`` allowed.

        Raises:
            ProtocolError: the server's count of what it received cannot be.
        """
        if self._end_event is not None:
            # Again: who waited for the answer did not look for this.
            ends = (self._peer_closed, self._end_event)
            self.happened = [*self.happened, *(event for event in ends if event is not None)]
            return
        session.attach(welcome.received)
        self._control = [*self._control, encode_frame(FrameType.CONFIRM, 0, welcome.token)]
        self.phase, self._is_beat_new = Phase.OPEN, True
        self._deadline = None
        self._begin(session, welcome, now)

    def _begin(self, session: Session, welcome: Welcome, now: float) -> None:
        self.session = session
        interval = max(welcome.heartbeat, MIN_BEAT) * (1 - 0.2 * self._jitter)
        self._jitter = 0.0  # it is in the interval now
        self._heartbeat = Heartbeat(interval, max(welcome.dead_after, MIN_BEAT), now)

    # Bytes of it come in...

    def _receive_magic(self, data: bytes | memoryview) -> bytes | memoryview:
        head = self._head + data
        try:
            self._is_magic_seen = is_magic(head)
        except ProtocolError as error:
            self._is_magic_seen = error.code == "version"  # enough of it to be told in frames
            raise
        self._head = b"" if self._is_magic_seen else head
        return head[len(MAGIC) :]

    def _receive_greeting(self, kind: int, payload: bytes) -> None:
        if kind == FrameType.HELLO:
            self._decide(HelloReceived(decode_payload(Hello, payload)))
        elif kind == FrameType.RESUME:
            self._decide(ResumeReceived(decode_payload(Resume, payload)))
        elif kind == FrameType.WELCOME:
            self._decide(self._answer(decode_payload(Welcome, payload)))
        elif kind == FrameType.REFUSE:
            refusal = decode_payload(Refusal, payload)
            self.happened = [*self.happened, Turned(refusal)]
            self._end(refusal.code, refusal.reason, local=False)
        else:
            self._receive_confirm(payload)

    def _decide(self, event: Event) -> None:
        self.phase = Phase.DECIDING
        self._deadline = None  # what decides has a deadline of its own
        self.happened = [*self.happened, event]

    def _answer(self, welcome: Welcome) -> Welcomed:
        if welcome.resumed is (self._resumed is None) or self._resumed not in (None, welcome.session):
            raise ProtocolError("WELCOME does not answer what was asked")
        return Welcomed(welcome)

    def _receive_confirm(self, payload: bytes) -> None:
        if len(payload) != TOKEN_SIZE:
            raise ProtocolError("a token of the wrong size")
        self.phase, self._is_beat_new = Phase.OPEN, True
        self._deadline = None
        self.happened = [*self.happened, Confirmed(payload)]

    # It ends...

    def _fail(self, code: CloseCode, reason: str, back: Back = (None, None), *, limit: str = "") -> None:
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
                self._control = [*self._control, *self.session.last_words()]
        self._end(code, reason, local=True, limit=limit)

    def _close_with(self, code: CloseCode, reason: str, back: Back = (None, None)) -> None:
        close = Close(code=code, reason=clean_reason(reason), retry_in=back[0], redirect=back[1])
        self._closing = encode_payload(FrameType.CLOSE, close)

    def _end(self, code: CloseCode, reason: str, *, local: bool, limit: str = "") -> None:
        if self._end_event is None:
            self.phase = Phase.CLOSED
            self._decoder = FrameDecoder(0)  # lets go of what it holds: who does not hang up keeps us alive
            self._end_event = ConnectionEnded(code, reason, local, limit)
            self.happened = [*self.happened, self._end_event]
