"""The bridge between a thread that waits and a loop in another one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from landline import LandlineError
from landline.sync.bridge import Bridge

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """A bridge to a loop that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield Bridge(loop)
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        assert asyncio.all_tasks(loop) == set()
        loop.close()


async def turn() -> None:
    await asyncio.sleep(0)


class Numbers:
    """A generator of what it is fed with, which says when it was closed."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.fed: asyncio.Queue[int | Exception | None] = asyncio.Queue()
        self.closed = threading.Event()

    async def items(self) -> AsyncGenerator[int, None]:
        try:
            while (item := await self.fed.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed.set()

    def feed(self, *items: int | Exception | None) -> None:
        for item in items:
            self.bridge.call(self.fed.put_nowait, item)


def test_a_coroutine_is_a_call(bridge: Bridge) -> None:
    """Its result is returned, what it raises is raised, and it ran over there."""

    async def where() -> threading.Thread:
        return threading.current_thread()

    async def fail() -> None:
        raise KeyError("gone")

    assert bridge.run(where) is not threading.current_thread()
    with pytest.raises(KeyError, match="gone"):
        bridge.run(fail)


def test_a_time_out_cancels_the_coroutine(bridge: Bridge) -> None:
    """It is cancelled before the call returns; a time-out of 0 leaves it its first turns."""
    seen: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def at_once() -> str:
        await asyncio.create_task(asyncio.sleep(0))
        return "there"

    with pytest.raises(TimeoutError, match=r"0\.01 s"):
        bridge.run(wait, 0.01)
    assert seen == ["cancelled"]
    assert bridge.run(at_once, 0) == "there"


def test_a_time_out_is_told_as_a_person_would(bridge: Bridge) -> None:
    """What is left of a time has many digits, which say nothing."""
    with pytest.raises(TimeoutError, match=r"^not within 0\.02 s$"):
        bridge.run(asyncio.Event().wait, 0.0199994)


def test_what_comes_with_the_time_out_is_returned(bridge: Bridge) -> None:
    """A coroutine that has a result all the same loses none."""

    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "there"
        return "never"

    assert bridge.run(stubborn, 0) == "there"


def test_a_coroutine_that_the_loop_cancels_is_an_error(bridge: Bridge) -> None:
    """Not a ``CancelledError``, which would look like the caller's own task."""

    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(LandlineError, match="was stopped"):
        bridge.run(cancelled)


async def test_the_loop_itself_is_not_made_to_wait() -> None:
    """It would wait for itself: that is an error that says what to do."""
    bridge = Bridge(asyncio.get_running_loop())

    with pytest.raises(LandlineError, match="await the session itself"):
        bridge.run(turn)


def test_a_loop_that_ended_is_an_error(bridge: Bridge) -> None:
    """Also for who waited already when it ended."""
    loop, begun, errors = bridge._loop, threading.Event(), []

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    def call() -> None:
        try:
            bridge.run(wait)
        except LandlineError as error:
            errors.append(str(error))

    waiting = threading.Thread(target=call)
    waiting.start()
    assert begun.wait(10)
    tasks = bridge.call(asyncio.all_tasks)
    loop.call_soon_threadsafe(loop.stop)
    while loop.is_running():
        waiting.join(0.01)
    loop.close()
    waiting.join()
    with pytest.raises(LandlineError, match="has ended"):
        bridge.run(turn)

    assert errors == ["the loop of this session has ended"]
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # this loop was ended on purpose


def test_an_iterator_outlives_its_time_outs(bridge: Bridge) -> None:
    """A generator, which would be over when it is cancelled, goes on; nothing is lost, and its end ends the iterator."""
    numbers = Numbers(bridge)
    items = bridge.iterate(numbers.items)

    for number in range(3):
        for _ in range(3):
            with pytest.raises(TimeoutError):
                items.next(0)
        numbers.feed(number)
        assert next(items) == number
    numbers.feed(3, 4, None)
    assert [*items, *items] == [3, 4]
    with pytest.raises(StopIteration):
        items.next(0)
    items.close()


def test_an_iterator_that_fails_says_so(bridge: Bridge) -> None:
    """After what came before."""
    numbers = Numbers(bridge)
    with bridge.iterate(numbers.items) as items:
        numbers.feed(1, KeyError("gone"))

        assert next(items) == 1
        with pytest.raises(KeyError, match="gone"):
            next(items)


def test_leaving_an_iterator_closes_it(bridge: Bridge) -> None:
    """By its block, also while it waits for the next item; then it is over."""
    numbers = Numbers(bridge)
    with bridge.iterate(numbers.items) as items:
        numbers.feed(1)
        assert next(items) == 1

    assert numbers.closed.is_set()
    assert list(items) == []


class Ones:
    """An iterator that is no generator, which would be closed by its loop."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        return 1

    async def close(self) -> None:
        self.closed.set()


def test_an_iterator_that_nobody_holds_is_closed(bridge: Bridge) -> None:
    """A ``for`` that is left by ``break`` leaves nothing running."""
    ones = Ones()

    for item in bridge.iterate(lambda: ones):
        assert item == 1
        break
    gc.collect()

    assert ones.closed.wait(10)
    bridge.run(turn)  # the closing task's last turn


def test_a_block_is_entered_and_left_by_one_task(bridge: Bridge) -> None:
    """So what is in it may hold time-outs and groups of tasks; an error goes through it."""
    tasks: list[object] = []

    @contextlib.asynccontextmanager
    async def block() -> AsyncIterator[str]:
        async with asyncio.timeout(60):
            tasks.append(asyncio.current_task())
            try:
                yield "inside"
            finally:
                tasks.append(asyncio.current_task())

    with bridge.hold(block()) as value:
        assert value == "inside"
    with pytest.raises(KeyError, match="gone"), bridge.hold(block()):
        raise KeyError("gone")

    assert tasks[0] is tasks[1]
    assert tasks[2] is tasks[3]


def test_a_block_may_suppress_an_error_and_raise_one(bridge: Bridge) -> None:
    """As it does where it is entered by ``async with``."""

    @contextlib.asynccontextmanager
    async def suppress() -> AsyncIterator[None]:
        with contextlib.suppress(KeyError):
            yield

    @contextlib.asynccontextmanager
    async def fail() -> AsyncIterator[None]:
        yield
        raise OSError("cannot close")

    @contextlib.asynccontextmanager
    async def refuse(why: str) -> AsyncIterator[None]:
        if why:
            raise OSError(why)
        yield

    def lose() -> None:
        raise KeyError("gone")

    with bridge.hold(suppress()):
        lose()
    with pytest.raises(OSError, match="cannot close"), bridge.hold(fail()):
        pass
    with pytest.raises(OSError, match="cannot open"), bridge.hold(refuse("cannot open")):
        pass


def test_each_item_goes_to_one_of_several_threads(bridge: Bridge) -> None:
    """Once."""
    numbers = Numbers(bridge)
    seen: list[int] = []
    with bridge.iterate(numbers.items) as items:
        threads = [threading.Thread(target=lambda: seen.extend(items)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(200):
            numbers.feed(number)
        numbers.feed(None)
        for thread in threads:
            thread.join()

    assert sorted(seen) == list(range(200))


def test_who_waits_for_an_item_is_told_when_another_thread_closes(bridge: Bridge) -> None:
    """For both the iterator is over."""
    numbers = Numbers(bridge)
    items = bridge.iterate(numbers.items)
    numbers.feed(1)
    seen: list[int] = []
    first = threading.Event()

    def read() -> None:
        for item in items:
            seen.append(item)
            first.set()

    thread = threading.Thread(target=read)
    thread.start()
    first.wait()
    bridge.run(turn)
    items.close()
    thread.join()

    assert numbers.closed.is_set()
    assert seen == [1]
    assert list(items) == []


def test_what_is_interrupted_before_it_began_begins_all_the_same(
    bridge: Bridge, interrupted: Callable[[Bridge], AbstractContextManager[None]]
) -> None:
    """It is cancelled where it waits first: what was to be closed is closed."""
    seen: list[str] = []

    async def close() -> None:
        seen.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    with interrupted(bridge):
        bridge.run(close)
    bridge.run(turn)

    assert seen == ["begun", "cancelled"]


def test_a_block_is_left_also_when_that_is_interrupted(
    bridge: Bridge, interrupted: Callable[[Bridge], AbstractContextManager[None]]
) -> None:
    """Also before the loop heard of it; what is in the block is told."""
    left = threading.Event()

    @contextlib.asynccontextmanager
    async def block() -> AsyncIterator[None]:
        try:
            yield
        finally:
            left.set()

    held = bridge.hold(block())
    held.__enter__()
    with interrupted(bridge):
        held.__exit__(None, None, None)

    assert left.wait(10)
    bridge.run(turn)  # the task's last turn


def test_an_iterator_is_closed_also_when_that_is_interrupted(
    bridge: Bridge, interrupted: Callable[[Bridge], AbstractContextManager[None]]
) -> None:
    """Also where its next item is waited for at first."""
    ones = Ones()
    items = bridge.iterate(lambda: ones)
    assert next(items) == 1
    with interrupted(bridge):
        items.close()

    assert ones.closed.wait(10)
    bridge.run(turn)


@pytest.mark.parametrize(("timeout", "error"), [(float("nan"), ValueError), ("1", TypeError)])
def test_a_time_out_that_is_no_number_is_an_error(
    bridge: Bridge, timeout: float, error: type[Exception]
) -> None:
    """Told to who gave it, and nobody waits for ever."""
    with pytest.raises(error):
        bridge.run(turn, timeout)
