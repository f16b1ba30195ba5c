"""Who greets whom with what: the payloads of the first frames, of the last, and of those that open and reset flows, as msgpack maps
checked on arrival.

A client opens with HELLO (a new session) or RESUME (an old one, on whatever carrier); the server answers WELCOME or REFUSE; the client's
first frame after a WELCOME is CONFIRM with the token it was given. Unknown keys are ignored, so that later versions may add some.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec

from ..errors import ProtocolError
from ..limits import LONGEST, PROTOCOL
from .frames import CloseCode, ResetCode, encode_frame

ID_SIZE: Final = 16
"""Bytes of a session's or a process life's id."""

TOKEN_SIZE: Final = 32
"""Bytes of a resume token: 256 bits."""

Id = Annotated[bytes, msgspec.Meta(min_length=ID_SIZE, max_length=ID_SIZE)]
Token = Annotated[bytes, msgspec.Meta(min_length=TOKEN_SIZE, max_length=TOKEN_SIZE)]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Attempt = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
Reason = Annotated[str, msgspec.Meta(max_length=PROTOCOL.reason)]
"""Made of a program's own words by ``clean_reason``."""
Purpose = Annotated[str, msgspec.Meta(max_length=PROTOCOL.purpose)]
Where = Annotated[str, msgspec.Meta(max_length=PROTOCOL.redirect)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST)]


def clean_reason(words: str) -> str:
    """Return a program's words as a frame can carry them: cut at the limit, and what is not Unicode replaced."""
    return words[: PROTOCOL.reason].encode(errors="replace").decode()


class Hello(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """HELLO: a new session, please."""

    life: Id
    """Names this life of the client's process."""
    window: Count
    """Credit that the messages of the other direction begin with."""
    max_message: Count
    """The largest payload that the sender of this takes, in bytes."""
    max_flows: Count = 0
    """How many flows the other end may have open at once, besides the messages."""
    credentials: Any = None
    """Whatever the server's ``authenticate`` wants to see."""


class Resume(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RESUME: go on with this session, please."""

    session: Id
    """Which one: the id that WELCOME gave it."""
    token: Token
    """The newest that the client was given."""
    attempt: Attempt
    """Rises strictly with every dial of this session."""
    life: Id
    """The life of the server that welcomed the client last: in another one its counts mean nothing."""
    received: Count
    """How many counted frames of the server's the client has, over all transports."""
    credentials: Any = None
    """As in HELLO; the principal must be the same."""


class Welcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """WELCOME: the session is on this line now."""

    session: Id
    """Its public id; no secret, and opens nothing."""
    token: Token
    """Good for the next RESUME; the one before stays good until the client confirms this one."""
    life: Id
    """Names this life of the server's process."""
    received: Count
    """How many counted frames of the client's the server has, over all transports."""
    resumed: bool
    """Whether this answers a RESUME. In another life than the last, all counts begin at 0 again."""
    window: Count
    """As in HELLO."""
    max_message: Count
    """As in HELLO."""
    heartbeat: Seconds
    """Silence before a ping, in seconds; the server decides for both."""
    dead_after: Seconds
    """Silence after a ping before the line counts as dead, in seconds."""
    resume_window: Seconds
    """How long the server keeps the session without a line, in seconds."""
    max_flows: Count = 0
    """As in HELLO."""
    expires_in: Seconds | None = None
    """The credentials are good for so many seconds from now on; without others the session ends then."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """REFUSE: no, and why; what the server still knows of the session is told to a holder of a valid token only."""

    code: CloseCode
    """Why, for programs."""
    reason: Reason = ""
    """Why, for people."""
    attempt: Count | None = None
    """The highest attempt accepted so far."""
    received: Count | None = None
    """How many counted frames of the client's had arrived."""
    handled: Count | None = None
    """How many of the client's messages the server's program had handled."""
    retry_in: Seconds | None = None
    """Come back after this many seconds, when the code is resumable."""
    redirect: Where | None = None
    """And come back there: an address that the client was given beforehand; it follows to no other."""


class Close(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CLOSE: nothing counted follows in its direction."""

    code: CloseCode
    """Why, for programs."""
    reason: Reason = ""
    """Why, for people."""
    retry_in: Seconds | None = None
    """Come back after this many seconds, when the code is resumable."""
    redirect: Where | None = None
    """And come back there: an address that the client was given beforehand; it follows to no other."""


class Open(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """OPEN: here begins another flow, with the number in the header."""

    purpose: Purpose
    """What it is for; the other end takes it or resets it accordingly."""
    window: Count
    """Credit that the other end begins with; whoever opens begins with 4,096."""


class Reset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RESET: nothing more of this flow comes from here, and nothing more is taken."""

    code: ResetCode
    """Why, for programs."""
    handled: Count
    """How many of the flow's messages the program here was done with."""
    taken: Count
    """How many it had been given; it was never given those after them."""
    reason: Reason = ""
    """Why, for people."""


Payload = TypeVar("Payload", Hello, Resume, Welcome, Refusal, Close, Open, Reset)

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type, msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(kind) for kind in (Hello, Resume, Welcome, Refusal, Close, Open, Reset)
}


def encode_payload(
    frame_type: int, payload: Hello | Resume | Welcome | Refusal | Close | Open | Reset, number: int = 0
) -> bytes:
    """Return the whole frame that carries ``payload``; ``number`` is the flow that it is about."""
    return encode_frame(frame_type, number, _encoder.encode(payload))


def decode_payload(kind: type[Payload], data: bytes) -> Payload:
    """Return what a frame of this kind says.

    Raises:
        ProtocolError: it is not msgpack, or a field is missing, of another type, or out of its range.
    """
    try:
        return _decoders[kind].decode(data)  # type: ignore[no-any-return]
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"a {kind.__name__} that cannot be read: {error}") from error
