"""What a host keeps of each session that lives: a record of it with its end and the connection that carries it; and of each caller until then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from .connection import Connection
from .events import ConnectionEnded, Event
from .frames import CloseCode
from .handshake import Hello, Resume
from .resume import Record
from .session import Session

Store = Callable[[bytes, bytes | None, Callable[[float], None]], None]
"""Keeps something of a session beyond this life of the server, or nothing any more; calls back with the time when that is safe."""


class Carrier(Protocol):
    """A connection together with what drives it; one that is welcomed carries a session."""

    connection: Connection

    def schedule(self) -> None:
        """Write what the connection wants sent, at the end of this turn of the loop."""
        ...


C = TypeVar("C", bound=Carrier)
C_contra = TypeVar("C_contra", bound=Carrier, contravariant=True)


class SessionEnd(Protocol[C_contra]):
    """The server's end of a session, as far as the host deals with it; when it ends, ``Host.ended`` must be called."""

    core: Session

    def attach(self, carrier: C_contra, /) -> None:
        """Go on over this connection."""
        ...

    def detach(self, reason: str, /) -> None:
        """The line is gone (if it had a confirmed one), the session is not."""
        ...

    def deliver(self, event: Event, /) -> None:
        """Take what the connection that carries it reports."""
        ...

    def connection_ended(self, event: ConnectionEnded, /) -> bool:
        """Take the end of that connection; return whether it is the session's end too."""
        ...

    def lose(self, code: CloseCode, reason: str, /) -> None:
        """End: the session cannot go on."""
        ...


E = TypeVar("E", bound=SessionEnd[Any])


class Caller:
    """Somebody who is not let in yet: where it comes from, and what it asks for once it did."""

    __slots__ = ("asked", "granted_until", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.granted_until: float | None = None
        self.asked: Hello | Resume | None = None

    @property
    def why_nobody(self) -> str:
        """Why it is not let in, where nobody knows who it is: as it would have to be told, to do something about it."""
        if self.asked is not None and self.asked.credentials is None:
            return "this server wants credentials, and none were shown"
        return "the credentials are not good"


@dataclass(slots=True, eq=False)
class Kept(Record, Generic[C, E]):
    """A session that lives here.

    Attributes:
        end: our program's end of it.
        source: where its first connection came from.
        carrier: the connection that was welcomed last, confirmed or not; None while there is none.
        is_confirmed: the client has shown its token on that connection, which is the session's since.
        is_told: a client confirmed it once, so that the program knows of it.
        is_restored: an earlier life of the server told its client of it, who has its whole window to come back.
        awaited: the connection that will be welcomed when that is stored.
    """

    end: E = field(init=False)
    source: str = ""
    carrier: C | None = None
    awaited: C | None = None
    is_confirmed: bool = False
    is_told: bool = False
    is_restored: bool = False


def nothing(now: float) -> None:
    """Call back for nothing."""
    del now
