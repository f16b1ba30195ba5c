"""Blocking sessions over TCP: threads, time-outs, topics, states, and code that runs beside a loop."""

from __future__ import annotations

import asyncio
import queue
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

import landline
from landline import sync
from landline.sync.bridge import Bridge

pytestmark = pytest.mark.timeout(60)

QUICK = landline.Limits(redial_min=0.005, redial_max=0.02)


def echo(session: sync.Session) -> None:
    for message in session:
        _ = session.send(message)


@pytest.fixture
def address() -> Iterator[str]:
    with sync.serve(echo, "tcp://127.0.0.1:0", limits=QUICK) as listening:
        yield listening.addresses[0]


def test_what_is_sent_comes_back(address: str) -> None:
    """Singly and many at once, in order; receipts tell."""
    with sync.connect(address) as session:
        receipt = session.send(0)
        session.send_many(range(1, 50))
        _ = session.send_nowait(50)

        assert [session.receive(10) for _ in range(51)] == list(range(51))
        assert receipt.wait(10).is_acked
        assert receipt.outcome == landline.Outcome("acked")


@pytest.mark.parametrize("error", [None, ValueError("mine")])
def test_ctrl_c_while_it_is_left_leaves_no_session_open(
    address: str, interrupted: Callable[[Bridge], AbstractContextManager[None]], error: Exception | None
) -> None:
    """Whether it is left in peace or not: it ends at once."""
    session = sync.connect(address)
    with interrupted(session._bridge), session:
        if error is not None:
            raise error

    session.wait_closed(10)
    assert session.state is landline.State.CLOSED


async def test_it_works_beside_a_running_loop(address: str) -> None:
    """As in a notebook: it blocks this loop's thread, and no more."""
    with sync.connect(address) as session:
        _ = session.send("hello")

        assert session.receive(10) == "hello"


def test_eight_threads_send_over_one_session() -> None:
    """On a line that drops: each one's messages arrive once and in their order, and all are acked."""
    heard: queue.Queue[tuple[int, int]] = queue.Queue()

    def hear(session: sync.Session) -> None:
        for message in session:
            heard.put(tuple(message))

    outcomes: list[landline.Outcome] = []

    def speak(session: sync.Session, who: int) -> None:
        receipts = [session.send((who, number)) for number in range(100)]
        session.send_many((who, number) for number in range(100, 300))
        outcomes.extend(receipt.wait(30) for receipt in receipts)

    with (
        sync.serve(hear, "tcp://127.0.0.1:0", limits=QUICK) as listening,
        sync.connect(listening.addresses[0], limits=QUICK) as session,
    ):
        threads = [threading.Thread(target=speak, args=(session, who)) for who in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            session.drop()
            threads[0].join(0.05)
        for thread in threads:
            thread.join()
        session.flush(30)

    books: dict[int, list[int]] = {who: [] for who in range(8)}
    while not heard.empty():
        who, number = heard.get()
        books[who].append(number)
    assert books == {who: list(range(300)) for who in range(8)}
    assert [outcome.status for outcome in outcomes] == ["acked"] * 800


def test_time_outs_lose_no_message() -> None:
    """At both ends most calls give up, at the very moments when messages come."""
    count, chance = 2000, random.Random(1)

    def take(session: sync.Session) -> tuple[list[int], int]:
        got: list[int] = []
        late = 0
        while len(got) < count:
            try:
                got.append(session.receive(chance.choice((0, 0, 0.0002, 0.001))))
            except TimeoutError:
                late += 1
        return got, late

    def give(session: sync.Session) -> None:
        for number in range(count):
            _ = session.send(number)
            if number % 5 == 0:
                session.flush(30)  # the other end asks for more then, and waits

    over_there: list[tuple[list[int], int]] = []

    def program(session: sync.Session) -> None:
        over_there.append(take(session))
        give(session)
        session.flush(30)

    with (
        sync.serve(program, "tcp://127.0.0.1:0") as listening,
        sync.connect(listening.addresses[0]) as session,
    ):
        give(session)
        over_here = take(session)

    for got, late in (*over_there, over_here):
        assert got == list(range(count))
        assert late


def test_several_threads_may_receive() -> None:
    """Each message is handed to one of them, those that wait are not forgotten."""
    got: list[int] = []

    def numbers(session: sync.Session) -> None:
        for number in range(1000):
            _ = session.send_nowait(number) if number % 50 else session.send(number)
            if number % 100 == 0:
                session.flush(30)
        session.flush(30)

    with (
        sync.serve(numbers, "tcp://127.0.0.1:0") as listening,
        sync.connect(listening.addresses[0]) as session,
    ):
        threads = [threading.Thread(target=lambda: got.extend(session)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert sorted(got) == list(range(1000))


def test_iterating_ends_with_the_session() -> None:
    """When it is closed over there; ``receive`` raises then."""

    def three(session: sync.Session) -> None:
        session.send_many(range(3))

    with (
        sync.serve(three, "tcp://127.0.0.1:0") as listening,
        sync.connect(listening.addresses[0]) as session,
    ):
        assert list(session) == [0, 1, 2]
        session.wait_closed(10)
        assert session.is_closed
        with pytest.raises(landline.SessionClosed):
            session.receive()


def test_a_line_that_drops_is_told_and_lost_is_nothing(address: str) -> None:
    """``states`` tells of what happens after it was asked for; ``drop`` makes it happen."""
    with sync.connect(address, limits=QUICK) as session, session.states() as states:
        session.drop()
        _ = session.send("still here")

        assert session.receive(10) == "still here"
        assert next(states).state is landline.State.RECONNECTING
        assert any(change.state is landline.State.CONNECTED for change in states)


def test_states_end_with_the_session(address: str) -> None:
    """The last one is that it is closed."""
    session = sync.connect(address)
    states = session.states()
    with pytest.raises(TimeoutError):
        states.next(0)
    session.close()

    assert [change.state for change in states] == [landline.State.CLOSING, landline.State.CLOSED]
    assert session.state is landline.State.CLOSED


@pytest.fixture
async def topics() -> AsyncIterator[str]:
    server = landline.Server()
    server.topic("news.*")
    async with server.listen("tcp://127.0.0.1:0") as listening:
        yield listening.addresses[0]


async def test_publications_are_iterated_over(topics: str) -> None:
    """Those that were there and those that come, each with its position; leaving ends it, and another goes on from there."""

    def read() -> None:
        with sync.connect(topics) as session:
            first = session.publish("news.a", 1, timeout=10)
            with session.subscribe("news.*", after="start") as news:
                positions = [news.position]
                item = next(news)
                assert item == landline.Publication("news.a", first, 1)
                second = session.publish("news.b", 2)
                third = session.publish("news.b", 3)
                assert news.next(10) == landline.Publication("news.b", second, 2)
                assert [*positions, news.position] == [None, second]
            assert list(news) == []
            with session.subscribe(news.pattern, after=second) as rest:
                assert rest.position == second
                assert rest.next(10) == landline.Publication("news.b", third, 3)
                with pytest.raises(TimeoutError):
                    rest.next(0.01)
                fourth = session.publish("news.a", 4)
                assert rest.next(10) == landline.Publication("news.a", fourth, 4)

    await asyncio.to_thread(read)


async def test_what_the_server_says_no_to_is_raised(topics: str) -> None:
    """As where it is awaited."""

    def read() -> None:
        with sync.connect(topics) as session:
            with pytest.raises(landline.PublishFailed):
                session.publish("weather", 1)
            with session.subscribe("weather") as weather, pytest.raises(landline.NotAllowed):
                weather.next(10)
            with pytest.raises(landline.TopicError):
                session.subscribe("..")

    await asyncio.to_thread(read)


def test_a_session_says_what_it_is(address: str) -> None:
    """Its id, where its peer is, and how it is."""
    with sync.connect(address) as session:
        assert len(session.id) == 32
        assert session.peer == address
        assert session.principal == ""
        assert not session.is_stalled
        assert session.state is landline.State.CONNECTED
        assert repr(session) == f"<landline.sync.Session {session.id[:8]} connected with {address}>"


async def test_a_plain_function_of_an_async_program_uses_its_session() -> None:
    """``blocking`` bridges to the loop that the session is on, from threads beside it; on that loop itself it is refused."""

    def converse(session: sync.Session) -> str:
        _ = session.send("who are you?")
        with pytest.raises(TimeoutError):
            session.receive(0)
        _ = session.send("well?")
        return str(session.receive(10))

    async def program(session: landline.Session) -> None:
        bridged = sync.blocking(session)
        with pytest.raises(landline.LandlineError, match="await the session itself"):
            bridged.receive(0)
        name = await asyncio.to_thread(converse, bridged)
        _ = await session.send(f"hello, {name}, and {await session.receive()}")
        await session.flush()

    async with landline.serve(program, "tcp://127.0.0.1:0") as listening:
        async with landline.connect(listening.addresses[0]) as session:
            assert await session.receive() == "who are you?"
            assert await session.receive() == "well?"
            for word in ("Ada", "goodbye"):
                _ = await session.send(word)
            assert await session.receive() == "hello, Ada, and goodbye"


shop = landline.Methods()


@shop.method
async def add(a: int, b: int) -> int:
    return a + b


@shop.method
async def never() -> None:
    await asyncio.Event().wait()


@shop.method
async def count(to: int) -> AsyncIterator[int]:
    for number in range(to):
        yield number


@shop.method
async def double(stream: landline.Stream) -> None:
    async for item in stream:
        await stream.send(2 * item)


@shop.method
def converse(session: sync.Session, word: str) -> str:
    """Asks back, in its thread, over the session that it was called over."""
    return f"{session.call('name')}, {word}"


@pytest.fixture
def shop_address() -> Iterator[str]:
    def wait(session: sync.Session) -> None:
        session.wait_closed()

    with sync.serve(wait, "tcp://127.0.0.1:0", methods=shop) as listening:
        yield listening.addresses[0]


def test_methods_are_called(shop_address: str) -> None:
    """With arguments in order and by name; what goes wrong there is raised here, also that it took too long."""
    with sync.connect(shop_address) as session:
        assert session.call("add", 2, b=3) == 5
        with pytest.raises(landline.CallFailed, match="Expected `int`"):
            session.call("add", "two", 3)
        with pytest.raises(landline.CallTimeout):
            session.call("never", timeout=0.05)
        assert session.call("add", 1, 1) == 2


def test_a_plain_method_is_given_the_blocking_session(shop_address: str) -> None:
    """It calls back while its caller waits."""
    methods = landline.Methods()

    @methods.method
    def name() -> str:
        return "Ada"

    with sync.connect(shop_address, methods=methods) as session:
        assert session.call("converse", "hello") == "Ada, hello"


def test_streams_are_iterated_over_and_written_to(shop_address: str) -> None:
    """Time-outs lose none; a stream that was left is cancelled, and one that has ended stays so."""
    with sync.connect(shop_address) as session:
        with session.stream("count", 5) as numbers:
            assert list(numbers) == [0, 1, 2, 3, 4]
        with session.stream("double") as doubled:
            for number in range(3):
                with pytest.raises(TimeoutError):
                    doubled.next(0)
                doubled.send(number, timeout=10)
                assert doubled.next(10) == 2 * number
            doubled.end()
            assert list(doubled) == []
        for number in session.stream("count", 1_000_000):
            if number == 10:
                break
        with pytest.raises(landline.CallFailed, match="no method"), session.stream("nothing") as nothing:
            nothing.next(10)


async def test_both_kinds_of_code_may_receive_in_turn() -> None:
    """What one has taken the other is not given again: nothing is looked at ahead where a session is shared."""
    got: list[object] = []

    async def program(session: landline.Session) -> None:
        bridged = sync.blocking(session)
        while len(session._messages._flow.inbox) < 4:  # noqa: ASYNC110 - nothing wakes for this
            await asyncio.sleep(0)
        got.append(await asyncio.to_thread(bridged.receive, 10))
        got.append(await session.receive())
        got.append(await asyncio.to_thread(bridged.receive, 10))
        got.append(await session.receive())

    async with landline.serve(program, "tcp://127.0.0.1:0") as listening:
        async with landline.connect(listening.addresses[0]) as session:
            for number in range(4):
                _ = await session.send(number)
            await session.flush()

    assert got == [0, 1, 2, 3]


def test_a_timeout_is_a_number() -> None:
    """Wherever there is one, in words that say so; the session goes on."""
    with sync.serve(sync.Session.wait_closed, "memory://timeouts"):
        with sync.connect("memory://timeouts") as session:
            wait: Any = "a"
            for blocking in (
                lambda: session.receive(timeout=wait),
                lambda: session.flush(timeout=wait),
                lambda: session.send_many([1], timeout=wait),
                lambda: session.drop(wait),
            ):
                with pytest.raises(TypeError, match="a number of seconds, and not 'a'"):
                    blocking()
            session.flush(timeout=10)
