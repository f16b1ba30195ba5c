"""The promise on a bad line: a proxy cuts it at random bytes, freezes and slices it, and both ends' books agree."""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

import landline
from landline.testing import network
from landline.testing.ledger import Ledger
from landline.testing.network import Faults, bad_network

COUNT = 10_000
LIMITS = landline.Limits(redial_min=0.005, redial_max=0.02)


def words(chance: random.Random, count: int) -> list[object]:
    """Numbered messages of every kind and of many sizes."""
    made: list[object] = []
    for number in range(count):
        filling = "x" * chance.randrange(80)
        made.append(
            [number, f"{number}:{filling}", f"{number}:{filling}".encode(), {"n": number}][number % 4]
        )
    return made


async def speak(session: landline.Session, ledger: Ledger, messages: list[object]) -> None:
    receipts = []
    for message in messages:
        ledger.sent.append(message)
        receipts.append(await session.send(message))
    await session.flush()
    assert {receipt.outcome for receipt in receipts} == {landline.Outcome("acked")}
    ledger.acked = len(messages)


async def hear(session: landline.Session, ledger: Ledger, count: int) -> None:
    for _ in range(count):
        ledger.delivered.append(await session.receive())
    session.ack()


@pytest.mark.parametrize(
    ("seed", "count", "faults"),
    [
        (1, COUNT, Faults(cut_every=20_000)),
        (2, COUNT, Faults(cut_every=40_000, freeze_every=100_000, freeze_for=0.01, slice_to=300)),
        (3, 500, Faults(cut_every=700, slice_to=7)),
        (4, 100, Faults(cut_every=400)),
    ],
    ids=["cut", "cut, frozen, sliced", "cut and sliced small", "cut in nearly every greeting"],
)
async def test_both_books_agree(seed: int, count: int, faults: Faults) -> None:
    """Nothing is lost, doubled, reordered or made up, in either direction, while both talk at once."""
    chance = random.Random(seed)
    up, down = Ledger(), Ledger()

    async def program(session: landline.Session) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(session, down, words(chance, count)))
            tasks.create_task(hear(session, up, count))
        await session.wait_closed()

    async with asyncio.timeout(55), landline.serve(program, "tcp://127.0.0.1:0") as listening:
        async with bad_network(listening.addresses[0], faults, seed=seed) as proxy:
            session = await dial_until_there(proxy.address)
            async with session, asyncio.TaskGroup() as tasks:
                tasks.create_task(speak(session, up, words(chance, count)))
                tasks.create_task(hear(session, down, count))
            cuts = proxy.cuts

    assert up.faults() == down.faults() == {"lost": 0, "doubled": 0, "reordered": 0, "invented": 0}
    assert len(up.delivered) == len(down.delivered) == count
    assert up.acked == down.acked == count
    assert cuts > 5


async def dial_until_there(address: str) -> landline.Session:
    """The first dial is not redialled by itself, and this network cuts it too."""
    while True:
        try:
            return await landline.connect(address, limits=LIMITS)
        except landline.ConnectError:
            pass


WORDS = 6
"""Messages that each side says in the exchange that is cut at every byte."""


class Exchange:
    """A short talk both ways, greeting and close included, through a network of its own, to a server that many share."""

    def __init__(self, books: dict[str, tuple[Ledger, Ledger]], name: str) -> None:
        self.name = name
        self.up, self.down = books[name] = (Ledger(), Ledger())

    async def run(self, address: str, faults: Faults) -> network.Proxy:
        async with bad_network(address, faults) as proxy:
            session = None
            while session is None:
                with contextlib.suppress(landline.ConnectError):  # the first dial is not redialled by itself
                    session = await landline.connect(proxy.address, limits=LIMITS, credentials=self.name)
            async with session, asyncio.TaskGroup() as tasks:
                tasks.create_task(speak(session, self.up, [f"up {number}" for number in range(WORDS)]))
                tasks.create_task(hear(session, self.down, WORDS))
        return proxy


@pytest.mark.long
@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_cut_at_any_byte_of_an_exchange(direction: str) -> None:
    """The exchange is recorded once; then its line is cut after each number of bytes of this direction, and nothing is missing."""
    books: dict[str, tuple[Ledger, Ledger]] = {}

    async def program(session: landline.Session) -> None:
        up, down = books[session.principal]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(session, down, [f"down {number}" for number in range(WORDS)]))
            tasks.create_task(hear(session, up, WORDS))
        await session.wait_closed()

    async def one(address: str, place: int) -> Exchange:
        async with at_once:
            exchange = Exchange(books, str(place))
            faults = Faults(cut_up_at=place) if direction == "up" else Faults(cut_down_at=place)
            proxy = await exchange.run(address, faults)
        assert proxy.cuts == 1 or proxy.passed_up < place or proxy.passed_down < place  # acks may go together
        return exchange

    at_once = asyncio.Semaphore(20)
    async with asyncio.timeout(55), landline.serve(program, "tcp://127.0.0.1:0", authenticate=str) as there:
        address = there.addresses[0]
        recorded = await Exchange(books, "recorded").run(address, Faults())
        length = recorded.passed_up if direction == "up" else recorded.passed_down
        exchanges = await asyncio.gather(*(one(address, place) for place in range(length + 1)))

    assert length > 300
    print(f"\n{direction}: {length + 1} places")
    for exchange in exchanges:
        for ledger in books[exchange.name]:
            assert ledger.is_clean, exchange.name
            assert len(ledger.delivered) == WORDS, exchange.name
