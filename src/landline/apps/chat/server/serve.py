"""The chat server: brings sessions, plain callers and the operator to one chat. ``run`` is what ``landline serve`` does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import landline
from landline.apps.chat import credentials
from landline.apps.chat.limits import LINE, ChatLimits
from landline.apps.chat.plain import caller as plain_caller
from landline.apps.chat.plain import gate
from landline.apps.chat.server import operator
from landline.apps.chat.server.chat import MEMBERS, Chat, principal_of
from landline.apps.chat.server.doors import Doors
from landline.apps.chat.server.guest import Desk
from landline.apps.chat.server.hints import how_to_join
from landline.apps.chat.server.member import Member
from landline.apps.chat.server.site import FILES, Site
from landline.apps.chat.server.webhook import Webhook
from landline.apps.chat.topics import ROOMS
from landline.errors import StorageError, StorageLocked
from landline.settings import DEFAULT_PORT, Settings
from landline.storage import SQLiteStorage, Storage
from landline.web.files import Files
from landline.web.types import Receive, Scope, Send

logger = logging.getLogger("landline.apps.chat")

HEARTBEAT_INTERVAL: Final = LINE.heartbeat_interval
DEAD_AFTER: Final = LINE.dead_after
MAX_PER_SOURCE: Final = LINE.max_per_source
TRIM_INTERVAL: Final = 3600.0
"""Seconds between looks for lines that are too old to keep."""
OPEN: Final = Doors()
"""Everybody may enter, by every door."""
WANTS_INVITE: Final = (
    "this chat wants an invite: ask whoever runs it for its address with #invite=… at the end"
)
WRONG_INVITE: Final = (
    "that invite is not good here, or not any more: ask whoever runs this chat for the present one"
)
CLOSING: Final = "The chat server is closing. Goodbye."
RESTARTING: Final = "The chat server restarts, and is back in a moment."


def _goes_for_good(listening: landline.Listening) -> bool:
    return False


async def run(
    settings: Settings,
    stop: asyncio.Event,
    doors: Doors = OPEN,
    *,
    sockets: Sequence[landline.ListeningSocket] = (),
    leave: Callable[[landline.Listening], bool] = _goes_for_good,
) -> int:
    """Serve the chat until ``stop`` is set or the operator ends it; return the exit code.

    Args:
        settings: see there.
        stop: see above.
        doors: what is asked of whoever comes, as ``find_doors`` says.
        sockets: listening sockets that are there already, see ``landline.Server.listen``.
        leave: called before everything is closed; says whether the server will be back at once.

    Raises:
        ListenError: an address cannot be served.
        SettingsError: the data folder cannot be used.
        StorageError: the history cannot be opened; the class says why.
    """
    if not (settings.data / _file(settings)).exists():
        # Not to leave an empty history behind where nobody can be served; to remove one afterwards could take somebody else's.
        async with _listening(settings.serve.addresses, sockets):
            pass
    storage = SQLiteStorage(settings.make_data_folder() / _file(settings))
    is_operated = settings.serve.operator and operator.is_present()
    limits = ChatLimits(history=settings.serve.history)
    is_back = False
    async with open_chat(storage, settings.serve.addresses, limits, sockets=sockets, doors=doors) as (
        chat,
        listening,
    ):
        print(how_to_join(settings, listening.addresses, doors, shows_code=sys.stdout.isatty()), flush=True)
        if is_operated:
            await _operate(chat, stop)
        else:
            await stop.wait()
        if is_back := leave(listening):
            chat.farewell = RESTARTING
    closed = "restarts" if is_back else "is closed"
    print(f"The chat {closed}. What was said is kept in {storage.path}.", flush=True)
    return 0


@contextlib.asynccontextmanager
async def open_chat(
    storage: Storage,
    addresses: tuple[str, ...],
    limits: ChatLimits | None = None,
    connection: landline.Limits | None = None,
    *,
    sockets: Sequence[landline.ListeningSocket] = (),
    doors: Doors = OPEN,
) -> AsyncIterator[tuple[Chat, landline.Listening]]:
    """Serve a chat until the block is left; then drain: everybody is told, every line said is stored, every socket closed.

    Args:
        storage: a closed one; it is opened and closed here.
        addresses: where to listen.
        limits: the chat's.
        connection: the connections'.
        sockets: see ``run``; closed here.
        doors: what is asked of whoever comes.

    Raises:
        ListenError: an address cannot be served.
        StorageError: the storage cannot be opened.
    """
    connection = connection or landline.Limits(
        heartbeat_interval=HEARTBEAT_INTERVAL, dead_after=DEAD_AFTER, max_per_source=MAX_PER_SOURCE
    )

    async def serve_session(session: landline.Session) -> None:
        await Member(session, chat).run()

    def authenticate(shown: object) -> str:
        try:
            who = credentials.read(shown)
        except ValueError as error:
            raise landline.NotAllowed(str(error)) from None
        if not doors.invite.admits(who.invite):
            raise landline.NotAllowed(WRONG_INVITE if who.invite else WANTS_INVITE)
        return principal_of(who.client)

    def may(principal: str, verb: str, topic: str) -> bool:
        return chat.may(principal, verb, topic)

    async def serve_page(scope: Scope, receive: Receive, send: Send) -> None:
        await site(scope, receive, send)

    server = landline.Server(
        serve_session,
        limits=connection,
        storage=storage,
        authenticate=authenticate,
        authorize=may,
        tls=doors.tls,
        needs_tls=doors.tls is not None,
        web=landline.Web(
            app=serve_page, hosts=doors.hosts, origins=doors.origins, metrics_token=doors.metrics_token
        ),
    )
    chat = Chat(server, storage, limits, farewell=CLOSING, window=connection.resume_window)
    desk = Desk(chat)
    files = None if doors.files is None else Files(doors.files, under=f"{FILES}/")
    site = Site(Webhook(chat, doors.webhook_token), files)
    server.topic(ROOMS, vet=chat.vet)
    server.presence(MEMBERS)

    @server.plain
    async def serve_caller(caller: landline.Caller) -> None:
        if doors.invite.is_wanted:
            admitted = await gate.admit(caller, doors.invite.admits, desk.hit)
            if admitted is not None:
                await plain_caller.serve(admitted, desk, chat.limits)
        else:
            await plain_caller.serve(caller, desk, chat.limits)

    async with contextlib.AsyncExitStack() as stack:
        for each in sockets:
            stack.callback(each.close)
        if files is not None:
            stack.callback(files.close)
        stack.push_async_callback(storage.close)
        stack.push_async_callback(chat.close)
        # The storage comes before the sockets: whoever gets in finds the chat open, and nobody waits for a history that cannot be read.
        await _open_storage(storage, addresses, sockets)
        await chat.open()
        listening = await stack.enter_async_context(server.listen(*addresses, sockets=sockets))
        chat.start()
        trimming = asyncio.create_task(_trim(chat), name="trimming the history")
        try:
            yield chat, listening
        finally:
            trimming.cancel()
            chat.house.close(chat.farewell)
            desk.close(chat.farewell)


async def _operate(chat: Chat, stop: asyncio.Event) -> None:
    """Have the operator in the lobby until they, or a signal, end it."""
    person = operator.Operator(operator.Console(operator.write), chat)
    await person.enter()
    operating = asyncio.create_task(person.run(operator.terminal_lines), name="the operator")
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([operating, stopping], return_when=asyncio.FIRST_COMPLETED)
        if operating.done():
            operating.result()
    finally:
        for task in (operating, stopping):
            task.cancel()
        await asyncio.gather(operating, stopping, return_exceptions=True)


async def _open_storage(
    storage: Storage, addresses: tuple[str, ...], sockets: Sequence[landline.ListeningSocket]
) -> None:
    try:
        await storage.open()
    except StorageLocked:
        # Another server has the file. If it has our port too, as when one is started twice, that says more than its file does.
        async with _listening(addresses, sockets):
            raise


def _listening(
    addresses: tuple[str, ...], sockets: Sequence[landline.ListeningSocket]
) -> AbstractAsyncContextManager[landline.Listening]:
    """Listen for no longer than it takes to see whether that is possible; the sockets stay open, and nobody is taken out of them."""
    holds = [landline.ListeningSocket(each.sock.dup(), each.name) for each in sockets]
    return landline.Server().listen(*addresses, sockets=holds)


async def _trim(chat: Chat) -> None:
    while True:
        await asyncio.sleep(TRIM_INTERVAL)
        try:
            await chat.trim()
        except StorageError as error:
            logger.warning("old lines could not be removed: %s", error)


def _file(settings: Settings) -> Path:
    """Return the file's name: each port is a chat of its own, so that a second server beside the first needs no other folder."""
    return Path("chat.db" if settings.port in (DEFAULT_PORT, 0) else f"chat-{settings.port}.db")
