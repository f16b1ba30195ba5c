"""Durable sends as both ends use them: given to the program once, whatever happens to lines, sessions, servers and clients."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.errors import DataError, LandlineError, SessionInterrupted, StorageFailed, StorageFull
from landline.limits import PROTOCOL, STORAGE
from landline.patterns.messages import ACKED
from landline.patterns.outbox import SENDS
from landline.storage import MemoryStorage
from tests.disk import Disk

pytestmark = pytest.mark.timeout(30)

_numbers = count(1)
QUICK = landline.Limits(redial_min=0.001, redial_max=0.01, close_timeout=0.05)

SERVER = """
import asyncio, sys, landline
async def program(session):
    with open(sys.argv[3], "a") as book:
        async for message in session:
            print(message, file=book, flush=True)
async def main():
    async with landline.Server(program, storage=sys.argv[2]).listen(sys.argv[1]):
        print("ready", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
"""Writes down what its program is given."""

CLIENT = """
import asyncio, sys, landline
async def main():
    session = await landline.connect(sys.argv[1], storage=sys.argv[2])
    for number in range(int(sys.argv[3]), int(sys.argv[3]) + 20):
        await session.send(number, durable=True)
    print("kept", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
"""Says so when what it sends is on its disk, and is killed."""


async def turns() -> None:
    """Whoever can go on does."""
    for _ in range(100):
        await asyncio.sleep(0)


class House:
    """A server whose program writes down what it is given, and that can be started again on the same disk."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.address = f"memory://durable-{next(_numbers)}"
        self.given: list[Any] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.sessions: list[landline.Session] = []

    async def program(self, session: landline.Session) -> None:
        self.sessions.append(session)
        async for message in session:
            self.given.append(message)
            await self.may_go_on.wait()
            if message == "fail":
                raise RuntimeError("as asked")
            if message == "say":
                _ = await session.send("said", durable=True)

    @asynccontextmanager
    async def life(self, limits: landline.Limits = QUICK) -> AsyncIterator[landline.Listening]:
        server = landline.Server(self.program, storage=self.disk, limits=limits, retry_in=0.001)
        async with server.listen(self.address) as listening:
            yield listening

    def connect(self, disk: Any = None) -> landline.connect:
        return landline.connect(self.address, storage=disk, limits=QUICK)


@pytest.fixture
def house() -> House:
    return House()


async def outcomes(receipts: Sequence[landline.Receipt]) -> list[landline.Outcome]:
    return [await receipt for receipt in receipts]


# From a client to a server's program...


async def test_each_is_given_once_and_in_order(house: House) -> None:
    """And acked when the program came back for the next; ``flush`` waits for that."""
    async with house.life(), house.connect() as session:
        receipts = [await session.send(number, durable=True) for number in range(200)]
        await session.flush()

        assert [receipt.outcome for receipt in receipts] == [ACKED] * 200
    assert house.given == list(range(200))


async def test_it_is_acked_when_it_is_handled_and_that_is_stored(house: House) -> None:
    """Neither the one nor the other is enough."""
    house.may_go_on.clear()
    async with house.life(), house.connect() as session:
        receipt = await session.send("x", durable=True)
        await turns()
        assert house.given == ["x"]
        house.disk.held.clear()
        await turns()
        assert receipt.outcome is None  # it is in the program's hands
        house.may_go_on.set()
        await turns()
        assert receipt.outcome is None  # it is handled, and nobody would know after a crash
        house.disk.held.set()

        assert await receipt == ACKED


async def test_the_next_is_given_when_it_is_stored_that_the_one_before_is_handled(house: House) -> None:
    """So that no more than one is given again after a crash; other messages need not wait for that."""
    async with house.life(), house.connect() as session:
        await (await session.send(0, durable=True))
        house.disk.held.clear()
        for number in (1, 2, 3):
            _ = await session.send(number, durable=True)
        _ = await session.send("plain")
        await turns()
        assert house.given == [0, 1, "plain"]
        house.disk.held.set()
        await session.flush()
    assert house.given == [0, 1, "plain", 2, 3]


async def test_ack_says_so_earlier(house: House) -> None:
    """As for other messages."""

    async def program(session: landline.Session) -> None:
        house.given.append(await session.receive())
        session.ack()
        await house.may_go_on.wait()

    house.may_go_on.clear()
    house.program = program  # type: ignore[method-assign]
    async with house.life(), house.connect() as session:
        assert await (await session.send("x", durable=True)) == ACKED
        house.may_go_on.set()


async def test_dropped_lines_lose_and_double_nothing(house: House) -> None:
    """However often."""
    async with house.life(), house.connect() as session:
        receipts = []
        for number in range(60):
            receipts.append(await session.send(number, durable=True))
            if number % 7 == 0:
                session.drop()
        assert await outcomes(receipts) == [ACKED] * 60
    assert house.given == list(range(60))


async def test_a_server_that_was_stopped_and_started_goes_on_with_them(house: House) -> None:
    """What was sent while it was away arrives in its next life; what it had handled does not arrive again."""
    async with house.life():
        session = await house.connect()
        receipts = [await session.send(number, durable=True) for number in range(5)]
        await session.flush()
    receipts += [await session.send(number, durable=True) for number in range(5, 10)]
    await turns()
    assert [receipt.outcome for receipt in receipts[5:]] == [None] * 5
    async with house.life():
        assert await outcomes(receipts) == [ACKED] * 10
        await session.close()
    assert house.given == list(range(10))


async def test_what_a_program_had_in_hand_when_it_was_interrupted_is_given_again(house: House) -> None:
    """Nobody had handled it."""
    house.may_go_on.clear()
    async with house.life():
        session = await house.connect()
        receipt = await session.send("x", durable=True)
        await turns()
    house.may_go_on.set()
    async with house.life():
        assert await receipt == ACKED
        await session.close()
    assert house.given == ["x", "x"]


async def test_what_a_session_had_in_hand_when_it_ended_is_given_to_the_next(house: House) -> None:
    """Its program was stopped by that, and handled nothing."""
    mine = Disk()
    house.may_go_on.clear()
    async with house.life():
        session = await house.connect(mine)
        receipt = await session.send("say", durable=True)
        await turns()
        await session.close()
        assert (await receipt).status == "unknown"
        session = await house.connect(mine)
        await turns()
        assert house.given == ["say"]
        house.may_go_on.set()
        assert await session.receive() == "said"
        await session.flush()
        await session.close()
    assert house.given == ["say", "say"]


async def test_asking_for_the_next_handles_plain_ones_too(house: House) -> None:
    """Whichever kind is next."""
    async with house.life(), house.connect() as session:
        house.may_go_on.clear()
        plain = await session.send("plain")
        _ = await session.send("durable", durable=True)
        await turns()
        house.may_go_on.set()
        house.may_go_on.clear()

        assert await plain == ACKED
        await turns()
        assert house.given == ["plain", "durable"]
        house.may_go_on.set()


async def test_what_a_program_failed_over_is_in_doubt_and_not_given_again(house: House) -> None:
    """Else it would fail again and again; what came after it goes on with the next session of the same client."""
    mine = Disk()
    async with house.life():
        session = await house.connect(mine)
        failing = await session.send("fail", durable=True)
        after = await session.send("after", durable=True)
        assert (await failing).status == "unknown"
        assert "program failed" in (await failing).reason
        assert "is kept" in (await after).reason
        await session.close()
        async with house.connect(mine) as session:
            await session.flush()
            await (await session.send("last", durable=True))
    assert house.given == ["fail", "after", "last"]


async def test_a_server_started_again_still_knows_what_was_in_doubt(house: House) -> None:
    """Its answer may have been lost with the line."""
    mine = Disk()
    async with house.life():
        session = await house.connect(mine)
        _ = await session.send("fail", durable=True)
        before = mine.image()
        await session.wait_closed()
        await session.close()
    async with house.life(), house.connect(before) as session:
        await (await session.send("last", durable=True))
    async with before:
        assert await landline.count_unanswered(before) == 0
    assert house.given == ["fail", "last"]


@pytest.mark.limit("storage.retry")
@pytest.mark.parametrize("error", [StorageFull("no room"), StorageFailed("broken")])
async def test_what_cannot_be_stored_as_handled_is_tried_again(
    house: House, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing more is given meanwhile: a crash would have all of it given again."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        if seconds == STORAGE.retry:
            pauses.append(seconds)
        await sleep(0 if seconds == STORAGE.retry else seconds)

    monkeypatch.setattr(asyncio, "sleep", pause)
    async with house.life(), house.connect() as session:
        await (await session.send(0, durable=True))
        house.disk.error = error
        receipts = [await session.send(number, durable=True) for number in (1, 2)]
        await turns()
        assert house.given == [0, 1]
        assert [receipt.outcome for receipt in receipts] == [None, None]
        house.disk.error = None
        assert await outcomes(receipts) == [ACKED, ACKED]
    assert house.given == [0, 1, 2]
    assert pauses


async def test_a_server_without_storage_takes_none() -> None:
    """It could not keep what it promises."""
    address = f"memory://durable-{next(_numbers)}"
    for topics in (False, True):
        server = landline.Server(landline.Session.wait_closed)
        if topics:
            server.topic("t")
        async with server.listen(address), landline.connect(address, limits=QUICK) as session:
            outcome = await (await session.send("x", durable=True))

        assert outcome.status == "failed"
        assert "storage" in outcome.reason


async def test_bad_data_is_told_at_once(house: House) -> None:
    """Nothing of it is sent."""
    async with house.life(), house.connect() as session:
        with pytest.raises(DataError):
            _ = await session.send(object(), durable=True)
        with pytest.raises(DataError):
            _ = await session.send(b"x" * QUICK.max_message, durable=True)
        assert (
            await (await session.send(b"x" * (QUICK.max_message - PROTOCOL.publish_overhead), durable=True))
            == ACKED
        )


# From a client with storage...


async def test_a_client_that_is_started_again_sends_what_was_not_answered(house: House) -> None:
    """To a session of its own, once; what was answered is gone."""
    mine = Disk()
    async with house.life():
        async with house.connect(mine) as session:
            await (await session.send("answered", durable=True))
        house.may_go_on.clear()
        session = await house.connect(mine)
        receipts = [await session.send(number, durable=True) for number in range(3)]
        await turns()
        await session.close()
        assert {(await receipt).status for receipt in receipts} == {"unknown"}
        assert "goes out later" in (await receipts[0]).reason
        house.may_go_on.set()
        async with house.connect(mine) as session:
            await session.flush()
            await (await session.send("new", durable=True))
        async with mine:
            assert all(value.key.endswith(".opened") for value in await mine.scan(SENDS))
    assert [given for given in house.given if given != 0] == ["answered", 1, 2, "new"]
    assert 1 <= house.given.count(0) <= 2  # it was in the first program's hands


async def test_what_cannot_be_kept_is_not_sent(house: House) -> None:
    """Full: it failed. A disk that fails may have it."""
    mine = Disk()
    async with house.life(), house.connect(mine) as session:
        mine.error = StorageFull("no room")
        full = await session.send(1, durable=True)
        mine.error = StorageFailed("broken")
        broken = await session.send(2, durable=True)
        mine.error = None
        assert await (await session.send(3, durable=True)) == ACKED

        assert [(await receipt).status for receipt in (full, broken)] == ["failed", "unknown"]
    assert house.given == [3]


async def test_a_copied_file_sends_what_is_in_it_once_and_what_is_new_besides(house: House) -> None:
    """What one copy's program has in hand is not given to another's; what either sends from then on are two things."""
    mine = Disk()
    async with house.life():
        session = await house.connect(mine)
        house.may_go_on.clear()
        _ = await session.send("x", durable=True)
        await turns()
        first = await house.connect(mine.image())
        second = await house.connect(mine.image())
        await turns()
        assert house.given == ["x"]
        receipts = [await first.send("y", durable=True), await second.send("z", durable=True)]
        house.may_go_on.set()
        await session.close()

        assert await outcomes(receipts) == [ACKED, ACKED]
        await first.close()
        await second.close()
    assert sorted(house.given) == ["x", "y", "z"]


# From a server's program to its client...


async def test_a_server_sends_them_too(house: House) -> None:
    """They are acked when the client's program came back for more."""
    async with house.life(), house.connect() as session:
        _ = await session.send("say")
        assert await session.receive() == "said"
        receipts = [await house.sessions[0].send(number, durable=True) for number in range(50)]
        assert [await session.receive() for _ in range(50)] == list(range(50))
        assert await outcomes(receipts[:-1]) == [ACKED] * 49
        assert receipts[-1].outcome is None
        session.ack()
        assert await receipts[-1] == ACKED


@pytest.mark.parametrize("patience", [1e-9, 5.0])
async def test_they_outlive_the_server_with_the_session(house: House, patience: float) -> None:
    """What the client had is not sent again; it is told of the interruption, and nothing of them is missing: however long the server waits."""
    async with house.life(replace(QUICK, close_timeout=patience)):
        session = await house.connect()
        _ = await session.send("x")
        await turns()
        for number in range(6):
            _ = await house.sessions[0].send(str(number) * 200_000, durable=True)
        received = [(await session.receive())[0]]
    async with house.life():
        while received[-1] != "5":
            try:
                received.append((await session.receive())[0])
            except SessionInterrupted:
                received.append("interrupted")
        await session.close()
        await turns()
        assert await house.disk.scan("landline.sent.") == []
    assert [each for each in received if each != "interrupted"] == ["0", "1", "2", "3", "4", "5"]
    assert "interrupted" in received


async def test_a_session_may_outlive_any_number_of_servers(house: House) -> None:
    """Each life of the server begins an outbox of its own for it: the client has to know those that may still come again, and no others."""
    received: list[Any] = []
    session = None
    for number in range(PROTOCOL.outboxes + 3):
        async with house.life():
            session = session or await house.connect()
            _ = await session.send("say", durable=True)
            while len(received) <= number:
                try:
                    received.append(await session.receive())
                except SessionInterrupted:
                    continue
    assert session is not None
    await session.close()

    assert received == ["said"] * (PROTOCOL.outboxes + 3)


async def test_a_server_without_storage_sends_none() -> None:
    """Its program is told."""
    errors: list[str] = []

    async def program(session: landline.Session) -> None:
        try:
            _ = await session.send("x", durable=True)
        except LandlineError as error:
            errors.append(str(error))

    address = f"memory://durable-{next(_numbers)}"
    async with landline.serve(program, address), landline.connect(address, limits=QUICK) as session:
        await session.wait_closed()

    assert errors == ["durable sends need a server with storage"]


# Real processes...


async def _start(*arguments: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline()
    return process


async def _kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


@pytest.mark.long
async def test_killed_servers_and_clients_lose_nothing(tmp_path: Path) -> None:
    """Of each client all is given, in order; what a program had in hand when it was killed may be given again, and nothing else."""
    address = f"unix://{tmp_path}/socket"
    book = tmp_path / "book"
    server = (SERVER, address, str(tmp_path / "server.db"), str(book))
    kills = 0
    for first in range(0, 60, 20):
        process = await _start(*server)
        client = await _start(CLIENT, address, str(tmp_path / "client.db"), str(first))
        await _kill(process)
        await _kill(client)
        kills += 1
    process = await _start(*server)
    session = await landline.connect(address, storage=tmp_path / "client.db")
    _ = await session.send("end", durable=True)
    await session.flush()
    await session.close()
    await _kill(process)

    given = book.read_text().split()
    expected = [*map(str, range(60)), "end"]
    assert list(dict.fromkeys(given)) == expected
    assert len(given) <= len(expected) + kills


async def test_an_open_storage_is_left_open(house: House) -> None:
    """And one that is not is closed when the session is over, also where nobody closes it."""
    mine = MemoryStorage()
    async with house.life():
        async with mine:
            async with house.connect(mine) as session:
                await (await session.send("x", durable=True))
            assert mine.is_open
        session = await house.connect(mine)
        session._bare.lose(landline.protocol.frames.CloseCode.FAILED, "as asked")
        await turns()
        assert not mine.is_open
