"""A client of the chat without a screen, for conversations with a server."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from typing import Any

import landline
from landline.apps.chat import wire
from landline.apps.chat.topics import topic_of
from tests.apps.chat.reading import History, Said


class Visitor:
    """A client without a screen: it says requests, takes answers one at a time, and reads the rooms that it is told that it is in."""

    def __init__(self, session: landline.Session, client: int) -> None:
        self.session = session
        self.client = client
        self.sayings: set[asyncio.Task[int]] = set()
        self.put_out: dict[str, landline.NotAllowed] = {}
        self._ids = itertools.count(1)
        self._rooms: dict[str, landline.Subscription] = {}
        self._before: dict[str, tuple[int, list[wire.Line], str]] = {}
        self._asking: dict[str, asyncio.Task[Any]] = {}
        self._ready: deque[Any] = deque()

    @property
    def next_id(self) -> int:
        """A fresh number for a request."""
        return next(self._ids)

    async def ask(self, request: wire.Request | bytes) -> None:
        """Say a request; its answer comes by ``hear``."""
        _ = await self.session.send(request if isinstance(request, bytes) else wire.encode(request))

    async def hear(self) -> Any:
        """Wait for the next message, or for what is read next in a room: ``History`` once, then each line as ``Said``."""
        while not self._ready:
            self._ask_all()
            await asyncio.wait(self._asking.values(), return_when=asyncio.FIRST_COMPLETED)
            self._take_all()
        return self._ready.popleft()

    async def until_put_out(self, room: str) -> list[Any]:
        """Wait until this room may not be read any more; return what was heard until then."""
        async with asyncio.timeout(10):
            while room not in self.put_out:
                self._ask_all()
                await asyncio.sleep(0)
                self._take_all()
        heard, self._ready = self._ready, deque()
        return list(heard)

    def _ask_all(self) -> None:
        if "" not in self._asking:
            self._asking[""] = asyncio.create_task(self.session.receive())
        for room, subscription in self._rooms.items():
            if room not in self._asking:
                self._asking[room] = asyncio.create_task(anext(subscription))

    def _take_all(self) -> None:
        for room, task in list(self._asking.items()):
            if task.done():
                del self._asking[room]
                self._take(room, task)

    def _take(self, room: str, task: asyncio.Task[Any]) -> None:
        if not room:
            self._told(wire.decode_told(task.result()))
            return
        try:
            item = task.result()
        except landline.NotAllowed as error:
            self.put_out[room] = error
            self._rooms.pop(room)
            return
        except (landline.SessionEnded, StopAsyncIteration):  # the session itself will say so
            self._rooms.pop(room)
            return
        if isinstance(item, landline.Gap):
            self._ready.append(item)
            return
        line = wire.decode_kept(item.data).line(item.position.offset)
        if room not in self._before:
            self._ready.append(Said(room, line))
            return
        until, lines, missing = self._before[room]
        lines.append(line)
        if line.offset >= until:
            del self._before[room]
            self._ready.append(History(room, lines, missing))

    def _told(self, told: wire.Told) -> None:
        self._ready.append(told)
        if isinstance(told, wire.Joined):
            self.read(told)

    def read(self, told: wire.Joined) -> None:
        """Read a room from where it is said."""
        if (asking := self._asking.pop(told.room, None)) is not None:
            asking.cancel()
        after = landline.Position(told.after.epoch, told.after.offset)
        self._rooms[told.room] = self.session.subscribe(topic_of(told.room), after)
        if told.until:
            self._before[told.room] = told.until, [], told.missing
        else:
            self._ready.append(History(told.room, [], told.missing))

    async def hear_until(self, kind: type[Any]) -> Any:
        """Wait for a message of this kind, and forget those before it."""
        while not isinstance(message := await self.hear(), kind):
            pass
        return message

    async def say(self, text: str, room: str = "lobby", id: int | None = None, **order: int) -> int:
        """Say a line, and wait until it is stored; return its number.

        Raises:
            PublishFailed: it was refused.
        """
        id = self.next_id if id is None else id
        await self.session.publish(topic_of(room), wire.encode(wire.Say(id, room, text, **order)))
        return id

    def begin_to_say(self, *args: Any, **options: Any) -> asyncio.Task[int]:
        """Say a line, and do not wait."""
        saying = asyncio.create_task(self.say(*args, **options))
        self.sayings.add(saying)
        saying.add_done_callback(self.sayings.discard)
        return saying

    async def lines(self, room: str = "lobby") -> list[wire.Line]:
        """Wait for the whole history of a room that was joined."""
        while (history := await self.hear_until(History)).room != room:
            self._ready.append(history)
        return list(history.lines)

    async def close(self) -> None:
        """Leave."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        await self.session.close()
