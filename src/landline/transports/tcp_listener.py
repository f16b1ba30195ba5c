"""TCP, served on every address that a name has; ``listener`` accepts.

An address is served by sockets that were passed to us, if any of them are its own, and else by sockets of ours: never by some of each.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any, Final

from ..errors import ListenError
from ..limits import TRANSPORT
from .address import Address
from .base import Accept
from .listener import StreamListener
from .listening import ListeningSocket, nobody_asked, text_of
from .stream import log, why
from .tcp import IS_INHERITED, TcpTransport, set_options

_LOOPBACK: Final = [
    (socket.AF_INET, str(ipaddress.IPv4Address(socket.INADDR_LOOPBACK))),
    (socket.AF_INET6, str(ipaddress.IPv6Address(1))),
]

_FREE_PORT_TRIES: Final = TRANSPORT.port_tries


async def bind_listener(
    address: Address, *, backlog: int, passed: list[ListeningSocket] | None = None
) -> StreamListener:
    """Listen on every address of the host; port 0 takes a free one, the same for all of them."""
    hosts = await _addresses(address)
    passed = [] if passed is None else passed
    sockets = _take_passed(address, hosts, passed)
    is_passed = bool(sockets)
    try:
        sockets = sockets or [ListeningSocket(sock) for sock in _bind_all(address, hosts, backlog)]
    except ListenError as error:
        own = [each for each in passed if each.address.endswith(f":{address.port}")]
        if own:  # it is in the way itself: bound to all addresses of the machine, say, where we were told one
            raise nobody_asked(own) from error
        raise
    # Who waits in a socket that was passed may have come before that had any; and what a listening socket is refused, a connection may have.
    is_inherited = IS_INHERITED and not is_passed and all(set_options(each.sock) for each in sockets)
    return StreamListener(sockets, _dress if is_inherited else _dress_with_options, _source)


def _dress_with_options(sock: socket.socket, name: tuple[Any, ...], accept: Accept) -> TcpTransport:
    set_options(sock)
    return _dress(sock, name, accept)


def _dress(sock: socket.socket, name: tuple[Any, ...], accept: Accept) -> TcpTransport:
    del sock
    return TcpTransport(str(Address("tcp", host=name[0], port=name[1])), source=_source(name), accept=accept)


def _source(name: tuple[Any, ...]) -> str:
    return source_of(name[0])


def _take_passed(
    address: Address, hosts: Sequence[tuple[int, str]], passed: list[ListeningSocket]
) -> list[ListeningSocket]:
    """Take out of ``passed`` what is bound to the addresses of the host, one for each and all at one port."""
    taken: list[ListeningSocket] = []
    port = address.port
    for family, host in hosts:
        for each in passed:
            name = each.sock.getsockname()
            if each.sock.family == family and name[0] == host and port in (0, name[1]):
                port = name[1]
                taken.append(each)
                break
    passed[:] = [each for each in passed if each not in taken]
    return taken


async def _addresses(address: Address) -> Sequence[tuple[int, str]]:
    """Return the family and host of every address of the name.

    A name for this machine alone means both loopback addresses, whatever its resolver leaves out.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            None if address.host == "*" else address.host,
            address.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except OSError as error:
        raise ListenError(str(address), why(error), error.errno) from error
    hosts = list(dict.fromkeys((family, str(name[0])) for family, _, _, _, name in found))
    if all(host != address.host and _is_loopback(host) for _, host in hosts):
        return _LOOPBACK
    return hosts


def _bind_all(address: Address, hosts: Sequence[tuple[int, str]], backlog: int) -> list[socket.socket]:
    """Return a listening socket for every address of the name, all at one port."""
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
        name = text_of(sock)
        log.debug("bound it to %s", name)
        set_options(sock)  # before anybody is connected, who inherits them
        sock.listen(backlog)
        log.debug("listening on %s", name)
    except OSError as error:
        sock.close()
        if not is_needed and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return None
        reason = "the port is taken" if error.errno == errno.EADDRINUSE else why(error)
        raise ListenError(str(address), reason, error.errno) from error
    return sock


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


@functools.lru_cache(maxsize=1024)
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
