"""The facts that a connection reports, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass

from .frames import CloseCode, ResetCode
from .handshake import Hello, Refusal, Resume, Welcome


@dataclass(frozen=True, slots=True)
class HelloReceived:
    """A caller asks for a new session; answer with ``welcome`` or ``refuse``."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class ResumeReceived:
    """A caller asks to go on with a session; answer with ``welcome`` or ``refuse``."""

    resume: Resume


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The server answered our first frame: the session is (again) on a line."""

    welcome: Welcome


@dataclass(frozen=True, slots=True)
class Turned:
    """The server refused our first frame."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The client showed the token that it was given."""

    token: bytes


@dataclass(frozen=True, slots=True)
class FlowOpened:
    """The peer opened a flow; take it, or reset it."""

    flow: int
    purpose: str


@dataclass(frozen=True, slots=True)
class FlowAbandoned:
    """The peer abandoned a flow: nothing more comes of it, and nothing more is taken."""

    flow: int
    code: ResetCode
    reason: str


@dataclass(frozen=True, slots=True)
class MessagesReceived:
    """A flow's inbox has something that it had not, or its end was reached."""

    flow: int


@dataclass(frozen=True, slots=True)
class OutcomesKnown:
    """The peer handled more of a flow."""

    flow: int
    handled: int


@dataclass(frozen=True, slots=True)
class RoomMade:
    """The outbox became shorter."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """Both ends have waited for each other's credit for too long: neither program takes what the other sent. Each end reports it once."""


@dataclass(frozen=True, slots=True)
class Suspected:
    """Nothing was heard since the ping that silence caused."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A suspected line turned out to be alive."""


@dataclass(frozen=True, slots=True)
class LoopBlocked:
    """The program's own loop, or its machine, stood still for this many seconds; the line is probed before it is judged."""

    seconds: float


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer closed: the session when ``code`` is not resumable, else only this connection."""

    code: CloseCode
    reason: str
    retry_in: float | None
    redirect: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
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
