"""What a server knows of outboxes: as long as somebody publishes by them, after that from the disk, and not for ever."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

import landline.patterns.origins as origins_module
from landline.errors import StorageDamaged, StorageFailed, StorageFull
from landline.limits import STORAGE
from landline.patterns.origins import Origins, key_of
from landline.protocol.publish import Code, Origin, Publish, encode_record
from landline.storage import Append, Put
from tests.disk import Disk

KEY = key_of("ana", b"o" * 16)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def disk() -> AsyncIterator[Disk]:
    async with Disk() as disk:
        yield disk


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_an_outbox_is_known_from_its_beginning(disk: Disk, clock: Clock) -> None:
    """Before anything is published of it: who comes again is known, and nothing of it in doubt."""
    origin, is_known = await Origins(disk, clock).get(KEY)
    again, is_known_again = await Origins(disk, clock).get(KEY)

    assert (is_known, is_known_again) == (False, True)
    assert (origin.last, again.last) == (0, 0)


async def test_whoever_asks_gets_the_same_one_as_long_as_it_is_needed(disk: Disk, clock: Clock) -> None:
    """It knows what is on its way; when nobody holds it, it is read again."""
    origins = Origins(disk, clock)
    first, _ = await origins.get(KEY)
    assert (await origins.get(KEY))[0] is first
    first.receive(Publish(1, 0, "t", b""))
    del first
    gc.collect()

    assert (await origins.get(KEY))[0].last == 0


async def test_those_in_doubt_stay(disk: Disk, clock: Clock) -> None:
    """Nobody else could say that it is not known whether they were stored."""
    origins = Origins(disk, clock)
    origin, _ = await origins.get(KEY)
    origin.receive(Publish(1, 0, "t", b""))
    origin.failed(1, Code.UNKNOWN, "")
    origins.doubt()
    del origin
    gc.collect()
    again, _ = await origins.get(KEY)

    assert again.doubtful == {1}


async def test_what_was_published_is_known_to_the_next_life(disk: Disk, clock: Clock) -> None:
    """With the position of its own transaction."""
    origin = Origin()
    origin.receive(Publish(1, 0, "t", b""))
    (position,) = await disk.write([Append("t", b""), Put(KEY, encode_record(origin, [(1, 0)], 0.0))])
    known, is_known = await Origins(disk, clock).get(KEY)

    assert is_known
    assert known.kept == {1: position}


async def test_what_cannot_be_kept_or_read_is_an_error(disk: Disk, clock: Clock) -> None:
    """And makes nobody known."""
    origins = Origins(disk, clock)
    disk.error = StorageFailed("gone")
    for _ in range(2):
        with pytest.raises(StorageFailed):
            await origins.get(KEY)
    disk.error = None
    await disk.put(KEY, b"rubbish")
    with pytest.raises(StorageDamaged, match="cannot be read"):
        await origins.get(KEY)
    await origins.trim()
    value = await disk.get(KEY)

    assert value is not None
    assert value.data == b"rubbish"


async def test_a_disk_without_room_keeps_nobody_out(disk: Disk, clock: Clock) -> None:
    """What is published is refused by itself, and kept with the outbox when there is room."""
    origins = Origins(disk, clock)
    disk.error = StorageFull("no room")
    origin, is_known = await origins.get(KEY)

    assert not is_known
    assert (await origins.get(KEY))[0] is origin


@pytest.mark.limit("storage.outbox_age")
async def test_an_outbox_that_nobody_uses_is_forgotten(disk: Disk, clock: Clock) -> None:
    """After so many seconds since it last published; one that is here is not, nor anything else that is stored."""
    origins = Origins(disk, clock)
    for number in range(700):
        await origins.get(key_of("ana", number.to_bytes(16, "big")))
    held, _ = await origins.get(KEY)
    await disk.put("landline.outboxes", b"")
    clock.now = STORAGE.outbox_age
    await origins.trim()
    assert len(await disk.scan("", limit=1000)) == 702
    clock.now += 1
    await origins.trim()

    assert [value.key for value in await disk.scan("")] == [KEY, "landline.outboxes"]
    assert held.last == 0


@pytest.mark.limit("storage.empty_outboxes")
async def test_of_outboxes_without_a_publication_only_the_newest_are_remembered(
    disk: Disk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may not publish cannot fill the disk; those that something was stored of stay, and those that are here."""
    assert STORAGE.empty_outboxes == origins_module.EMPTY
    monkeypatch.setattr(origins_module, "EMPTY", 600)
    origins = Origins(disk, clock)
    held, _ = await origins.get(KEY)
    used = Origin()
    used.receive(Publish(1, 0, "t", b""))
    await disk.write([Append("t", b""), Put(key_of("ana", b"u" * 16), encode_record(used, [(1, 0)], 0.0))])
    keys = [key_of("ana", number.to_bytes(16, "big")) for number in range(1200)]
    for clock.now, key in enumerate(keys):
        await origins.get(key)
        if clock.now == 600:
            await origins.trim()
            assert len(await disk.scan("", limit=1000)) == 602
    gc.collect()
    await origins.trim()

    kept = {value.key for value in await disk.scan("", limit=1000)}
    assert kept == {KEY, key_of("ana", b"u" * 16), *keys[-600:]}
    assert held.last == 0


async def test_when_many_new_ones_came_it_is_time_to_trim(
    disk: Disk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of those that may be remembered, and not before; then the count begins anew."""
    monkeypatch.setattr(origins_module, "EMPTY", 30)
    origins = Origins(disk, clock)
    for round_ in range(2):
        waiting = asyncio.ensure_future(origins.wait_crowded(60.0))
        for number in range(3):
            assert not waiting.done()
            await origins.get(key_of("ana", bytes((round_, number)) * 8))
        await waiting
        await origins.trim()


async def test_one_that_comes_back_while_it_is_forgotten_is_not(disk: Disk, clock: Clock) -> None:
    """What it has just stored stays."""
    origins = Origins(disk, clock)
    await origins.get(KEY)
    gc.collect()
    clock.now = STORAGE.outbox_age + 1
    scan = disk.scan

    async def slow_scan(prefix: str, *, after: str = "", limit: int = 300) -> list[object]:
        values = await scan(prefix, after=after, limit=limit)
        if values:
            await disk.put(KEY, encode_record(Origin(), [], clock.now))
        return list(values)

    disk.scan = slow_scan  # type: ignore[method-assign, assignment]
    await origins.trim()

    assert await disk.get(KEY) is not None


async def test_a_disk_that_fails_is_told(disk: Disk, clock: Clock) -> None:
    """By whoever trims."""
    origins = Origins(disk, clock)
    await origins.get(KEY)
    gc.collect()
    clock.now = STORAGE.outbox_age + 1
    disk.error = StorageFailed("broken")

    with pytest.raises(StorageFailed):
        await origins.trim()


def test_keys_are_good_whoever_it_is_of() -> None:
    """A principal of any length and in any language, and two of them never share an outbox by its id alone."""
    keys = {key_of(principal, b"o" * 16) for principal in ("", "ana", "anna", "名" * 1000, "\0")}

    assert len(keys) == 5
    assert all(len(key.encode()) <= STORAGE.key and "\0" not in key for key in keys)
