"""One dial of a client: a transport to one of its addresses, a greeting over it, and the server's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ..errors import ConnectError, ConnectTimeout, ProtocolError
from ..limits import Limits
from ..protocol.connection import Connection
from ..protocol.events import ConnectionEnded, Event, Turned, Welcomed
from ..protocol.frames import CloseCode
from ..protocol.handshake import Hello, Refusal, Resume
from ..protocol.states import Role
from ..transports import Address, open_transport
from .driver import Driver


class Turndown(ConnectError):
    """The server answered REFUSE; ``refusal`` says why and what it still knows."""

    def __init__(self, address: str, refusal: Refusal) -> None:
        super().__init__(address, refusal.reason or refusal.code.text)
        self.refusal = refusal


async def dial_any(
    addresses: Sequence[Address],
    greeting: Hello | Resume,
    limits: Limits,
    *,
    timeout: float,
    jitter: Callable[[], float],
) -> tuple[Driver, Welcomed]:
    """Try the addresses in turn; return the first that welcomes us. What the driver hears from then on waits until it is given a ``deliver``.

    Raises:
        Turndown: a server refused; no other address is tried then.
        ConnectError: none answered; the last failure, with its address.
        ConnectTimeout: ``timeout`` seconds were not enough for all of them together.
    """
    failure: ConnectError | None = None
    address = addresses[0]
    try:
        async with asyncio.timeout(timeout):
            for address in addresses:
                try:
                    return await _dial(address, greeting, limits, jitter())
                except Turndown:
                    raise
                except ConnectError as error:
                    failure = error
    except TimeoutError:
        raise ConnectTimeout(str(address), f"no answer within {timeout:g} s") from failure
    if failure is None:
        raise ConnectError("", "there is no address to dial")
    raise failure


async def _dial(
    address: Address, greeting: Hello | Resume, limits: Limits, jitter: float
) -> tuple[Driver, Welcomed]:
    loop = asyncio.get_running_loop()
    transport = await open_transport(address)
    connection = Connection(Role.CLIENT, limits, loop.time(), jitter=jitter)
    answer: asyncio.Future[Welcomed | Turned | ConnectionEnded] = loop.create_future()

    def deliver(event: Event) -> None:
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
        return driver, event
    if isinstance(event, Turned):
        raise Turndown(str(address), event.refusal)
    if event.code is CloseCode.DEAD:
        raise ConnectError(str(address), "the line dropped before the server answered")
    raise ConnectError(str(address), event.reason) from ProtocolError(event.reason)
