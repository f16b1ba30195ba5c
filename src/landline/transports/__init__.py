"""Moves bytes; knows nothing of sessions.

``address`` says where, ``base`` what a transport is and guarantees; ``stream`` is any stream socket on asyncio, which ``tcp`` and ``unix``
open and ``listener`` accepts (``tcp_listener`` binds for the former), and ``memory`` is the same without a socket. ``tls`` and ``websocket`` are
transports over another one; ``certificates`` is what the former shows and takes. ``listening`` is about what one process leaves to the next, ``freed_memory`` about what the C library does with what large messages leave.
``open_transport`` and ``open_listener`` choose by the address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..errors import AddressError
from . import memory, tcp, tcp_listener, tls, unix, websocket
from .address import Address, parse_address
from .base import Accept, Gate, Listener, Receiver, Transport
from .certificates import ClientTLS, ServerTLS
from .listening import ListeningSocket, exec_with, nobody_asked, passed_sockets
from .tls import TlsTransport

__all__ = [
    "Accept",
    "Address",
    "ClientTLS",
    "Gate",
    "Listener",
    "ListeningSocket",
    "Receiver",
    "ServerTLS",
    "TlsTransport",
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
_LAYERED: dict[str, Callable[[Address, ClientTLS | None], Awaitable[Transport]]] = {
    "tls": tls.open_transport,
    "ws": websocket.open_transport,
    "wss": websocket.open_transport,
}
_BINDERS: dict[str, Callable[..., Awaitable[Listener]]] = {
    "tcp": tcp_listener.bind_listener,
    "unix": unix.bind_listener,
    "memory": memory.bind_listener,
}


async def open_transport(address: Address, tls: ClientTLS | None = None) -> Transport:
    """Connect to ``address``; the transport reads nothing until it is started. ``tls`` says whom to trust where that is spoken.

    Raises:
        ConnectError: nobody is there, or not reachable, or not to be trusted; the reason says which.
    """
    if address.scheme in _LAYERED:
        return await _LAYERED[address.scheme](address, tls)
    if address.scheme not in _OPENERS:
        raise AddressError(
            f"nothing here can dial {address.scheme}://; one of {', '.join([*_OPENERS, *_LAYERED])} can be dialled"
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
        instead = (
            f": {Address('tcp', address.host, address.port)} takes WebSocket as it is, and TLS where a server has a certificate"
            if address.scheme in _LAYERED
            else f"; one of {', '.join(_BINDERS)} can be served"
        )
        raise AddressError(f"nothing here can listen on {address.scheme}://{instead}")
    return await _BINDERS[address.scheme](address, backlog=backlog, passed=passed)


async def open_listener(
    address: Address, accept: Accept, *, backlog: int, gate: Gate | None = None
) -> Listener:
    """Listen on ``address``, and start at once; see ``bind_listener`` and ``Listener.start``."""
    listener = await bind_listener(address, backlog=backlog)
    listener.start(accept, gate)
    return listener
