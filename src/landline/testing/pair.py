"""Two ends of one session in one process, for tests of what a program does with a session.

    async with landline.testing.pair.pair() as (client, server):
        await client.send("hello")
        assert await server.receive() == "hello"

Over memory it needs no sockets and works in virtual time; over TCP a bad network lies between the two.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import msgspec

from ..client import connect
from ..limits import Limits
from ..server import Server
from ..session import Session
from ..settings.tree import DEFAULT_HOST
from .network import Faults, Proxy, bad_network

_numbers = itertools.count(1)


class Pair(msgspec.Struct, frozen=True):
    """Both ends; unpack it as ``client, server``.

    Attributes:
        network: what lies between them, over TCP: ``network.cut()``, ``freeze()``, ``thaw()``; None over memory, where ``client.drop()`` hangs up.
    """

    client: Session
    server: Session
    network: Proxy | None

    def __iter__(self) -> Iterator[Session]:
        return iter((self.client, self.server))


@asynccontextmanager
async def pair(
    over: Literal["memory", "tcp"] = "memory",
    *,
    limits: Limits | None = None,
    server_limits: Limits | None = None,
    faults: Faults | None = None,
    **options: Any,
) -> AsyncIterator[Pair]:
    """Open a session and hold both ends of it until the block is left; then both are closed, and nothing stays behind.

    Args:
        over: ``memory``, or ``tcp`` through a network that may have ``faults``.
        limits: of both ends.
        server_limits: of the server, instead.
        faults: see ``landline.testing.network``; only over TCP.
        options: of ``landline.connect``, for example ``pause`` or ``credentials``.

    Raises:
        ValueError: there are faults, and no network to have them.
    """
    if faults is not None and over != "tcp":
        raise ValueError('memory has no faults to speak of: say over="tcp"')
    begun: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
    over_now = asyncio.Event()

    async def hold(session: Session) -> None:
        begun.set_result(session)
        await over_now.wait()

    async with AsyncExitStack() as stack:
        server = Server(hold, limits=server_limits or limits)
        address = f"memory://pair-{next(_numbers)}" if over == "memory" else f"tcp://{DEFAULT_HOST}:0"
        listening = await stack.enter_async_context(server.listen(address))
        address, network = listening.addresses[0], None
        if over == "tcp":
            network = await stack.enter_async_context(bad_network(address, faults))
            address = network.address
        client = await stack.enter_async_context(connect(address, limits=limits, **options))
        stack.callback(
            over_now.set
        )  # the server's end first: what nobody read there must not keep the client's close waiting
        yield Pair(client, await begun, network)
