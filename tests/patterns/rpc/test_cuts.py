"""Calls and streams on bad lines and beyond: a proxy cuts them at random bytes, servers are killed, and both ends' books agree."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.testing.network import Faults, bad_network

COUNT = 10_000
LIMITS = landline.Limits(redial_min=0.005, redial_max=0.02)

SERVER = """
import asyncio, os, sys, landline
address, store, book = sys.argv[1:]
server = landline.Server(storage=store)

def write(*words):
    with open(book, "a") as file:
        print(*words, file=file, flush=True)

@server.method
async def once(number: int) -> int:
    write("once", number)
    return number

@server.method(idempotent=True)
async def again(number: int) -> int:
    write("again", number)
    return number

@server.method
async def die() -> None:
    os.kill(os.getpid(), 9)

async def main():
    async with server.listen(address):
        print("ready", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
"""Writes down what it runs, and kills itself when it is asked to."""


async def connected(address: str, **options: Any) -> landline.Session:
    """The network may cut the first dial too, which only the session's own redial would heal."""
    while True:
        with contextlib.suppress(landline.ConnectError):
            return await landline.connect(address, limits=LIMITS, **options)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("seed", "count", "faults"),
    [
        (1, COUNT, Faults(cut_every=20_000)),
        (2, 2000, Faults(cut_every=20_000, freeze_every=50_000, freeze_for=0.01, slice_to=300)),
        (3, 300, Faults(cut_every=700, slice_to=7)),
    ],
    ids=["cut", "cut, frozen, sliced", "cut and sliced small"],
)
async def test_every_call_has_its_effect_once(seed: int, count: int, faults: Faults) -> None:
    """In both directions at once, with cancels among them: who was answered is in the other's book once, and nobody is there twice."""
    chance = random.Random(seed)
    books: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
    cancelled: tuple[set[int], set[int]] = (set(), set())

    def offered(book: Counter[int]) -> landline.Methods:
        methods = landline.Methods()

        @methods.method
        async def note(number: int, waits: bool) -> int:
            if waits:
                await asyncio.sleep(0)
            book[number] += 1
            return number

        return methods

    async def call(session: landline.Session, numbers: list[int], left: set[int]) -> None:
        while numbers:
            number = numbers.pop()
            calling = asyncio.create_task(session.call("note", number, bool(number % 2), timeout=50.0))
            if chance.random() < 0.02:
                await asyncio.sleep(0)
                calling.cancel()
            try:
                assert await calling == number
            except asyncio.CancelledError:
                left.add(number)

    async def call_all(session: landline.Session, left: set[int]) -> None:
        numbers = list(range(count // 2))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(30):
                tasks.create_task(call(session, numbers, left))

    done = asyncio.Event()

    async def program(session: landline.Session) -> None:
        await call_all(session, cancelled[1])
        done.set()
        await session.wait_closed()

    server = landline.Server(program, methods=offered(books[0]))
    async with asyncio.timeout(55), server.listen("tcp://127.0.0.1:0") as listening:
        async with bad_network(listening.addresses[0], faults, seed=seed) as proxy:
            async with await connected(proxy.address, methods=offered(books[1])) as session:
                await call_all(session, cancelled[0])
                await done.wait()
            cuts = proxy.cuts

    assert cuts > 3
    for book, left in zip(books, cancelled, strict=True):
        assert set(book.values()) == {1}
        assert set(range(count // 2)) - left <= set(book)
    await asyncio.sleep(0)
    assert {task.get_name() for task in asyncio.all_tasks()} & {
        "landline call",
        "landline landline.calls",
    } == set()


@pytest.mark.timeout(60)
async def test_a_server_that_is_killed_answers_each_call_in_its_next_life_or_nobody_knows(
    tmp_path: Path,
) -> None:
    """With storage the session goes on: what may run twice is answered, what may not is in doubt, and that ran once at the most."""
    address, book = f"unix://{tmp_path}/socket", tmp_path / "book"

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SERVER,
            address,
            str(tmp_path / "store"),
            str(book),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        await process.stdout.readline()
        return process

    server = await start()
    try:
        async with asyncio.timeout(50), landline.connect(address, limits=LIMITS) as session:
            assert await session.call("once", 0) == 0
            answered: list[int] = []
            doubtful: list[int] = []

            async def once(number: int) -> None:
                try:
                    answered.append(await session.call("once", number))
                except landline.CallUnknown:
                    doubtful.append(number)

            for life in range(3):
                numbers = range(100 * life + 1, 100 * life + 101)
                async with asyncio.TaskGroup() as tasks:
                    for number in numbers:
                        tasks.create_task(once(number))
                    again = [tasks.create_task(session.call("again", number)) for number in numbers]
                    dying = tasks.create_task(_expect_unknown(session.call("die")))
                    tasks.create_task(once(1000 + life))
                    assert await server.wait() == -signal.SIGKILL
                    server = await start()
                await dying
                assert [task.result() for task in again] == list(numbers)
            assert await session.call("once", 5000) == 5000
    finally:
        server.kill()
        await server.wait()

    ran = Counter(line for line in book.read_text().splitlines() if line.startswith("once"))
    assert set(ran.values()) == {1}
    assert {f"once {number}" for number in answered} <= set(ran)
    assert doubtful
    assert len(answered) + len(doubtful) == 303


async def _expect_unknown(call: Any) -> None:
    with pytest.raises(landline.CallUnknown):
        await call


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("seed", "count", "faults"),
    [
        (1, COUNT, Faults(cut_every=20_000)),
        (2, COUNT, Faults(cut_every=40_000, freeze_every=100_000, freeze_for=0.01, slice_to=300)),
        (3, 300, Faults(cut_every=700, slice_to=7)),
    ],
    ids=["cut", "cut, frozen, sliced", "cut and sliced small"],
)
async def test_every_item_of_a_stream_arrives_once_and_in_order(
    seed: int, count: int, faults: Faults
) -> None:
    """Down, up and both ways at once, in streams beside each other; then nothing of them is left."""
    uploaded: list[int] = []
    methods = landline.Methods()

    @methods.method
    async def down(count: int) -> AsyncIterator[Any]:
        for number in range(count):
            yield number if number % 2 else str(number).encode()

    @methods.method
    async def up(stream: landline.Stream) -> None:
        uploaded.extend([item async for item in stream])
        await stream.send(len(uploaded))

    @methods.method
    async def both(stream: landline.Stream) -> None:
        async for item in stream:
            await stream.send([item])

    async def read_down(session: landline.Session) -> list[Any]:
        return [item async for item in session.stream("down", count)]

    async def send_up(session: landline.Session) -> list[Any]:
        async with session.stream("up") as stream:
            for number in range(count):
                await stream.send(number)
            stream.end()
            return [item async for item in stream]

    async def exchange(session: landline.Session) -> list[Any]:
        async with session.stream("both") as stream, asyncio.TaskGroup() as tasks:

            async def send() -> None:
                for number in range(count):
                    await stream.send(number)
                stream.end()

            tasks.create_task(send())
            return [item async for item in stream]

    async with asyncio.timeout(55), landline.Server(methods=methods).listen("tcp://127.0.0.1:0") as listening:
        async with bad_network(listening.addresses[0], faults, seed=seed) as proxy:
            async with await connected(proxy.address) as session:
                read, sent, exchanged = await asyncio.gather(
                    read_down(session), send_up(session), exchange(session)
                )
                await session.flush()
                while len(session._bare.core.flows) > 1:  # noqa: ASYNC110 - frames tell of it, and nobody else
                    await asyncio.sleep(0.001)
            assert proxy.cuts > 3

    assert read == [number if number % 2 else str(number).encode() for number in range(count)]
    assert (uploaded, sent) == (list(range(count)), [count])
    assert exchanged == [[number] for number in range(count)]
    assert {task.get_name() for task in asyncio.all_tasks()} & {"landline landline.stream"} == set()
