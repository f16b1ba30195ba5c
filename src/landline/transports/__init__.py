"""Moves bytes; knows nothing of sessions.

``address`` says where, ``base`` what a transport is and guarantees; ``stream`` is any stream socket on asyncio, which ``tcp`` and ``unix``
open and accept (``tcp_listener`` for the former), and ``memory`` is the same without a socket. ``open_transport`` and ``open_listener`` choose by the address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..errors import AddressError
from . import memory, tcp, tcp_listener, unix
from .address import Address, parse_address
from .base import Accept, Gate, Listener, Receiver, Transport

__all__ = [
    "Accept",
    "Address",
    "Gate",
    "Listener",
    "Receiver",
    "Transport",
    "open_listener",
    "open_transport",
    "parse_address",
]

_OPENERS: dict[str, Callable[[Address], Awaitable[Transport]]] = {
    "tcp": tcp.open_transport,
    "unix": unix.open_transport,
    "memory": memory.open_transport,
}
_LISTENERS: dict[str, Callable[..., Awaitable[Listener]]] = {
    "tcp": tcp_listener.open_listener,
    "unix": unix.open_listener,
    "memory": memory.open_listener,
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


async def open_listener(
    address: Address, accept: Accept, *, backlog: int, gate: Gate | None = None
) -> Listener:
    """Listen on ``address``; ``accept`` is called with each new transport and must start it.

    ``gate`` is asked before, about connections from other machines; without one they are all taken.

    Raises:
        ListenError: the address cannot be served; the reason says why.
    """
    if address.scheme not in _LISTENERS:
        raise AddressError(
            f"nothing here can listen on {address.scheme}://; one of {', '.join(_LISTENERS)} can be served"
        )
    return await _LISTENERS[address.scheme](address, accept, backlog=backlog, gate=gate)
