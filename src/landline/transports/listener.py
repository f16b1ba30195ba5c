"""Accepts from listening sockets, TCP and Unix alike.

By itself, where asyncio would make a transport of everything that comes: in a flood of connections the honest ones wait in the
kernel behind the others, so what is not let in must cost next to nothing. Who that is, a ``Gate`` says. And when it closes, it knows whom
it has accepted and nobody has heard of yet: they are handed over first.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from ..limits import TRANSPORT
from .base import Accept, Gate
from .listening import ListeningSocket
from .stream import StreamTransport, log, reset_when_closed, why

ACCEPT_BURST: Final = TRANSPORT.accept_burst
REFUSE_BURST: Final = TRANSPORT.refuse_burst
ACCEPT_PAUSE: Final = TRANSPORT.accept_pause

_CLOSED: Final = b"\x07"  # TCP_CLOSE, of Linux

_OF_THE_CALLER: Final = frozenset(
    getattr(errno, name)
    for name in [
        "EPROTO",
        "ENETDOWN",
        "ENOPROTOOPT",
        "EHOSTDOWN",
        "ENONET",
        "EHOSTUNREACH",
        "EOPNOTSUPP",
        "ENETUNREACH",
        "EPERM",
    ]
    if hasattr(errno, name)
)
"""What accept() says of one connection that failed before it was taken, after accept(2): the next one is not to wait for it."""

Dress = Callable[[socket.socket, Any, Accept], StreamTransport]
"""Makes the transport of a connection, from its socket, the name that the kernel gives its other end, and whom to tell of it."""


class StreamListener:
    """Listening sockets of one address, which callers can wait in; they are accepted from ``start`` until ``close``.

    Args:
        sockets: closed with it.
        dress: makes the transports.
        source: returns whom the other end counts as, from the same name; None where callers are exempt from any gate.
    """

    def __init__(
        self, sockets: list[ListeningSocket], dress: Dress, source: Callable[[Any], str] | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = sockets
        self._dress = dress
        self._source = source
        self._accept: Accept = _ignore
        self._gate: Gate | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self._paused: dict[socket.socket, asyncio.TimerHandle] = {}
        self.addresses = [each.address for each in sockets]

    def start(self, accept: Accept, gate: Gate | None = None) -> None:
        """Accept from now on."""
        self._accept, self._gate = accept, gate
        for each in self._sockets:
            self._loop.add_reader(each.sock, self._take_burst, each.sock)

    def hand_over(self) -> list[ListeningSocket]:
        """Return copies of the sockets; a Unix socket's file then belongs to the copy, and outlives us."""
        return [each.copy() for each in self._sockets]

    def close(self) -> None:
        """Accept no more."""
        if not self._sockets:
            return
        for pause in self._paused.values():
            pause.cancel()
        for each in self._sockets:
            self._loop.remove_reader(each.sock)
            each.close()
        self._sockets = []
        log.debug("closed the listening socket of %s", " and ".join(self.addresses))

    async def wait_closed(self) -> None:
        """Wait until everybody who was accepted before the close has been handed over."""
        while self._connecting:
            await asyncio.wait(self._connecting)

    # Somebody comes...

    def _take_burst(self, listening: socket.socket) -> None:
        """Accept some of those who wait; those who are connected have their turn before the next."""
        taken = refused = 0
        while taken < ACCEPT_BURST and refused < REFUSE_BURST and listening.fileno() >= 0:
            try:
                sock, name = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OF_THE_CALLER:
                    self._pause(listening, error)
                return
            if self._take(sock, name):
                taken += 1
            else:
                refused += 1

    def _take(self, sock: socket.socket, name: Any) -> bool:
        """Make a transport of a connection, if it may come in."""
        if self._gate is not None and self._source is not None:
            source = self._source(name)
            if _is_gone(sock):
                self._gate.left(source)
                sock.close()
                return False
            if not self._gate.admits(source):
                with contextlib.suppress(OSError):  # with a reset: our own end need not remember it
                    reset_when_closed(sock)
                sock.close()
                return False
        sock.setblocking(False)
        task = self._loop.create_task(self._connect(sock, self._dress(sock, name, self._accept)))
        self._connecting.add(task)
        task.add_done_callback(functools.partial(self._connected, sock))
        return True

    async def _connect(self, sock: socket.socket, transport: StreamTransport) -> None:
        await self._loop.connect_accepted_socket(lambda: transport, sock)

    def _connected(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        if task.cancelled() or task.exception() is not None:
            sock.close()
            if not task.cancelled():
                log.warning("could not take a connection over: %r", task.exception())

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        """We can have no more sockets for now, and those who wait are not lost by waiting."""
        log.warning("cannot accept connections: %s; trying again in %.0f s", why(error), ACCEPT_PAUSE)
        self._loop.remove_reader(listening)
        self._paused[listening] = self._loop.call_later(ACCEPT_PAUSE, self._go_on, listening)

    def _go_on(self, listening: socket.socket) -> None:
        del self._paused[listening]
        self._loop.add_reader(listening, self._take_burst, listening)


def _ignore(transport: object) -> None:
    """Nobody is accepted before ``start``."""


def _is_gone(sock: socket.socket) -> bool:
    """Whether the peer has hung up with a reset; where the kernel does not say it, reading will."""
    if sys.platform != "linux":
        return False
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == _CLOSED
    except OSError:
        return True
