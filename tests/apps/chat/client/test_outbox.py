"""The outboxes of chat clients: whose is whose, what a killed one leaves, and how many files there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

import landline
from landline.apps.chat.client import outbox
from landline.apps.chat.client.outbox import file, find_outbox
from landline.storage import MemoryStorage, SQLiteStorage, Storage

ADDRESS = "tcp://localhost:12345"

Find = Callable[..., Awaitable[tuple[Storage, int]]]


@pytest.fixture
async def find(tmp_path: Path) -> AsyncIterator[Find]:
    """Finds the outbox of a client of this name, and closes it in the end."""
    found: list[Storage] = []

    async def find_one(name: str = "ana", address: str = ADDRESS) -> tuple[Storage, int]:
        storage, number = await find_outbox(tmp_path, address, name)
        found.append(storage)
        return storage, number

    yield find_one
    for storage in found:
        await storage.close()


async def leave_a_line(storage: Storage) -> None:
    """What a client leaves that is killed before its server answers."""
    async with landline.serve(lambda session: session.wait_closed(), "memory://outbox") as listening:
        session = await landline.connect(listening.addresses[0], storage=storage)
        session.drop(300)
        with pytest.raises(landline.PublishUnknown) as unknown:
            await session.publish(
                "room.lobby", "hello", on_kept=lambda: session._bare.end(landline.SessionClosed(""))
            )
        assert unknown.value.is_kept
    assert await landline.count_unanswered(storage)


async def test_a_client_that_comes_again_is_the_same_client(find: Find, tmp_path: Path) -> None:
    """Its number is kept beside its lines."""
    storage, number = await find()
    await storage.close()
    again, same = await find()

    assert same == number > 0
    assert isinstance(again, SQLiteStorage)
    assert again.path == file(tmp_path, ADDRESS, 1)


async def test_clients_that_run_at_once_have_each_their_own(find: Find) -> None:
    """Also under one name: they are told apart by who has the file."""
    (first, one), (second, two), (_, three) = await find(), await find(), await find("ben")
    await second.close()
    await first.close()

    assert len({one, two, three}) == 3
    assert [(await find())[1], (await find())[1]] == [one, two]


async def test_who_has_left_nothing_gives_its_file_to_the_next(find: Find, tmp_path: Path) -> None:
    """Under whatever name: there are never more files than clients that ran at once."""
    numbers = []
    for name in ("ana", "ben", "cleo"):
        storage, number = await find(name)
        numbers.append(number)
        await storage.close()

    assert len(set(numbers)) == 3
    assert list(tmp_path.glob("*.db")) == [file(tmp_path, ADDRESS, 1)]


async def test_lines_that_were_left_are_said_under_their_own_name_only(find: Find) -> None:
    """Ben gets another file, and ana finds hers; then it is free again."""
    storage, number = await find("ana")
    await leave_a_line(storage)
    await storage.close()
    ben, other = await find("ben")
    assert other != number
    assert await landline.count_unanswered(ben) == 0
    await ben.close()

    ana, same = await find("ana")

    assert same == number
    assert await landline.count_unanswered(ana) == 1


async def test_each_server_has_its_own(find: Find, tmp_path: Path) -> None:
    """What was typed to one is not said to another."""
    await find()
    await find(address="tcp://elsewhere:12345")

    assert len(list(tmp_path.glob("*.db"))) == 2


async def test_a_file_that_cannot_be_read_stays_as_it_is(find: Find, tmp_path: Path) -> None:
    """The next one is used."""
    file(tmp_path, ADDRESS, 1).write_bytes(b"of another program")
    storage, _ = await find()

    assert isinstance(storage, SQLiteStorage)
    assert storage.path == file(tmp_path, ADDRESS, 2)
    assert file(tmp_path, ADDRESS, 1).read_bytes() == b"of another program"


async def test_where_no_file_can_be_made_the_error_says_so(tmp_path: Path) -> None:
    """It is the caller's to go on without."""
    (tmp_path / "data").write_bytes(b"")

    with pytest.raises(landline.StorageDenied, match="not a folder"):
        await find_outbox(tmp_path / "data", ADDRESS, "ana")


@pytest.mark.limit("chat.client.outboxes")
async def test_so_many_clients_and_no_more_keep_what_they_say(
    find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one at the limit does, one more is told."""
    monkeypatch.setattr(outbox, "MOST", 2)
    await find()
    second, _ = await find()
    with pytest.raises(landline.StorageLocked, match="2 clients"):
        await find()
    await second.close()

    await find()


async def test_an_outbox_in_memory_counts_too() -> None:
    """Where there is no disk."""
    async with MemoryStorage() as storage:
        await leave_a_line(storage)
