"""What every command of this kind needs of a server: where it is, who we are there, and a session with it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

import landline
from landline.storage import Storage

from ..drops import told_of_drops
from ..stopping import unless_stopped
from .limits import PROGRAM

LIMITS: Final = landline.Limits(
    outbox_bytes=PROGRAM.outbox_bytes, redial_max=PROGRAM.redial_max, redial_reset=PROGRAM.redial_reset
)


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server as a person names it.

    Attributes:
        address: whom to dial.
        credentials: what is shown to its ``authenticate``.
        tls: whom to trust there, and who we are.
        is_quiet: say errors only.
    """

    address: str
    credentials: Any = None
    tls: landline.ClientTLS | None = None
    is_quiet: bool = False

    def say(self, text: str) -> None:
        """Tell a person, on stderr; stdout is for data."""
        if not self.is_quiet and sys.stderr is not None:
            with contextlib.suppress(OSError):
                print(text, file=sys.stderr, flush=True)


@asynccontextmanager
async def opened(
    server: Server, stop: asyncio.Event, *, storage: Storage | None = None
) -> AsyncIterator[landline.Session]:
    """Within the block there is a session, and a person hears of its drops.

    Raises:
        AddressError, ConnectError, ConnectTimeout, Refused, StorageError: as for ``landline.connect``.
        PipeError: we were asked to stop before anybody had answered.
    """
    async with (
        await unless_stopped(_connect(server, storage), stop) as session,
        told_of_drops(server.say, session),
    ):
        yield session


async def _connect(server: Server, storage: Storage | None) -> landline.Session:
    return await landline.connect(
        server.address, credentials=server.credentials, tls=server.tls, limits=LIMITS, storage=storage
    )
