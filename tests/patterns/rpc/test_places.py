"""Places: so many at once, first come first served."""

from __future__ import annotations

import asyncio

import pytest

from landline.patterns.rpc.places import Places

from .shop import turns


async def test_who_comes_first_is_let_in_first() -> None:
    """Also before one who comes when a place is free again, and has not waited."""
    places = Places(1)
    order: list[int] = []

    async def visit(number: int) -> None:
        await places.take()
        order.append(number)

    assert places.take_nowait()
    tasks = [asyncio.create_task(visit(number)) for number in range(3)]
    await turns(3)
    places.leave()

    assert not places.take_nowait()
    for _ in range(2):
        await turns(3)
        places.leave()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2]


@pytest.mark.parametrize("is_given", [False, True])
async def test_who_is_cancelled_leaves_its_place_to_others(is_given: bool) -> None:
    """Also where it was let in in the same breath."""
    places = Places(1)
    places.take_nowait()
    first, second = (asyncio.create_task(places.take()) for _ in range(2))
    await turns(3)
    if is_given:
        places.leave()
    first.cancel()
    await turns(3)
    if not is_given:
        assert not second.done()
        places.leave()

    await second
    assert places.taken == 1
    assert first.cancelled()
