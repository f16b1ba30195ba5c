"""What was said: the rooms' lines in the storage, each stored before anybody is told, and told in one order for all.

Lines are written as they come, many at once; the store gives them their offsets in that order, and they are told in the order of their
offsets even where one of them is done sooner than the one before. A line that its sender repeats is not stored again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.people import Person
from landline.errors import StorageError
from landline.storage import (
    EXPIRED,
    HISTORY_REPLACED,
    Append,
    Change,
    Gap,
    Page,
    Position,
    Put,
    Storage,
)

logger = logging.getLogger("landline.apps.chat")

ROOM_KEYS: Final = "chat.room."
"""A value under this and the room's name says that something was said in the room."""
_LONGEST_TOKEN: Final = 200
_MISSING: Final = {
    EXPIRED: "Older lines than these are no longer kept.",
    HISTORY_REPLACED: "This server's history is not the one that you knew, so what was missed cannot be told.",
}

Tell = Callable[[str, wire.Line, Person], int]
"""Tells a room a line and who said it; returns how many others it went to."""


class Stored(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line as it is kept; its place is its publication's."""

    at: float
    name: str
    text: str
    client: int = 0
    id: int = 0


class Chunk(NamedTuple):
    """Some lines of a room's past."""

    lines: list[wire.Line]
    missing: str
    """Why lines before these cannot be told; empty when they all can."""
    end: Position
    """Up to where everything of the room is in this chunk and those before."""
    more: bool
    """Whether there are more up to where was asked."""


@dataclass(slots=True, eq=False)
class _Saying:
    """A line on its way to the disk and to the people."""

    room: str
    stored: Stored
    speaker: Person
    done: asyncio.Future[int]
    position: Position | None = None
    error: Exception | None = None


@dataclass(slots=True)
class History:
    """The lines of all rooms.

    Args:
        storage: an open one.
        tell: called for each line once it is stored.
        limits: see there.
        clock: the wall clock in seconds since 1970, for people to read.

    Attributes:
        rooms: the names of the rooms in which something was said, each with the offset of its last line. Whoever takes one out has
            it forgotten by the next ``refresh``; its lines stay until they expire.
    """

    storage: Storage
    tell: Tell
    limits: ChatLimits
    clock: Callable[[], float]
    rooms: dict[str, int] = field(default_factory=dict)
    _told: int = 0
    _sayings: deque[_Saying] = field(default_factory=deque)
    _writing: set[asyncio.Task[None]] = field(default_factory=set)
    _known: OrderedDict[tuple[int, int], asyncio.Future[int] | None] = field(default_factory=OrderedDict)

    async def open(self) -> None:
        """Read what an earlier life left: which rooms there are, and which lines were said last."""
        self._told = (await self.storage.head()).offset
        names = await self._names()
        last = {name: await self._last(name) for name in names}
        # An earlier life may have ended before it forgot rooms that had given way to others: those with the latest lines are kept.
        latest = sorted((name for name in names if last[name]), key=last.__getitem__)[-self.limits.rooms :]
        self.rooms.update((name, last[name]) for name in latest)
        for name in names:
            if name not in self.rooms:
                await self.storage.delete(ROOM_KEYS + name)
        for publication in (await self.storage.last("room.*", self.limits.repeats_read)).publications:
            line = _line(publication.data, 0)
            if line is not None and line.client:
                self._remember((line.client, line.id), None)

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
            if name not in self.rooms and not any(saying.room == name for saying in self._sayings):
                await self.storage.delete(ROOM_KEYS + name)

    async def _names(self) -> list[str]:
        names: list[str] = []
        after = ""
        while values := await self.storage.scan(ROOM_KEYS, after=after):
            after = values[-1].key
            names += [value.key.removeprefix(ROOM_KEYS) for value in values]
        return names

    async def _last(self, room: str) -> int:
        """Return the offset of a room's last line, or 0."""
        publications = (await self.storage.last(topic(room), 1)).publications
        return publications[-1].position.offset if publications else 0

    async def close(self) -> None:
        """Wait until everything said is stored and told."""
        while self._writing:
            await asyncio.wait(self._writing)

    # Saying...

    async def say(self, room: str, speaker: Person, text: str, id: int = 0) -> int | None:
        """Store a line and tell it; return how many others it went to, or None when it was said before.

        Cancelled, it is stored and told all the same.

        Raises:
            StorageError: it could not be stored, and nobody was told.
        """
        key = (speaker.client, id)
        if all(key) and key in self._known:
            before = self._known[key]
            if before is not None:
                await asyncio.shield(before)
            return None
        stored = Stored(self.clock(), speaker.name, text, speaker.client, id)
        saying = _Saying(room, stored, speaker, asyncio.get_running_loop().create_future())
        self._sayings.append(saying)
        if all(key):
            self._remember(key, saying.done)
        task = asyncio.create_task(self._store(saying), name=f"storing a line in {room}")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return await asyncio.shield(saying.done)

    async def _store(self, saying: _Saying) -> None:
        changes: list[Change] = [Append(topic(saying.room), msgspec.msgpack.encode(saying.stored))]
        if saying.room not in self.rooms:
            changes.append(Put(ROOM_KEYS + saying.room, b""))
        try:
            (saying.position,) = await self.storage.write(changes)
            self.rooms[saying.room] = max(saying.position.offset, self.rooms.get(saying.room, 0))
        except asyncio.CancelledError:
            saying.error = StorageError("the server ended while it was being stored")
            raise
        except Exception as error:  # noqa: BLE001 - whoever said it is told
            saying.error = error
        finally:
            self._tell_in_order()

    def _tell_in_order(self) -> None:
        while self._sayings and (self._sayings[0].position or self._sayings[0].error):
            saying = self._sayings.popleft()
            if saying.position is None:
                self._known.pop((saying.stored.client, saying.stored.id), None)
                logger.error("a line in %s could not be stored: %s", saying.room, saying.error)
                saying.done.set_exception(saying.error or StorageError("it was not stored"))
                continue
            self._told = saying.position.offset
            line = wire.Line(saying.position.offset, *msgspec.structs.astuple(saying.stored))
            try:
                heard = self.tell(saying.room, line, saying.speaker)
            except Exception:
                # It is stored, so those who join will find it; the lines behind it, and whoever said it, must not wait for ever.
                logger.exception("a line in %s could not be told to everybody", saying.room)
                heard = 0
            saying.done.set_result(heard)

    def _remember(self, key: tuple[int, int], done: asyncio.Future[int] | None) -> None:
        self._known[key] = done
        if len(self._known) > self.limits.repeats:
            self._known.popitem(last=False)

    # ... and looking back.

    @property
    def told(self) -> Position:
        """Up to where everything is told that is stored."""
        return Position(self.storage.epoch, self._told)

    async def recent(self, room: str, count: int, to: Position) -> Chunk:
        """Return the last lines of a room up to a position."""
        if count < 1:
            return Chunk([], "", to, False)
        page = await self.storage.last(topic(room), count, to=to)
        return Chunk(_lines(page), "", to, False)

    async def after(self, room: str, seen: wire.Seen, to: Position) -> Chunk:
        """Return lines of a room after what was seen, up to a position.

        When the history is another one than what was seen is of, these are the last few lines.
        """
        page = await self.storage.read(
            topic(room), Position(seen.epoch, seen.offset), limit=self.limits.page, to=to
        )
        if any(_starts_over(gap) for gap in page.gaps):
            chunk = await self.recent(room, self.limits.history, to)
            return chunk._replace(missing=_MISSING[HISTORY_REPLACED])
        missing = " ".join(dict.fromkeys(_MISSING.get(gap.reason, _damaged(gap)) for gap in page.gaps))
        return Chunk(_lines(page), missing, page.end, page.more)

    async def pages(self, room: str, seen: wire.Seen | None, to: Position) -> AsyncIterator[Chunk]:
        """Yield what there is of a room: everything after what was seen, or the last few lines for somebody new."""
        if seen is None:
            yield await self.recent(room, self.limits.history, to)
            return
        more = True
        while more:
            chunk = await self.after(room, seen, to)
            yield chunk
            more, seen = chunk.more, wire.Seen(chunk.end.epoch, chunk.end.offset)


def topic(room: str) -> str:
    """Return the topic that keeps a room's lines: one token, whatever the room's name."""
    token = room.replace(".", "%")  # no name has a % or a =
    if len(token.encode()) > _LONGEST_TOKEN:
        token = "=" + hashlib.sha256(room.encode()).hexdigest()
    return f"room.{token}"


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
    lines = (_line(publication.data, publication.position.offset) for publication in page.publications)
    return [line for line in lines if line is not None]


def _line(data: bytes, offset: int) -> wire.Line | None:
    try:
        stored = msgspec.msgpack.decode(data, type=Stored)
    except msgspec.DecodeError:
        logger.warning("publication %d is no line of a chat; it is left out", offset)
        return None
    return wire.Line(offset, *msgspec.structs.astuple(stored))


def _starts_over(gap: Gap) -> bool:
    return gap.reason == HISTORY_REPLACED and gap.to.offset == 0


def _damaged(gap: Gap) -> str:
    return f"Some lines in between cannot be told: {gap.reason}."
