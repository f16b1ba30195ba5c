"""Topics and sessions that outlive the server, end to end over real sockets: nothing is lost, doubled or reordered without a word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

import pytest

import landline
from landline import Gap, Position, Publication
from landline.history import BEHIND, EXPIRED, HISTORY_REPLACED, SUPERSEDED
from landline.storage import SQLiteStorage, Storage
from tests.disk import Disk

pytestmark = pytest.mark.timeout(30)

QUICK = landline.Limits(redial_min=0.001, redial_max=0.01)
SLOW = landline.Limits(redial_min=0.001, redial_max=0.01, window=4096, credit=4096)
"""Of a client that is sent little before it reads."""

Part = Publication | Gap


class Place:
    """A server with one life after the other, at one address."""

    def __init__(self, program: Any = None) -> None:
        self.address = "tcp://127.0.0.1:0"
        self.server: landline.Server
        self.begun: list[str] = []
        self.options: dict[str, Any] = {}
        self.topics: dict[str, dict[str, Any]] = {"t.*": {}}
        self._program = program or self._keep
        self._stack = AsyncExitStack()
        self._listening: landline.Listening

    async def _keep(self, session: landline.Session) -> None:
        async for _ in session:
            pass

    async def _run(self, session: landline.Session) -> None:
        self.begun.append(session.id)
        await self._program(session)

    async def open(self, storage: Storage | Path | None = None) -> None:
        """Another life begins."""
        self.server = landline.Server(self._run, storage=storage, retry_in=0.001, **self.options)
        for pattern, options in self.topics.items():
            self.server.topic(pattern, **options)
        self._listening = await self._stack.enter_async_context(self.server.listen(self.address))
        self.address = self._listening.addresses[0]

    async def close(self) -> None:
        """It ends in an orderly way."""
        await self._stack.aclose()

    async def crash(self) -> None:
        """It ends without a word to anybody."""
        self._listening._acceptor.abort()
        await self._stack.aclose()

    async def until_there(self, number: int) -> None:
        """So many subscribe to one topic."""
        hub = self.server._hub
        while hub is not None and sum(map(len, hub._board._exact.values())) < number:
            await turn()

    async def client(self, limits: landline.Limits = QUICK) -> landline.Session:
        return await landline.connect(self.address, limits=limits)


async def turn() -> None:
    """Everybody else has one."""
    await asyncio.sleep(0)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    place = Place()
    yield place
    await place.close()


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Disk() if request.param == "memory" else SQLiteStorage(tmp_path / "store.db")


async def take(subscription: Any, number: int) -> list[Part]:
    return [await anext(subscription) for _ in range(number)]


async def take_up_to(subscription: Any, offset: int) -> list[Part]:
    """Everything up to this offset."""
    parts: list[Part] = []
    while not parts or end_of(parts[-1]) < offset:
        parts.append(await anext(subscription))
    return parts


def end_of(part: Part) -> int:
    return part.to.offset if isinstance(part, Gap) else part.position.offset


def begin_of(part: Part) -> int:
    return part.after.offset if isinstance(part, Gap) else part.position.offset - 1


def check_whole(parts: Iterable[Part], after: int) -> None:
    """Each offset is told once, in order: in a publication or in a gap. For who is told of everything that is published."""
    for part in parts:
        assert begin_of(part) == after, part
        after = end_of(part)


def data(parts: Iterable[Part]) -> list[Any]:
    return [part.data for part in parts if isinstance(part, Publication)]


def gaps(parts: Iterable[Part]) -> list[tuple[int, int, str]]:
    return [(part.after.offset, part.to.offset, part.reason) for part in parts if isinstance(part, Gap)]


# History, and then live...


async def test_history_and_live_without_a_seam(place: Place, storage: Storage) -> None:
    """Several publish all the time, subscribers come all the time: all are told the same, in one order, each thing once."""
    publishers, each = 4, 50
    total = publishers * each
    await place.open(storage)
    clients = [await place.client() for _ in range(publishers)]
    news = asyncio.Condition()
    published: list[Position] = []

    async def publish(number: int) -> None:
        say = clients[number].publish if number else place.server.publish
        for count in range(each):
            position = await say(f"t.{number}", (number, count))
            async with news:
                published.append(position)
                news.notify_all()

    async def hear(number: int) -> tuple[Any, list[Part]]:
        async with news:  # they come one after the other, while it is published
            await news.wait_for(lambda: len(published) >= number * 15)
        beginnings: list[Any] = ["start", "now", "last", *published[-1:]]
        after = beginnings[number % len(beginnings)]
        async with clients[number % publishers].subscribe("t.*", after) as subscription:
            return after, await take_up_to(subscription, total)

    async with asyncio.TaskGroup() as tasks:
        hearing = [tasks.create_task(hear(number)) for number in range(12)]
        for number in range(publishers):
            tasks.create_task(publish(number))
    everything = await take(place.server.subscribe("t.*", "start"), total)
    for client in clients:
        await client.close()

    check_whole(everything, 0)
    assert sorted(position.offset for position in published) == list(range(1, total + 1))
    for number in range(publishers):
        assert [part[1] for part in data(everything) if part[0] == number] == list(range(each))
    for task in hearing:
        check_heard(everything, *task.result())


def check_heard(everything: list[Part], after: Any, parts: list[Part]) -> None:
    """Whoever came got all there was from where it wanted to begin."""
    begin = len(parts)
    while begin and parts[begin - 1] == everything[begin - 1 - len(parts)]:
        begin -= 1
    if after == "last":
        newest = {part.topic: part for part in everything[: begin_of(parts[begin])]}
        assert [newest[part.topic] for part in parts[:begin]] == parts[:begin]
    else:
        assert begin == 0
    if after == "start":
        assert len(parts) == len(everything)
    elif isinstance(after, Position):
        assert begin_of(parts[0]) == after.offset


async def test_a_pattern_gets_what_it_selects_by_one_position(place: Place, storage: Storage) -> None:
    """History and live, of topics that it knew and that are new."""
    place.topics = {"t.**": {}, "u": {}}
    await place.open(storage)
    async with await place.client() as client:
        last = [await client.publish(topic, topic) for topic in ("t.a", "u", "t.b.c", "t.b")][-1]
        subscriptions = [
            client.subscribe(pattern, "start") for pattern in ("t.*", "t.**", "t.b.*", "**", "u")
        ]
        for topic in ("t.new", "t.b.new", "u"):
            await place.server.publish(topic, topic)
        heard = [
            data(await take(each, number))
            for each, number in zip(subscriptions, (3, 5, 2, 7, 2), strict=True)
        ]
        again = client.subscribe("t.*", last)

        assert heard == [
            ["t.a", "t.b", "t.new"],
            ["t.a", "t.b.c", "t.b", "t.new", "t.b.new"],
            ["t.b.c", "t.b.new"],
            ["t.a", "u", "t.b.c", "t.b", "t.new", "t.b.new", "u"],
            ["u", "u"],
        ]
        assert data(await take(again, 1)) == ["t.new"]


# A reader that does not read...


@pytest.mark.parametrize("behind", ["history", "drop_oldest", "latest"])
async def test_a_reader_that_does_not_read(
    place: Place, behind: Literal["history", "drop_oldest", "latest"]
) -> None:
    """Nobody waits for it, and what it is not given it is told; once it reads it is up to date again."""
    number, size = 500, 4000
    place.topics = {"t.*": {"behind": behind}}
    await place.open()
    async with await place.client(SLOW) as reader, await place.client() as other:
        subscription, prompt = reader.subscribe("t.a"), other.subscribe("t.a")
        hearing = asyncio.ensure_future(take(prompt, 1))
        await place.until_there(2)
        for count in range(number):
            await place.server.publish("t.a", bytes([count % 256]) * size)
        assert len(await hearing) == 1
        parts = await take_up_to(subscription, number)
        check_whole(parts, 0)
        assert data(parts)[-1] == bytes([(number - 1) % 256]) * size
        if behind == "history":
            assert gaps(parts) == []
        else:
            assert {reason for _, _, reason in gaps(parts)} == {
                BEHIND if behind == "drop_oldest" else SUPERSEDED
            }
            assert len(data(parts)) < number
        final = await place.server.publish("t.a", "live again")
        assert await take(subscription, 1) == [Publication("t.a", final, "live again")]


async def test_retention_overtakes_a_reader_that_does_not_read(place: Place) -> None:
    """What is gone when it reads on is a gap: the rest is there."""
    place.topics = {"t.*": {"history": 10}}
    await place.open()
    async with await place.client(SLOW) as reader:
        subscription = reader.subscribe("t.a", "start")
        await place.until_there(1)
        for count in range(500):
            await place.server.publish("t.a", bytes([count % 256]) * 4000)
        parts = await take_up_to(subscription, 500)

    check_whole(parts, 0)
    assert {reason for _, _, reason in gaps(parts)} == {EXPIRED}
    assert data(parts)[-10:] == [bytes([count % 256]) * 4000 for count in range(490, 500)]


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        ({"history": 3}, [7, 8, 9]),
        ({"history_bytes": 3 * 4}, [7, 8, 9]),
        ({"history_age": 5.0}, [4, 5, 6, 7, 8, 9]),
    ],
)
async def test_what_is_not_kept_is_a_gap(place: Place, kept: dict[str, Any], left: list[int]) -> None:
    """By count, bytes or age: from the start, and from a position within it."""
    clock = [0.0]
    place.topics = {"t.*": kept}
    await place.open(Disk(clock=lambda: clock[0]))
    async with await place.client() as client:
        positions = []
        for count in range(10):
            clock[0] += 1.0
            positions.append(
                await client.publish("t.a", f"{count:03}")
            )  # with the byte that says that it is text
        parts = await take(client.subscribe("t.a", "start"), len(left) + 1)
        later = await take(client.subscribe("t.a", positions[1]), len(left) + 1)

    assert [int(item) for item in data(parts)] == [int(item) for item in data(later)] == left
    assert gaps(parts) == [(0, left[0], EXPIRED)]
    assert gaps(later) == [(2, left[0], EXPIRED)]


# Positions of somewhere else...


async def test_positions_of_another_history_and_from_the_future(place: Place, storage: Storage) -> None:
    """A gap that leads back to what both have in common, and then all there is."""
    await place.open(storage)
    async with await place.client() as client:
        head = [await client.publish("t.a", count) for count in range(3)][-1]
        for epoch, offset in (("another", 2), ("another", 99), (head.epoch, 99)):
            position, back_to = Position(epoch, offset), head.offset if epoch == head.epoch else 0
            subscription = client.subscribe("t.a", position)
            (gap,) = await take(subscription, 1)
            assert isinstance(gap, Gap)
            assert (gap.after, gap.to.offset, gap.reason) == (position, back_to, HISTORY_REPLACED)
            parts = await take(subscription, head.offset - back_to)
            head = await place.server.publish("t.a", "live")
            parts += await take(subscription, 1)
            check_whole(parts, back_to)
            assert data(parts)[-1] == "live"
            await subscription.close()


async def test_an_old_backup_is_told_to_who_had_read_further(place: Place) -> None:
    """A subscription that goes on by itself: what it was given after the backup did not happen here."""
    disk = Disk()
    await place.open(disk)
    async with await place.client() as client:
        subscription = client.subscribe("t.*", "start")
        await client.publish("t.a", 1)
        await take(subscription, 1)
        backup = disk.image()
        await place.server.publish("t.a", 2)
        await take(subscription, 1)
        await place.crash()
        await place.open(backup)
        (gap,) = await take(subscription, 1)
        await place.server.publish("t.a", "another 2")

        assert isinstance(gap, Gap)
        assert (gap.after.offset, gap.to.offset, gap.reason) == (2, 1, HISTORY_REPLACED)
        assert data(await take(subscription, 1)) == ["another 2"]


# Another life...


@pytest.mark.parametrize("how", ["close", "crash"])
async def test_everything_goes_on_in_another_life(place: Place, how: str) -> None:
    """Publishes in flight happen once and are answered, subscriptions go on, plain sends are told, and the program begins anew."""
    disk = Disk()
    await place.open(disk)
    async with await place.client() as client, await place.client() as other:
        subscription = other.subscribe("t.*", "start")
        publishing: list[asyncio.Task[Position]] = []
        for life in range(3):
            publishing += [asyncio.create_task(client.publish("t.a", (life, count))) for count in range(50)]
            await asyncio.wait(publishing[-50:-25])
            if how == "crash":
                disk = disk.image()
                await place.crash()
            else:
                await place.close()
            await place.open(disk)
        positions = await asyncio.gather(*publishing)
        parts = await take(subscription, len(positions))
        ids = client.id, other.id

    check_whole(parts, 0)
    assert data(parts) == [[life, count] for life in range(3) for count in range(50)]
    assert sorted(position.offset for position in positions) == list(range(1, 151))
    assert [part.position for part in parts if isinstance(part, Publication)] == sorted(
        positions, key=lambda position: position.offset
    )
    assert len({position.epoch for position in positions}) > 1
    assert set(place.begun) == set(ids)


async def test_plain_sends_end_at_the_end_of_a_life(place: Place, storage: Storage) -> None:
    """Unknown or failed, and who receives or flushes is told once; the session is the same, and what is sent from now on arrives."""
    got: list[Any] = []

    async def program(session: landline.Session) -> None:
        got.append(await session.receive())
        if got[-1] != "unhandled":
            session.ack()
            _ = await session.send("hello from this life")
        await session.wait_closed()

    place._program = program
    await place.open(storage)
    async with await place.client() as client:
        unhandled = await client.send("unhandled")
        while not got:
            await turn()
        receiving, flushing = asyncio.ensure_future(client.receive()), asyncio.ensure_future(client.flush())
        await asyncio.sleep(0)
        await place.crash()
        unsaid = await client.send("unsaid")
        await place.open(storage)
        results = await asyncio.gather(receiving, flushing, return_exceptions=True)
        outcomes = [await unhandled, await unsaid]
        handled = await client.send("again")

        assert [type(result) for result in results] == [landline.SessionInterrupted] * 2
        assert [outcome.status for outcome in outcomes] == ["unknown", "failed"]
        assert await client.receive() == "hello from this life"
        assert (await handled).is_acked
        assert place.begun == [client.id] * 2
        assert got == ["unhandled", "again"]


async def test_without_storage_a_new_life_knows_nothing(place: Place) -> None:
    """The session is lost, its subscription with it, and what was published may be."""
    await place.open()
    async with await place.client() as client:
        subscription = client.subscribe("t.a")
        await client.publish("t.a", 1)
        await place.crash()
        publishing = asyncio.ensure_future(client.publish("t.a", 2))
        await asyncio.sleep(0)
        await place.open()
        with pytest.raises(landline.SessionLost):
            await client.receive()
        with pytest.raises((landline.PublishFailed, landline.PublishUnknown)):
            await publishing
        with pytest.raises(landline.SessionLost):
            await take(subscription, 2)


async def test_a_disk_that_failed_is_well_in_the_next_life(place: Place) -> None:
    """What was unknown is there or not, what was refused is not, and nothing was acked that is not there."""
    disk = Disk()
    await place.open(disk)
    async with await place.client() as client:
        await client.publish("t.a", "safe")
        disk.error, disk.stores_all_the_same = landline.StorageFailed("broken"), True
        with pytest.raises(landline.PublishUnknown, match="started again"):
            await client.publish("t.a", "perhaps")
        disk.stores_all_the_same = False
        with pytest.raises(landline.PublishFailed, match="started again"):
            await client.publish("t.a", "never")
        disk.error = None
        await place.close()
        await place.open(disk)
        await client.publish("t.a", "safe again")
        parts = await take(client.subscribe("t.a", "start"), 3)

    assert data(parts) == ["safe", "perhaps", "safe again"]


async def test_a_disk_that_is_full_keeps_nobody_out(place: Place) -> None:
    """Who comes is let in, who is here goes on; publishing resumes when there is room."""
    disk = Disk()
    await place.open(disk)
    async with await place.client() as client:
        disk.error = landline.StorageFull("no room")
        client.drop()
        async with await place.client() as newcomer:
            for session in (client, newcomer):
                _ = await session.send("hello")
                await session.flush()
                with pytest.raises(landline.PublishFailed, match="is full"):
                    await session.publish("t.a", 1)
            subscription = newcomer.subscribe("t.a", "start")
            disk.error = None
            for session in (client, newcomer):
                await session.publish("t.a", 2)
            assert data(await take(subscription, 2)) == [2, 2]


async def test_a_session_that_cannot_be_read_keeps_nobody_out(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """A later version may have written it: it is left where it is, and the others go on."""
    disk = Disk()
    async with disk:
        await disk.put("landline.session." + "ab" * 16, b"of a later version")
    await place.open(disk)
    async with await place.client() as client:
        await client.publish("t.a", 1)
        await place.close()
        await place.open(disk)
        await client.publish("t.a", 2)

    value = await disk.get("landline.session." + "ab" * 16)
    assert value is not None
    assert "what is stored of session abababab cannot be read" in caplog.text


async def test_two_listenings_have_their_own_topics() -> None:
    """The one that is left last is served to the end."""
    server = landline.Server()
    server.topic("t")
    async with server.listen("tcp://127.0.0.1:0"):
        await server.publish("t", 1)
        async with server.listen("tcp://127.0.0.1:0"):
            assert (await server.publish("t", 2)).offset == 1
        assert (await server.publish("t", 3)).offset == 2
    with pytest.raises(landline.StorageClosed):
        await server.publish("t", 4)
    with pytest.raises(landline.StorageClosed):
        server.subscribe("t")


@pytest.mark.parametrize(
    "call",
    [
        lambda server: server.topic("t.>"),
        lambda server: server.topic("**.t"),
        lambda server: server.topic("t", behind="never"),
        lambda server: server.topic("t", history=0),
        lambda server: server.topic("t", history_age=-1.0),
    ],
)
def test_rules_that_cannot_be_are_refused(call: Callable[[landline.Server], None]) -> None:
    """Where they are made."""
    with pytest.raises(ValueError):
        call(landline.Server())


def test_a_policy_that_there_is_none_of_is_told_which_there_are() -> None:
    """The words are in the sentence."""
    with pytest.raises(ValueError, match=r"'history', 'drop_oldest', 'latest'.*not 'drop'"):
        landline.Server().topic("t", behind="drop")  # type: ignore[arg-type]


async def test_who_reads_too_slowly_for_the_end_of_a_life_goes_on_in_the_next(place: Place) -> None:
    """What could not be delivered in time is no reason to lose the session: its subscription goes on where it was."""
    place.options["limits"] = landline.Limits(close_timeout=0.1)
    disk = Disk()
    await place.open(disk)
    async with await place.client(SLOW) as client:
        subscription = client.subscribe("t.a")
        await place.until_there(1)
        for _ in range(50):
            await place.server.publish("t.a", bytes(4000))
        await place.close()
        await place.open(disk)
        await place.server.publish("t.a", "at last")
        parts = await take(subscription, 51)

        check_whole(parts, 0)
        assert data(parts)[-1] == "at last"
        assert place.begun == [client.id] * 2


# Who may read no longer.


async def said(subscription: Any) -> Any:
    """What is published next."""
    return (await anext(subscription)).data


async def test_who_may_no_longer_read_is_told_so_and_reads_nothing_more(place: Place) -> None:
    """On whichever session; what waited unread is gone, what they still may read goes on, and a wildcard is asked about as it stands."""
    may = {"t.a", "t.b"}
    place.options = {
        "authenticate": str,
        "authorize": lambda principal, verb, topic: principal == "ben" or verb == "enter" or topic in may,
    }
    await place.open()
    sessions = [
        await landline.connect(place.address, limits=QUICK, credentials=name)
        for name in ("ana", "ana", "ben")
    ]
    secret, other, bens = (session.subscribe("t.a", "start") for session in sessions)
    open_to_all = sessions[0].subscribe("t.b", "start")
    with pytest.raises(landline.NotAllowed, match=r"may not subscribe to 't\.\*'"):
        await anext(sessions[0].subscribe("t.*"))
    for topic in ("t.a", "t.b"):
        await place.server.publish(topic, "before")
    for subscription in (secret, other, bens, open_to_all):
        assert await said(subscription) == "before"
    await place.server.publish("t.a", "unread")
    while not secret._flow.core.inbox:
        await turn()

    may.discard("t.a")
    place.server.reauthorize("ana")
    for topic in ("t.a", "t.b"):
        await place.server.publish(topic, "after")

    assert await said(open_to_all) == "after"
    for subscription in (secret, other):
        with pytest.raises(landline.NotAllowed, match=r"no longer subscribe to 't\.a'"):
            await anext(subscription)
    assert [await said(bens) for _ in range(2)] == ["unread", "after"]
    for session in sessions:
        await session.close()


@pytest.mark.parametrize("after", ["start", "last"])
async def test_who_may_no_longer_read_before_the_first_page_reads_none(
    place: Place, after: Literal["start", "last"]
) -> None:
    """The question is asked, and the history is still being read."""
    may, is_read, goes_on = True, asyncio.Event(), asyncio.Event()
    goes_on.set()

    class Slow(Disk):
        async def read(self, *args: Any, **options: Any) -> Any:
            is_read.set()
            await goes_on.wait()
            return await super().read(*args, **options)

        async def last(self, *args: Any, **options: Any) -> Any:
            is_read.set()
            await goes_on.wait()
            return await super().last(*args, **options)

    place.options = {"authorize": lambda principal, verb, topic: verb == "enter" or may}
    await place.open(Slow())
    await place.server.publish("t.a", "secret")
    session = await place.client()
    goes_on.clear()
    is_read.clear()
    subscription = session.subscribe("t.a", after)
    reading = asyncio.ensure_future(anext(subscription))
    await is_read.wait()

    may = False
    place.server.reauthorize("")
    goes_on.set()

    with pytest.raises(landline.NotAllowed, match="no longer"):
        await reading
    await session.close()


async def test_a_server_that_does_not_listen_has_nobody_to_ask_about(place: Place) -> None:
    """Who goes while it closes needs no case of its own."""
    landline.Server().reauthorize("ana")
    await place.open()
    await place.close()

    place.server.reauthorize("ana")
