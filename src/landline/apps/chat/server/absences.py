"""Whoever was in the chat when an earlier life of the server ended: their names stay theirs until they are back, or cannot come back any more.

For that the name of everybody who is in by a session is on the disk, under the number of their client, for as long as they are.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from landline.apps.chat.server.house import House
from landline.apps.chat.server.people import Absent
from landline.errors import StorageError
from landline.storage import Storage

logger = logging.getLogger("landline.apps.chat")

NAME_KEYS: Final = "chat.name."
"""A value under this and the number of a client, in hexadecimal, is the name that it has."""


class Absences:
    """The names on the disk.

    Args:
        storage: the server's, open.
        house: where they are held.
        window: seconds from the server's start for which they are.
    """

    def __init__(self, storage: Storage, house: House, window: float) -> None:
        self._storage = storage
        self._house = house
        self._window = window
        self._kept: dict[int, str] = {}

    async def open(self) -> None:
        """Hold the names that an earlier life left; ``run`` lets go of them.

        Raises:
            StorageError: they cannot be read.
        """
        after = ""
        while values := await self._storage.scan(NAME_KEYS, after=after):
            after = values[-1].key
            for value in values:
                client, name = int(value.key.removeprefix(NAME_KEYS), 16), value.data.decode()
                self._kept[client] = name
                self._house.expect(Absent(client, name))

    async def run(self) -> None:
        """Let go of those who have not come back when their time is over."""
        waiting = list(self._kept)
        await asyncio.sleep(self._window)
        for client in waiting:
            person = self._house.by_client(client)
            if isinstance(person, Absent):
                self._house.leave(person)
            await self.forget(client)

    async def keep(self, client: int, name: str) -> None:
        """A client is in under this name. Where it cannot be stored, the name is free after a restart; that is logged."""
        if self._kept.get(client) == name:
            return
        self._kept[client] = name
        try:
            await self._storage.put(_key(client), name.encode())
        except StorageError as error:
            logger.warning("a name will not be held over a restart: %s", error)

    async def forget(self, client: int) -> None:
        """Free the name of a client that is not here any more; not where the house closes, since it may come back to the next one."""
        if self._house.is_closing or self._house.by_client(client) is not None:
            return
        if self._kept.pop(client, None) is None:
            return
        try:
            await self._storage.delete(_key(client))
        except StorageError as error:
            logger.warning("a name will be held over a restart for nobody: %s", error)


def _key(client: int) -> str:
    return f"{NAME_KEYS}{client:016x}"
