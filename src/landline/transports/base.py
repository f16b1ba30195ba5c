"""What a transport is, and what its receiver is told.

A transport is one socket's worth of bytes, in order, and dies with its socket. It guarantees: nothing is told before ``start``; bytes are
told in the order they came; after ``lost`` nothing more is told, and ``lost`` is told exactly once; ``write`` never blocks and never
raises. How much may wait in it is the writer's business: it looks at ``is_writable`` and waits to be told ``writable``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from .listening import ListeningSocket


LARGE: Final = 16 << 10
"""Pieces from this size on are written as they are, where the carrier can; smaller ones are joined, which costs less than handing them on."""


def joined(pieces: tuple[bytes, ...]) -> bytes:
    """Return the pieces as one."""
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Receiver(Protocol):
    """Who is told what happens on a transport."""

    def data_received(self, data: bytes) -> None:
        """These bytes arrived."""

    def data_ended(self) -> None:
        """The peer writes no more; it may still read."""

    def writable(self) -> None:
        """The transport takes more bytes again."""

    def lost(self, error: Exception | None) -> None:
        """The transport is gone; ``error`` is None when it was closed in an orderly way."""


class Borrower(Protocol):
    """Who is lent what was read, where it is much."""

    def data_lent(self, data: memoryview) -> None:
        """These bytes arrived, and are others' when this returns."""


class Transport(Protocol):
    """One socket's worth of bytes.

    Attributes:
        on_lost: called with it, once, after the receiver was told that the transport is gone.
    """

    on_lost: Callable[[Transport], None]

    @property
    def wrapping(self) -> int:
        """Bytes that were put around what was written, all together: they count as ``backlog`` too while they have not left."""

    @property
    def peer(self) -> str:
        """The other end's address, as text."""

    @property
    def source(self) -> str:
        """Who the other end is for limits per source: an IPv4 address, an IPv6 /64; empty for local ones, which are exempt."""

    @property
    def backlog(self) -> int:
        """Bytes written and not yet given to the kernel."""

    @property
    def is_writable(self) -> bool:
        """Whether more should be written now."""

    def start(self, receiver: Receiver) -> None:
        """Tell ``receiver`` from now on; a second call hands over to another one."""

    def hold(self, is_held: bool) -> None:
        """Read no more for now, or read on: back-pressure for doors that have no credit."""

    def widen(self, borrower: Borrower) -> None:
        """Read more at a time from now on, and lend it, where that is quicker: to who bounds by credit what comes, and never holds the line."""

    def write(self, *pieces: bytes) -> None:
        """Write all of them, in the end, and together: as one message, where the carrier has messages. Dropped when the transport is gone."""

    def end(self) -> None:
        """Write what waits, then end our direction: the peer is told that no more comes, and may go on itself."""

    def close(self) -> None:
        """Write what waits, end our direction, and go when the peer has ended its own (or after two seconds, four over WebSocket)."""

    def abort(self) -> None:
        """Go at once; what waits is dropped."""


Accept = Callable[[Transport], None]


class Gate(Protocol):
    """Who is asked about a connection before anything is made of it. Sources of this machine are exempt, and may not be asked about."""

    def admits(self, source: str) -> bool:
        """Whether one more connection of this source is taken; else it is hung up on."""

    def left(self, source: str) -> None:
        """One of this source was gone before it was taken."""


class Listener(Protocol):
    """Something that transports are accepted from, from ``start`` until ``close``; before, callers wait."""

    @property
    def addresses(self) -> list[str]:
        """Where it really listens, ports filled in."""

    def start(self, accept: Accept, gate: Gate | None = None) -> None:
        """Call ``accept`` with each new transport, which must start it. ``gate`` is asked before, about connections from other machines."""

    def hand_over(self) -> list[ListeningSocket]:
        """Return copies of its sockets, before it is closed: callers then wait in those for the next program."""

    def close(self) -> None:
        """Accept no more; transports that were accepted live on."""

    async def wait_closed(self) -> None:
        """Wait until everybody whom the kernel gave us before the close has been accepted."""


def unheeded(error: Exception) -> None:
    """Nobody wants to know what broke."""


def nothing(transport: Transport) -> None:
    """Nobody wants to know."""
