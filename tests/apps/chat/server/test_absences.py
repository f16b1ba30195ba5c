"""Names over a restart of the server: held for whoever was in, free for everybody when they cannot come back any more."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.absences import NAME_KEYS, Absences
from landline.apps.chat.server.house import House
from landline.apps.chat.server.people import Absent
from landline.apps.chat.server.serve import open_chat
from landline.errors import StorageError
from landline.storage import MemoryStorage
from tests.apps.chat.conftest import OpenChat

_numbers = itertools.count()


async def names(storage: MemoryStorage) -> list[str]:
    """What is on the disk."""
    return [value.data.decode() for value in await storage.scan(NAME_KEYS)]


@contextlib.asynccontextmanager
async def life(storage: MemoryStorage) -> AsyncIterator[OpenChat]:
    """One life of a server, that ends with everybody in it."""
    async with (
        contextlib.AsyncExitStack() as stack,
        open_chat(storage, (f"memory://absences-{next(_numbers)}",)) as (chat, listening),
    ):
        yield OpenChat(chat, listening.addresses[0], stack)


async def test_a_name_is_theirs_when_they_come_back_after_a_restart() -> None:
    """Nobody else gets it meanwhile, and nothing that is said to them alone vanishes: it is refused."""
    storage = MemoryStorage()
    async with life(storage) as served:
        ana = await served.enter("ana", client=7)
        await ana.ask(wire.Rename(1, "eva"))
        await ana.hear_until(wire.Done)
    async with life(storage) as served:
        ben = await served.enter("EVA", client=8)
        assert [person.name for person in served.chat.house.names] == ["eva", "EVA-2"]
        await ben.ask(wire.Whisper(1, "eva", "psst"))
        assert (await ben.hear_until(wire.Sorry)).why == (
            "Since the server was started again eva is not back yet; try again when they are."
        )
        eva = await served.enter("ana", client=7)
        await ben.ask(wire.Whisper(2, "ana", "psst"))
        assert (await eva.hear_until(wire.Whispered)).text == "psst"
        assert await names(storage) == ["ana", "EVA-2"]


async def test_the_name_of_who_has_left_is_free_after_a_restart() -> None:
    """It is on the disk for as long as they are in."""
    storage = MemoryStorage()
    async with life(storage) as served:
        ana, ben = await served.enter("ana"), await served.enter("ben")
        assert await names(storage) == ["ana", "ben"]
        await ana.close()
        await ben.hear_until(wire.Went)
        await ben.ask(wire.Join(1, "tea"))
        await ben.hear_until(wire.Joined)

        assert await names(storage) == ["ben"]


async def test_whoever_does_not_come_back_in_time_is_forgotten() -> None:
    """At the end of the window; whoever came keeps their name."""
    async with MemoryStorage() as storage:
        house = House(ChatLimits())
        absences = Absences(storage, house, 0.0)
        for client, name in enumerate(("ana", "ben"), 1):
            await absences.keep(client, name)
        absences = Absences(storage, house, 0.0)
        await absences.open()
        assert [person.name for person in house.names] == ["ana", "ben"]
        ben = Absent(2, "")
        house.enter(ben, "ben")
        house.leave(ben)
        await absences.forget(2)
        assert await names(storage) == ["ana"]
        await absences.run()

        assert await names(storage) == []
        assert list(house.names) == []


async def test_there_is_no_room_for_more_than_may_be_in() -> None:
    """A disk that failed may hold more names than ever were in at once."""
    async with MemoryStorage() as storage:
        house = House(ChatLimits(people=2))
        absences = Absences(storage, house, 0.0)
        for client, name in enumerate(("ana", "Ana", "ben", "cleo"), 1):
            await absences.keep(client, name)
        await absences.open()
        assert [person.name for person in house.names] == ["ana", "ben"]
        await absences.run()

        assert await names(storage) == []


async def test_a_disk_that_fails_keeps_nobody_out(caplog: pytest.LogCaptureFixture) -> None:
    """Names are then free after a restart, and the log says so."""

    class Broken(MemoryStorage):
        async def write(self, *args: Any, **options: Any) -> Any:
            raise StorageError("it is away")

    async with Broken() as storage:
        absences = Absences(storage, House(ChatLimits()), 0.0)
        await absences.keep(1, "ana")
        await absences.keep(1, "ana")
        await absences.forget(1)

    assert [record.getMessage() for record in caplog.records] == [
        "a name will not be held over a restart: it is away",
        "a name will be held over a restart for nobody: it is away",
    ]
