"""What was said: the rooms' lines in the topics of the server, each stored before anybody is told, and told in the one order of the topics.

``say`` and a member's client publish. Members read the topics of their rooms themselves, from the ``beginning`` that they are told; one reader of
all rooms tells guests and the operator what comes. What is kept besides is which rooms there are.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

import landline
from landline.apps.chat import wire, words
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.people import Person
from landline.apps.chat.topics import ROOMS, room_of, said_room, topic_of
from landline.apps.chat.words import SENTENCES
from landline.errors import StorageClosed, StorageError
from landline.storage import DAMAGED, HISTORY_REPLACED, Gap, Page, Position, Storage

logger = logging.getLogger("landline.apps.chat")

ROOM_KEYS: Final = "chat.room."
"""A value under this and the room's name says that something was said in the room."""
_READ_AGAIN: Final = 1.0
"""Seconds after which the rooms are read again when the store could not be."""
Tell = Callable[[str, wire.Line, Person | None], int]
"""Tells a room a line, all but this person; returns how many others it went to."""


class Beginning(NamedTuple):
    """Where somebody begins to read a room, as ``wire.Joined`` says it."""

    after: wire.Seen
    until: int
    missing: str


class Recent(NamedTuple):
    """What whoever joins a room is told of what was said there."""

    lines: list[wire.Line]
    missing: str
    """Why some among them cannot be told."""


class _Saying(NamedTuple):
    """A line of the server's own on its way to the disk and to the people."""

    speaker: Person
    told: asyncio.Future[int]


class History:
    """The lines of all rooms.

    Args:
        server: has the topics of the rooms.
        storage: the server's, open.
        tell: called for each line once it is stored.
        limits: see there.
        clock: the wall clock in seconds since 1970, for people to read.

    Attributes:
        rooms: the names of the rooms in which something was said, each with the offset of its last line. Whoever takes one out has
            it forgotten by the next ``refresh``; its lines stay until they expire.
        told: up to where everything is told that is stored.
    """

    def __init__(
        self,
        server: landline.Server,
        storage: Storage,
        tell: Tell,
        limits: ChatLimits,
        clock: Callable[[], float],
    ) -> None:
        self.rooms: dict[str, int] = {}
        self.told = Position("", 0)
        self._server = server
        self._storage = storage
        self._tell = tell
        self._limits = limits
        self._clock = clock
        self._sayings: dict[int, _Saying] = {}
        self._saying: set[asyncio.Task[int]] = set()
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read what an earlier life left: which rooms there are. What is said from here on is told once it is ``start``ed."""
        self.told = await self._storage.head()
        names = await self._names()
        last = {name: await self._last(name) for name in names}
        # An earlier life may have ended before it forgot rooms that had given way to others: those with the latest lines are kept.
        latest = sorted((name for name in names if last[name]), key=last.__getitem__)[-self._limits.rooms :]
        self.rooms.update((name, last[name]) for name in latest)
        for name in names:
            if name not in self.rooms:
                await self._storage.delete(ROOM_KEYS + name)

    def start(self) -> None:
        """Tell what is said, now that the server listens."""
        self._reading = asyncio.create_task(self._read(), name="telling what is said")

    async def refresh(self) -> None:
        """Forget the rooms of which no line is left, and those that were taken out of ``rooms``.

        Raises:
            StorageError: the storage failed; some may not be forgotten yet.
        """
        for name in await self._names():
            if name in self.rooms and not await self._last(name):
                # A line that is on its way may have thought the room known. From here on every line makes it known anew...
                self.rooms.pop(name, None)
                if last := await self._last(name):
                    self.rooms[name] = max(last, self.rooms.get(name, 0))
            # ... and nothing may wait between this look and the deletion, which is then stored before any such line.
            if name not in self.rooms:
                await self._storage.delete(ROOM_KEYS + name)

    async def _names(self) -> list[str]:
        names: list[str] = []
        after = ""
        while values := await self._storage.scan(ROOM_KEYS, after=after):
            after = values[-1].key
            names += [value.key.removeprefix(ROOM_KEYS) for value in values]
        return names

    async def _last(self, room: str, to: Position | None = None) -> int:
        """Return the offset of a room's last line, up to a position, or 0; one that is damaged counts, since it is told as missing."""
        places = _places(await self._storage.last(topic_of(room), 1, to=to))
        return places[-1].offset if places else 0

    async def close(self) -> None:
        """Tell nothing more, now that the server does not listen any more: everything said is stored."""
        if self._reading is None:
            return
        while self._saying and not self._reading.done():
            await asyncio.wait([*self._saying, self._reading], return_when=asyncio.FIRST_COMPLETED)
        ending = [*self._saying, self._reading]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    # Saying...

    async def admit(self, room: str, name: str, text: str, id: int) -> bytes:
        """Return a line as the room's topic is to keep it; the room is known from here on.

        Raises:
            StorageError: the room could not be made known.
        """
        if room not in self.rooms:
            # Before its first line, so that a restart knows the room of every line there is.
            await self._storage.put(ROOM_KEYS + room, b"")
        return wire.encode(wire.Kept(self._clock(), name, text, id, said_room(room)))

    async def say(self, room: str, speaker: Person, text: str) -> int:
        """Store a line of somebody who has no client of ours, and tell it; return how many others it went to.

        Cancelled, it is stored and told all the same.

        Raises:
            StorageError, PublishFailed: it could not be stored, and nobody was told.
            PublishUnknown: nobody knows.
        """
        task = asyncio.create_task(self._say(room, speaker, text), name=f"storing a line in {room}")
        self._saying.add(task)
        task.add_done_callback(self._said)
        return await asyncio.shield(task)

    def _said(self, task: asyncio.Task[int]) -> None:
        self._saying.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a line could not be stored: %s", error)

    async def _say(self, room: str, speaker: Person, text: str) -> int:
        id = secrets.randbits(63) or 1
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._sayings[id] = _Saying(speaker, told)
        try:
            kept = await self.admit(room, speaker.name, text, id)
            await self._server.publish(topic_of(room), kept)
            return await told
        finally:
            self._sayings.pop(id, None)

    # ... telling ...

    async def _read(self) -> None:
        while True:
            try:
                async for item in self._server.subscribe(ROOMS, self.told):
                    if isinstance(item, Gap):
                        logger.error("lines of %s were not told: %s", item.topic, item.reason)
                        self.told = item.to
                    else:
                        await self._heard(item)
            except StorageClosed:
                return
            except StorageError as error:
                logger.warning("what is said cannot be read: %s", error)
            await asyncio.sleep(_READ_AGAIN)

    async def _heard(self, publication: landline.Publication) -> None:
        offset = publication.position.offset
        try:
            kept = wire.decode_kept(publication.data)
        except ValueError:
            logger.warning("publication %d is no line of a chat; it is left out", offset)
            self.told = publication.position
            return
        room = room_of(publication.topic, kept.room)
        if room not in self.rooms:
            await self._known(room)
        self.rooms[room] = offset
        saying = self._sayings.get(kept.id)
        # Between this and the telling nothing may wait: whoever is about to listen looks at it to know what they were told.
        self.told = publication.position
        heard = 0
        try:
            heard = self._tell(room, kept.line(offset), None if saying is None else saying.speaker)
        except Exception:
            # It is stored, so those who join will find it; the lines behind it, and whoever said it, must not wait for ever.
            logger.exception("a line in %s could not be told to everybody", room)
        if saying is not None and not saying.told.done():
            saying.told.set_result(heard)

    async def _known(self, room: str) -> None:
        """Its first line is told: put again what may have been forgotten while that was on the way."""
        try:
            await self._storage.put(ROOM_KEYS + room, b"")
        except StorageError as error:
            logger.warning("the room %s may not be known after a restart: %s", room, error)

    # ... and looking back.

    async def recent(self, room: str, count: int, to: Position) -> Recent:
        """Return the last lines of a room up to a position."""
        if count < 1:
            return Recent([], "")
        page = await self._server.last(topic_of(room), count, to=to)
        is_damaged = any(gap.reason == DAMAGED for gap in page.gaps)
        return Recent(_lines(page), SENTENCES[DAMAGED] if is_damaged else "")

    async def earlier(self, request: wire.Earlier, room: str) -> wire.EarlierLines:
        """Return the lines of a room that somebody who is in it looks back at.

        Raises:
            StorageError: it cannot be read.
        """
        count = min(request.limit, self._limits.earlier)  # a page has one line at the least
        told = self.told
        to = Position(told.epoch, max(0, min(request.before - 1, told.offset)))
        page = await self._server.last(topic_of(room), count, to=to)
        missing = words.missing(page.gaps[0].reason) if page.gaps else ""
        return wire.EarlierLines(request.id, room, _lines(page), page.after.offset, not page.more, missing)

    async def beginning(self, room: str, seen: wire.Seen | None) -> Beginning:
        """Return where somebody is to begin to read a room.

        Raises:
            StorageError: it cannot be read.
        """
        topic, to, missing = topic_of(room), self.told, ""
        if seen is not None:
            page = await self._server.read(topic, Position(seen.epoch, seen.offset), limit=1, to=to)
            if not any(_starts_over(gap) for gap in page.gaps):
                end = await self._last(room, to)
                # What was read holds no line where the first after it is damaged.
                return Beginning(seen, end if page.publications or end > page.end.offset else 0, "")
            missing = SENTENCES[HISTORY_REPLACED]
        count = self._limits.history
        places = _places(await self._server.last(topic, count, to=to)) if count else []
        if not places:
            return Beginning(wire.Seen(to.epoch, to.offset), 0, missing)
        first, last = places[0], places[-1]
        return Beginning(wire.Seen(first.epoch, first.offset - 1), last.offset, missing)


def _lines(page: Page) -> list[wire.Line]:
    lines: list[wire.Line] = []
    for publication in page.publications:
        try:
            kept = wire.decode_kept(publication.data)
        except ValueError:
            logger.warning("publication %d is no line of a chat; it is left out", publication.position.offset)
        else:
            lines.append(kept.line(publication.position.offset))
    return lines


def _places(page: Page) -> list[Position]:
    """Return where the lines of a page are, those that are damaged included."""
    damaged = [gap.to for gap in page.gaps if gap.reason == DAMAGED]
    lines = [publication.position for publication in page.publications]
    return sorted(damaged + lines, key=lambda place: place.offset)


def _starts_over(gap: Gap) -> bool:
    return gap.reason == HISTORY_REPLACED and gap.to.offset == 0
