"""A durable client's outbox: what was published and not answered goes out once, whenever and wherever the client stopped."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

import landline
from landline.errors import PublishFailed, PublishUnknown, StorageDamaged, StorageFull, StorageLocked
from landline.limits import PROTOCOL
from landline.patterns.outbox import PUBLISHES, count_unanswered
from landline.storage import Delete, SQLiteStorage
from tests.disk import Disk

pytestmark = pytest.mark.timeout(30)

_numbers = count(1)
QUICK = landline.Limits(redial_min=0.001, redial_max=0.01, close_timeout=0.05)

CLIENT = """
import asyncio, sys, landline
async def main():
    session = await landline.connect(sys.argv[1], storage=sys.argv[2])
    await session.publish("t", "first")
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    publishing = [asyncio.ensure_future(session.publish("t", number)) for number in range(20)]
    await asyncio.sleep(0)
    while session._client.publishing.outgoing._keeping:
        await asyncio.sleep(0)
    print("kept", flush=True)
    await asyncio.gather(*publishing)
asyncio.run(main())
"""
"""Publishes, says so when all is on its disk, and waits for answers that never come."""


class Server:
    """A server with one topic, whose disk can be held, and that can be started again."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.address = f"memory://outbox-{next(_numbers)}"

    @asynccontextmanager
    async def life(self, *addresses: str) -> AsyncIterator[landline.Listening]:
        server = landline.Server(storage=self.disk)
        server.topic("t")
        async with server.listen(self.address, *addresses) as listening:
            yield listening

    def connect(self, disk: Any) -> landline.connect:
        return landline.connect(self.address, storage=disk, limits=QUICK)

    async def history(self) -> list[Any]:
        """What is stored, in order, as a new client reads it."""
        head = (await self.disk.head()).offset
        found: list[Any] = []
        if head:
            async with landline.connect(self.address, limits=QUICK) as reader:
                async for said in reader.subscribe("t", "start"):
                    assert isinstance(said, landline.Publication)
                    found.append(said.data)
                    if said.position.offset == head:
                        break
        return found


@pytest.fixture
def server() -> Server:
    return Server()


async def turns() -> None:
    """Whoever can go on does."""
    for _ in range(100):
        await asyncio.sleep(0)


async def idle(session: landline.Session) -> None:
    """Until everything is answered and forgotten."""
    assert session._client is not None
    while session._client.publishing.outgoing.outbox.unanswered:  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(0)
    await turns()


async def publishing(session: landline.Session, *data: Any) -> Sequence[asyncio.Future[landline.Position]]:
    """Publish, and see that it got as far as it gets."""
    futures = [asyncio.ensure_future(session.publish("t", each)) for each in data]
    await turns()
    return futures


async def stopped(futures: Sequence[asyncio.Future[landline.Position]]) -> None:
    for future in futures:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)


async def test_what_was_not_answered_goes_out_with_the_next_client(server: Server) -> None:
    """Once and in order, before anything new, although the first one never heard of it again."""
    mine = Disk()
    async with server.life():
        async with server.connect(mine) as session:
            await session.publish("t", "answered")
            server.disk.held.clear()
            futures = await publishing(session, "one", "two")
            image = mine.image()
            await stopped(futures)
            server.disk.held.set()
        async with server.connect(image) as again:
            await again.publish("t", "three")
        assert await server.history() == ["answered", "one", "two", "three"]


async def test_what_no_server_was_sent_is_not_in_doubt(server: Server) -> None:
    """No server had opened the outbox when the client died: whichever opens it now is sent everything."""
    mine = Disk()
    async with server.life():
        session = await server.connect(mine)
        server.disk.held.clear()
        futures = await publishing(session, "one")
        image = mine.image()
        await stopped(futures)
        await session.close()
        server.disk.held.set()
    server.disk = Disk()
    async with server.life():
        async with server.connect(image) as again:
            await idle(again)
        assert await server.history() == ["one"]


async def test_what_was_answered_is_forgotten(server: Server) -> None:
    """The file does not grow."""
    mine = Disk()
    async with server.life():
        for number in range(3):
            async with server.connect(mine) as session:
                await session.publish("t", number)
                await idle(session)
        async with mine:
            (left,) = await mine.scan("")
            assert left.key.endswith(".opened")
        assert await server.history() == [0, 1, 2]


async def test_nothing_is_said_before_it_is_kept(server: Server) -> None:
    """Else it could be published, and published again by the next client that does not know."""
    mine = Disk()
    async with server.life(), server.connect(mine) as session:
        await session.publish("t", "first")
        await idle(session)
        mine.held.clear()
        futures = [*await publishing(session, "second"), *await publishing(session, "third")]
        assert await server.history() == ["first"]
        mine.held.set()
        await asyncio.gather(*futures)
        assert await server.history() == ["first", "second", "third"]


async def test_a_death_between_the_answer_and_forgetting_doubles_nothing(server: Server) -> None:
    """The next client says it again, and is answered with the first position."""
    mine = Disk()
    async with server.life():
        async with server.connect(mine) as session:
            await session.publish("t", "zero")
            await idle(session)
            before = mine.writes.copy()
            futures = await publishing(session, "one")
            while len(mine.writes) == len(before):  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0)
            mine.held.clear()
            position = await futures[0]
            image = mine.image()
            mine.held.set()
        async with server.connect(image) as again:
            await idle(again)
            assert await again.publish("t", "two") == landline.Position(position.epoch, position.offset + 1)
        assert await server.history() == ["zero", "one", "two"]


async def test_it_goes_on_with_another_life_of_the_server(server: Server) -> None:
    """Both may be new: the numbers are on both disks."""
    mine = Disk()
    async with server.life():
        session = await server.connect(mine)
        futures = await publishing(session, *range(5))
        await asyncio.gather(*futures)
        image = mine.image()
        await session.close()
    async with server.life():
        async with server.connect(image) as again:
            await again.publish("t", 5)
        assert await server.history() == [*range(6)]


async def test_what_cannot_be_kept_is_not_sent(server: Server) -> None:
    """A full disk of our own: said at once; later it works again."""
    mine = Disk()
    async with server.life(), server.connect(mine) as session:
        await session.publish("t", 1)
        await idle(session)
        mine.error = StorageFull("no room")
        with pytest.raises(PublishFailed, match="could not be kept: no room"):
            await session.publish("t", 2)
        mine.error = None
        await session.publish("t", 3)
        assert await server.history() == [1, 3]


async def test_a_server_that_forgot_the_outbox_is_not_sent_it_again(server: Server) -> None:
    """What was said may have been stored in a history that is gone: nobody can tell, and nothing is doubled."""
    mine = Disk()
    async with server.life():
        async with server.connect(mine) as session:
            await session.publish("t", "before")
            server.disk.held.clear()
            futures = await publishing(session, "perhaps")
            image = mine.image()
            await stopped(futures)
            server.disk.held.set()
    server.disk = Disk()
    async with server.life():
        async with server.connect(image) as again:
            await idle(again)
            await again.publish("t", "after")
        assert await server.history() == ["after"]


async def test_who_waits_when_the_session_ends_is_told_that_it_is_kept(server: Server) -> None:
    """And the next client has it."""
    mine = Disk()
    async with server.life():
        session = await server.connect(mine)
        server.disk.held.clear()
        (future,) = await publishing(session, "one")
        await session.close()
        with pytest.raises(PublishUnknown, match="it is kept, and goes out later"):
            await future
        server.disk.held.set()
        async with server.connect(mine) as again:
            await idle(again)
        assert await server.history() == ["one"]


class Odd(BaseException):
    """What no program should raise: the server gives the whole flow up."""


async def test_what_is_kept_goes_out_before_what_is_published_after_its_flow_was_reset(
    server: Server,
) -> None:
    """By a server that made a mistake, say. It takes numbers in order, and would refuse them later."""
    mine, fails = Disk(), True

    async def vet(session: landline.Session, topic: str, data: Any) -> Any:
        if fails and data == "one":
            await turns()  # so that the others wait behind it
            raise Odd
        return data

    hub = landline.Server(storage=server.disk)
    hub.topic("t", vet=vet)
    async with hub.listen(server.address):
        async with server.connect(mine) as session:
            await session.publish("t", "zero")
            for future in await publishing(session, "one", "two", "three"):
                with pytest.raises(PublishUnknown) as unknown:
                    await future
                assert unknown.value.is_kept
            fails = False
            await session.publish("t", "four")
            await idle(session)
        assert await server.history() == ["zero", "one", "two", "three", "four"]


async def test_what_a_life_of_the_server_would_not_take_goes_out_to_the_next(server: Server) -> None:
    """By itself: nothing need be published first."""
    mine = Disk()

    async def vet(session: landline.Session, topic: str, data: Any) -> Any:
        await turns()
        raise Odd

    hub = landline.Server(storage=server.disk)
    hub.topic("t", vet=vet)
    async with hub.listen(server.address):
        session = await server.connect(mine)
        for future in await publishing(session, "one", "two"):
            with pytest.raises(PublishUnknown):
                await future
    async with server.life():
        while await landline.count_unanswered(mine):
            await turns()
        await session.close()

        assert await server.history() == ["one", "two"]


async def test_who_publishes_to_a_server_that_takes_nothing_is_told_when_there_is_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is kept stays so; nobody waits for room that never comes."""
    monkeypatch.setattr("landline.protocol.publish.MOST_UNANSWERED", 3)

    async def program(session: landline.Session) -> None:
        await session.wait_closed()

    address = f"memory://outbox-{next(_numbers)}"
    async with (
        landline.serve(program, address),
        landline.connect(address, storage=Disk(), limits=QUICK) as session,
        asyncio.timeout(10),
    ):
        for _ in range(3):
            with pytest.raises(PublishUnknown) as unknown:
                await session.publish("t", "kept")
            assert unknown.value.is_kept
        with pytest.raises(PublishFailed, match="full"):
            await session.publish("t", "not kept")


async def test_a_disk_that_is_full_when_an_answer_is_forgotten_stops_nothing(server: Server) -> None:
    """Then it is forgotten together with the next one."""

    class Full(Disk):
        is_full = False

        async def write(self, changes: Any, **options: Any) -> Any:
            if self.is_full and isinstance(changes[0], Delete):
                raise StorageFull("full")
            return await super().write(changes, **options)

    mine = Full()
    async with server.life():
        async with server.connect(mine) as session:
            await session.publish("t", "one")
            await turns()
            mine.is_full = True
            await session.publish("t", "two")
            await session.publish("t", "three")
            await turns()
            mine.is_full = False
            await session.publish("t", "four")
            await idle(session)
            assert await count_unanswered(mine) == 0
        assert await server.history() == ["one", "two", "three", "four"]


async def test_a_cancelled_publish_goes_out_all_the_same(server: Server) -> None:
    """It was kept, or will be: there is no way to take it back."""
    mine = Disk()
    async with server.life(), server.connect(mine) as session:
        await session.publish("t", 0)
        mine.held.clear()
        futures = await publishing(session, 1)
        await stopped(futures)
        mine.held.set()
        await session.publish("t", 2)
        assert await server.history() == [0, 1, 2]


async def test_a_file_has_one_client(server: Server, tmp_path: Path) -> None:
    """The second one is refused, with the first one undisturbed."""
    async with server.life(), server.connect(tmp_path / "outbox.db") as session:
        with pytest.raises(StorageLocked, match="in use"):
            await server.connect(tmp_path / "outbox.db")
        await session.publish("t", 1)


async def test_a_refused_dial_lets_go_of_the_file(server: Server, tmp_path: Path) -> None:
    """Nobody listens: the next try finds it free."""
    with pytest.raises(landline.ConnectError):
        await server.connect(tmp_path / "outbox.db")
    async with SQLiteStorage(tmp_path / "outbox.db"):
        pass


@pytest.mark.parametrize(
    "key", ["landline.client.publish.outbox", "landline.client.publish.00000000000000000001"]
)
async def test_what_is_kept_and_cannot_be_read_is_left_alone(server: Server, key: str) -> None:
    """A clear error, and no outbox that begins anew in its place."""
    mine = Disk()
    async with mine:
        await mine.put(key, b"\xc1")
    async with server.life():
        with pytest.raises(StorageDamaged, match="cannot be read"):
            await server.connect(mine)
    async with mine:
        assert (await mine.scan(""))[0].data == b"\xc1"


async def test_a_client_that_is_killed_loses_nothing(server: Server, tmp_path: Path) -> None:
    """With ``kill -9``, a real file and a real line."""
    path = str(tmp_path / "outbox.db")
    async with server.life("tcp://127.0.0.1:0") as listening:
        address = next(address for address in listening.addresses if address.startswith("tcp"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            CLIENT,
            address,
            path,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None and process.stdin is not None
        assert await process.stdout.readline() == b"ready\n"
        server.disk.held.clear()
        process.stdin.write(b"\n")
        assert await process.stdout.readline() == b"kept\n"
        process.kill()
        await process.communicate()
        server.disk.held.set()
        async with landline.connect(address, storage=path) as again:
            await idle(again)
        assert await server.history() == ["first", *range(20)]


async def test_a_backup_that_was_put_back_swallows_nothing_new(server: Server) -> None:
    """Its numbers were used already: what is published from now on has others, and what was in it is not doubled."""
    mine = Disk()
    async with server.life():
        session = await server.connect(mine)
        await session.publish("t", "first")
        server.disk.held.clear()
        old = await publishing(session, "old")
        backup = mine.image()
        server.disk.held.set()
        await asyncio.gather(*old)
        await session.publish("t", "later")
        await session.close()
        async with server.connect(backup) as session:
            await session.publish("t", "new")

        assert await server.history() == ["first", "old", "later", "new"]


@pytest.mark.limit("protocol.outboxes")
async def test_what_many_lives_left_goes_out_in_order(server: Server) -> None:
    """More of them than one session may send from share the last outbox."""
    mine = Disk()
    for life in range(PROTOCOL.outboxes + 3):
        async with server.life():
            session = await server.connect(mine)
        await stopped(await publishing(session, life))
        await session.close()
    async with mine:
        assert await landline.count_unanswered(mine) == PROTOCOL.outboxes + 3
        boxes = {value.key.rsplit(".", 1)[0] for value in await mine.scan(PUBLISHES)}
        numbers = sorted(int(value.key[-20:]) for value in await mine.scan(PUBLISHES) if value.key[-1] != "d")
    assert len(boxes) == PROTOCOL.outboxes // 2
    assert numbers[-1] > PROTOCOL.publishes  # none that may have been answered is used again
    async with server.life(), server.connect(mine) as session:
        assert [earlier.data for earlier in session.earlier] == list(range(PROTOCOL.outboxes + 3))
        await session.publish("t", "new")

        assert await server.history() == [*range(PROTOCOL.outboxes + 3), "new"]


async def test_a_flow_is_given_back_when_what_was_left_is_answered(server: Server) -> None:
    """A session has few."""
    mine = Disk()
    async with server.life():
        session = await server.connect(mine)
    await stopped(await publishing(session, 1))
    await session.close()
    async with server.life(), server.connect(mine) as session:
        assert (await session.earlier[0].position()).offset == 1
        await turns()

        assert len(session._bare.core.flows) == 1


async def test_an_entry_whose_data_nobody_can_read_is_refused_by_the_server(server: Server) -> None:
    """It hinders neither the connecting nor what comes after it."""
    mine = Disk()
    async with server.life():
        session = await server.connect(mine)
    await stopped(await publishing(session, "bad"))
    await stopped(await publishing(session, "good"))
    await session.close()
    async with mine:
        (bad, _) = [value for value in await mine.scan(PUBLISHES) if value.key[-1].isdigit()]
        await mine.put(bad.key, msgspec.msgpack.encode(("t", b"\x00\xc1")))
    async with server.life(), server.connect(mine) as session:
        assert [earlier.data for earlier in session.earlier] == [b"\x00\xc1", "good"]
        with pytest.raises(PublishFailed):
            await session.earlier[0].position()
        await session.earlier[1].position()

        assert await server.history() == ["good"]


async def test_a_session_that_is_closed_has_let_go_of_its_storage(tmp_path: Path) -> None:
    """The next one may open it at once."""
    server = Server()
    async with server.life():
        session = await landline.connect(server.address, storage=tmp_path / "outbox.db")
        await session.close()
        async with SQLiteStorage(tmp_path / "outbox.db"):
            pass
