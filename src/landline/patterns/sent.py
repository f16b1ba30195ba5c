"""A server's outboxes of durable sends, one for each session that has any: they outlive the server, and go when their session is over."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Container
from typing import Final

from ..errors import StorageError
from ..protocol.intake import SEND_PURPOSE
from ..protocol.publish import OUTBOX_ID_SIZE
from ..sessions.bare import BareSession
from ..storage.base import Change, Delete, Storage
from .failures import log
from .outbox import open_outboxes
from .outgoing import Outgoing, chain

_SENT: Final = "landline.sent."
_ID_DIGITS: Final = 32
_AT_ONCE: Final = 256


class Sent:
    """The outboxes of one life of a server.

    Args:
        storage: an open one.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, Outgoing | None] = {}
        self._forgetting: set[asyncio.Task[None]] = set()

    async def open(self, living: Container[bytes]) -> None:
        """Find what the lives before left; forget that of sessions which do not live any more.

        Raises:
            StorageError: it cannot be read.
        """
        over: list[str] = []
        after = ""
        while values := await self._storage.scan(_SENT, after=after):
            after = values[-1].key
            for value in values:
                session = value.key.removeprefix(_SENT)[:_ID_DIGITS]
                if _is_living(session, living):
                    self._known[session] = None
                else:
                    over.append(value.key)
        await self._delete(over)

    def has(self, bare: BareSession) -> bool:
        """Whether there is an outbox for this session."""
        return bare.id.hex() in self._known

    async def outgoing(self, bare: BareSession) -> Outgoing:
        """Return the outbox of a session, on its way.

        Raises:
            SessionClosed, SessionLost: the session is over.
            StorageError: it cannot be read, or not be made.
        """
        session = bare.id.hex()
        place = f"{_SENT}{session}."
        kept = await open_outboxes(self._storage, place, secrets.token_bytes(OUTBOX_ID_SIZE))
        if bare.ended is not None:  # then it was forgotten already
            raise bare.ended
        outgoing = self._known[session] = chain(bare, SEND_PURPOSE, kept)[-1]
        return outgoing

    def forget(self, session_id: bytes) -> None:
        """The session is over: nobody will ask for what was sent."""
        session = session_id.hex()
        if session in self._known:
            outgoing = self._known.pop(session)
            task = asyncio.create_task(self._forget(session, outgoing), name="landline forgets an outbox")
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)

    async def close(self) -> None:
        """Wait until what is to be forgotten is."""
        while self._forgetting:
            await asyncio.wait(self._forgetting)

    async def _forget(self, session: str, outgoing: Outgoing | None) -> None:
        place = f"{_SENT}{session}."
        try:
            if outgoing is not None:
                # Else what it has under way to the disk would come after this, and stay.
                await outgoing.wait_closed()
            while values := await self._storage.scan(place):
                await self._delete([value.key for value in values])
        except StorageError as error:
            log.warning("the outbox of a session that is over could not be removed: %s", error)

    async def _delete(self, keys: list[str]) -> None:
        for start in range(0, len(keys), _AT_ONCE):
            changes: list[Change] = [Delete(key) for key in keys[start : start + _AT_ONCE]]
            await self._storage.write(changes)


def _is_living(session: str, living: Container[bytes]) -> bool:
    try:
        return bytes.fromhex(session) in living
    except ValueError:
        return True  # nobody removes what nobody understands
