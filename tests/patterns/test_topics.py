"""Topics as a client uses them: what publish returns and raises, and a subscription's way through all that it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

import landline
from landline.errors import (
    DataError,
    FlowReset,
    Full,
    LandlineError,
    NotAllowed,
    ProtocolError,
    PublishFailed,
    PublishUnknown,
    SessionClosed,
    SessionLost,
    StorageFailed,
    StorageFull,
    TopicError,
)
from landline.history import Position, Publication
from landline.limits import PROTOCOL
from landline.patterns.messages import Messages
from landline.patterns.topics import beginning
from landline.protocol.frames import CloseCode
from landline.protocol.publish import PUBLISH_PURPOSE
from landline.protocol.subscription import SUBSCRIBE_PURPOSE, After
from landline.sessions.bare import BareSession
from landline.sessions.flow import BareFlow
from tests.disk import Disk

pytestmark = pytest.mark.timeout(30)

_numbers = count(1)
QUICK = landline.Limits(redial_min=0.001, redial_max=0.01)


@asynccontextmanager
async def served(
    disk: Disk | None = None, **options: Any
) -> AsyncIterator[tuple[landline.Server, landline.Session]]:
    """A server with topics that begin with ``t``, and a client."""
    server = landline.Server(storage=disk, **options)
    server.topic("t")
    server.topic("t.**")
    address = f"memory://topics-{next(_numbers)}"
    async with server.listen(address), landline.connect(address, limits=QUICK) as session:
        yield server, session


async def turns() -> None:
    """Whoever can go on does."""
    for _ in range(50):
        await asyncio.sleep(0)


class Forged:
    """A server's end that says whatever it likes in the flows that a client opens."""

    def __init__(self, bare: BareSession) -> None:
        self.bare = bare
        self.flows: asyncio.Queue[BareFlow] = asyncio.Queue()
        bare.takers = (self._takes, *bare.takers)

    def _takes(self, _: BareSession, flow: BareFlow) -> bool:
        self.flows.put_nowait(flow)
        return True


@pytest.fixture
async def forged() -> AsyncIterator[tuple[landline.Session, Forged]]:
    begun: asyncio.Future[Forged] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def program(session: landline.Session) -> None:
        begun.set_result(Forged(session._bare))
        await over.wait()

    address = f"memory://topics-{next(_numbers)}"
    async with landline.serve(program, address), landline.connect(address, limits=QUICK) as session:
        yield session, await begun
        over.set()


# Publishing...


async def test_publish_returns_the_position_where_it_is_found() -> None:
    """Whatever was published before and after; many at once are stored in the order of the calls."""
    async with served() as (server, session):
        positions = await asyncio.gather(*(session.publish("t", number) for number in range(300)))
        subscription = server.subscribe("t", "start")
        found = [await anext(subscription) for _ in range(300)]

    assert found == [Publication("t", position, number) for number, position in enumerate(positions)]


@pytest.mark.parametrize("topic", ["", "t a", "t.*", "t.>", "t\0", "t" * 10_000, 7])
async def test_what_is_no_name_is_refused_at_once(topic: Any) -> None:
    """Also by a client without a line."""
    async with served() as (_, session):
        with pytest.raises(TopicError):
            await session.publish(topic, "data")
        if topic != "t.*":
            with pytest.raises(TopicError):
                session.subscribe(topic)


async def test_what_cannot_be_sent_is_refused_at_once() -> None:
    """By its type, or its size with what is around it."""
    async with served() as (_, session):
        await session.publish("t", bytes((1 << 20) - PROTOCOL.publish_overhead))
        for value in (object(), bytes((1 << 20) - PROTOCOL.publish_overhead + 1)):
            with pytest.raises(DataError):
                await session.publish("t", value)


async def test_a_topic_that_the_server_does_not_have() -> None:
    """Cannot be published to, nor waited for."""
    async with served() as (_, session):
        with pytest.raises(PublishFailed, match="no topic 'other'"):
            await session.publish("other", 1)
        with pytest.raises(NotAllowed, match="no topic 'other'"):
            await anext(session.subscribe("other"))
        with pytest.raises(NotAllowed):
            await anext(session.subscribe("other"))


async def test_a_server_without_topics() -> None:
    """Certainly stores nothing."""
    address = f"memory://topics-{next(_numbers)}"
    async with (
        landline.serve(landline.Session.wait_closed, address),
        landline.connect(address, limits=QUICK) as session,
    ):
        with pytest.raises(PublishFailed, match="no topics"):
            await session.publish("t", 1)
        with pytest.raises(NotAllowed, match="no topics"):
            await anext(session.subscribe("t"))


async def test_only_clients_publish_over_a_session() -> None:
    """A server's program has the server itself for that."""
    refused: list[str] = []

    async def program(session: landline.Session) -> None:
        for call in (lambda: session.publish("t", 1), lambda: _anext(session.subscribe("t"))):
            try:
                await call()
            except LandlineError as error:
                refused.append(str(error))

    async with served(program=program) as (_, session):
        await session.wait_closed()

    assert len(refused) == 2


async def _anext(subscription: Any) -> Any:
    return await anext(subscription)


@pytest.mark.parametrize(
    ("error", "outcome", "why"),
    [
        (StorageFull("no room"), PublishFailed, "full"),
        (StorageFailed("broken"), PublishUnknown, "started again"),
    ],
)
async def test_a_disk_that_fails_is_told_and_publishing_goes_on(
    error: Exception, outcome: type[Exception], why: str
) -> None:
    """When it is well again; nothing was acked meanwhile."""
    disk = Disk()
    async with served(disk) as (server, session):
        await session.publish("t", 0)
        disk.error = error
        with pytest.raises(outcome, match=why):
            await session.publish("t", 1)
        disk.error = None
        await session.publish("t", 2)
        heard = server.subscribe("t", "start")

        assert [
            part.data for part in [await anext(heard), await anext(heard)] if isinstance(part, Publication)
        ] == [0, 2]


@pytest.mark.limit("protocol.publishes")
async def test_publish_waits_while_too_many_are_not_answered() -> None:
    """One answer lets one more go."""
    disk = Disk()
    async with served(disk) as (_, session):
        await session.publish("t", 0)
        disk.held.clear()
        publishing = [
            asyncio.ensure_future(session.publish("t", number)) for number in range(PROTOCOL.publishes + 1)
        ]
        await turns()
        outbox = session._client.publishing.outgoing.outbox  # type: ignore[union-attr]
        assert len(outbox.unanswered) == PROTOCOL.publishes
        disk.held.set()
        positions = await asyncio.gather(*publishing)

    assert [position.offset for position in positions] == list(range(2, PROTOCOL.publishes + 3))


async def test_a_dropped_line_doubles_nothing() -> None:
    """Nor loses anything: publishes in flight are answered on the next line."""
    disk = Disk()
    async with served(disk) as (server, session):
        await session.publish("t", -1)
        disk.held.clear()
        publishing = [asyncio.ensure_future(session.publish("t", number)) for number in range(20)]
        await turns()
        session.drop()
        disk.held.set()
        positions = await asyncio.gather(*publishing)
        heard = server.subscribe("t", "start")
        data = [(await anext(heard)).data for _ in range(21)]  # type: ignore[union-attr]

    assert data == list(range(-1, 20))
    assert [position.offset for position in positions] == list(range(2, 22))


async def test_who_gives_up_waiting_may_have_published() -> None:
    """It is stored all the same, and the others are answered."""
    disk = Disk()
    async with served(disk) as (server, session):
        await session.publish("t", 0)
        disk.held.clear()
        first, second = (asyncio.ensure_future(session.publish("t", number)) for number in (1, 2))
        await turns()
        first.cancel()
        disk.held.set()

        assert (await second).offset == 3
        with pytest.raises(asyncio.CancelledError):
            await first
        heard = server.subscribe("t", "start")
        assert [(await anext(heard)).data for _ in range(3)] == [0, 1, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize("how", ["lost", "closed"])
async def test_the_end_of_the_session_settles_what_waits(how: str) -> None:
    """What was said may be stored, what was not is not; and then nothing more can be published."""
    disk = Disk()
    async with served(disk) as (_, session):
        await session.publish("t", 0)
        disk.held.clear()
        publishing = [asyncio.ensure_future(session.publish("t", bytes(9000))) for _ in range(200)]
        await turns()
        if how == "lost":
            session._bare.lose(CloseCode.EXPIRED, "over")
        else:
            disk.held.set()
            await session.close()
        results = await asyncio.gather(*publishing, return_exceptions=True)
        disk.held.set()
        with pytest.raises(SessionLost if how == "lost" else SessionClosed):
            await session.publish("t", 1)

    kinds = [type(result) for result in results]
    if how == "lost":
        assert set(kinds) == {PublishUnknown, PublishFailed}
        assert kinds == sorted(kinds, key=lambda kind: kind is PublishFailed)
    else:
        assert set(kinds) <= {Position, PublishUnknown, PublishFailed}


async def test_a_server_that_answers_rubbish_is_left_alone(forged: tuple[landline.Session, Forged]) -> None:
    """Its publishes are unknown; the session goes on, and another flow may do better."""
    session, server = forged
    publishing = asyncio.ensure_future(session.publish("t", 1))
    flow = await server.flows.get()
    assert flow.purpose == PUBLISH_PURPOSE
    _ = await Messages(server.bare, flow).send(b"\xc1")

    with pytest.raises(PublishFailed, match="cannot be read"):
        await publishing
    again = asyncio.ensure_future(session.publish("t", 1))
    assert (await server.flows.get()).purpose == PUBLISH_PURPOSE
    again.cancel()


# Subscribing...


@pytest.mark.parametrize("after", ["", "begin", 5, None, ("e", 1)])
def test_what_is_no_beginning_is_refused(after: Any) -> None:
    """There are three words, and positions."""
    with pytest.raises(TopicError, match="'start', 'now' or 'last'"):
        beginning(after)


def test_words_for_beginnings() -> None:
    """A position is its own."""
    position = Position("e", 1)
    assert [beginning(after) for after in ("start", "now", "last", position)] == [
        After.START,
        After.NOW,
        After.LAST,
        position,
    ]


async def test_a_subscription_knows_where_it_is() -> None:
    """Nothing at first; then after each publication, so that another one can go on from there."""
    async with served() as (server, session):
        await server.publish("t", "before")
        async with session.subscribe("t") as subscription:
            assert (subscription.pattern, subscription.position) == ("t", None)
            hearing = asyncio.ensure_future(anext(subscription))
            await turns()
            position = await server.publish("t", "now")
            assert (await hearing).position == position  # type: ignore[union-attr]
            assert subscription.position == position
        await server.publish("t", "later")
        async with session.subscribe("t", subscription.position) as again:
            assert (await anext(again)).data == "later"  # type: ignore[union-attr]


async def test_leaving_a_subscription_ends_it() -> None:
    """For who waits in it too, and at the server."""
    async with served() as (server, session):
        subscription = session.subscribe("t")
        hearing = asyncio.ensure_future(_anext(subscription))
        await turns()
        await subscription.close()
        with pytest.raises(StopAsyncIteration):
            await hearing
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)
        await turns()
        hub = server._hub
        assert hub is not None
        assert (hub._board._exact, len(session._bare.core.flows)) == ({}, 1)


@pytest.mark.parametrize("how", ["lost", "closed"])
async def test_the_end_of_the_session_ends_its_subscriptions(how: str) -> None:
    """One that is lost raises, after what had arrived; one that was closed is at its end."""
    async with served() as (server, session):
        subscription = session.subscribe("t", "start")
        await server.publish("t", 1)
        assert (await anext(subscription)).data == 1  # type: ignore[union-attr]
        await server.publish("t", 2)
        await turns()
        if how == "lost":
            session._bare.lose(CloseCode.EXPIRED, "over")
            assert (await anext(subscription)).data == 2  # type: ignore[union-attr]
            with pytest.raises(SessionLost):
                await anext(subscription)
        else:
            await session.close()
            assert [part async for part in subscription] == []


async def test_a_server_that_tells_rubbish_is_an_error(forged: tuple[landline.Session, Forged]) -> None:
    """The subscription ends, the session does not."""
    session, server = forged
    subscription = session.subscribe("t")
    flow = await server.flows.get()
    assert flow.purpose == SUBSCRIBE_PURPOSE
    messages = Messages(server.bare, flow)
    _ = await messages.receive()
    _ = await messages.send(b"\xc1")
    with pytest.raises(ProtocolError):
        await anext(subscription)

    with pytest.raises(FlowReset):
        await messages.receive()
    assert not session.is_closed


async def test_so_many_subscriptions_as_the_server_allows_flows() -> None:
    """One more is told so; one that is left makes room."""
    limits = landline.Limits(max_flows=2)
    async with served(limits=limits) as (_, session):
        subscriptions = [session.subscribe("t") for _ in range(2)]
        with pytest.raises(landline.Full):
            session.subscribe("t")
        await subscriptions[0].close()
        await turns()
        await session.subscribe("t").close()


async def test_as_many_as_allowed_begin_with_what_was_kept() -> None:
    """Reading what is old takes no place from a subscription that is served already."""
    limits = landline.Limits(max_flows=3)
    async with served(limits=limits) as (_, session):
        for number in range(3):
            _ = await session.publish("t", number)
        subscriptions = [session.subscribe("t", after="start") for _ in range(2)]

        for subscription in subscriptions:
            assert [(await anext(subscription)).data for _ in range(3)] == [0, 1, 2]  # type: ignore[union-attr]


# What is kept for a client that is not connected...


async def test_what_is_kept_goes_out_with_the_next_client() -> None:
    """Once, in the order in which it was kept, and as what was published earlier."""
    mine = Disk()
    await mine.open()
    for number in (1, 2):
        await landline.keep_publish(mine, "t", number)

    address = f"memory://topics-{next(_numbers)}"
    server = landline.Server()
    server.topic("t")
    async with server.listen(address):
        async with landline.connect(address, storage=mine) as session:
            assert [earlier.data for earlier in session.earlier] == [1, 2]
            for earlier in session.earlier:
                await earlier.position()
        async with landline.connect(address, storage=mine) as session:
            assert session.earlier == []
        assert [found.data for found in (await server.read("t")).publications] == [1, 2]


async def test_what_cannot_be_published_is_not_kept() -> None:
    """A bad name, data that no message takes, and more than a client has unanswered."""
    mine = Disk()
    await mine.open()
    with pytest.raises(TopicError):
        await landline.keep_publish(mine, "t.", 1)
    with pytest.raises(DataError):
        await landline.keep_publish(mine, "t", object())
    limits = landline.Limits(outbox_bytes=1)
    for _ in range(PROTOCOL.outboxes // 2):
        await landline.keep_publish(mine, "t", "x", limits=limits)
    with pytest.raises(Full):
        await landline.keep_publish(mine, "t", "x", limits=limits)

    assert await landline.count_unanswered(mine) == PROTOCOL.outboxes // 2
