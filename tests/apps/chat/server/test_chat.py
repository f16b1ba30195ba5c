"""The house with its history on the loop: what a person who just joined is shown and told, without a seam."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from landline.apps.chat import wire
from landline.apps.chat.server.chat import Chat
from landline.apps.chat.server.history import ROOM_KEYS
from landline.apps.chat.server.serve import open_chat
from landline.errors import StorageError
from landline.storage import MemoryStorage, Page, Position, Retention
from tests.apps.chat.reading import Said

Listening = Callable[..., Any]


class LateStorage(MemoryStorage):
    """Its answers about the past come when the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.asked = 0

    async def last(self, pattern: str, limit: int = 300, *, to: Position | None = None) -> Page:
        page = await super().last(pattern, limit, to=to)
        self.asked += 1
        await self.gate.wait()
        return page


@contextlib.asynccontextmanager
async def opened(storage: MemoryStorage, address: str) -> AsyncIterator[Chat]:
    """A chat in a server of its own."""
    async with open_chat(storage, (address,)) as (chat, _):
        yield chat


async def enter(chat: Chat, person: Any, name: str) -> None:
    chat.house.enter(person, name)
    room = chat.house.rooms.join(person, "lobby")
    assert room is not None


async def test_what_is_said_while_the_past_is_read_is_part_of_the_past(listener: Listening) -> None:
    """Neither missing nor told twice: the past is read again."""
    storage = LateStorage()
    storage.gate.set()
    async with opened(storage, "memory://past") as chat:
        ana, ben = listener(), listener()
        await enter(chat, ana, "ana")
        chat.house.rooms.listen(ana, ana.rooms["lobby"])
        await enter(chat, ben, "ben")
        storage.gate.clear()
        reading = asyncio.create_task(chat.recent(ben, "lobby"))
        await asyncio.sleep(0)
        assert storage.asked
        await chat.say(ana, "lobby", "between")
        storage.gate.set()
        lines, _ = await reading
        await chat.say(ana, "lobby", "after")

        assert [line.text for line in lines] == ["between"]
        assert [told.line.text for told in ben.heard() if isinstance(told, Said)] == ["after"]
        assert storage.asked >= 2


async def test_where_the_past_cannot_be_read_the_present_goes_on(listener: Listening) -> None:
    """The newcomer is shown nothing old, and told what is new."""

    class Broken(MemoryStorage):
        async def last(self, pattern: str, limit: int = 300, *, to: Position | None = None) -> Page:
            if pattern == "room.lobby":
                raise StorageError("away")
            return await super().last(pattern, limit, to=to)

    async with opened(Broken(), "memory://broken") as chat:
        ana = listener()
        await enter(chat, ana, "ana")

        assert await chat.recent(ana, "lobby") == ([], "")
        ben = listener()
        await enter(chat, ben, "ben")
        await chat.say(ben, "lobby", "hello")
        assert [told.line.text for told in ana.heard() if isinstance(told, Said)] == ["hello"]


async def test_after_a_trim_the_rooms_of_which_nothing_is_left_are_gone(listener: Listening) -> None:
    """From the list of rooms, and from the store: they take up no place."""
    now = 1000.0
    storage = MemoryStorage(clock=lambda: now)
    async with opened(storage, "memory://trimmed") as chat:
        storage.retain("room.*", Retention(max_age=10))
        ana = listener()
        await enter(chat, ana, "ana")
        await chat.say(ana, "lobby", "hello")
        chat.house.leave(ana)
        assert chat.house.rooms.listed() == [wire.Room("lobby", 0)]
        now += 100
        await chat.trim()

        assert chat.house.rooms.listed() == []
        assert await storage.scan(ROOM_KEYS) == []
