"""One dial of a client: a transport to one of its addresses, a greeting over it, and the server's answer.

Of several addresses one after the other is tried, each with its share of the time. A server that is full or going may name another
address; it is followed only to one of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ..errors import AddressError, ConnectError, ConnectTimeout, ProtocolError
from ..limits import Limits
from ..protocol.connection import Connection
from ..protocol.events import ConnectionEnded, Event, Turned, Welcomed
from ..protocol.frames import CloseCode
from ..protocol.handshake import Hello, Refusal, Resume, Welcome
from ..protocol.states import Role
from ..transports import Address, ClientTLS, open_transport, parse_address
from .driver import Driver


class Turndown(ConnectError):
    """The server answered REFUSE; ``refusal`` says why and what it still knows."""

    def __init__(self, address: str, refusal: Refusal) -> None:
        super().__init__(address, refusal.reason or refusal.code.text)
        self.refusal = refusal


class Dropped(ConnectError):
    """The line dropped before the server answered."""


class Answer(NamedTuple):
    """A server let us in: on which address, over what, and with which words."""

    address: Address
    driver: Driver
    welcome: Welcome


async def dial_any(
    addresses: Sequence[Address],
    greeting: Hello | Resume,
    limits: Limits,
    *,
    timeout: float,
    jitter: Callable[[], float],
    homes: Collection[Address] = (),
    tls: ClientTLS | None = None,
) -> Answer:
    """Try the addresses in turn; return the first that welcomes us. A connection that ends before it carries a session tells that again then.

    ``homes`` are the addresses that carried the session in this life of its server, none for a new session: that server is at each of them,
    whatever carries its words there, and only its word can end the session. Elsewhere there may simply be another server. ``tls`` says whom to trust.

    Raises:
        Turndown: a server refused, and no other may be asked; or one is full or going, and says when to come back; or none knows the session.
        ConnectError: no such answer came; the last failure, with its address.
        ConnectTimeout: that failure is that its share of the ``timeout`` seconds was not enough.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout
    busy: Turndown | None = None
    refused: Turndown | None = None
    failure: ConnectError | None = None
    left = list(addresses)
    while left:
        address = left.pop(0)
        share = max(until - loop.time(), 0.0) / (len(left) + 1)
        try:
            async with asyncio.timeout(share):
                return await _dial(address, greeting, limits, jitter(), tls)
        except TimeoutError:
            failure = ConnectTimeout(str(address), f"no answer within {share:.3g} s")
        except Turndown as error:
            if not error.refusal.code.resumable and (not homes or address in homes):
                raise
            if error.refusal.code.resumable:
                busy = error
            else:
                refused = error
            if error.refusal.redirect in [str(each) for each in left]:
                prefer(left, error.refusal.redirect)
        except ConnectError as error:
            failure = error
    raise busy or failure or refused or ConnectError("", "there is no address to dial")


def prefer(addresses: list[Address], redirect: str) -> Address | None:
    """Move the address that a server named to the front and return it, if it is one of ours: we show our token to nobody else."""
    try:
        address = parse_address(redirect)
    except AddressError:
        return None
    if address not in addresses:
        return None
    addresses.remove(address)
    addresses.insert(0, address)
    return address


async def _dial(
    address: Address, greeting: Hello | Resume, limits: Limits, jitter: float, tls: ClientTLS | None
) -> Answer:
    loop = asyncio.get_running_loop()
    transport = await open_transport(address, tls)
    connection = Connection(Role.CLIENT, limits, loop.time(), jitter=jitter)
    answer: asyncio.Future[Welcomed | Turned | ConnectionEnded] = loop.create_future()

    def deliver(driver: Driver, event: Event) -> None:
        del driver
        if not answer.done() and isinstance(event, Welcomed | Turned | ConnectionEnded):
            answer.set_result(event)

    driver = Driver(connection, transport, deliver)
    connection.greet(greeting)
    driver.start()
    try:
        event = await answer
    except asyncio.CancelledError:
        driver.abort()
        raise
    if isinstance(event, Welcomed):
        return Answer(address, driver, event.welcome)
    if isinstance(event, Turned):
        raise Turndown(str(address), event.refusal)
    if event.code is CloseCode.DEAD:
        raise Dropped(str(address), "the line dropped before the server answered")
    raise ConnectError(str(address), event.reason) from ProtocolError(event.reason)
