"""TCP: dialled with happy eyeballs, served on every address that a name has.

Both ends set ``TCP_NODELAY`` (we write once per tick anyway), and let the kernel give up on a peer that acknowledges nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any, Final

from ..errors import ConnectError, ListenError
from ..limits import TRANSPORT
from .address import Address
from .base import Accept, Transport
from .stream import StreamTransport, log, why

USER_TIMEOUT: Final = int(TRANSPORT.unacknowledged * 1000)  # milliseconds, as the kernel counts

KEEPALIVE: Final = int(TRANSPORT.keepalive)

ACCEPT_BURST: Final = 64
"""Connections accepted in one turn of the loop, so that in a flood of them those who are connected have their turn too.

Asyncio takes its ``backlog`` for this too, and would accept as many at once as may wait in the kernel.
"""

_LOOPBACK: Final = [
    (socket.AF_INET, str(ipaddress.IPv4Address(socket.INADDR_LOOPBACK))),
    (socket.AF_INET6, str(ipaddress.IPv6Address(1))),
]

_FREE_PORT_TRIES: Final = TRANSPORT.port_tries

_NEXT_FAMILY_AFTER: Final = 0.25
"""Seconds before the next address of a name is tried beside the first (RFC 8305)."""


async def open_transport(address: Address) -> Transport:
    """Connect to a TCP endpoint; a name with several addresses is tried on all of them."""
    loop = asyncio.get_running_loop()
    log.debug("connecting to %s", address)
    # uvloop knows no happy eyeballs: it tries a name's addresses one after the other. A single address needs no race,
    # and asyncio's leaves a socket behind when it is cancelled at the wrong moment.
    is_racing = isinstance(loop, asyncio.BaseEventLoop) and not _is_literal(address.host)
    racing: dict[str, Any] = {"happy_eyeballs_delay": _NEXT_FAMILY_AFTER} if is_racing else {}
    try:
        transport: Transport
        _, transport = await loop.create_connection(
            lambda: _TcpTransport(str(address)), address.host, address.port, **racing
        )
    except OSError as error:
        raise ConnectError(str(address), _why_all(error)) from error
    return transport


async def open_listener(address: Address, accept: Accept, *, backlog: int) -> _TcpListener:
    """Listen on every address of the host; port 0 takes a free one, the same for all of them."""
    loop = asyncio.get_running_loop()
    sockets = await _bind_all(address, backlog)
    try:
        servers = [
            await loop.create_server(lambda: _TcpTransport(accept=accept), sock=sock, backlog=ACCEPT_BURST)
            for sock in sockets
        ]
        for sock in sockets:
            sock.listen(backlog)  # asyncio has set the kernel's to its own
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return _TcpListener(servers, [_text(sock.getsockname()) for sock in sockets])


class _TcpListener:
    def __init__(self, servers: list[asyncio.Server], addresses: list[str]) -> None:
        self._servers = servers
        self.addresses = addresses

    def close(self) -> None:
        """Accept no more."""
        for server in self._servers:
            server.close()
        log.debug("closed the listening socket of %s", " and ".join(self.addresses))


class _TcpTransport(StreamTransport):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # the peer may be gone already: reading will say so
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in (("TCP_USER_TIMEOUT", USER_TIMEOUT), ("TCP_KEEPIDLE", KEEPALIVE)):
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        peername = transport.get_extra_info("peername")
        if peername:
            self.source = _source(peername[0])
            self.peer = self.peer or _text(peername)
        super().connection_made(transport)


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


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


def _text(name: tuple[str, int]) -> str:
    return str(Address("tcp", host=name[0], port=name[1]))


def _source(host: str) -> str:
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


def _why_all(error: OSError) -> str:
    """Return why a dial failed; asyncio joins the failures of several addresses into one text."""
    if error.errno is None and "Multiple exceptions" in str(error):
        return "nobody listens there" if f"[Errno {errno.ECONNREFUSED}]" in str(error) else str(error)
    if error.errno == errno.ECONNREFUSED:
        return "nobody listens there"
    return why(error)
