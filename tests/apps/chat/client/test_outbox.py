"""The outboxes of chat clients: whose is whose, what a killed one leaves, and how many files there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

import landline
from landline.apps.chat.client import outbox
from landline.apps.chat.client.outbox import Outbox, file, find_outbox
from landline.storage import MemoryStorage, SQLiteStorage, Storage

ADDRESS = "tcp://localhost:12345"

Find = Callable[..., Awaitable[Outbox]]


@pytest.fixture
async def find(tmp_path: Path) -> AsyncIterator[Find]:
    """Finds the outbox of a client of this name, and closes it in the end."""
    found: list[Outbox] = []

    async def find_one(name: str = "ana", address: str = ADDRESS) -> Outbox:
        outbox = await find_outbox(tmp_path, address, name)
        found.append(outbox)
        return outbox

    yield find_one
    for each in found:
        await each.close()


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
    before = await find()
    await before.close()
    again = await find()

    assert again.number == before.number > 0
    assert isinstance(again.storage, SQLiteStorage)
    assert again.storage.path == file(tmp_path, ADDRESS, 1)


async def test_clients_that_run_at_once_have_each_their_own(find: Find) -> None:
    """Also under one name: they are told apart by who has the file."""
    first, second, third = await find(), await find(), await find("ben")
    await second.close()
    await first.close()

    assert len({first.number, second.number, third.number}) == 3
    assert [(await find()).number, (await find()).number] == [first.number, second.number]


async def test_who_has_left_nothing_gives_its_file_to_the_next(find: Find, tmp_path: Path) -> None:
    """Under whatever name: there are never more files than clients that ran at once."""
    numbers = []
    for name in ("ana", "ben", "cleo"):
        outbox = await find(name)
        numbers.append(outbox.number)
        await outbox.close()

    assert len(set(numbers)) == 3
    assert list(tmp_path.glob("*.db")) == [file(tmp_path, ADDRESS, 1)]


async def test_lines_that_were_left_are_said_under_their_own_name_only(find: Find) -> None:
    """Ben gets another file, and is told of them; ana finds hers, however she spells herself; then it is free again."""
    before = await find("ana")
    await leave_a_line(before.storage)
    await before.close()
    ben = await find("ben")
    assert ben.number != before.number
    assert ben.elsewhere == {"ana": 1}
    assert await landline.count_unanswered(ben.storage) == 0
    await ben.close()

    ana = await find("Ana")

    assert ana.number == before.number
    assert ana.elsewhere == {}
    assert await landline.count_unanswered(ana.storage) == 1


async def test_lines_follow_the_name_that_one_is_known_by(find: Find) -> None:
    """Dora who is eve by now is found as eve, and as eve-2 where that was what she got; as dora she hears where they are."""
    before = await find("dora")
    before.follow(("eve-2", "eve"))
    await leave_a_line(before.storage)
    await before.close()

    for name in ("eve", "eve-2"):
        again = await find(name)
        assert again.number == before.number
        await again.close()
    dora = await find("dora")
    assert dora.number != before.number
    assert dora.elsewhere == {"eve-2": 1}


async def test_of_two_of_one_name_the_one_with_lines_is_found(find: Find) -> None:
    """Whichever file comes first: eve was here before dora became eve, and has left nothing."""
    eve, dora = await find("eve"), await find("dora")
    dora.follow(("eve",))
    await leave_a_line(dora.storage)
    await eve.close()
    await dora.close()

    again = await find("eve")

    assert again.number == dora.number
    assert (await find("eve")).number == eve.number


async def test_a_name_is_kept_before_the_lines_that_come_after_it(find: Find, tmp_path: Path) -> None:
    """Whoever is killed in between: a line that is there is found by the name that was asked for before it."""
    outbox = await find("dora")

    outbox.follow(("dora", "eve"))
    line = asyncio.create_task(outbox.storage.put("landline.client.publish.1", b""))
    await line
    await outbox.storage.close()

    assert (await find("eve")).number == outbox.number


async def test_a_disk_that_takes_no_name_costs_nothing_else(
    find: Find, caplog: pytest.LogCaptureFixture
) -> None:
    """It is found by the one before."""
    outbox = await find("dora")
    await outbox.storage.close()
    outbox.follow(("eve",))
    await outbox.close()

    assert "not kept under the name eve" in caplog.text
    assert (await find("dora")).number == outbox.number


async def test_each_server_has_its_own(find: Find, tmp_path: Path) -> None:
    """What was typed to one is not said to another."""
    await find()
    await find(address="tcp://elsewhere:12345")

    assert len(list(tmp_path.glob("*.db"))) == 2


async def test_a_file_that_cannot_be_read_stays_as_it_is(find: Find, tmp_path: Path) -> None:
    """The next one is used."""
    file(tmp_path, ADDRESS, 1).write_bytes(b"of another program")
    outbox = await find()

    assert isinstance(outbox.storage, SQLiteStorage)
    assert outbox.storage.path == file(tmp_path, ADDRESS, 2)
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
    second = await find()
    with pytest.raises(landline.StorageLocked, match="2 clients"):
        await find()
    await second.close()

    await find()


async def test_an_outbox_in_memory_counts_too() -> None:
    """Where there is no disk."""
    async with MemoryStorage() as storage:
        await leave_a_line(storage)
