"""Passes on the files that one member sends, each to whoever has accepted it: piece by piece, as fast as that one takes them, and nothing is kept.

``files`` knows who offers what to whom; the two ends see to it that what arrives is whole, and go on with what came before.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import landline
from landline.apps.chat.server.chat import Chat, Speaker
from landline.apps.chat.server.people import Refusal

logger = logging.getLogger("landline.apps.chat")

NOTHING_KEPT: Final = landline.Quota(0, 0)


class FileRelays:
    """The files that come in over one session.

    Args:
        session: its sender's.
        sender: who that is.
        chat: what they are in.
    """

    def __init__(self, session: landline.Session, sender: Speaker, chat: Chat) -> None:
        self._session = session
        self._sender = sender
        self._chat = chat

    async def run(self) -> None:
        """Pass on what comes, until cancelled or the session is over."""
        try:
            async with asyncio.TaskGroup() as group, self._session.files(quota=NOTHING_KEPT) as offers:
                async for offer in offers:
                    group.create_task(self._pass(offer))
        except* landline.SessionEnded:
            pass
        except* Exception:
            logger.exception("files of %s cannot be passed on", self._sender.name)

    async def _pass(self, offer: landline.FileOffer) -> None:
        files, chat = self._chat.house.files, self._chat
        passing = asyncio.current_task()
        if passing is None:
            raise AssertionError("it runs in a task")
        try:
            if offer.is_folder:
                raise Refusal("a folder is not a file")
            ticket, taker = files.begin(self._sender.client, offer.name, offer.size, passing.cancel)
        except Refusal as refusal:
            chat.hit(self._sender, refusal.limit, f"{self._sender.name} was refused")
            await offer.refuse(str(refusal))
            return
        if not isinstance(taker, Speaker):
            raise AssertionError(f"{taker} has no client")
        silence, turn = chat.limits.file_silence, chat.limits.file_turn
        loop = asyncio.get_running_loop()
        moved_at = loop.time()
        is_there = is_for_later = False
        looking: asyncio.Handle

        def moved(_: landline.Progress) -> None:
            nonlocal moved_at
            moved_at = loop.time()

        def look() -> None:
            nonlocal looking
            still = loop.time() - moved_at
            if still >= silence or (still >= turn and files.holds_up(ticket)):
                bound.reschedule(loop.time())
            else:
                looking = loop.call_later(min(turn, silence - still), look)

        looking = loop.call_soon(look)
        try:
            async with asyncio.timeout(None) as bound:
                await taker.receive_file(offer, ticket.offer.file, moved)
            is_there = True
        except landline.TransferError as error:
            logger.info("a file of %s did not come through: %s", self._sender.name, error)
        except TimeoutError:
            is_for_later = loop.time() - moved_at < silence
            limit, outcome = (
                ("file_turn", "waits behind others") if is_for_later else ("file_silence", "was given up")
            )
            chat.hit(self._sender, f"chat.{limit}", f"a file {outcome}")
        finally:
            looking.cancel()
            if is_for_later:
                files.wait_again(ticket)
            else:
                files.end(ticket, is_there=is_there)
