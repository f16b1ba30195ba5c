"""Any stream socket on asyncio, as a transport.

Closing is a story of its own: a socket that is closed while unread bytes wait in the kernel is reset, and the reset can overtake the last
words that we wrote. So ``close`` ends our direction first and reads on, dropping everything, until the peer has ended too.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Final, cast

from ..limits import TRANSPORT
from .base import LARGE, Accept, Borrower, Receiver, Transport, nothing
from .freed_memory import keep_freed_memory

log = logging.getLogger("landline.transports")

LINGER: Final = TRANSPORT.linger

_AT_ONCE: Final = struct.pack("ii", 1, 0)

HIGH_WATER: Final = TRANSPORT.backlog


class _Reading(threading.local):
    """What a thread's loop reads into, whichever socket it reads: each read is copied out of it before the next.

    A buffer for each read would be as large, however few bytes come; what is kept of them would lie scattered between such holes, and
    a crowd of callers that are hung up on would cost ten times what they sent.
    """

    def __init__(self) -> None:
        self.wide = memoryview(bytearray(TRANSPORT.session_read))
        self.narrow = self.wide[: TRANSPORT.read]


_reading = _Reading()


class StreamTransport(asyncio.BufferedProtocol):
    """A stream socket; asyncio's protocol and our transport in one.

    Args:
        peer: the other end's address as text, when it is known beforehand.
        accept: told about the transport as soon as it is connected, at the accepting end.
    """

    __slots__ = (
        "__weakref__", "_accept", "_borrower", "_early", "_has_ended", "_has_said_all", "_is_closing", "_is_held", "_linger", "_loop",
        "_receiver", "_transport", "is_writable", "on_lost", "peer", "source",
    )  # fmt: skip

    wrapping = 0

    def __init__(self, peer: str = "", accept: Accept | None = None) -> None:
        self.peer = peer
        self.source = ""
        self.on_lost: Callable[[Transport], None] = nothing
        self._accept = accept
        self._receiver: Receiver | None = None
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._linger: asyncio.TimerHandle | None = None
        self._early = b""
        self._is_held = False
        self._borrower: Borrower | None = None
        self.is_writable = True
        self._is_closing = False
        self._has_ended = False
        self._has_said_all = False
        keep_freed_memory()

    # What the writer sees...

    @property
    def backlog(self) -> int:
        """Bytes written and not yet given to the kernel."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def start(self, receiver: Receiver) -> None:
        """Tell ``receiver`` from now on."""
        is_first = self._receiver is None
        self._receiver = receiver
        if is_first and self._transport is not None:
            self._loop.call_soon(self._read_on)
        if self._has_ended:
            self._loop.call_soon(receiver.data_ended)

    def hold(self, is_held: bool) -> None:
        """Read no more for now, or read on."""
        self._is_held = is_held
        if self._transport is not None and not self._is_closing:
            if is_held:
                self._transport.pause_reading()
            elif self._early:
                self._loop.call_soon(self._read_on)
            else:
                self._transport.resume_reading()

    def widen(self, borrower: Borrower) -> None:
        """Read as much at a time as for a session, and lend it where it is much."""
        self._borrower = borrower

    def write(self, *pieces: bytes) -> None:
        """Write all of them, in the end."""
        transport = self._transport
        if self._has_said_all or transport is None or self._is_closing or transport.is_closing():
            return
        if len(pieces) == 1:
            transport.write(pieces[0])
        elif max(map(len, pieces)) < LARGE:
            transport.write(b"".join(pieces))
        else:
            transport.writelines(pieces)

    def end(self) -> None:
        """Write what waits, then end our direction."""
        transport = self._transport
        if self._has_said_all or self._is_closing or transport is None or transport.is_closing():
            return
        self._has_said_all = True
        try:
            transport.write_eof()
        except OSError:
            transport.abort()

    def close(self) -> None:
        """Write what waits, end our direction, and go when the peer has ended its own."""
        transport = self._transport
        if self._is_closing or transport is None:
            return
        self._is_closing, self.is_writable = True, False
        transport.resume_reading()
        if self._has_ended:
            transport.close()
        elif not self._has_said_all and not transport.is_closing():
            try:
                transport.write_eof()
            except OSError:
                transport.abort()
                return
        # Also for a peer that ended long ago and reads nothing: what waits for it must not keep the socket.
        self._linger = self._loop.call_later(LINGER, self._let_go)

    def abort(self) -> None:
        """Go at once."""
        self._is_closing, self.is_writable = True, False
        if self._transport is not None:
            self._transport.abort()

    def _let_go(self) -> None:
        """The peer was told that we end, and does not: a reset makes programs go that wait for their keyboard, as nc does.

        Only when everything we wrote has arrived: a reset takes what is still on its way with it.
        """
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self.backlog and _unsent(sock) == 0:
            reset_when_closed(sock)
        self._transport.abort()

    # What asyncio tells...

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio connected or accepted the socket."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        log.debug(
            "%s %s",
            "connected to" if self._accept is None else "accepted",
            self.peer or "a peer on this machine",
        )
        if self._accept is not None:
            self._accept(self)
        if self._receiver is None:
            self._transport.pause_reading()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Asyncio is about to read."""
        return _reading.narrow if self._borrower is None else _reading.wide

    def buffer_updated(self, nbytes: int) -> None:
        """Asyncio read something."""
        receiver = self._receiver
        try:
            if receiver is None:
                self._keep(bytes(_reading.wide[:nbytes]))
            elif not self._is_closing:
                if self._borrower is not None and nbytes >= LARGE:
                    self._borrower.data_lent(_reading.wide[:nbytes])
                else:
                    receiver.data_received(bytes(_reading.wide[:nbytes]))
        except BaseException:
            self.abort()  # after an interrupt that the loop survives nothing may follow what was lost with it
            raise

    def _keep(self, data: bytes) -> None:
        """Nobody is there for these bytes yet: uvloop begins to read although it was told not to."""
        self._early += data
        if self._transport is not None:
            self._transport.pause_reading()

    def _read_on(self) -> None:
        """Tell what came early, and read on, unless the receiver holds us before or because of that."""
        early = b""
        if not self._is_held:
            early, self._early = self._early, b""
        if early and self._receiver is not None and not self._is_closing:
            self._receiver.data_received(early)
        if self._transport is not None and not self._is_held:
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        """The peer ended its direction; ours stays open until somebody closes it."""
        self._has_ended = True
        log.debug("%s says no more", self.peer or "a peer on this machine")
        if self._is_closing:
            return False
        if self._receiver is not None:
            self._receiver.data_ended()
        return not self._is_closing

    def pause_writing(self) -> None:
        """Asyncio's buffer is above the mark."""
        self.is_writable = False

    def resume_writing(self) -> None:
        """Asyncio's buffer is low again."""
        self.is_writable = not self._is_closing
        if self._receiver is not None:
            self._receiver.writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        log.debug(
            "closed the line with %s%s", self.peer or "a peer on this machine", f": {exc}" if exc else ""
        )
        if self._linger is not None:
            self._linger.cancel()
        self._transport = None
        self._is_closing, self.is_writable = True, False
        if self._receiver is not None:
            self._receiver.lost(exc)
        self.on_lost(self)


def reset_when_closed(sock: socket.socket) -> None:
    """Have the peer told of the close with a reset, and what waits in the kernel dropped."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)


def _unsent(sock: socket.socket) -> int | None:
    """Return how many bytes the kernel holds that the peer's kernel has not acknowledged, or None where that cannot be known."""
    try:
        from fcntl import ioctl
        from termios import TIOCOUTQ

        return int.from_bytes(ioctl(sock.fileno(), TIOCOUTQ, bytes(4)), sys.byteorder)
    except (ImportError, OSError):
        return None


def why(error: OSError) -> str:
    """Return an operating system's error as a clause that a person understands."""
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved ({error.strerror or error})"
    text = error.strerror or str(error) or type(error).__name__
    return text[0].lower() + text[1:]
