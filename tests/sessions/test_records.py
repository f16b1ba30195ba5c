"""What a server keeps of its sessions: written together, read again by the next life, and no reason to shut anybody out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from landline.errors import StorageFull
from landline.sessions.records import Records
from landline.storage import Delete, Put
from tests.disk import Disk

VIRTUAL_TIME = True


@pytest.fixture
async def disk() -> AsyncIterator[Disk]:
    async with Disk() as disk:
        yield disk


def key(session_id: bytes) -> str:
    return f"landline.session.{session_id.hex()}"


async def test_those_who_come_together_are_stored_together(disk: Disk) -> None:
    """And told afterwards, each in its turn; nobody before it is safe."""
    records, told = Records(disk), []
    await records.open()
    disk.held.clear()
    for name in (b"a", b"b"):
        records.store(name, name, lambda now, name=name: told.append(name))  # type: ignore[misc]
    closing = records.close()
    disk.held.set()
    assert told == []
    await closing

    assert disk.writes == [[Put(key(b"a"), b"a"), Put(key(b"b"), b"b")]]
    assert told == [b"a", b"b"]


async def test_of_one_session_the_newest_is_stored_and_all_are_told(disk: Disk) -> None:
    """That it is no more, too; what is asked while the disk works is stored after it."""
    records, told = Records(disk), []
    await records.open()
    records.store(b"a", b"1", lambda now: told.append(1))
    records.store(b"a", b"2", lambda now: told.append(2))
    records.store(b"a", None, lambda now: told.append(3))
    records.store(b"b", b"", lambda now: records.store(b"b", b"later", lambda now: told.append(4)))
    await records.close()

    assert disk.writes == [[Delete(key(b"a")), Put(key(b"b"), b"")], [Put(key(b"b"), b"later")]]
    assert told == [1, 2, 3, 4]


async def test_so_many_are_stored_at_once(disk: Disk) -> None:
    """The others after them."""
    records = Records(disk)
    await records.open()
    told: list[float] = []
    for number in range(257):
        records.store(number.to_bytes(2, "big"), b"", told.append)
    await records.close()

    assert [len(changes) for changes in disk.writes] == [256, 1]
    assert len(told) == 257


async def test_the_next_life_finds_what_was_left(disk: Disk) -> None:
    """All pages of it, and nothing else that is in the storage."""
    records = Records(disk)
    await records.open()
    assert records.found == {}
    for number in range(700):
        records.store(number.to_bytes(2, "big"), b"%d" % number, lambda now: None)
    await records.close()
    await disk.put("landline.session.", b"no id")
    await disk.put("landline.session.zz", b"no id")
    await disk.put("landline.sessions", b"something else")
    later = Records(disk)
    await later.open()

    found = {number.to_bytes(2, "big"): b"%d" % number for number in range(700)}
    assert later.found == found | {b"": b"no id"}


async def test_a_disk_that_is_full_keeps_nobody_out(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, once until it is well again; whoever waits goes on."""
    records = Records(disk)
    told: list[float] = []
    await records.open()
    with caplog.at_level(logging.ERROR):
        for error in (StorageFull("no room"), StorageFull("no room"), None, StorageFull("again")):
            disk.error = error
            records.store(b"a", b"", told.append)
            await records.close()

    assert len(told) == 4
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["no room", "again"]
