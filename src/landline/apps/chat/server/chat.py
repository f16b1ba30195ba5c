"""The chat on the event loop: the house with its history, as members, guests and the operator use it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server import calls
from landline.apps.chat.server.history import History
from landline.apps.chat.server.house import House
from landline.apps.chat.server.people import Person, Refusal
from landline.errors import StorageError
from landline.hits import Hits
from landline.storage import Storage

logger = logging.getLogger("landline.apps.chat")


class Chat:
    """The house with its history.

    Args:
        storage: an open one; it is not closed here.
        limits: see there.
        clock: the wall clock in seconds since 1970, for people to read.
        farewell: what everybody is told when the server closes.

    Attributes:
        farewell: see there.
        hits: how often people hit which limit of the chat.
    """

    def __init__(
        self,
        storage: Storage,
        limits: ChatLimits | None = None,
        clock: Callable[[], float] = time.time,
        *,
        farewell: str = "",
    ) -> None:
        self.farewell = farewell
        self.limits = limits or ChatLimits()
        self.history = History(storage, self._tell, self.limits, clock)
        self._loop = asyncio.get_running_loop()
        self.house = House(self.limits, self.history.rooms, self._loop.time)
        self.hits = Hits(logger, self._loop.time)
        self._storage = storage

    async def open(self) -> None:
        """Learn what was said before."""
        await self.history.open()

    async def close(self) -> None:
        """Wait until everything said is stored."""
        await self.history.close()
        self.hits.close()

    async def trim(self) -> None:
        """Remove what is too old to keep, and forget the rooms of which nothing is left.

        Raises:
            StorageError: it could not be removed.
        """
        await self._storage.trim()
        await self.history.refresh()

    async def say(self, person: Person, room: str, text: str, id: int = 0) -> int | None:
        """Store a line and tell the room; return how many others it went to, or None when it was said before.

        Raises:
            Refusal: they may not, or it could not be stored; nobody was told.
        """
        name, line = self.house.may_say(person, room, text)
        try:
            return await self.history.say(name, person, line, id)
        except StorageError as error:
            raise Refusal(f"That could not be kept, so nobody saw it: {error}") from None

    def ring(self, person: Person, to: str) -> None:
        """Ring somebody for a while, or accept when they are ringing.

        Raises:
            Refusal: there is a reason why not.
        """
        call = self.house.ring(person, to)
        if call is not None:
            self._loop.call_later(self.limits.ring_timeout, self._rung_out, person, call)

    def hit(self, person: Person, limit: str, what: str) -> None:
        """Count that somebody hit a limit; nothing when ``limit`` names none."""
        if limit:
            self.hits.add(limit, person.kind, what)

    def _rung_out(self, person: Person, call: calls.Call) -> None:
        if calls.unanswered(call):
            self.hit(person, "chat.ring_timeout", "a call was not answered")

    async def recent(self, person: Person, room_name: str) -> list[wire.Line]:
        """Return the last lines of a room that the person just joined; what is said after them they are told."""
        room = person.rooms[room_name]
        while True:
            to = self.history.told
            try:
                lines = (await self.history.recent(room.name, self.limits.recent, to)).lines
            except StorageError:
                lines = []
            else:
                if room.last > to.offset:
                    continue
            self.house.rooms.caught_up(person, room)
            return lines

    def _tell(self, room_name: str, line: wire.Line, speaker: Person) -> int:
        room = self.house.rooms.get(room_name)
        return room.said(line, speaker) if room is not None else 0
