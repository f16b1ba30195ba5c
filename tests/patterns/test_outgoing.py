"""What goes out of an outbox where a flow of it, or its session, ends early. ``test_topics`` and ``test_durable`` see what goes well."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest

import landline
from landline.errors import SessionClosed, SessionLost, StorageFailed, StorageFull
from landline.limits import PROTOCOL
from landline.patterns.messages import ACKED
from landline.protocol.frames import CloseCode
from tests.disk import Disk

pytestmark = pytest.mark.timeout(30)

_numbers = count(1)
QUICK = landline.Limits(redial_min=0.001, redial_max=0.01, close_timeout=0.05)


async def turns() -> None:
    """Whoever can go on does."""
    for _ in range(100):
        await asyncio.sleep(0)


class House:
    """A server on a disk, whose program writes down what it is given."""

    def __init__(self, storage: Any = None) -> None:
        self.disk = Disk()
        self.address = f"memory://outgoing-{next(_numbers)}"
        self.given: list[Any] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def program(self, session: landline.Session) -> None:
        async for message in session:
            self.given.append(message)
            await self.may_go_on.wait()

    def server(self) -> landline.Server:
        server = landline.Server(self.program, storage=self.disk, limits=QUICK)
        server.topic("t")
        return server

    def connect(self, disk: Disk | None = None) -> landline.connect:
        return landline.connect(self.address, storage=disk, limits=QUICK)


@pytest.fixture
def house() -> House:
    return House()


async def test_what_a_flow_left_goes_out_before_what_is_sent_next(house: House) -> None:
    """The server could not read its disk, and can again: nothing new may say that what it never had is answered."""
    mine = Disk()
    async with house.server().listen(house.address):
        session = await house.connect(mine)
        house.disk.error = StorageFailed("broken")
        receipts = [await session.send(number, durable=True) for number in range(3)]
        assert ["is kept" in (await receipt).reason for receipt in receipts] == [True] * 3
        house.disk.error = None

        assert await (await session.send(3, durable=True)) == ACKED
        await session.close()
    assert house.given == [0, 1, 2, 3]
    async with mine:
        assert await landline.count_unanswered(mine) == 0


@pytest.mark.limit("protocol.publishes")
async def test_an_outbox_full_of_what_is_refused_keeps_nobody_waiting() -> None:
    """This server has no storage, and never will take any of it; the disk holds no more than one outbox of it."""
    mine = Disk()
    address = f"memory://outgoing-{next(_numbers)}"
    server = landline.Server(landline.Session.wait_closed, limits=QUICK)
    async with server.listen(address):
        session = await landline.connect(address, storage=mine, limits=QUICK)
        receipts = [await session.send(number, durable=True) for number in range(PROTOCOL.publishes + 3)]
        outcomes = [await receipt for receipt in receipts]
        await session.close()

    assert [outcome.status for outcome in outcomes[-4:]] == ["unknown", "failed", "failed", "failed"]
    assert "full" in outcomes[-1].reason
    assert "storage" in outcomes[-1].reason
    async with mine:
        assert await landline.count_unanswered(mine) == PROTOCOL.publishes


@pytest.mark.parametrize("has_storage", [False, True])
async def test_flush_raises_where_the_session_ended_before_it_was_handled(
    house: House, has_storage: bool
) -> None:
    """While it waits and afterwards; where everything was handled it does not."""
    house.may_go_on.clear()
    async with house.server().listen(house.address):
        session = await house.connect(Disk() if has_storage else None)
        _ = await session.send("x", durable=True)
        flushing = asyncio.ensure_future(session.flush())
        await turns()
        assert not flushing.done()
        session._bare.lose(CloseCode.FAILED, "as asked")
        with pytest.raises(SessionLost):
            await session.flush()
        with pytest.raises(SessionLost):
            await flushing

        session = await house.connect(Disk() if has_storage else None)
        _ = await session.send("x", durable=True)
        await session.close()
        with pytest.raises(SessionClosed):
            await session.flush()
        house.may_go_on.set()
        session = await house.connect(Disk() if has_storage else None)
        _ = await session.send("x", durable=True)
        await session.flush()
        await session.close()
        await session.flush()


async def test_flush_raises_where_the_session_is_closed_while_no_server_is_there(house: House) -> None:
    """Its outbox gives up before the session is over."""
    async with house.server().listen(house.address):
        session = await house.connect(Disk())
    _ = await session.send("x", durable=True)
    flushing = asyncio.ensure_future(session.flush())
    await turns()
    await session.close()

    with pytest.raises(SessionClosed):
        await flushing


async def test_flush_waits_for_what_an_earlier_life_left(house: House) -> None:
    """Who comes only to have that delivered need not send anything."""
    mine = Disk()
    house.may_go_on.clear()
    async with house.server().listen(house.address):
        session = await house.connect(mine)
        for number in range(3):
            _ = await session.send(number, durable=True)
        await session.close()
        house.may_go_on.set()
        session = await house.connect(mine)
        await session.flush()

        assert house.given == [0, 1, 2]
        await session.close()


async def test_a_disk_that_cannot_forget_leaves_no_flows_behind(house: House) -> None:
    """A session may have few at once."""
    mine = Disk()
    async with house.server().listen(house.address):
        session = await house.connect(mine)
        await session.publish("t", 0)
        for number in range(1, 80):
            publishing = asyncio.ensure_future(
                session.publish("t", number, on_kept=lambda: setattr(mine, "error", StorageFull("no room")))
            )
            await asyncio.wait([publishing])
            assert publishing.exception() is None
            await turns()
            mine.error = None

        assert len(session._bare.core.flows) <= 3
        await session.close()


@pytest.mark.limit("protocol.outboxes")
async def test_what_many_lives_left_of_both_kinds_goes_out_over_one_session(house: House) -> None:
    """It has no more outboxes than the server allows of publishes and sends together, and room for what is new."""
    mine = Disk()
    lives = PROTOCOL.outboxes + 1
    for life in range(lives):
        async with house.server().listen(house.address):
            session = await house.connect(mine)
        _ = await session.send(life, durable=True)
        kept = asyncio.Event()
        publishing = asyncio.ensure_future(session.publish("t", life, on_kept=kept.set))
        await kept.wait()
        publishing.cancel()
        await session.close()
    async with house.server().listen(house.address):
        session = await house.connect(mine)
        new = await session.send("new", durable=True)
        await session.publish("t", "new")

        assert await new == ACKED
        assert house.given == [*range(lives), "new"]
        await session.close()
    async with mine:
        assert await landline.count_unanswered(mine) == 0
