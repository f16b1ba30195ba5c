"""The chat on the event loop: the house with its history, as members, guests and the operator use it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

import landline
from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server import calls
from landline.apps.chat.server.history import History
from landline.apps.chat.server.house import House
from landline.apps.chat.server.people import Listener, Person, Refusal
from landline.errors import StorageError
from landline.hits import Hits
from landline.storage import Storage

logger = logging.getLogger("landline.apps.chat")


class Speaker(Protocol):
    """Somebody whose client says lines."""

    async def vet(self, topic: str, say: wire.Say) -> bytes:
        """Return what to keep of a line that their client published, when it is its turn.

        Raises:
            Refusal: they may not say it.
            StorageError: it cannot be kept.
        """


class Chat:
    """The house with its history.

    Args:
        server: has the topics of the rooms; a ``vet`` of theirs is ``vet``, and its ``authorize`` is ``may``.
        storage: the server's, open; it is not closed here.
        limits: see there.
        clock: the wall clock in seconds since 1970, for people to read.
        farewell: what everybody is told when the server closes.

    Attributes:
        farewell: see there.
        hits: how often people hit which limit of the chat.
        speakers: who vets the lines of which session: who it is.
    """

    def __init__(
        self,
        server: landline.Server,
        storage: Storage,
        limits: ChatLimits | None = None,
        clock: Callable[[], float] = time.time,
        *,
        farewell: str = "",
    ) -> None:
        self.farewell = farewell
        self.limits = limits or ChatLimits()
        self.history = History(server, storage, self._tell, self.limits, clock)
        self.speakers: dict[landline.Session, Speaker] = {}
        self._loop = asyncio.get_running_loop()
        self.house = House(self.limits, self.history.rooms, self._loop.time, self._left)
        self.hits = Hits(logger, self._loop.time)
        self._server = server
        self._storage = storage

    async def open(self) -> None:
        """Learn what was said before; the server need not listen yet."""
        await self.history.open()

    def start(self) -> None:
        """Tell what is said, now that the server listens."""
        self.history.start()

    async def close(self) -> None:
        """Tell nothing more: the server does not listen any more."""
        await self.history.close()
        self.hits.close()

    async def trim(self) -> None:
        """Remove what is too old to keep, and forget the rooms of which nothing is left.

        Raises:
            StorageError: it could not be removed.
        """
        await self._storage.trim()
        await self.history.refresh()

    async def say(self, person: Person, room: str, text: str) -> int:
        """Store a line of somebody without a client of ours and tell the room; return how many others it went to.

        Raises:
            Refusal: they may not, or it could not be stored; nobody was told.
        """
        name, line = self.house.may_say(person, room, text)
        try:
            return await self.history.say(name, person, line)
        except (StorageError, landline.PublishFailed) as error:
            raise Refusal(f"That could not be kept, so nobody saw it: {error}") from None
        except landline.PublishUnknown as error:
            raise Refusal(f"Nobody can tell whether that is kept: {error}") from None

    def may(self, principal: str, verb: str, topic: str) -> bool:
        """Say whether a client may do this with a topic: read a room that it is in. What it says is looked at by ``vet``."""
        return verb == "publish" or self.house.may_read(client_of(principal), topic)

    def _left(self, person: Person) -> None:
        if person.client:
            self._server.reauthorize(principal_of(person.client))

    async def vet(self, session: landline.Session, topic: str, data: object) -> bytes:
        """Return what to keep of a line that a client published.

        Raises:
            NotAllowed: nothing, and why, as a sentence.
        """
        speaker = self.speakers.get(session)
        if speaker is None:  # it ends just now, and nobody will hear why
            raise landline.NotAllowed("You have left the chat.")
        try:
            say = wire.decode_say(data)
        except ValueError as error:
            raise landline.NotAllowed(f"That was not understood: {error}.") from None
        try:
            return await speaker.vet(topic, say)
        except Refusal as refusal:
            raise landline.NotAllowed(str(refusal)) from None
        except StorageError as error:
            raise landline.NotAllowed(f"That could not be kept, so nobody saw it: {error}") from None

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

    async def recent(self, person: Listener, room_name: str) -> list[wire.Line]:
        """Return the last lines of a room that the person just joined; what is said after them they are told."""
        room = person.rooms[room_name]
        while True:
            to = self.history.told
            try:
                lines = await self.history.recent(room.name, self.limits.recent, to)
            except StorageError:
                lines = []
            else:
                if room.last > to.offset:
                    continue
            self.house.rooms.listen(person, room)
            return lines

    def _tell(self, room_name: str, line: wire.Line, speaker: Person | None) -> int:
        room = self.house.rooms.get(room_name)
        return room.said(line, speaker) if room is not None else 0


def principal_of(credentials: object) -> str:
    """Return who a session is: the client whose number it shows, or nobody in particular, who will not be let in."""
    is_number = (
        isinstance(credentials, int) and not isinstance(credentials, bool) and 0 < credentials < 1 << 63
    )
    return str(credentials) if is_number else ""


def client_of(principal: str) -> int:
    """Return the number of a session's client; 0 for nobody in particular."""
    return int(principal or 0)
