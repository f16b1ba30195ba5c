"""TCP, served on every address that a name has.

Accepts by itself, where asyncio would make a transport of everything that comes: in a flood of connections the honest ones wait in the
kernel behind the others, so what is not let in must cost next to nothing. Who that is, a ``Gate`` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import ipaddress
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final

from ..errors import ListenError
from ..limits import TRANSPORT
from .address import Address
from .base import Accept, Gate
from .stream import log, reset_when_closed, why
from .tcp import TcpTransport

ACCEPT_BURST: Final = TRANSPORT.accept_burst
REFUSE_BURST: Final = TRANSPORT.refuse_burst
ACCEPT_PAUSE: Final = TRANSPORT.accept_pause

_LOOPBACK: Final = [
    (socket.AF_INET, str(ipaddress.IPv4Address(socket.INADDR_LOOPBACK))),
    (socket.AF_INET6, str(ipaddress.IPv6Address(1))),
]

_FREE_PORT_TRIES: Final = TRANSPORT.port_tries

_CLOSED: Final = b"\x07"  # TCP_CLOSE, of Linux


async def open_listener(
    address: Address, accept: Accept, *, backlog: int, gate: Gate | None = None
) -> _TcpListener:
    """Listen on every address of the host; port 0 takes a free one, the same for all of them."""
    return _TcpListener(await _bind_all(address, backlog), accept, gate)


class _TcpListener:
    def __init__(self, sockets: list[socket.socket], accept: Accept, gate: Gate | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._accept = accept
        self._gate = gate
        self._connecting: set[asyncio.Task[None]] = set()
        self._paused: dict[socket.socket, asyncio.TimerHandle] = {}
        self._sockets = sockets
        self.addresses = [_text(sock.getsockname()) for sock in sockets]
        for sock in sockets:
            self._loop.add_reader(sock, self._take_burst, sock)

    def close(self) -> None:
        """Accept no more."""
        if not self._sockets:
            return
        for pause in self._paused.values():
            pause.cancel()
        for sock in self._sockets:
            self._loop.remove_reader(sock)
            sock.close()
        self._sockets = []
        log.debug("closed the listening socket of %s", " and ".join(self.addresses))

    def _take_burst(self, listening: socket.socket) -> None:
        """Accept some of those who wait; those who are connected have their turn before the next."""
        taken = refused = 0
        while taken < ACCEPT_BURST and refused < REFUSE_BURST and listening.fileno() >= 0:
            try:
                sock, name = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(listening, error)
                return
            if self._take(sock, name):
                taken += 1
            else:
                refused += 1

    def _take(self, sock: socket.socket, name: tuple[Any, ...]) -> bool:
        """Make a transport of a connection, if it may come in."""
        source = source_of(name[0])
        if self._gate is not None:
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
        task = self._loop.create_task(
            self._connect(sock, TcpTransport(_text(name), source=source, accept=self._accept))
        )
        self._connecting.add(task)
        task.add_done_callback(functools.partial(self._connected, sock))
        return True

    async def _connect(self, sock: socket.socket, transport: TcpTransport) -> None:
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


def _is_gone(sock: socket.socket) -> bool:
    """Whether the peer has hung up with a reset; where the kernel does not say it, reading will."""
    if sys.platform != "linux":
        return False
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == _CLOSED
    except OSError:
        return True


async def _addresses(address: Address) -> Sequence[tuple[int, str]]:
    """Return the family and host of every address of the name.

    A name for this machine alone means both loopback addresses, whatever its resolver leaves out.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ListenError(str(address), why(error), error.errno) from error
    hosts = list(dict.fromkeys((family, str(name[0])) for family, _, _, _, name in found))
    if all(host != address.host and _is_loopback(host) for _, host in hosts):
        return _LOOPBACK
    return hosts


async def _bind_all(address: Address, backlog: int) -> list[socket.socket]:
    """Return a listening socket for every address of the name, all at one port."""
    hosts = await _addresses(address)
    tries = 1 if address.port else _FREE_PORT_TRIES
    while True:
        tries -= 1
        sockets: list[socket.socket] = []
        port = address.port
        try:
            for family, host in hosts:
                bound = _bind(address, family, host, port, backlog, is_needed=not sockets)
                if bound is not None:
                    sockets.append(bound)
                    port = port or bound.getsockname()[1]
        except BaseException as error:
            for sock in sockets:
                sock.close()
            if tries and isinstance(error, ListenError) and error.errno == errno.EADDRINUSE:
                continue  # free at one address, taken at another: the kernel will name another port
            raise
        if not sockets:
            raise ListenError(str(address), "none of its addresses exists on this machine")
        return sockets


def _bind(
    address: Address, family: int, host: str, port: int, backlog: int, *, is_needed: bool
) -> socket.socket | None:
    """Return a bound, listening socket, or None when this machine has no such address and another one was bound."""
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if is_needed:
            raise ListenError(str(address), why(error), error.errno) from error
        return None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        log.debug("created a socket for %s", address)
        sock.bind((host, port))
        name = _text(sock.getsockname())
        log.debug("bound it to %s", name)
        sock.listen(backlog)
        log.debug("listening on %s", name)
    except OSError as error:
        sock.close()
        if not is_needed and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return None
        reason = "the port is taken" if error.errno == errno.EADDRINUSE else why(error)
        raise ListenError(str(address), reason, error.errno) from error
    sock.setblocking(False)
    return sock


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


def _text(name: tuple[Any, ...]) -> str:
    return str(Address("tcp", host=name[0], port=name[1]))


def source_of(host: str) -> str:
    """Return what limits per source count by."""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if ip.version == 6 and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return ""
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network(f"{ip}/64", strict=False))
