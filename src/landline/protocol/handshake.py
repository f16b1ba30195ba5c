"""Who greets whom with what: the payloads of the first frames and of the last, as msgpack maps checked on arrival.

A client opens with HELLO (a new session) or RESUME (an old one, on whatever carrier); the server answers WELCOME or REFUSE; the client's
first frame after a WELCOME is CONFIRM with the token it was given. Unknown keys are ignored, so that later versions may add some.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec

from ..errors import ProtocolError
from ..limits import LONGEST, PROTOCOL
from .frames import CloseCode, encode_frame

ID_SIZE: Final = 16
"""Bytes of a session's or a process life's id."""

TOKEN_SIZE: Final = 32
"""Bytes of a resume token: 256 bits."""

Id = Annotated[bytes, msgspec.Meta(min_length=ID_SIZE, max_length=ID_SIZE)]
Token = Annotated[bytes, msgspec.Meta(min_length=TOKEN_SIZE, max_length=TOKEN_SIZE)]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Attempt = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
Reason = Annotated[str, msgspec.Meta(max_length=PROTOCOL.reason)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST)]


class Hello(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """HELLO: a new session, please."""

    life: Id
    """Names this life of the client's process."""
    window: Count
    """Credit that the messages of the other direction begin with."""
    max_message: Count
    """The largest payload that the sender of this takes, in bytes."""
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
    """Whether this answers a RESUME."""
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


class Close(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CLOSE: nothing counted follows in its direction."""

    code: CloseCode
    """Why, for programs."""
    reason: Reason = ""
    """Why, for people."""
    retry_in: Seconds | None = None
    """Come back after this many seconds, when the code is resumable."""


Payload = TypeVar("Payload", Hello, Resume, Welcome, Refusal, Close)

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type, msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(kind) for kind in (Hello, Resume, Welcome, Refusal, Close)
}


def encode_payload(frame_type: int, payload: Hello | Resume | Welcome | Refusal | Close) -> bytes:
    """Return the whole frame that carries ``payload``."""
    return encode_frame(frame_type, 0, _encoder.encode(payload))


def decode_payload(kind: type[Payload], data: bytes) -> Payload:
    """Return what a frame of this kind says.

    Raises:
        ProtocolError: it is not msgpack, or a field is missing, of another type, or out of its range.
    """
    try:
        return _decoders[kind].decode(data)  # type: ignore[no-any-return]
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"a {kind.__name__} that cannot be read: {error}") from error
