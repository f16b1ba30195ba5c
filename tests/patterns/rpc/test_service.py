"""What one end can be called for: who may call what, what it is given, in which thread, and what tells of it all."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from typing import Any

import pytest

import landline

from .shop import LIMITS, Shop, opened, turns

pytestmark = pytest.mark.timeout(30)


async def test_a_method_is_given_what_it_asks_for() -> None:
    """The session that the call came over, and arguments as their annotations say."""
    async with opened() as (_, client, server):
        bought = await client.call("buy", {"name": "tea"}, cash=True)

    assert bought == {"name": "tea", "amount": 1, "cash": True, "session": server.id}


async def test_whoever_may_not_is_told_so_at_every_call() -> None:
    """``authorize`` is asked for each, with the principal, and before anything is read of the arguments."""
    asked: list[tuple[str, str, str]] = []
    allowed = {"add"}

    def authorize(principal: str, verb: str, method: str) -> bool:
        asked.append((principal, verb, method))
        return verb == "enter" or method in allowed

    async with opened(authorize=authorize, authenticate=lambda _: "ana") as (shop, client, _):
        assert await client.call("add", 1) == 3
        with pytest.raises(landline.CallNotAllowed) as refused:
            await client.call("note", "no number")
        allowed.add("note")
        assert await client.call("note", 1) == 1

    assert isinstance(refused.value, landline.NotAllowed)
    assert asked[1:] == [("ana", "call", "add"), ("ana", "call", "note"), ("ana", "call", "note")]
    assert shop.book == [1]


async def test_the_listing_tells_what_whoever_asks_may_call() -> None:
    """With parameters, types, kinds and the first line of what is written of each."""
    allowed = {"memory", "add", "buy", "again"}
    async with opened(authorize=lambda principal, verb, what: what in allowed) as (
        _,
        client,
        _,
    ):
        listed = await client.call("landline.methods")

    assert [about["name"] for about in listed] == ["add", "buy", "again"]
    assert listed[0] == {
        "name": "add",
        "kind": "call",
        "parameters": [{"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": "2"}],
        "returns": "int",
        "idempotent": False,
        "about": "Add two numbers.",
    }
    assert [parameter["name"] for parameter in listed[1]["parameters"]] == ["item", "cash"]
    assert listed[2]["idempotent"] is True


async def test_a_plain_function_runs_in_a_thread() -> None:
    """The loop goes on meanwhile."""
    async with opened() as (_, client, _):
        doubled, name = await client.call("double", 21)

    assert doubled == 42
    assert name.startswith("landline call")
    assert name != threading.main_thread().name


class Gate:
    """A plain method that waits for the test, and counts who is inside."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()

    def enter(self) -> int:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.open.wait(20)
        with self.lock:
            self.inside -= 1
        return 1


async def until(is_so: Any) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - it happens in a thread
            await asyncio.sleep(0.001)


@pytest.mark.limit("call_threads")
async def test_so_many_threads_run_at_once() -> None:
    """More calls wait; one that is not waited for any more holds its thread until it is done, and then that is free."""
    gate, shop = Gate(), Shop()
    shop.methods.method(gate.enter)
    limits = dataclasses.replace(LIMITS, call_threads=2)
    async with opened(shop, limits=limits) as (_, client, _):
        calls = [asyncio.create_task(client.call("enter")) for _ in range(5)]
        await until(lambda: gate.inside == 2)
        for call in calls[:3]:
            call.cancel()
        await asyncio.gather(*calls[:3], return_exceptions=True)
        assert await client.call("add", 1) == 3
        assert gate.inside == 2
        gate.open.set()

        assert await asyncio.gather(*calls[3:]) == [1, 1]
    assert gate.most == 2


async def test_calls_that_nobody_waits_for_do_not_heap_up_behind_threads_that_hang() -> None:
    """They leave at once, and nothing of them waits for a thread."""
    gate = Gate()
    methods = landline.Methods()
    methods.method(gate.enter)
    limits = dataclasses.replace(LIMITS, call_threads=2)
    async with opened(limits=limits, client={"methods": methods}) as (_, client, server):
        for _ in range(10):
            calls = [asyncio.create_task(server.call("enter")) for _ in range(5)]
            await until(lambda: gate.inside == 2)
            await turns()
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await turns()
        assert client._service is not None
        threads = client._service._threads
        assert threads is not None
        assert threads.waiting == 0
        gate.open.set()
        await until(lambda: gate.inside == 0)
        assert await server.call("enter") == 1


async def test_a_failure_in_a_thread_is_told_as_any_other() -> None:
    """Also those that no future takes, and those that would end the program if they were raised elsewhere."""
    shop = Shop()

    def stop() -> None:
        raise StopIteration

    def leave() -> None:
        raise SystemExit(3)

    def interrupt() -> None:
        raise KeyboardInterrupt

    def refuse() -> None:
        raise landline.CallFailed("no", type="mine")

    for method in (stop, leave, interrupt):
        shop.methods.method(method)
    shop.methods.method(name="no")(refuse)
    async with opened(shop) as (_, client, _):
        kinds = dict.fromkeys(("stop", "leave", "interrupt"), "internal error")
        for name, kind in {**kinds, "no": "mine"}.items():
            with pytest.raises(landline.CallFailed) as failed:
                await client.call(name)
            assert failed.value.type == kind


@pytest.mark.parametrize("takes", ["short", "long"])
async def test_a_server_that_goes_lets_the_calls_that_run_come_to_their_end(takes: str) -> None:
    """Within ``close_timeout``; their callers have the answers before they hear that it goes. Streams are not waited for."""
    shop = Shop()
    server = landline.Server(methods=shop.methods, limits=dataclasses.replace(LIMITS, close_timeout=0.2))
    async with contextlib.AsyncExitStack() as stack:
        async with server.listen("memory://going"):
            session = await stack.enter_async_context(landline.connect("memory://going", limits=LIMITS))
            call = asyncio.create_task(session.call("wait", 1))
            await turns()
            assert shop.running == 1
            if takes == "short":
                asyncio.get_running_loop().call_later(0.05, shop.may_go_on.set)
        if takes == "short":
            assert await call == 1
        else:
            assert shop.book[-1] == ("cancelled", 1)
            await session.close()
            with pytest.raises(landline.CallUnknown):
                await call


async def test_a_server_without_a_program_keeps_sessions_for_its_methods() -> None:
    """Methods of its own decorator, too; and its end cancels what runs."""
    server = landline.Server(limits=dataclasses.replace(LIMITS, close_timeout=0.05))
    running: list[asyncio.Task[Any] | None] = []

    @server.method
    async def hang() -> None:
        running.append(asyncio.current_task())
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    async with server.listen("memory://service"):
        session = await landline.connect("memory://service", limits=LIMITS)
        call = asyncio.create_task(session.call("hang"))
        await turns()
        assert len(running) == 1
    await turns()

    task = running[0]
    assert task is not None
    assert task.cancelled()
    await session.close()
    with pytest.raises(landline.CallUnknown):
        await call
    await turns()
    assert asyncio.all_tasks() == before
