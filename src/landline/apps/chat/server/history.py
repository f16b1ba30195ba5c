"""What was said: the rooms' lines in the topics of the server, each stored before anybody is told, and told in the one order of the topics.

``say`` and a member's client publish; one reader of all rooms tells what comes. What is kept besides is which rooms there are.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

import landline
from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.people import Person
from landline.errors import StorageClosed, StorageError
from landline.storage import EXPIRED, HISTORY_REPLACED, Gap, Page, Position, Storage

logger = logging.getLogger("landline.apps.chat")

ROOM_KEYS: Final = "chat.room."
"""A value under this and the room's name says that something was said in the room."""
_READ_AGAIN: Final = 1.0
"""Seconds after which the rooms are read again when the store could not be."""
_MISSING: Final = {
    EXPIRED: "Older lines than these are no longer kept.",
    HISTORY_REPLACED: "This server's history is not the one that you knew, so what was missed cannot be told.",
}

Tell = Callable[[str, wire.Line, Person | None], int]
"""Tells a room a line, all but this person; returns how many others it went to."""


class Chunk(NamedTuple):
    """Some lines of a room's past."""

    lines: list[wire.Line]
    missing: str
    """Why lines before these cannot be told; empty when they all can."""
    end: Position
    """Up to where everything of the room is in this chunk and those before."""
    more: bool
    """Whether there are more up to where was asked."""


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

    async def _last(self, room: str) -> int:
        """Return the offset of a room's last line, or 0."""
        publications = (await self._storage.last(wire.topic(room), 1)).publications
        return publications[-1].position.offset if publications else 0

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
        return wire.encode(wire.Kept(self._clock(), name, text, id, wire.kept_as(room)))

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
            await self._server.publish(wire.topic(room), kept)
            return await told
        finally:
            self._sayings.pop(id, None)

    # ... telling ...

    async def _read(self) -> None:
        while True:
            try:
                async for item in self._server.subscribe(wire.ROOMS, self.told):
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
        room = wire.room_of(publication.topic, kept)
        if room not in self.rooms:
            await self._known(room)
        self.rooms[room] = offset
        saying = self._sayings.get(kept.id)
        # Between this and the telling nothing may wait: who catches up looks at it to know whether they have.
        self.told = publication.position
        heard = 0
        try:
            heard = self._tell(room, _line(kept, offset), None if saying is None else saying.speaker)
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

    async def recent(self, room: str, count: int, to: Position) -> Chunk:
        """Return the last lines of a room up to a position."""
        if count < 1:
            return Chunk([], "", to, False)
        page = await self._server.last(wire.topic(room), count, to=to)
        return Chunk(_lines(page), "", to, False)

    async def after(self, room: str, seen: wire.Seen, to: Position) -> Chunk:
        """Return lines of a room after what was seen, up to a position.

        When the history is another one than what was seen is of, these are the last few lines.
        """
        page = await self._server.read(
            wire.topic(room), Position(seen.epoch, seen.offset), limit=self._limits.page, to=to
        )
        if any(_starts_over(gap) for gap in page.gaps):
            chunk = await self.recent(room, self._limits.history, to)
            return chunk._replace(missing=_MISSING[HISTORY_REPLACED])
        missing = " ".join(dict.fromkeys(_MISSING.get(gap.reason, _damaged(gap)) for gap in page.gaps))
        return Chunk(_lines(page), missing, page.end, page.more)

    async def pages(self, room: str, seen: wire.Seen | None, to: Position) -> AsyncIterator[Chunk]:
        """Yield what there is of a room: everything after what was seen, or the last few lines for somebody new."""
        if seen is None:
            yield await self.recent(room, self._limits.history, to)
            return
        more = True
        while more:
            chunk = await self.after(room, seen, to)
            yield chunk
            more, seen = chunk.more, wire.Seen(chunk.end.epoch, chunk.end.offset)


def by_size(lines: list[wire.Line], limit: int) -> list[list[wire.Line]]:
    """Return the lines in parts whose texts are within ``limit`` bytes each; one part, empty, for no lines."""
    parts: list[list[wire.Line]] = [[]]
    size = 0
    for line in lines:
        size += len(line.text.encode()) + 200  # the rest of a line is shorter than that
        if size > limit and parts[-1]:
            parts.append([])
            size = len(line.text.encode()) + 200
        parts[-1].append(line)
    return parts


def _lines(page: Page) -> list[wire.Line]:
    lines: list[wire.Line] = []
    for publication in page.publications:
        try:
            kept = wire.decode_kept(publication.data)
        except ValueError:
            logger.warning("publication %d is no line of a chat; it is left out", publication.position.offset)
        else:
            lines.append(_line(kept, publication.position.offset))
    return lines


def _line(kept: wire.Kept, offset: int) -> wire.Line:
    return wire.Line(offset, kept.at, kept.name, kept.text, kept.id)


def _starts_over(gap: Gap) -> bool:
    return gap.reason == HISTORY_REPLACED and gap.to.offset == 0


def _damaged(gap: Gap) -> str:
    return f"Some lines in between cannot be told: {gap.reason}."
