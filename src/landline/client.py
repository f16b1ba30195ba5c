"""Connecting: ``async with landline.connect(address) as session``, and bare lines with ``landline.dial``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .errors import AddressError, ConnectTimeout
from .limits import Limits
from .patterns.durable import Sending
from .patterns.intake import receive_sends
from .patterns.outbox import PUBLISHES, SENDS, KeptOutbox, open_outboxes
from .patterns.outgoing import Outgoing, chain
from .patterns.refresh import Refreshing
from .patterns.rpc.methods import Methods
from .patterns.rpc.service import Service
from .patterns.rules import allow_all
from .patterns.serving import refuse_flow
from .patterns.topics import Publishing
from .protocol.intake import SEND_PURPOSE
from .protocol.publish import OUTBOX_ID_SIZE, Publisher
from .protocol.redial import Pause
from .session import ClientSide, Session
from .sessions.bare import BareSession
from .sessions.caller import Caller
from .sessions.flow import BareFlow
from .sessions.reconnect import ClientEnd
from .storage import SQLiteStorage, Storage
from .transports import ClientTLS, open_transport, parse_address

DEFAULTS: Final = Limits()


class connect:  # noqa: N801 - used like the function it replaces: `async with connect(...)` and `await connect(...)`
    """Open a session with a server: ``async with connect(address) as session`` or ``session = await connect(address)``.

    Only the first dial can fail here; an established session redials by itself until it is back, refused or closed. A server that is about to go
    says when it will be back: then the first dial waits for it, within its time.

    Args:
        addresses: one or several, for example ``"tcp://localhost:12345"``, ``"tls://…"``, ``"ws://…"``, ``"wss://…"`` or ``"unix:///path"``; tried in turn at every dial, the one that was good last first, each
            with its share of the time. A server may send its clients from one of them to another, and to no other.
        credentials: shown to the server's ``authenticate`` at every dial; anything that msgpack can hold. Or a function that returns them, which
            may be async: asked at every dial, and before a server's ``Grant`` runs out. What it raises, the first dial raises; later it is logged
            and tried again.
        tls: whom to trust where TLS is spoken, and who we are there; by default this machine's authorities, and nobody.
        connect_timeout: seconds for the first dial, all addresses together; by default ``limits.connect_timeout``.
        limits: see ``landline.Limits``.
        pause: how long to wait before a redial: a function from its number (1, 2, …) to seconds; by default full jitter.
        storage: a file, or a ``Storage``, of this client alone: what is published, and what is sent with ``durable=True``, is kept there until it is answered, so that it goes out once even
            if this process dies, as soon as a client is started again with the same storage. One that is open already is left open.
        methods: what the server's program can call here.

    Raises:
        AddressError: an address cannot be read.
        ConnectError: nobody answered, or not whom we trust.
        ConnectTimeout: nobody answered in time.
        Refused: the server said no.
        DataError: the credentials cannot be sent, or are over 3 KiB.
        TLSError: a file of ours for TLS cannot be used.
        StorageError: the storage cannot be used; another client has it open, for example.
    """

    def __init__(
        self,
        *addresses: str,
        credentials: Any = None,
        tls: ClientTLS | None = None,
        connect_timeout: float | None = None,
        limits: Limits | None = None,
        pause: Pause | None = None,
        storage: str | os.PathLike[str] | Storage | None = None,
        methods: Methods | None = None,
    ) -> None:
        if not addresses:
            raise AddressError("connect needs an address")
        self._addresses = [parse_address(address) for address in addresses]
        self._credentials = credentials
        self._tls = tls
        self._limits = limits or DEFAULTS
        self._timeout = self._limits.connect_timeout if connect_timeout is None else connect_timeout
        self._pause = pause
        self._storage = storage
        self._methods = Methods() if methods is None else methods
        self._session: Session | None = None

    async def _connect(self) -> Session:
        async with contextlib.AsyncExitStack() as stack:
            publishes, sends = await self._open_outboxes(stack)
            end = ClientEnd(
                self._addresses,
                self._limits,
                credentials=self._credentials,
                tls=self._tls,
                pause=self._pause,
            )
            bare = await end.connect(self._timeout)
            refreshing = _refresh(bare, end, self._credentials)
            receive_sends(bare)
            sending = Sending(bare, partial(_outgoing, bare, sends))
            service = Service(self._methods, allow_all, self._limits)
            held = None if sends is None else stack.pop_all()
            client = ClientSide(end.drop, Publishing(bare, publishes), refreshing, held)
            session = Session(bare, client, sending, service)
            bare.front, bare.takers = session, (*bare.takers, partial(_take, service))
            if sends is not None:
                try:
                    await sending.go_on()
                except BaseException:
                    await session.close()
                    raise
            return session

    async def _open_outboxes(
        self, stack: contextlib.AsyncExitStack
    ) -> tuple[list[KeptOutbox] | None, list[KeptOutbox] | None]:
        """Return what keeps the publishes and the durable sends, where they are to outlive this process."""
        storage = self._storage
        if storage is None:
            return None, None
        if not isinstance(storage, Storage):
            storage = SQLiteStorage(storage)
        if not storage.is_open:
            await stack.enter_async_context(storage)
        return (
            await open_outboxes(storage, PUBLISHES, secrets.token_bytes(OUTBOX_ID_SIZE)),
            await open_outboxes(storage, SENDS, secrets.token_bytes(OUTBOX_ID_SIZE)),
        )

    if not TYPE_CHECKING:  # else checkers would allow any name

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(
                f"connect(…) is no session yet, and has no {name}: `session = await connect(…)`, or `async with connect(…) as session`"
            )

    def __await__(self) -> Generator[Any, None, Session]:
        return self._connect().__await__()

    async def __aenter__(self) -> Session:
        self._session = await self._connect()
        return self._session

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.__aexit__(*exc)


async def dial(
    address: str, *, tls: ClientTLS | None = None, timeout: float = DEFAULTS.connect_timeout
) -> Caller:
    """Open a bare line, without a session: for peers that speak no protocol of ours.

    Args:
        address: for example ``"tcp://localhost:12345"``.
        tls: as for ``connect``.
        timeout: in seconds.

    Raises:
        AddressError, ConnectError, ConnectTimeout: as for ``connect``.
    """
    where = parse_address(address)
    try:
        async with asyncio.timeout(timeout):
            return Caller(await open_transport(where, tls))
    except TimeoutError:
        raise ConnectTimeout(address, f"no answer within {timeout:g} s") from None


def _take(service: Service, bare: BareSession, flow: BareFlow) -> bool:
    """Have a flow that the server opened taken by the pattern that it is of."""
    session: Session = bare.front
    return session._takes_file(flow) or service.takes(bare, session, flow) or refuse_flow(flow)


def _refresh(bare: BareSession, end: ClientEnd, credentials: Any) -> Refreshing:
    """Have new credentials shown before the server's grant runs out, until the session is over."""
    refreshing = Refreshing(bare, credentials)

    def welcomed() -> None:
        refreshing.welcomed(end.expires_in)

    end.on_welcome, end.on_end = welcomed, refreshing.stop
    welcomed()
    return refreshing


async def _outgoing(bare: BareSession, kept: list[KeptOutbox] | None) -> Outgoing:
    if kept is None:
        return Outgoing(bare, Publisher(secrets.token_bytes(OUTBOX_ID_SIZE)), SEND_PURPOSE)
    return chain(bare, SEND_PURPOSE, kept)[-1]
