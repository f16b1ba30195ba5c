"""Answering: how many run at once, who runs them, and what a caller may and may not do."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import itertools
import logging
import re
from collections import Counter
from typing import Any, cast

import msgspec
import pytest

import landline
from landline.patterns.messages import Messages
from landline.patterns.rpc.answering import _Running
from landline.protocol.calls import CALLS_PURPOSE, Cancel, Offered, encode, encode_request
from landline.protocol.codec import BYTES

from .shop import LIMITS, Shop, opened, turns

VIRTUAL_TIME = True
pytestmark = pytest.mark.timeout(30)


class Wordless(landline.NotAllowed):
    def __str__(self) -> str:
        raise KeyError("no words")


def workers() -> int:
    return len([task for task in asyncio.all_tasks() if task.get_name() == "landline call"])


async def test_no_task_is_made_for_a_call_that_is_done_at_once() -> None:
    """One worker takes them all; also those that are done after others have waited."""
    made: list[str] = []
    loop = asyncio.get_running_loop()

    async with opened() as (shop, client, _):
        await client.call("add", 1)

        def make(loop: asyncio.AbstractEventLoop, work: Any, **how: Any) -> asyncio.Task[Any]:
            made.append("")
            return asyncio.Task(work, loop=loop, **how)

        loop.set_task_factory(make)
        for number in range(200):
            await client.call("note", number)
        assert not made
        waiting = asyncio.gather(*(client.call("wait", number) for number in range(5)))
        await turns()
        loop.set_task_factory(None)
        for number in range(200):
            await client.call("note", number)

        assert workers() == 6
        shop.may_go_on.set()
        await waiting


async def test_workers_that_are_not_needed_go() -> None:
    """A few are kept for the next calls that wait."""
    async with opened() as (shop, client, _):
        waiting = asyncio.gather(*(client.call("wait", number) for number in range(100)))
        await asyncio.sleep(1)
        assert workers() == 101
        shop.may_go_on.set()
        await waiting
        await turns()

        assert workers() == 9


@pytest.mark.limit("max_calls")
async def test_so_many_run_at_once_and_the_others_wait_in_their_flow() -> None:
    """Whatever the caller says of itself; they are taken in their order as soon as others are done, and cancels before that are heard."""
    shop = Shop()
    limits = dataclasses.replace(LIMITS, max_calls=3)
    async with opened(shop, limits=limits) as (_, client, _):
        bare = client._bare
        flow = bare.open_flow(CALLS_PURPOSE)

        def ask(*ids: int) -> None:
            for id in ids:
                bare.core.send(flow.core, BYTES, encode_request(id, 9.0, "wait", [id], {}, 1000))

        ask(1, 2, 3)
        bare.core.send(flow.core, BYTES, encode(Cancel(2)))
        ask(4, 5, 6)
        await turns()

        assert [number for what, number in shop.book if what == "began"] == [1, 2, 3, 4]
        assert shop.running == 3
        assert len(flow.core.pending) == 0
        shop.may_go_on.set()
        await turns()
        assert [number for what, number in shop.book if what == "began"] == [1, 2, 3, 4, 5, 6]
        messages = Messages(bare, flow)
        said = [msgspec.msgpack.decode(await messages.receive()) for _ in range(6)]
        assert sorted(said) == [[2, 1, 1], [2, 3, 3], [2, 4, 4], [2, 5, 5], [2, 6, 6], [4, ["again"], 3]]


@pytest.mark.limit("call_bytes")
async def test_so_many_bytes_of_requests_run_at_once() -> None:
    """More wait in their flow, whatever their number; one that is larger runs alone. What a method holds of its caller is bounded."""
    shop = Shop()
    seen: list[int] = []

    @shop.methods.method
    async def hold(data: bytes) -> int:
        seen.append(len(data))
        await shop.may_go_on.wait()
        return len(data)

    limits = dataclasses.replace(LIMITS, call_bytes=10_000)
    async with opened(shop, limits=limits) as (_, client, _):
        calls = [asyncio.create_task(client.call("hold", bytes(size))) for size in (4900, 4900, 1, 20_000, 1)]
        await asyncio.sleep(1)
        assert seen == [4900, 4900, 1]
        shop.may_go_on.set()

        assert await asyncio.gather(*calls) == [4900, 4900, 1, 20_000, 1]


@pytest.mark.parametrize(
    "said",
    [
        b"rubbish",
        msgspec.msgpack.encode([2, 1, None]),
        encode_request(1, 9.0, "wait", [], {}, 1000),
        "text",
        {"packed": 1},
    ],
)
async def test_a_caller_s_rubbish_ends_its_calls_and_nothing_else(said: Any) -> None:
    """One number for two calls at once is among that; what ran is cancelled, and the next flow is answered."""
    async with opened() as (shop, client, _):
        bare = client._bare
        flow = bare.open_flow(CALLS_PURPOSE)
        messages = Messages(bare, flow)
        _ = await messages.send(encode_request(1, 9.0, "wait", [1], {}, 1000))
        _ = await messages.send(said)
        await messages.receive()

        with pytest.raises(landline.FlowReset) as ended:
            await messages.receive()
        assert ended.value.code == "bad data"
        await turns()
        assert shop.book == [("began", 1), ("cancelled", 1)]
        assert await client.call("add", 1) == 3


async def test_a_session_s_calls_go_in_one_flow() -> None:
    """A second one is refused while the first is open: else nothing would bound how many run."""
    async with opened() as (_, client, _):
        await client.call("add", 1)
        flow = client._bare.open_flow(CALLS_PURPOSE)

        with pytest.raises(landline.FlowReset, match="go in one flow"):
            await Messages(client._bare, flow).receive()
        assert await client.call("add", 1) == 3


async def test_whoever_leaves_its_flow_may_open_another_at_once() -> None:
    """It is answered as soon as nothing of the first runs any more."""
    async with opened() as (shop, client, _):
        call = asyncio.create_task(client.call("wait", 1))
        await turns()
        assert client._calling is not None
        flow = client._calling._flow
        assert flow is not None
        flow.reset()

        assert await client.call("add", 1) == 3
        with pytest.raises(landline.CallUnknown):
            await call
        assert shop.book == [("began", 1), ("cancelled", 1)]


async def test_answers_wait_for_room() -> None:
    """Large ones are not heaped up for a caller that does not take them; all of them arrive."""
    methods = landline.Methods()

    @methods.method
    async def large() -> bytes:
        return bytes(100_000)

    shop = Shop()
    shop.methods = methods
    limits = dataclasses.replace(LIMITS, flow_outbox=1000, window=100_000, outbox_bytes=200_000)
    async with opened(shop, limits=limits) as (_, client, server):
        most = 0

        async def call() -> int:
            nonlocal most
            size = len(await client.call("large"))
            most = max(most, server._bare.core.held)
            return size

        assert await asyncio.gather(*(call() for _ in range(50))) == [100_000] * 50
        assert most < 1_000_000


async def test_what_a_method_fails_over_is_for_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The caller hears that it failed, and nothing of the text or the traceback."""
    async with opened() as (_, client, _):
        with pytest.raises(landline.CallFailed) as failed:
            await client.call("fail")

        assert (failed.value.type, failed.value.message, failed.value.data) == (
            "internal error", "fail failed", None,
        )  # fmt: skip
        assert "a secret" in caplog.text
        assert await client.call("add", 1) == 3


async def test_a_method_that_fails_again_and_again_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first of each method and kind is there in full; of the others how many they were, also at the end."""
    shop = Shop()

    @shop.methods.method
    async def divide(by: Any) -> float:
        return float(1 / by)

    async with opened(shop) as (_, client, _):
        for argument in [0, "no number"] * 50:
            with pytest.raises(landline.CallFailed, match="divide failed"):
                await client.call("divide", argument)
        with pytest.raises(landline.CallFailed, match="fail failed"):
            await client.call("fail")

    records = [record for record in caplog.records if record.name == "landline.calls"]
    full = [record.exc_info[0] for record in records if record.exc_info]
    assert full[:2] == [ZeroDivisionError, TypeError]
    assert len(full) == 3
    counted = [
        re.search(r"(\w+), (\d+) more", record.getMessage()) for record in records if not record.exc_info
    ]
    sums: Counter[str] = Counter()
    for found in counted:
        assert found is not None
        sums[found[1]] += int(found[2])
    assert sums == {"ZeroDivisionError": 49, "TypeError": 49}


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (landline.CallFailed("words", type="t" * 300), "t" * 255, "words"),
        (landline.CallFailed("w" * 3000), "failed", "w" * 2000),
        (landline.CallFailed("words", type=""), "failed", "words"),
        (landline.CallFailed("words", data=object()), "internal error", ""),
        (landline.CallFailed(cast("str", 5), type=cast("str", 7)), "internal error", ""),
        (Wordless(), "internal error", ""),
        (landline.CallTimeout("words"), "timed out", "words"),
        (landline.NotAllowed("words"), "not allowed", "words"),
        (asyncio.CancelledError(), "internal error", "m failed"),
        (StopIteration(), "internal error", "m failed"),
        (GeneratorExit(), "internal error", "m failed"),
    ],
)
async def test_whatever_a_method_raises_its_caller_is_told(
    raised: BaseException, kind: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Words are cut, and what cannot be sent is not; nothing that a method raises ends more than its call."""
    caplog.set_level(logging.CRITICAL)
    shop = Shop()

    @shop.methods.method
    async def m(*, waits: bool) -> None:
        if waits:
            await asyncio.sleep(0)
        raise raised

    async with opened(shop) as (_, client, _):
        for waits in (False, True):
            with pytest.raises(landline.CallFailed) as failed:
                await client.call("m", waits=waits)
            assert (failed.value.type, failed.value.message) == (kind, message)
        assert await client.call("add", 1) == 3


async def test_a_result_that_cannot_be_sent_is_the_method_s_failure(caplog: pytest.LogCaptureFixture) -> None:
    """An object that nobody can read, or one that is too large."""
    shop = Shop()
    methods = {"unreadable": _returning(object()), "large": _returning(bytes(2 << 20))}
    shop.methods = landline.Methods()
    for name, method in methods.items():
        shop.methods.method(name=name)(method)

    async with opened(shop) as (_, client, _):
        for name in methods:
            with pytest.raises(landline.CallFailed) as failed:
                await client.call(name)
            assert failed.value.type == "internal error"
    assert "cannot send" in caplog.text


def _returning(value: Any) -> Any:
    async def method() -> Any:
        return value

    return method


async def test_a_method_may_time_out_and_be_cancelled_within() -> None:
    """What it does to its own task is its own affair, and the worker goes on after it."""
    shop = Shop()

    @shop.methods.method
    async def impatient() -> str:
        try:
            async with asyncio.timeout(1.0):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return "cancelled itself"
        return "?"

    async with opened(shop) as (_, client, _):
        assert [await client.call("impatient") for _ in range(3)] == ["cancelled itself"] * 3


async def test_a_call_that_is_cancelled_cleans_up_in_peace() -> None:
    """Also where the session ends meanwhile; a server that goes waits for it."""
    shop = Shop()

    @shop.methods.method
    async def slow_to_go() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            shop.book.append("cleaned up")

    async with opened(shop) as (_, client, _):
        with pytest.raises(landline.CallTimeout):
            await client.call("slow_to_go", timeout=1.0)
        await turns()
        await client.close()
        await asyncio.sleep(2)
    assert shop.book == ["cleaned up"]


async def test_a_method_that_does_not_care_about_its_end_is_heard_of_no_more() -> None:
    """It holds its place until it is done; its caller was told long ago."""
    shop = Shop()

    @shop.methods.method
    async def stubborn() -> str:
        for _ in range(3):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                shop.book.append("does not care")
        return "done"

    async with opened(shop) as (_, client, _):
        with pytest.raises(landline.CallTimeout):
            await client.call("stubborn", timeout=1.0)
        await asyncio.sleep(30)
        assert shop.book == ["does not care"]
        assert await client.call("add", 1) == 3


async def test_others_have_their_turn_between_calls() -> None:
    """However many are done at once."""
    shop = Shop()
    seen: list[int] = []

    async def look() -> None:
        while True:
            seen.append(len(shop.book))
            await asyncio.sleep(0)

    async with opened(shop) as (_, client, _):
        looking = asyncio.create_task(look())
        await asyncio.gather(*(client.call("note", number) for number in range(250)))
        looking.cancel()

    assert max(after - before for before, after in itertools.pairwise(seen)) <= 64


async def test_nobody_after_it_has_to_do_with_a_cancel() -> None:
    """A worker whose call was cancelled, and did not care, runs no other: that would look as if it was cancelled itself."""
    shop = Shop()

    @shop.methods.method
    async def careless() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    @shop.methods.method
    async def raises() -> None:
        raise asyncio.CancelledError

    async with opened(shop) as (_, client, _):
        with pytest.raises(landline.CallTimeout):
            await client.call("careless", timeout=1.0)
        await turns()
        waiting = asyncio.create_task(client.call("wait"))
        await turns()
        with pytest.raises(landline.CallFailed) as failed:
            await client.call("raises")
        assert failed.value.type == "internal error"
        shop.may_go_on.set()
        await waiting


async def test_the_next_flow_waits_for_the_last_calls_of_the_one_before() -> None:
    """However slowly they go: no more run than may; and a third flow is refused meanwhile."""
    shop = Shop()

    @shop.methods.method
    async def slow_to_go() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(5)

    async with opened(shop) as (_, client, _):
        call = asyncio.create_task(client.call("slow_to_go"))
        await turns()
        assert client._calling is not None
        flow = client._calling._flow
        assert flow is not None
        flow.reset()
        begun = asyncio.get_running_loop().time()
        next_call = asyncio.create_task(client.call("add", 1))
        await asyncio.sleep(1)
        refused = client._bare.open_flow(CALLS_PURPOSE)
        with pytest.raises(landline.FlowReset, match="go in one flow"):
            await Messages(client._bare, refused).receive()
        assert await next_call == 3
        assert asyncio.get_running_loop().time() - begun == pytest.approx(5.0, abs=0.5)
        with pytest.raises(landline.CallUnknown):
            await call


async def test_nothing_is_left_of_calls_that_are_cancelled_while_their_answers_wait() -> None:
    """However many a caller makes that takes no answers."""
    shop = Shop()

    @shop.methods.method
    async def large() -> bytes:
        await asyncio.sleep(0)
        return bytes(100_000)

    limits = dataclasses.replace(LIMITS, flow_outbox=1000)
    async with opened(shop, limits=limits) as (_, client, _):
        bare = client._bare
        flow = bare.open_flow(CALLS_PURPOSE)
        for id in range(1, 50):
            bare.core.send(flow.core, BYTES, encode_request(id, 9.0, "large", [], {}, 1000))
            await turns(10)
            bare.core.send(flow.core, BYTES, encode(Cancel(id)))
            await turns(10)

        gc.collect()
        loop = asyncio.get_running_loop()
        left = [one for one in gc.get_objects() if isinstance(one, _Running) and one.task.get_loop() is loop]
        assert left == []


async def test_a_method_that_cancels_its_task_and_returns_at_once_ends_nothing_else() -> None:
    """The cancel would hit whoever waits for the next call."""
    shop = Shop()

    @shop.methods.method
    async def odd() -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return 1

    async with opened(shop) as (_, client, _):
        assert [await client.call("odd") for _ in range(3)] == [1, 1, 1]
        assert await client.call("add", 1) == 3
        await turns()
        assert workers() == 1


async def test_a_method_that_cancels_its_task_and_waits_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    """Its caller is told at once, the log tells its author, and calls go on."""
    shop = Shop()

    @shop.methods.method
    async def odd() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    async with opened(shop) as (_, client, _):
        waiting = asyncio.create_task(client.call("wait"))
        begun = asyncio.get_running_loop().time()
        for _ in range(3):
            with pytest.raises(landline.CallFailed, match="odd failed"):
                await client.call("odd")
        assert asyncio.get_running_loop().time() - begun < 1
        assert "the method odd failed" in caplog.text
        shop.may_go_on.set()
        assert await waiting == 0
        assert await client.call("add", 1) == 3


async def test_calls_that_end_with_everything_else_have_not_failed(caplog: pytest.LogCaptureFixture) -> None:
    """As where a loop ends: all tasks are cancelled in one moment, those that run calls first."""
    async with opened() as (shop, client, _):
        calls = [asyncio.create_task(client.call("wait", number)) for number in range(3)]
        await turns()
        named: dict[str, list[asyncio.Task[Any]]] = {}
        for task in asyncio.all_tasks():
            named.setdefault(task.get_name(), []).append(task)
        for task in named["landline call"] + named[f"landline {CALLS_PURPOSE}"]:
            task.cancel()
        await turns()
        assert shop.running == 0
        await client.close()
        await asyncio.wait(calls)
        assert all(isinstance(call.exception(), landline.CallUnknown) for call in calls)
    assert "failed" not in caplog.text


@pytest.mark.parametrize("waits", [False, True])
async def test_a_task_that_a_method_kept_may_be_cancelled_when_its_call_is_over(waits: bool) -> None:
    """It may be the one that takes the next call, or one that waits to; calls go on."""
    shop = Shop()
    kept: list[asyncio.Task[Any] | None] = []

    @shop.methods.method
    async def keep() -> None:
        kept.append(asyncio.current_task())
        if waits:
            await asyncio.sleep(1)

    async with opened(shop) as (_, client, _):
        for _ in range(3):
            await client.call("keep")
            await turns()
            task = kept[-1]
            assert task is not None
            task.cancel()
            await turns()
            assert await asyncio.gather(*(client.call("add", number) for number in range(3))) == [2, 3, 4]
            await client.call("keep")
    assert all(task is not None and task.done() for task in kept)


async def test_a_call_that_is_cancelled_makes_room_for_one_that_waits_for_it() -> None:
    """The cancel stands behind that one in the flow."""
    shop = Shop()
    seen: list[int] = []

    @shop.methods.method
    async def hold(data: bytes) -> int:
        seen.append(len(data))
        await shop.may_go_on.wait()
        return len(data)

    limits = dataclasses.replace(LIMITS, call_bytes=10_000)
    async with opened(shop, limits=limits) as (_, client, _):
        first = asyncio.create_task(client.call("hold", bytes(8000)))
        await turns()
        second = asyncio.create_task(client.call("hold", bytes(9000)))
        await asyncio.sleep(1)
        assert seen == [8000]
        first.cancel()
        await asyncio.sleep(1)
        assert seen == [8000, 9000]
        shop.may_go_on.set()

        assert await second == 9000


@pytest.mark.limit("max_message")
@pytest.mark.parametrize("lacks", [0, 1])
async def test_a_caller_that_takes_no_long_messages_is_not_told_which_methods_may_run_twice(
    lacks: int,
) -> None:
    """Its calls are answered all the same; one byte more, and it is told."""
    shop = Shop()
    for number in range(40):
        shop.methods.method(name=f"inventory.update_item_{number}", idempotent=True)(shop.again)
    shop.may_go_on.set()
    most = len(encode(Offered(shop.methods.idempotent, LIMITS.max_calls))) - lacks

    async with opened(
        shop, client={"limits": dataclasses.replace(LIMITS, max_message=most, max_calls=1000)}
    ) as (_, client, _):
        assert await client.call("inventory.update_item_1", 7) == 7
        calling = client._calling
        assert calling is not None
        assert len(calling._table.idempotent) == (0 if lacks else 41)
        assert calling._places.most == LIMITS.max_calls


async def test_a_caller_that_takes_next_to_nothing_is_told_nothing_first() -> None:
    """Not even how many calls run at once."""
    small = dataclasses.replace(LIMITS, max_message=4)
    async with opened(limits=dataclasses.replace(LIMITS, max_calls=1000), client={"limits": small}) as at:
        bare = at[1]._bare
        flow = bare.open_flow(CALLS_PURPOSE)
        bare.core.send(flow.core, BYTES, encode_request(1, 5.0, "note", [1], {}, 100))

        assert msgspec.msgpack.decode(await Messages(bare, flow).receive()) == [2, 1, 1]
