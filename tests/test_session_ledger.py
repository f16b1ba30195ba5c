"""The promise on a bad line: a proxy cuts it at random bytes, freezes and slices it, and both ends' books agree."""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
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


@pytest.mark.parametrize(("direction", "first", "last"), [(0, 1, 330), (1, 1, 500)], ids=["up", "down"])
async def test_a_cut_after_any_number_of_bytes(
    direction: int, first: int, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line is cut in the greeting, the welcome, the confirmation, the first frames: wherever, nothing is missing."""
    for passes in range(first, last, 5):
        places = iter([float("inf")] * direction + [passes])
        monkeypatch.setattr(
            network,
            "_draw",
            lambda chance, mean, places=places: next(places, float("inf")) if mean else float("inf"),
        )
        up, down = Ledger(), Ledger()

        async def program(session: landline.Session, up: Ledger = up, down: Ledger = down) -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(speak(session, down, ["one", "two", "three"]))
                tasks.create_task(hear(session, up, 3))
            await session.wait_closed()

        async with asyncio.timeout(20), landline.serve(program, "tcp://127.0.0.1:0") as listening:
            async with bad_network(listening.addresses[0], Faults(cut_every=1)) as proxy:
                session = await dial_until_there(proxy.address)
                async with session, asyncio.TaskGroup() as tasks:
                    tasks.create_task(speak(session, up, ["uno", "due", "tre"]))
                    tasks.create_task(hear(session, down, 3))

        assert proxy.cuts <= 1
        assert up.is_clean and down.is_clean, passes
        assert len(up.delivered) == len(down.delivered) == 3, passes
