"""Calling: results and failures, deadlines and cancels, what a line that drops and a server that is started again mean for calls."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import msgspec
import pytest

import landline
from landline.limits import LONGEST
from landline.protocol.frames import FrameType, ResetCode
from landline.sessions.bare import BareSession
from landline.sessions.flow import BareFlow
from tests.disk import Disk

from .shop import LIMITS, Shop, opened, turns

VIRTUAL_TIME = True
pytestmark = pytest.mark.timeout(30)
_numbers = count(1)


def waiting(session: landline.Session) -> int:
    assert session._calling is not None
    return session._calling.waiting


async def test_a_call_returns_what_the_method_returns() -> None:
    """Arguments in order, by name, and left out."""
    async with opened() as (_, client, _):
        assert await client.call("add", 1, 3) == 4
        assert await client.call("add", b=5, a=1) == 6
        assert await client.call("add", 1) == 3


async def test_both_ends_call_each_other() -> None:
    """Also out of a method, while its own caller waits."""
    methods = landline.Methods()

    @methods.method
    async def triple(number: int) -> int:
        return 3 * number

    async with opened(client={"methods": methods}) as (_, client, server):
        assert await server.call("triple", 2) == 6
        assert await client.call("ask", "triple", 3) == 9


async def test_a_failure_carries_type_message_and_data() -> None:
    """As the method raised it; a client that offers nothing has no method, too."""
    async with opened() as (_, client, server):
        with pytest.raises(landline.CallFailed) as failed:
            await client.call("refuse")
        with pytest.raises(landline.CallFailed) as unknown:
            await server.call("add", 1)

    assert (failed.value.type, failed.value.message, failed.value.data) == (
        "not found", "no such account", {"account": 7},
    )  # fmt: skip
    assert unknown.value.type == "unknown method"


async def test_what_cannot_be_sent_is_told_at_once() -> None:
    """Nothing of it is left in the table, and the session goes on."""
    async with opened() as (_, client, _):
        with pytest.raises(landline.DataError):
            await client.call("add", object())

        assert waiting(client) == 0
        assert await client.call("add", 1) == 3


@pytest.mark.parametrize("timeout", [0, -1.0, LONGEST + 1, float("nan"), float("inf")])
async def test_a_timeout_is_a_time(timeout: float) -> None:
    """There is no waiting for ever."""
    async with opened() as (_, client, _):
        with pytest.raises(ValueError, match="a timeout is above 0"):
            await client.call("add", 1, timeout=timeout)


@pytest.mark.limit("call_timeout")
@pytest.mark.parametrize("timeout", [None, 7.0])
async def test_a_call_has_its_time(timeout: float | None) -> None:
    """By default ``call_timeout``: until then it may be answered, and then it is cancelled at the other end."""
    most = timeout or LIMITS.call_timeout
    async with opened() as (shop, client, _):
        loop = asyncio.get_running_loop()
        loop.call_later(most - 0.01, shop.may_go_on.set)
        assert await client.call("wait", 1, timeout=timeout) == 1

        shop.may_go_on.clear()
        before = loop.time()
        with pytest.raises(landline.CallTimeout) as late:
            await client.call("wait", 2, timeout=timeout)
        assert loop.time() - before == pytest.approx(most, abs=0.001)
        await turns()

        assert shop.book[-1] == ("cancelled", 2)
        assert isinstance(late.value, TimeoutError)
        assert (waiting(client), shop.running) == (0, 0)


async def test_each_of_many_has_its_own_time() -> None:
    """They stand under one timer."""
    async with opened() as (shop, client, _):
        loop = asyncio.get_running_loop()
        begun = loop.time()

        async def late(seconds: float) -> float:
            with pytest.raises(landline.CallTimeout):
                await client.call("wait", timeout=seconds)
            return loop.time() - begun

        times = [5.0, 1.0, 9.0, 3.0, 1.0]
        assert await asyncio.gather(*map(late, times)) == pytest.approx(times, abs=0.001)
        await turns()
        assert shop.running == 0


async def test_a_cancelled_call_is_cancelled_at_the_other_end() -> None:
    """And only that one."""
    async with opened() as (shop, client, _):
        calls = [asyncio.create_task(client.call("wait", number)) for number in range(3)]
        await turns()
        calls[1].cancel()
        await turns()
        shop.may_go_on.set()

        assert [await calls[0], await calls[2]] == [0, 2]
        with pytest.raises(asyncio.CancelledError):
            await calls[1]
    assert [entry for entry in shop.book if entry[0] == "cancelled"] == [("cancelled", 1)]


async def test_a_call_without_a_line_is_stopped_at_the_other_end_by_its_own_deadline() -> None:
    """The deadline travelled with the call."""
    async with opened() as (shop, client, _):
        loop = asyncio.get_running_loop()
        call = asyncio.create_task(client.call("wait", 1, timeout=5.0))
        await turns()
        client.drop(20.0)
        await asyncio.sleep(5.5)

        assert shop.book[-1] == ("cancelled", 1)
        assert loop.time() > 5
        with pytest.raises(landline.CallTimeout):
            await call


@pytest.mark.limit("max_calls")
async def test_so_many_calls_wait_for_their_answers() -> None:
    """One more waits for one of them, within its own time; another end of fewer is kept to as soon as it says so."""
    limits = dataclasses.replace(LIMITS, max_calls=3)
    async with opened(limits=limits) as (shop, client, _):
        calls = [asyncio.create_task(client.call("wait", number)) for number in range(3)]
        await turns()
        assert (waiting(client), shop.running) == (3, 3)

        with pytest.raises(landline.CallTimeout, match="was not asked for in time"):
            await client.call("add", 1, timeout=1.0)
        with pytest.raises(landline.DataError):
            await client.call("add", object(), timeout=1.0)
        one_more = asyncio.create_task(client.call("add", 1))
        await turns()
        assert not one_more.done()
        calls[0].cancel()

        assert await one_more == 3
        shop.may_go_on.set()
        assert await asyncio.gather(*calls[1:]) == [1, 2]


async def test_a_caller_keeps_to_what_the_other_end_runs_at_once() -> None:
    """So that its cancels are heard, and not waiting behind calls that nobody takes."""
    shop = Shop()
    async with opened(shop, limits=dataclasses.replace(LIMITS, max_calls=2), client={"limits": LIMITS}) as (
        _,
        client,
        _,
    ):
        await client.call("add", 1)
        calls = [asyncio.create_task(client.call("wait", number)) for number in range(10)]
        await turns()

        assert waiting(client) == 2
        shop.may_go_on.set()
        assert await asyncio.gather(*calls) == list(range(10))


async def test_a_call_waits_for_room_in_the_outbox() -> None:
    """While the line is down, too; within its time."""
    limits = dataclasses.replace(LIMITS, flow_outbox=1000)
    async with opened(limits=limits) as (shop, client, _):
        await client.call("add", 1)
        client.drop(5.0)
        first = asyncio.create_task(client.call("note", 1, timeout=60.0))
        large = asyncio.create_task(client.call("fail", "x" * 1000, timeout=60.0))
        await turns()

        with pytest.raises(landline.CallTimeout, match="was not asked for in time"):
            await client.call("note", 2, timeout=1.0)
        third = asyncio.create_task(client.call("note", 3, timeout=60.0))
        assert (await first, await third) == (1, 3)
        with pytest.raises(landline.CallFailed):
            await large
    assert shop.book == [1, 3]


async def test_a_call_goes_on_when_the_line_is_back() -> None:
    """Once, whether its request, its run or its answer fell into the gap."""
    async with opened() as (shop, client, _server):
        running = asyncio.create_task(client.call("wait", 1))
        await turns()
        client.drop(2.0)
        sent_without_a_line = asyncio.create_task(client.call("note", 2))
        await turns()
        shop.may_go_on.set()

        assert [await running, await sent_without_a_line] == [1, 2]
        assert shop.book == [("began", 1), 2]


# The end of the session, and of the flow...


async def test_calls_in_flight_are_in_doubt_when_the_session_is_lost() -> None:
    """What certainly did not run says so: it raises what the session's end is."""
    limits = dataclasses.replace(LIMITS, resume_window=5.0)
    async with opened(limits=limits) as (shop, client, _server):
        running = asyncio.create_task(client.call("wait", 1))
        await turns()
        client.drop(10.0)
        await turns()
        unsent = asyncio.create_task(client.call("note", 2))

        with pytest.raises(landline.CallUnknown, match="the call of wait may have run"):
            await running
        with pytest.raises(landline.SessionLost):
            await unsent
        with pytest.raises(landline.SessionLost):
            await client.call("note", 3)
        assert waiting(client) == 0
    assert 2 not in shop.book


async def test_calls_in_flight_are_in_doubt_when_the_server_closes() -> None:
    """And the method is cancelled."""
    async with opened() as (shop, client, server):
        running = asyncio.create_task(client.call("wait", 1))
        await turns()
        await server.close("enough")

        with pytest.raises(landline.CallUnknown, match="enough"):
            await running
        assert shop.book[-1] == ("cancelled", 1)
        with pytest.raises(landline.SessionClosed):
            await client.call("add", 1)


async def test_who_closes_its_session_leaves_no_call_waiting() -> None:
    """It was its own wish."""
    async with opened() as (_, client, _):
        running = asyncio.create_task(client.call("wait", 1))
        await turns()
        await client.close()

        with pytest.raises(landline.CallUnknown):
            await running


class Life:
    """A server on a disk that can be started again."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.address = f"memory://calling-{next(_numbers)}"

    @asynccontextmanager
    async def life(self, shop: Shop, program: Any = None) -> AsyncIterator[landline.Listening]:
        limits = dataclasses.replace(LIMITS, close_timeout=0.05)
        server = landline.Server(
            program, methods=shop.methods, storage=self.disk, limits=limits, retry_in=0.001
        )
        async with server.listen(self.address) as listening:
            yield listening


async def test_in_a_new_life_of_the_server_a_call_is_in_doubt_unless_it_may_run_twice() -> None:
    """That is made again, and so is what was never written; deadlines stay."""
    life, shop, second = Life(), Shop(), Shop()
    begun = asyncio.get_running_loop().time()
    async with AsyncExitStack() as stack:
        async with life.life(shop):
            client = await stack.enter_async_context(landline.connect(life.address, limits=LIMITS))
            once = asyncio.create_task(client.call("wait", 1))
            twice = asyncio.create_task(client.call("again", 2))
            late = asyncio.create_task(client.call("again", 4, timeout=9.0))
            await turns()
        unwritten = asyncio.create_task(client.call("note", 3))
        await asyncio.sleep(1)
        second.may_go_on.clear()
        async with life.life(second):
            with pytest.raises(landline.CallUnknown, match="the server was restarted"):
                await once
            assert await unwritten == 3
            with pytest.raises(landline.CallTimeout):
                await late
            assert asyncio.get_running_loop().time() - begun == pytest.approx(9.0, abs=0.1)
            second.may_go_on.set()
            assert await twice == 2
            assert await client.call("add", 1) == 3
    assert shop.book[:3] == [("began", 1), ("began", 2), ("began", 4)]
    assert second.book == [("began", 2), ("began", 4), 3, ("cancelled", 4)]


async def test_what_ran_in_the_last_life_is_in_doubt_where_it_is_not_called_again() -> None:
    """A session that is closing calls nothing more in the new life: only what never ran is said not to have."""
    life, shop = Life(), Shop()
    async with AsyncExitStack() as stack:
        async with life.life(shop):
            client = await stack.enter_async_context(landline.connect(life.address, limits=LIMITS))
            twice = asyncio.create_task(client.call("again", 1))
            await turns()
        unwritten = asyncio.create_task(client.call("note", 2))
        await turns()
        closing = asyncio.create_task(client.close())
        await turns()
        async with life.life(shop):
            with pytest.raises(landline.CallUnknown):
                await twice
            with pytest.raises(landline.SessionClosed):
                await unwritten
            await closing
    assert ("began", 1) in shop.book
    assert 2 not in shop.book


async def test_a_client_s_methods_are_cancelled_when_the_server_is_started_again() -> None:
    """Whoever called is gone; the new life calls as if nothing had been."""
    life, at_client = Life(), Shop()
    sessions: list[landline.Session] = []
    calls: list[asyncio.Task[Any]] = []

    async def program(session: landline.Session) -> None:
        sessions.append(session)
        if len(sessions) == 2:
            assert await session.call("add", 1) == 3
        else:
            calls.append(asyncio.create_task(session.call("wait", 1)))
        await session.wait_closed()

    async with AsyncExitStack() as stack:
        async with life.life(Shop(), program):
            client = await stack.enter_async_context(
                landline.connect(life.address, limits=LIMITS, methods=at_client.methods)
            )
            await turns()
            assert at_client.running == 1
        async with life.life(Shop(), program):
            await turns()
            await client.call("add", 1)
            await turns()
            assert at_client.book == [("began", 1), ("cancelled", 1)]
            with pytest.raises(landline.CallUnknown):
                await calls[0]
            assert len(sessions) == 2


# A peer that breaks the rules...


class Forged:
    """A server's end that says whatever it likes in the flow of a client's calls."""

    def __init__(self, server: landline.Session) -> None:
        self.bare = server._bare
        self.flow: BareFlow | None = None
        self.bare.takers = (self._takes, *self.bare.takers)

    def _takes(self, _: BareSession, flow: BareFlow) -> bool:
        self.flow = flow
        return True

    def say(self, payload: bytes, kind: FrameType = FrameType.BYTES) -> None:
        assert self.flow is not None
        self.bare.core.send(self.flow.core, int(kind), payload)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (FrameType.BYTES, b"rubbish"),
        (FrameType.BYTES, msgspec.msgpack.encode([2, 99, None])),
        (FrameType.BYTES, msgspec.msgpack.encode([0, 1, 1.0, "m", []])),
        (FrameType.TEXT, b"text"),
        (FrameType.PACKED, b"\xa1\xff"),
    ],
)
async def test_a_peer_s_rubbish_ends_the_flow_and_nothing_else(kind: FrameType, said: bytes) -> None:
    """The calls in it are in doubt, and the next ones go in another flow."""
    async with opened() as (_, client, server):
        forged = Forged(server)
        call = asyncio.create_task(client.call("add", 1))
        await turns()
        forged.say(said, kind)

        with pytest.raises(landline.CallUnknown):
            await call
        server._bare.takers = server._bare.takers[1:]
        assert await client.call("add", 1) == 3


async def test_whoever_waits_no_more_says_so() -> None:
    """Once, by a cancel or by a deadline: the other end need not find it out by itself."""
    async with opened() as (_, client, server):
        forged = Forged(server)
        cancelled = asyncio.create_task(client.call("wait"))
        late = asyncio.create_task(client.call("wait", timeout=5.0))
        await turns()
        cancelled.cancel()
        with pytest.raises(landline.CallTimeout):
            await late
        await turns()

        assert forged.flow is not None
        said = [msgspec.msgpack.decode(value) for value, _ in forged.flow.core.inbox]
        assert said[2:] == [[1, 1], [1, 2]]


async def test_a_server_that_has_closed_answers_nothing_more() -> None:
    """Whoever waits is told so at once, also where messages that came before are still to be read."""
    async with opened() as (_, client, server):
        call = asyncio.create_task(client.call("wait"))
        await turns()
        _ = await server.send("before")
        closing = asyncio.create_task(server.close("enough"))
        await turns()

        with pytest.raises(landline.CallUnknown, match="enough"):
            await asyncio.wait_for(call, 0.1)
        assert await client.receive() == "before"
        client.ack()
        await closing


@pytest.mark.parametrize("how", ["unwanted", "ended"])
async def test_a_peer_that_takes_no_calls_is_told_apart(how: str) -> None:
    """What it certainly did not run is a failure; what it left unanswered is in doubt."""
    async with opened() as (_, client, server):
        forged = Forged(server)
        call = asyncio.create_task(client.call("add", 1))
        await turns()
        assert forged.flow is not None
        if how == "unwanted":
            forged.flow.reset(ResetCode.UNWANTED, "no calls here")
            with pytest.raises(landline.CallFailed, match="no calls here") as failed:
                await call
            assert failed.value.type == "not taken"
        else:
            forged.flow.end()
            with pytest.raises(landline.CallUnknown):
                await call
        await turns()
        assert not [flow for flow in client._bare.core.flows.values() if flow.purpose]


async def test_a_result_that_cannot_be_read_fails_one_call() -> None:
    """Invalid text within it, for example; the others go on."""
    async with opened() as (_, client, server):
        forged = Forged(server)
        first, second = (asyncio.create_task(client.call("add", 1)) for _ in range(2))
        await turns()
        forged.say(b"\x93\x02\x01\xa1\xff")
        forged.say(b"\x93\x02\x02\x07")

        with pytest.raises(landline.CallFailed) as failed:
            await first
        assert failed.value.type == "bad data"
        assert await second == 7


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("not allowed", landline.CallNotAllowed),
        ("timed out", landline.CallTimeout),
        ("x", landline.CallFailed),
    ],
)
async def test_a_failure_is_the_class_that_its_type_says(kind: str, error: type[Exception]) -> None:
    """Also where its data cannot be read."""
    async with opened() as (_, client, server):
        forged = Forged(server)
        call = asyncio.create_task(client.call("add", 1))
        await turns()
        forged.say(msgspec.msgpack.encode([3, 1, kind, "words"]))

        with pytest.raises(landline.CallFailed, match="words") as failed:
            await call
        assert type(failed.value) is error
        assert failed.value.type == kind


async def test_nothing_is_left_of_calls() -> None:
    """Neither tasks nor flows nor timers, at both ends, when the session is over."""
    before = asyncio.all_tasks()
    async with opened() as (shop, client, _server):
        await asyncio.gather(*(client.call("note", number, wait=True) for number in range(1000)))
        with pytest.raises(landline.CallTimeout):
            await client.call("wait", timeout=1.0)
        await turns()
        assert (shop.running, waiting(client)) == (0, 0)
        assert client._bare.core.memory <= 1000
    await turns()

    assert asyncio.all_tasks() == before
    assert sorted(shop.book[:1000]) == list(range(1000))


@pytest.mark.parametrize("kind", ["call", "stream"])
async def test_a_wrong_argument_goes_over_no_wire(kind: str) -> None:
    """A name that is no text, and a time-out that is no number: in words, at once."""
    async with opened() as (_, client, _):
        for method, timeout, words in (
            (5, None, "called by its name"),
            ("add", "5", "a number of seconds, and not '5'"),
        ):
            with pytest.raises(TypeError, match=words):
                await getattr(client, kind)(method, timeout=timeout)
        assert await client.call("add", 1, 3) == 4
