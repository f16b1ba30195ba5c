"""TCP: a dialled connection, and what one is to both ends; ``tcp_listener`` accepts them.

A name with several addresses is dialled with happy eyeballs. Both ends set ``TCP_NODELAY`` (we write once per tick anyway), and let the kernel give up on a peer that acknowledges nothing.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import sys
from typing import Any, Final

from ..errors import ConnectError
from ..limits import TRANSPORT
from .address import Address
from .base import Accept, Transport
from .stream import StreamTransport, log, why

USER_TIMEOUT: Final = int(TRANSPORT.unacknowledged * 1000)  # milliseconds, as the kernel counts

KEEPALIVE: Final = int(TRANSPORT.keepalive)

IS_INHERITED: Final = sys.platform == "linux"
"""Whether connections get the options that the listening socket has when they are made: four calls of the system less for each."""

_OPTIONS: Final = [
    (getattr(socket, level), getattr(socket, name), value)
    for level, name, value in [
        ("IPPROTO_TCP", "TCP_NODELAY", 1),
        ("SOL_SOCKET", "SO_KEEPALIVE", 1),
        ("IPPROTO_TCP", "TCP_USER_TIMEOUT", USER_TIMEOUT),
        ("IPPROTO_TCP", "TCP_KEEPIDLE", KEEPALIVE),
    ]
    if hasattr(socket, name)
]

_NEXT_FAMILY_AFTER: Final = 0.25
"""Seconds before the next address of a name is tried beside the first (RFC 8305)."""


async def open_transport(address: Address) -> Transport:
    """Connect to a TCP endpoint; a name with several addresses is tried on all of them."""
    loop = asyncio.get_running_loop()
    if address.host == "*":
        raise ConnectError(
            str(address), "that is every address of a machine, to listen on: one dials one of them"
        )
    log.debug("connecting to %s", address)
    # uvloop knows no happy eyeballs: it tries a name's addresses one after the other. A single address needs no race,
    # and asyncio's leaves a socket behind when it is cancelled at the wrong moment.
    is_racing = isinstance(loop, asyncio.BaseEventLoop) and not _is_literal(address.host)
    racing: dict[str, Any] = {"happy_eyeballs_delay": _NEXT_FAMILY_AFTER} if is_racing else {}
    try:
        transport: Transport
        _, transport = await loop.create_connection(
            lambda: TcpTransport(str(address)), address.host, address.port, **racing
        )
    except OSError as error:
        raise ConnectError(str(address), _why_all(error)) from error
    return transport


class TcpTransport(StreamTransport):
    """A TCP socket that is connected.

    Args:
        peer: the other end's address as text.
        source: who that is for limits per source, at the accepting end.
        accept: told about the transport as soon as asyncio has it, at the accepting end.
    """

    __slots__ = ()

    def __init__(self, peer: str, *, source: str = "", accept: Accept | None = None) -> None:
        super().__init__(peer, accept)
        self.source = source

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio connected the socket, or took it over."""
        if self._accept is None:
            set_options(transport.get_extra_info("socket"))
        super().connection_made(transport)


def set_options(sock: socket.socket) -> bool:
    """Set what a TCP socket of either end is to have; return whether it has all of that now.

    What the system refuses, or does not know, it goes without. A peer may be gone already: reading will say so.
    """
    refused = 0
    for level, option, value in _OPTIONS:
        try:
            sock.setsockopt(level, option, value)
        except OSError:
            refused += 1
    return not refused


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _why_all(error: OSError) -> str:
    """Return why a dial failed; asyncio joins the failures of several addresses into one text."""
    if error.errno is None and "Multiple exceptions" in str(error):
        return "nobody listens there" if f"[Errno {errno.ECONNREFUSED}]" in str(error) else str(error)
    if error.errno == errno.ECONNREFUSED:
        return "nobody listens there"
    return why(error)
