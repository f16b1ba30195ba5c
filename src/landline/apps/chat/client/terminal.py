"""The chat on a terminal, or in a pipe: ``run`` is what ``landline chat`` does.

On a terminal the line being typed stays whole at the bottom while the talk goes by above it; our own lines wait there until they are
confirmed, so that what scrolls by is the room's true order and nothing stands there twice. In a pipe (and on a terminal that knows no
cursor) lines come in and go out as lines: what was heard on stdout, talk about the line on stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

import landline
from landline.apps.chat import credentials, text
from landline.apps.chat.client.carrying import find_file
from landline.apps.chat.client.known import KnownServers
from landline.apps.chat.client.line_screen import LineScreen
from landline.apps.chat.client.link import REDIAL_MAX, Link
from landline.apps.chat.client.model import Client
from landline.apps.chat.client.outbox import Outbox, find_outbox
from landline.apps.chat.client.show import kept_elsewhere
from landline.apps.chat.invitations import Invitation, read_invitation
from landline.errors import AddressError, SettingsError
from landline.settings import Settings
from landline.storage import MemoryStorage
from landline.transports import parse_address
from landline.transports.address import SECURE


class Screen(Protocol):
    """Where a person types and reads."""

    def changed(self) -> None:
        """Show the client's events; called after each change."""

    async def run(self, link: Link, stop: asyncio.Event) -> int:
        """Bring what is typed to the client until it is done; return the exit code."""


async def run(settings: Settings, stop: asyncio.Event) -> int:
    """Chat until the person leaves or ``stop`` is set; return the exit code.

    Raises:
        AddressError: the address cannot be read.
        ConnectError: nobody was reached at the first dial.
        SettingsError: the name or a room cannot be one.
    """
    name, rooms = _name(settings), _rooms(settings)
    limits = landline.Limits(redial_max=REDIAL_MAX)
    known = KnownServers(settings.data)
    invitation = _invitation(settings, known)
    tls = _tls(settings, invitation)
    async with _outbox(settings, invitation.address, name) as (outbox, trouble):
        client = Client(name, outbox.number, rooms, draw=_draw, is_kept=not trouble, find=find_file)

        async def dial() -> landline.Session:
            session = await landline.connect(
                invitation.address,
                credentials=credentials.show(outbox.number, invitation.invite),
                tls=tls,
                limits=limits,
                storage=outbox.storage,
            )
            known.keep(invitation)
            return session

        screen = _screen(client, settings)

        def changed() -> None:
            outbox.follow(client.names)
            screen.changed()

        link = Link(client, dial, changed, downloads=settings.chat.downloads)
        with _hang_up_stops(stop):
            try:
                is_open = await link.open(stop)
            except landline.ConnectError:
                await _tell_what_is_kept(outbox)
                raise
            if not is_open:
                return 0
            client.kept_elsewhere(outbox.elsewhere)
            if trouble:
                client.trouble(f"What you type is not kept if this program dies: {trouble}.")
            return await screen.run(link, stop)


def _invitation(settings: Settings, known: KnownServers) -> Invitation:
    """Return where to dial, and what lets us in: what was said now goes before what the address says, and that before what is known."""
    chat = settings.chat
    said = read_invitation(chat.address)
    fingerprint = chat.fingerprint or said.fingerprint
    if fingerprint and parse_address(said.address).scheme not in SECURE:
        # Not dialled all the same: whoever says what the certificate must be would believe that it was looked at.
        raise AddressError(
            f"{said.address!r} is dialled without TLS, where no certificate can be compared with {fingerprint}: dial https:// or tls://"
        )
    return known.complete(Invitation(said.address, chat.invite or said.invite, fingerprint))


def _tls(settings: Settings, invitation: Invitation) -> landline.ClientTLS:
    try:
        return landline.ClientTLS(
            fingerprint=invitation.fingerprint,
            authority=settings.chat.authority,
            certificate=settings.tls.certificate,
            key=settings.tls.key,
        )
    except landline.TLSError as error:
        raise SettingsError(str(error), key="tls.certificate") from error


@contextlib.asynccontextmanager
async def _outbox(settings: Settings, address: str, name: str) -> AsyncIterator[tuple[Outbox, str]]:
    """Open the client's outbox, with why it is only in memory, or an empty string."""
    trouble = ""
    try:
        outbox = await find_outbox(settings.make_data_folder(), address, name)
    except (landline.StorageError, SettingsError) as error:
        outbox, trouble = Outbox(MemoryStorage(), _draw()), str(error).rstrip(".")
        await outbox.storage.open()
    try:
        yield outbox, trouble
    finally:
        await outbox.close()


async def _tell_what_is_kept(outbox: Outbox) -> None:
    """Somebody who was killed with lines waiting comes back to find nobody: the lines are safe."""
    if count := await landline.count_unanswered(outbox.storage):
        line, goes = ("line is", "goes") if count == 1 else ("lines are", "go")
        sys.stderr.write(f"{count} {line} kept, and {goes} out when the server is there.\n")
    for name, count in outbox.elsewhere.items():
        sys.stderr.write(f"{kept_elsewhere(name, count)}\n")


def _draw() -> int:
    return secrets.randbits(63) or 1


@contextlib.contextmanager
def _hang_up_stops(stop: asyncio.Event) -> Iterator[None]:
    """Leave as politely when the terminal's window is closed as at Ctrl-C; nobody shall seem to be here for minutes after."""
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN:  # nohup
        yield
        return
    loop = asyncio.get_running_loop()
    before = signal.getsignal(hang_up)
    loop.add_signal_handler(hang_up, stop.set)
    try:
        yield
    finally:
        loop.remove_signal_handler(hang_up)
        signal.signal(hang_up, before)


def _screen(client: Client, settings: Settings) -> Screen:
    if not _has_cursor():
        return LineScreen(client)
    # Here, so that a pipe need not wait for what it does not use.
    from landline.apps.chat.client.prompt_screen import PromptScreen

    return PromptScreen(client, colour=settings.colour)


def _has_cursor() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return os.name == "nt" or os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def _name(settings: Settings) -> str:
    """Return the name to ask for: the chosen one if it can be a name, or the one nearest to that of the account."""
    if not settings.chat.name_chosen:
        return text.name_from(settings.chat.name)
    try:
        return text.valid_name(settings.chat.name)
    except ValueError as error:
        raise SettingsError(str(error), key="chat.name") from error


def _rooms(settings: Settings) -> list[str]:
    rooms: list[str] = []
    for wished in settings.chat.rooms:
        try:
            room = text.valid_room(wished)
        except ValueError as error:
            raise SettingsError(str(error), key="chat.room") from error
        if room not in rooms:
            rooms.append(room)
    return rooms
