"""Carries a chat client's files over one session: sends what others have accepted, and receives what its person has.

``files`` says what; what arrives is in the downloads folder under a name that was free, whole and for its user alone, or it is not there. What
came of a file is kept beside when the session is lost, and gone on with over the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

import landline
from landline.apps.chat.client.files import Incoming, Outgoing
from landline.apps.chat.client.model import Client
from landline.apps.chat.limits import TEXT, ChatLimits

AT_ONCE: Final = ChatLimits().files_each
"""Files that are sent at the same time: as many as a server takes unless it was told otherwise."""


def find_file(typed: str) -> tuple[Path, str, int]:
    """Return the path, the name and the size of a file that somebody typed.

    Raises:
        ValueError: there is none that can be sent; the message is a sentence.
    """
    try:
        path = Path(typed).expanduser().absolute()
        about = path.stat()
        if stat.S_ISREG(about.st_mode):  # to open anything else may wait
            with path.open("rb"):
                pass
    except (OSError, RuntimeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ValueError(f"{typed} cannot be read: {why.lower()}.{_hint(typed)}") from None
    if stat.S_ISDIR(about.st_mode):
        raise ValueError(f"{typed} is a folder; `landline send` sends folders.")
    if not stat.S_ISREG(about.st_mode):
        raise ValueError(f"{typed} is no file.")
    name = path.name.encode(errors="replace").decode()
    return path, name[-TEXT.file_name :], about.st_size


def _hint(typed: str) -> str:
    """Return what was meant where the last word is somebody's name: it has no @ before it."""
    file, _, name = typed.rpartition(" ")
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        if file and Path(file).expanduser().is_file():
            return f" Did you mean /send {file} @{name}?"
    return ""


class FileCarriers:
    """The files that go over one session.

    Args:
        session: theirs.
        client: says what is to be sent, and what may come.
        advance: called after everything that the client is told.
        folder: where to receive.
    """

    def __init__(
        self, session: landline.Session, client: Client, advance: Callable[[], None], folder: Path
    ) -> None:
        self._session = session
        self._files = client.files
        self._advance = advance
        self._folder = folder
        self._stirred = asyncio.Event()
        self._free = asyncio.Semaphore(AT_ONCE)
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._receiving: dict[Incoming, asyncio.Task[None]] = {}

    def stir(self) -> None:
        """Something else may be to be sent, or not wanted any more."""
        self._stirred.set()

    async def run(self) -> None:
        """Carry until cancelled, or the session is over."""
        with contextlib.suppress(landline.SessionEnded):
            async with self._session.files() as offers, asyncio.TaskGroup() as group:
                group.create_task(self._take(offers, group))
                while True:
                    self._stirred.clear()
                    wanted = self._files.to_send()
                    for ticket, task in list(self._sending.items()):
                        if ticket not in wanted:
                            task.cancel()
                            del self._sending[ticket]
                    for ticket, each in wanted.items():
                        if ticket not in self._sending:
                            self._sending[ticket] = group.create_task(self._send(ticket, each))
                    for incoming, task in list(self._receiving.items()):
                        if not self._files.is_wanted(incoming):
                            task.cancel()
                            del self._receiving[incoming]
                    await self._stirred.wait()

    async def _send(self, ticket: int, each: Outgoing) -> None:
        async with self._free:
            move = each.moves.get(ticket)
            if move is None:
                return
            try:
                await self._session.send_file(
                    each.path, name=f"{ticket:x}", progress=lambda progress: move.moved(progress.done)
                )
            except landline.SessionEnded:
                return  # with another session it is offered again
            except landline.LandlineError as error:
                self._files.not_sent(each, ticket, error)
            else:
                self._files.sent(each, ticket)
        self._advance()

    async def _take(self, offers: landline.Offers, group: asyncio.TaskGroup) -> None:
        with contextlib.suppress(landline.SessionEnded):
            async for offer in offers:
                each = self._files.expected(_number(offer.name), offer.size)
                if each is None or offer.is_folder:
                    await offer.refuse("it was not accepted there")
                else:
                    self._receiving[each] = group.create_task(self._receive(offer, each))

    async def _receive(self, offer: landline.FileOffer, each: Incoming) -> None:
        move = self._files.began(each, str(self._folder.absolute()))
        self._advance()
        try:
            received = await offer.accept(
                self._folder, name=each.name, progress=lambda progress: move.moved(progress.done)
            )
        except landline.SessionEnded:
            return
        except landline.TransferError as error:
            self._files.not_received(each, move, str(error), asyncio.get_running_loop().time())
        else:
            self._files.received(each, str(received.path.absolute()))
        finally:
            if self._receiving.get(each) is asyncio.current_task():
                del self._receiving[each]
        self._advance()


def _number(name: str) -> int:
    try:
        return int(name, 16)
    except ValueError:
        return 0
