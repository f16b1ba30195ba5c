"""Moves bytes; knows nothing of sessions.

``address`` says where, ``base`` what a transport is and guarantees; ``stream`` is any stream socket on asyncio, which ``tcp`` and ``unix``
open and ``listener`` accepts (``tcp_listener`` binds for the former), and ``memory`` is the same without a socket. ``listening`` is about what
one process leaves to the next. ``open_transport`` and ``open_listener`` choose by the address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..errors import AddressError
from . import memory, tcp, tcp_listener, unix
from .address import Address, parse_address
from .base import Accept, Gate, Listener, Receiver, Transport
from .listening import ListeningSocket, exec_with, nobody_asked, passed_sockets

__all__ = [
    "Accept",
    "Address",
    "Gate",
    "Listener",
    "ListeningSocket",
    "Receiver",
    "Transport",
    "bind_listener",
    "exec_with",
    "nobody_asked",
    "open_listener",
    "open_transport",
    "parse_address",
    "passed_sockets",
]

_OPENERS: dict[str, Callable[[Address], Awaitable[Transport]]] = {
    "tcp": tcp.open_transport,
    "unix": unix.open_transport,
    "memory": memory.open_transport,
}
_BINDERS: dict[str, Callable[..., Awaitable[Listener]]] = {
    "tcp": tcp_listener.bind_listener,
    "unix": unix.bind_listener,
    "memory": memory.bind_listener,
}


async def open_transport(address: Address) -> Transport:
    """Connect to ``address``; the transport reads nothing until it is started.

    Raises:
        ConnectError: nobody is there, or not reachable; the reason says which.
    """
    if address.scheme not in _OPENERS:
        raise AddressError(
            f"nothing here can dial {address.scheme}://; one of {', '.join(_OPENERS)} can be dialled"
        )
    return await _OPENERS[address.scheme](address)


async def bind_listener(
    address: Address, *, backlog: int, passed: list[ListeningSocket] | None = None
) -> Listener:
    """Bind to ``address``, so that callers can wait there; nobody is accepted before the listener is started.

    Of ``passed`` it takes out what belongs to the address; then nothing is bound.

    Raises:
        ListenError: the address cannot be served; the reason says why.
    """
    if address.scheme not in _BINDERS:
        raise AddressError(
            f"nothing here can listen on {address.scheme}://; one of {', '.join(_BINDERS)} can be served"
        )
    return await _BINDERS[address.scheme](address, backlog=backlog, passed=passed)


async def open_listener(
    address: Address, accept: Accept, *, backlog: int, gate: Gate | None = None
) -> Listener:
    """Listen on ``address``, and start at once; see ``bind_listener`` and ``Listener.start``."""
    listener = await bind_listener(address, backlog=backlog)
    listener.start(accept, gate)
    return listener
