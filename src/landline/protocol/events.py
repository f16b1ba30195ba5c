"""The facts that a connection reports, in the past tense."""

from __future__ import annotations

from typing import Final

import msgspec

from .frames import CloseCode, ResetCode
from .handshake import Hello, Refusal, Resume, Welcome


class HelloReceived(msgspec.Struct, frozen=True):
    """A caller asks for a new session; answer with ``welcome`` or ``refuse``."""

    hello: Hello


class ResumeReceived(msgspec.Struct, frozen=True):
    """A caller asks to go on with a session; answer with ``welcome`` or ``refuse``."""

    resume: Resume


class Welcomed(msgspec.Struct, frozen=True):
    """The server answered our first frame: the session is (again) on a line."""

    welcome: Welcome


class Turned(msgspec.Struct, frozen=True):
    """The server refused our first frame."""

    refusal: Refusal


class Confirmed(msgspec.Struct, frozen=True):
    """The client showed the token that it was given."""

    token: bytes


class FlowOpened(msgspec.Struct, frozen=True):
    """The peer opened a flow; take it, or reset it."""

    flow: int
    purpose: str


class FlowAbandoned(msgspec.Struct, frozen=True):
    """The peer abandoned a flow: nothing more comes of it, and nothing more is taken."""

    flow: int
    code: ResetCode
    reason: str


class MessagesReceived(msgspec.Struct, frozen=True):
    """A flow's inbox has something that it had not, or its end was reached."""

    flow: int


class OutcomesKnown(msgspec.Struct, frozen=True):
    """The peer handled more of a flow."""

    flow: int
    handled: int


class RoomMade(msgspec.Struct, frozen=True):
    """The outbox became shorter, where somebody had found no room."""


class Stalled(msgspec.Struct, frozen=True):
    """Both ends have waited for each other's credit for too long: neither program takes what the other sent. Each end reports it once."""


class Suspected(msgspec.Struct, frozen=True):
    """Nothing was heard since the ping that silence caused."""


class Heard(msgspec.Struct, frozen=True):
    """A suspected line turned out to be alive."""


class LoopBlocked(msgspec.Struct, frozen=True):
    """The program's own loop, or its machine, stood still for this many seconds; the line is probed before it is judged."""

    seconds: float


class PeerClosed(msgspec.Struct, frozen=True):
    """The peer closed: the session when ``code`` is not resumable, else only this connection."""

    code: CloseCode
    reason: str
    retry_in: float | None
    redirect: str | None = None


class ConnectionEnded(msgspec.Struct, frozen=True):
    """Nothing more comes or goes here; the last event of every connection.

    ``local`` says whose fault it is when ``code`` is one: true when the peer broke a rule or a time that we keep.
    """

    code: CloseCode
    reason: str
    local: bool
    limit: str = ""
    """The name of the limit of ours that was hit, if that ended it."""


Event = (
    HelloReceived | ResumeReceived | Welcomed | Turned | Confirmed | FlowOpened | FlowAbandoned | MessagesReceived | OutcomesKnown
    | RoomMade | Stalled | Suspected | Heard | LoopBlocked | PeerClosed | ConnectionEnded
)  # fmt: skip

NEWS: Final = frozenset({MessagesReceived, OutcomesKnown, FlowOpened, FlowAbandoned, RoomMade, Stalled})
"""Those about the session itself, which concern nobody but its holder; all others are about the connection that carries it."""
