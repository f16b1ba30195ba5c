"""The chat on the event loop: the house with its history, as members, guests and the operator use it."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Final

import landline
from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server import calls
from landline.apps.chat.server.absences import Absences
from landline.apps.chat.server.history import History, Recent
from landline.apps.chat.server.house import House
from landline.apps.chat.server.people import Listener, Person, Refusal
from landline.errors import StorageError
from landline.hits import Hits
from landline.storage import Storage

logger = logging.getLogger("landline.apps.chat")

MEMBERS: Final = "chat.members"
"""The group of those who are in the chat by a session; they are shown to others under their names, and nobody else joins or watches it."""


class Speaker(Person):
    """Somebody whose client says lines, over a session."""

    @abstractmethod
    async def vet(self, topic: str, say: wire.Say) -> bytes:
        """Return what to keep of a line that their client published, when it is its turn.

        Raises:
            Refusal: they may not say it.
            StorageError: it cannot be kept.
        """

    @abstractmethod
    async def receive_file(
        self, offer: landline.FileOffer, file: int, watch: Callable[[landline.Progress], object]
    ) -> None:
        """Have their client receive what another one sends.

        Raises:
            TransferError: it did not come through.
        """


class Chat:
    """The house with its history.

    Args:
        server: has the topics of the rooms, and the group of ``MEMBERS``; a ``vet`` of theirs is ``vet``, and its ``authorize`` is ``may``.
        storage: the server's, open; it is not closed here.
        limits: see there.
        clock: the wall clock in seconds since 1970, for people to read.
        farewell: what everybody is told when the server closes.
        window: seconds for which a name is held for whoever has not come back since the server was started again.

    Attributes:
        farewell: see there.
        absences: holds these.
        hits: how often people hit which limit of the chat.
        speakers: who vets the lines of which session, by its id: who it is.
    """

    def __init__(
        self,
        server: landline.Server,
        storage: Storage,
        limits: ChatLimits | None = None,
        clock: Callable[[], float] = time.time,
        *,
        farewell: str = "",
        window: float = 0.0,
    ) -> None:
        self.farewell = farewell
        self.limits = limits or ChatLimits()
        self.history = History(server, storage, self._tell, self.limits, clock)
        self.speakers: dict[str, Speaker] = {}
        self._loop = asyncio.get_running_loop()
        self.house = House(self.limits, self.history.rooms, self._loop.time, self._left)
        self.absences = Absences(storage, self.house, window)
        self.hits = Hits(logger, self._loop.time)
        self._server = server
        self._storage = storage
        self._running: list[asyncio.Task[None]] = []
        self._expiry: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Learn what was said before, and who may come back; the server need not listen yet."""
        await self.history.open()
        await self.absences.open()

    def start(self) -> None:
        """Tell what is said, and whose line is down, now that the server listens."""
        self.history.start()
        self._running = [
            asyncio.create_task(self._watch(), name="watching who is here"),
            asyncio.create_task(self.absences.run(), name="waiting for who may come back"),
        ]

    async def close(self) -> None:
        """Tell nothing more: the server does not listen any more."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._expiry is not None:
            self._expiry.cancel()
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

    def join(self, session: landline.Session) -> None:
        """Somebody is in by this session: others see whether its line is up, for as long as it lives.

        Raises:
            Refusal: there are too many.
        """
        try:
            self._server.join(session, MEMBERS)
        except landline.NotAllowed as error:
            raise Refusal(f"The chat is full: {error}. Please try again later.") from None

    async def _watch(self) -> None:
        async for change in self._server.watch(MEMBERS):
            # Who came and lost the line in one breath has joined so.
            if isinstance(change, landline.Joined | landline.Updated):
                speaker = self.speakers.get(change.member.session)
                if speaker is not None:
                    self.house.set_away(speaker, not change.member.is_here)

    def may(self, principal: str, verb: str, topic: str) -> bool:
        """Say whether a client may do this: read the topic of a room that it is in, send a file that somebody waits for.

        What it says is looked at by ``vet``, who enters by ``authenticate``.
        """
        if verb == "send":
            return self.house.files.awaits(client_of(principal), topic)
        return verb != "subscribe" or self.house.may_read(client_of(principal), topic)

    def _left(self, person: Person) -> None:
        if person.client:
            self._server.reauthorize(principal_of(person.client))

    async def vet(self, session: landline.Session, topic: str, data: object) -> bytes:
        """Return what to keep of a line that a client published.

        Raises:
            NotAllowed: nothing, and why, as a sentence.
        """
        speaker = self.speakers.get(session.id)
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

    def offer_file(self, person: Person, offer: wire.OfferFile) -> None:
        """Offer a file for a while.

        Raises:
            Refusal: there is a reason why not.
        """
        self.house.offer_file(person, offer)
        self._arm_expiry()

    def _arm_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        at = self.house.files.next_end
        self._expiry = None if at is None else self._loop.call_at(at, self._expire)

    def _expire(self) -> None:
        # None where the loop counts in milliseconds, and fired early.
        for _ in range(self.house.files.expire()):
            self.hits.add("chat.file_stands", "session", "a file was offered for long enough")
        self._arm_expiry()

    def hit(self, person: Person, limit: str, what: str) -> None:
        """Count that somebody hit a limit; nothing when ``limit`` names none."""
        if limit:
            self.hits.add(limit, person.kind, what)

    def _rung_out(self, person: Person, call: calls.Call) -> None:
        if calls.unanswered(call):
            self.hit(person, "chat.ring_timeout", "a call was not answered")

    async def recent(self, person: Listener, room_name: str) -> Recent:
        """Return the last lines of a room that the person just joined; what is said after them they are told."""
        room = person.rooms[room_name]
        while True:
            to = self.history.told
            try:
                recent = await self.history.recent(room.name, self.limits.recent, to)
            except StorageError:
                recent = Recent([], "")
            else:
                if room.last > to.offset:
                    continue
            self.house.rooms.listen(person, room)
            return recent

    def _tell(self, room_name: str, line: wire.Line, speaker: Person | None) -> int:
        room = self.house.rooms.get(room_name)
        return room.said(line, speaker) if room is not None else 0


def principal_of(client: int) -> str:
    """Return who a session of a client is."""
    return str(client)


def client_of(principal: str) -> int:
    """Return the number of a session's client."""
    return int(principal)
