"""Every pattern under a proxy that cuts its lines: what was promised is kept, and afterwards nothing is left at either end.

Each is played in rounds over one server, every round with sessions of its own. After each the tasks, and after the warm-up the descriptors, are
those from before it; and the rounds after that leave not one object more, and no memory.
"""

# A receipt that nobody awaits costs nothing.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

import landline
from landline.sessions.alarms import Alarm
from landline.testing.ledger import Ledger
from landline.testing.network import Proxy, bad_network

DESCRIPTORS: Final = Path("/proc/self/fd")
LIMITS = landline.Limits(redial_min=0.001, redial_max=0.01, presence_grace=30.0, max_tombstones=1)

ASIDE: Final = 128 << 10
"""Bytes that come and go between rounds: timers that nobody waits for, until they ring; pages of a database."""


class Pattern:
    """One pattern: what a server has for it, and a round of it.

    Attributes:
        cut_every: bytes after which a line is cut, on average.
        count: how many things a round sends.
    """

    cut_every = 1000
    count = 60

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.proxy: Proxy
        self.begun = asyncio.Event()

    def prepare(self, server: landline.Server) -> None:
        """Have the server offer it."""

    async def run(self, session: landline.Session) -> None:
        """The server's program."""
        self.begun.set()
        await self.program(session)

    async def program(self, session: landline.Session) -> None:
        """What it does."""
        await session.wait_closed()

    async def round(self, count: int) -> None:
        """Play it with this many things, and look whether all is as it was promised."""
        raise NotImplementedError

    def look(self) -> None:
        """Look at what is left when both ends have rested."""

    async def dial(self, **options: Any) -> landline.Session:
        """Return a session whose first line was cut as soon as the server's program had begun.

        Not before that: whoever is cut off in its first greeting is waited for, and its session held for so long.
        """
        self.begun.clear()
        self.proxy.faults.cut_every = 0
        session = await landline.connect(self.proxy.address, limits=LIMITS, **options)
        await self.begun.wait()
        self.proxy.faults.cut_every = self.cut_every
        self.proxy.cut()
        return session


class Messages(Pattern):
    """Each comes back."""

    cut_every = 2000

    async def program(self, session: landline.Session) -> None:
        async for message in session:
            await session.send(message)

    async def round(self, count: int) -> None:
        there_and_back = Ledger()
        async with await self.dial() as session:

            async def hear() -> None:
                for _ in range(count):
                    there_and_back.delivered.append(await session.receive())

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(hear())
                receipts = []
                for number in range(count):
                    there_and_back.sent.append([number, "x" * (number % 50)])
                    receipts.append(await session.send(there_and_back.sent[-1]))
                assert all([(await receipt).is_acked for receipt in receipts])
        there_and_back.acked = count
        assert there_and_back.is_clean


class Topics(Pattern):
    """Whoever subscribes reads what is published, once and in its order; every publisher is told its place in it."""

    cut_every = 1200

    def prepare(self, server: landline.Server) -> None:
        server.topic("t", history=10)

    async def round(self, count: int) -> None:
        places: dict[int, Any] = {}
        read: list[tuple[int, Any]] = []
        async with await self.dial() as session:

            async def publish(first: int) -> None:
                for number in range(first, count, 20):
                    places[(await session.publish("t", number)).offset] = number

            async with session.subscribe("t", after=await session.publish("t", "first")) as reading:
                async with asyncio.TaskGroup() as tasks:
                    for first in range(20):
                        tasks.create_task(publish(first))
                    while len(read) < count:
                        item = await anext(reading)
                        assert isinstance(item, landline.Publication)
                        read.append((item.position.offset, item.data))
        assert read == sorted(places.items())
        assert sorted(places.values()) == list(range(count))


class DurableSends(Pattern):
    """The server's program is given each once, in order."""

    cut_every = 1200

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.heard: list[Any] = []

    async def program(self, session: landline.Session) -> None:
        async for message in session:
            self.heard.append(message)

    async def round(self, count: int) -> None:
        self.heard.clear()
        async with await self.dial() as session:
            receipts = [await session.send(number, durable=True) for number in range(count)]
            assert all([(await receipt).is_acked for receipt in receipts])
        assert self.heard == list(range(count))


class Calls(Pattern):
    """Each runs once, and so does the one that the server makes back meanwhile."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ran: Counter[int] = Counter()

    def prepare(self, server: landline.Server) -> None:
        async def ask_back(session: landline.Session, number: int) -> int:
            self.ran[number] += 1
            return await session.call("double", number)  # type: ignore[no-any-return]

        server.method(ask_back)

    async def round(self, count: int) -> None:
        self.ran.clear()
        here: Counter[int] = Counter()
        methods = landline.Methods()

        @methods.method
        async def double(number: int) -> int:
            here[number] += 1
            return 2 * number

        numbers = iter(range(count))
        async with await self.dial(methods=methods) as session:

            async def call() -> None:
                for number in numbers:
                    assert await session.call("ask_back", number) == 2 * number

            async with asyncio.TaskGroup() as tasks:
                for _ in range(20):
                    tasks.create_task(call())
        assert self.ran == here == Counter(range(count))


class Streams(Pattern):
    """Items down, and both ways, side by side; a stream that is left early, and one that fails."""

    def prepare(self, server: landline.Server) -> None:
        async def count(to: int, fails: bool = False) -> AsyncIterator[int]:
            for number in range(to):
                yield number
            if fails:
                raise landline.CallFailed("no more")

        async def repeat(stream: landline.Stream) -> None:
            async for item in stream:
                await stream.send(item)

        server.method(count)
        server.method(repeat)

    async def round(self, count: int) -> None:
        async def both_ways() -> list[Any]:
            async with session.stream("repeat") as stream, asyncio.TaskGroup() as tasks:

                async def send() -> None:
                    for number in range(count):
                        await stream.send(number)
                    stream.end()

                tasks.create_task(send())
                return [item async for item in stream]

        async def failing() -> list[Any]:
            read: list[Any] = []
            stream = session.stream("count", 20, fails=True)
            while len(read) < 20:
                read.append(await stream.receive())
            with pytest.raises(landline.CallFailed, match="no more"):
                await stream.receive()
            return read

        async with await self.dial() as session:
            async with session.stream("count", count) as left:
                assert await left.receive() == 0
            sent, failed = asyncio.create_task(both_ways()), asyncio.create_task(failing())
            read = [item async for item in session.stream("count", count)]
            assert read == await sent == list(range(count))
            assert await failed == list(range(20))


class Presence(Pattern):
    """Whoever watches sees in the end who the server says is there, each with its newest state; whoever goes leaves nothing."""

    cut_every = 1000
    count = 4

    def prepare(self, server: landline.Server) -> None:
        self.server = server
        server.presence("g")

    async def round(self, count: int) -> None:
        async with contextlib.AsyncExitStack() as stack:
            first, *others = [await stack.enter_async_context(await self.dial()) for _ in range(3)]
            watching = await stack.enter_async_context(first.presence("g"))
            here = [await stack.enter_async_context(each.presence("g", state=0)) for each in others]
            for number in range(1, count + 1):
                async with first.presence("g", state="soon gone", watch=False):
                    for each in here:
                        await each.update(number)
            expected = {each.id: count for each in here}
            while states(watching.members) != expected:
                await anext(watching)
            while states(self.server.members("g")) != expected:  # noqa: ASYNC110 - frames tell of it, and nobody else
                await asyncio.sleep(0)
        while self.server.members("g"):  # noqa: ASYNC110 - frames tell of it, and nobody else
            await asyncio.sleep(0)


def states(members: Mapping[str, landline.Member]) -> dict[str, Any]:
    return {id: member.state for id, member in members.items()}


class Files(Pattern):
    """They are there, whole, and nothing unfinished is beside them."""

    cut_every = 30_000
    count = 1

    async def program(self, session: landline.Session) -> None:
        async with session.files() as offers:
            async for offer in offers:
                await offer.accept(self.folder / "inbox")

    async def round(self, count: int) -> None:
        source = self.folder / "source"
        async with await self.dial() as session:
            for number in range(count):
                data = random.Random(number).randbytes(100_000)
                source.write_bytes(data)
                received = self.folder / "inbox" / (await session.send_file(source)).name
                assert received.read_bytes() == data
                received.unlink()

    def look(self) -> None:
        assert [each.name for each in (self.folder / "inbox").iterdir()] == []


PATTERNS: Final = [Messages, Topics, DurableSends, Calls, Streams, Presence, Files]


async def until_only(tasks: set[asyncio.Task[Any]]) -> None:
    """Wait until no others run: what a session leaves at its end may take some turns, and not more."""
    while left := asyncio.all_tasks() - tasks:
        await asyncio.wait(left, timeout=5.0)
        if left & asyncio.all_tasks():
            raise AssertionError(f"still running: {sorted(task.get_name() for task in left)}")


def held() -> tuple[int, Counter[str]]:
    """Return how many bytes are held, and how many objects of each class of the library but alarms that are yet to ring."""
    for _ in range(3):
        gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    rung = time.monotonic() - 1.0
    kinds = (type(each) for each in gc.get_objects() if type(each) is not Alarm or each.begins_at < rung)
    ours = (kind for kind in kinds if str(kind.__module__).startswith("landline."))
    return size, Counter(kind.__qualname__ for kind in ours)


@pytest.mark.timeout(120)
@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="counts descriptors as Linux shows them")
@pytest.mark.parametrize(
    ("warm_up", "rounds", "times"),
    [(2, 2, 1), pytest.param(8, 6, 3, marks=pytest.mark.long)],
    ids=["short", "long"],
)
@pytest.mark.parametrize("kind", PATTERNS, ids=lambda kind: kind.__name__)
async def test_what_is_promised_is_kept_and_nothing_is_left(
    kind: type[Pattern], warm_up: int, rounds: int, times: int, tmp_path: Path
) -> None:
    """With cuts in every round, in greetings and in the middle of frames; after rounds in which caches fill, and timers are set that ring later."""
    pattern = kind(tmp_path)
    async with landline.serve(landline.Session.wait_closed, "tcp://127.0.0.1:0") as once:
        await (
            await landline.connect(once.addresses[0])
        ).close()  # what the loop opens once for itself stays open
    tasks, descriptors = asyncio.all_tasks(), len(list(DESCRIPTORS.iterdir()))
    server = landline.Server(pattern.run, storage=tmp_path / "store", limits=LIMITS)
    pattern.prepare(server)
    count = pattern.count * times
    tracemalloc.start()
    try:
        async with asyncio.timeout(110), server.listen("tcp://127.0.0.1:0") as listening:
            async with bad_network(listening.addresses[0], seed=1) as proxy:
                pattern.proxy = proxy
                running, open_then, before, objects = asyncio.all_tasks(), 0, 0, Counter[str]()
                for number in range(warm_up + rounds):
                    await pattern.round(count)
                    await until_only(running)
                    pattern.look()
                    if number + 1 == warm_up:
                        open_then, (before, objects) = len(list(DESCRIPTORS.iterdir())), held()
                assert len(list(DESCRIPTORS.iterdir())) == open_then
                now, objects_now = held()
                assert objects_now - objects == {}
                assert now - before < ASIDE
                assert proxy.cuts > rounds
    finally:
        tracemalloc.stop()
    await until_only(tasks)
    for _ in range(10):
        await asyncio.sleep(0)  # uvloop closes what it has been told to in a later turn
    assert len(list(DESCRIPTORS.iterdir())) == descriptors
