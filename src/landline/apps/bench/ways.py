"""The ways in which one exchange is done: over a session that stays, over a new one each time, or over a bare socket each time.

The exchange is a call: of a method of our own server that returns what it is given, or of the list of methods, which every server that offers some has. A bare
socket, without frames and without a session, gets the same bytes back from our own server: the least that a new connection can cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final, NamedTuple

import landline

PAYLOAD: Final = bytes(64)
"""What is sent there and back, with a server of our own."""
ECHO: Final = "echo"
LISTING: Final = "landline.methods"

STAYS: Final = "one session that stays"
ANEW: Final = "a new session each time"
BARE: Final = "a bare socket each time"

Once = Callable[[], Awaitable[None]]
"""Does the exchange once."""
Dial = Callable[[], AbstractAsyncContextManager[landline.Session]]
Exchange = Callable[[landline.Session], Awaitable[Any]]


class Way(NamedTuple):
    """One way; within ``open`` it can be gone."""

    carrier: str
    """``TCP``, ``TLS`` …"""
    how: str
    open: Callable[[], AbstractAsyncContextManager[Once]]


def of_sessions(carrier: str, dial: Dial, exchange: Exchange) -> list[Way]:
    """Return the ways that take a session."""
    return [
        Way(carrier, STAYS, partial(_staying, dial, exchange)),
        Way(carrier, ANEW, partial(_anew, dial, exchange)),
    ]


def of_bare_sockets(carrier: str, host: str, port: int, tls: ssl.SSLContext | None = None) -> Way:
    """Return the way without a session."""
    return Way(carrier, BARE, partial(_bare, host, port, tls))


async def echo(session: landline.Session) -> None:
    """Have our own server return the payload."""
    await session.call(ECHO, PAYLOAD)


async def listing(session: landline.Session) -> None:
    """Have a server say what it offers."""
    await session.call(LISTING)


@asynccontextmanager
async def _staying(dial: Dial, exchange: Exchange) -> AsyncIterator[Once]:
    async with dial() as session:

        async def once() -> None:
            await exchange(session)

        yield once


@asynccontextmanager
async def _anew(dial: Dial, exchange: Exchange) -> AsyncIterator[Once]:
    async def once() -> None:
        async with dial() as session:
            await exchange(session)

    yield once


@asynccontextmanager
async def _bare(host: str, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[Once]:
    async def once() -> None:
        # Interrupted within a handshake, uvloop would go on with it on a closed socket, and complain: so it is finished first.
        opening = asyncio.ensure_future(asyncio.open_connection(host, port, ssl=tls))
        try:
            reader, writer = await asyncio.shield(opening)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                _, writer = await opening
                writer.transport.abort()
            raise
        try:
            writer.write(PAYLOAD)
            await reader.readexactly(len(PAYLOAD))
        finally:
            writer.close()
            await writer.wait_closed()

    yield once
