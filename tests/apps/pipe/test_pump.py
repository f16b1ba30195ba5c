"""The pump over a real session in memory: two pumps that talk, each between two pipes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

import landline
from landline.apps.pipe.line import Account, SessionLine
from landline.apps.pipe.pump import CutShort, Pump
from landline.apps.standard import READ_AHEAD, PipeError, Source

from ..conftest import LIMITS, Ends, until

if TYPE_CHECKING:
    from collections.abc import Coroutine

pytestmark = pytest.mark.timeout(30)


class Two:
    """Both sides, with their ends, and the sessions between them."""

    def __init__(self, here: Ends, there: Ends, ours: landline.Session, theirs: landline.Session) -> None:
        self.here, self.there = here, there
        self.ours, self.theirs = ours, theirs
        self.stop_here = asyncio.Event()
        self.is_attended = False
        self.is_last = True

    async def run_here(self) -> None:
        await Pump(
            SessionLine(self.ours),
            self.here.source,
            self.here.sink,
            is_attended=self.is_attended,
            is_last=self.is_last,
        ).run(self.stop_here)

    async def run_there(self) -> None:
        await Pump(SessionLine(self.theirs), self.there.source, self.there.sink, is_attended=False).run(
            asyncio.Event()
        )


@asynccontextmanager
async def sessions() -> AsyncIterator[tuple[landline.Session, landline.Session]]:
    """Both ends of a session."""
    accepted: asyncio.Future[landline.Session] = asyncio.get_running_loop().create_future()

    async def keep(session: landline.Session) -> None:
        accepted.set_result(session)
        await session.wait_closed()

    async with (
        landline.serve(keep, "memory://pipe", limits=LIMITS),
        landline.connect("memory://pipe", limits=LIMITS) as ours,
    ):
        yield ours, await accepted


@pytest.fixture
async def two(make_ends: Callable[[], Ends]) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        ours, theirs = await stack.enter_async_context(sessions())
        yield Two(make_ends(), make_ends(), ours, theirs)


async def together(*work: Coroutine[None, None, object]) -> list[object]:
    async with asyncio.timeout(20):
        return list(await asyncio.gather(*work, return_exceptions=True))


async def produce(ends: Ends, data: bytes) -> None:
    await ends.produce(data)
    ends.end_input()


async def test_both_directions_arrive_and_both_sides_end(two: Two) -> None:
    """Whatever the bytes, and whoever ends first."""
    there, back = os.urandom(1_000_000), os.urandom(300_000)

    results = await together(
        two.run_here(),
        two.run_there(),
        produce(two.here, there),
        produce(two.there, back),
        two.here.consume(),
        two.there.consume(),
    )

    assert results == [None, None, None, None, back, there]
    assert two.ours.is_closed and two.theirs.is_closed


async def test_one_direction_may_end_while_the_other_goes_on(two: Two) -> None:
    """The end is told at once: a question can be answered after its end."""
    async with pumping_both(two) as (here, there):
        await produce(two.here, b"question")
        assert await two.there.consume() == b"question"  # which reads until the end
        assert not here.done()

        await produce(two.there, b"answer")
        assert await two.here.consume() == b"answer"
        await asyncio.gather(here, there)


@asynccontextmanager
async def pumping_both(two: Two) -> AsyncIterator[tuple[asyncio.Task[None], asyncio.Task[None]]]:
    tasks = asyncio.ensure_future(two.run_here()), asyncio.ensure_future(two.run_there())
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_slow_consumer_stops_the_producer(two: Two) -> None:
    """Between the two pipes no more is held than the limits say, and the rest comes when it is taken."""
    size = 8 << 20
    async with pumping_both(two):
        producing = asyncio.ensure_future(produce(two.here, bytes(size)))
        assert len(await two.there.consume(1)) == 1
        await until(lambda: two.here.source.held >= READ_AHEAD)  # the way back to the producer is full

        assert not producing.done()

        assert len(await two.there.consume()) == size - 1
        await producing


async def test_where_a_person_types_the_others_end_is_ours_too(two: Two) -> None:
    """``landline listen | tar x`` on a terminal ends when the archive does."""
    two.is_attended = True

    results = await together(
        two.run_here(), two.run_there(), produce(two.there, b"archive"), two.here.consume()
    )

    assert results == [None, None, None, b"archive"]


async def test_a_dropped_line_costs_nothing(two: Two) -> None:
    """Dropped again and again in the middle."""
    data = os.urandom(2_000_000)

    async def drop() -> None:
        for _ in range(20):
            two.ours.drop()
            async for change in two.ours.states():
                if change.state is landline.State.CONNECTED:
                    break

    async with pumping_both(two) as (here, there):
        two.there.end_input()
        dropping = asyncio.ensure_future(drop())
        _, heard = await asyncio.gather(produce(two.here, data), two.there.consume())
        await asyncio.gather(here, there)
        dropping.cancel()
        await asyncio.gather(dropping, return_exceptions=True)

    assert heard == data


@pytest.mark.limit("pipe.drain_timeout")
async def test_a_stop_sends_what_was_read_and_the_other_side_knows(two: Two) -> None:
    """Here it was drained; over there a stream that was broken off is no whole one."""
    async with pumping_both(two) as (here, there):
        two.there.end_input()  # so that only our own end is missing
        await two.here.produce(b"half of it")
        assert await two.there.consume(10) == b"half of it"
        two.stop_here.set()
        await here

        with pytest.raises(
            CutShort, match=r"the other side hung up \(it was interrupted\) before everything was said"
        ):
            await there


@pytest.mark.limit("pipe.drain_timeout")
async def test_a_stop_that_leaves_something_behind_says_how_much(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer over there is stuck, and nobody waits for ever."""
    monkeypatch.setattr("landline.apps.pipe.pump.DRAIN_TIMEOUT", 0.1)
    async with pumping_both(two) as (here, _):
        producing = asyncio.ensure_future(two.here.produce(bytes(4 << 20)))
        assert len(await two.there.consume(1)) == 1
        await until(lambda: two.here.source.held >= READ_AHEAD)
        two.stop_here.set()

        with pytest.raises(CutShort, match="we were interrupted before everything was said") as caught:
            await here
        producing.cancel()

    account = caught.value.account
    assert account is not None
    assert account.unknown + account.undelivered > 0
    assert sum(account) <= 4 << 20


async def test_a_consumer_that_goes_ends_both_sides(two: Two) -> None:
    """As SIGPIPE does within one machine; over there somebody is told why."""
    async with pumping_both(two) as (here, there):
        two.here.stop_reading()
        await two.there.produce(b"x")

        with pytest.raises(BrokenPipeError):
            await here
        with pytest.raises(CutShort, match="nobody reads its output any more"):
            await there


async def test_a_lost_session_says_how_many_bytes_are_certain(two: Two) -> None:
    """Acked means written over there; the rest may have been, or was not."""
    async with pumping_both(two) as (here, _):
        await two.here.produce(b"certain")
        assert await two.there.consume(7) == b"certain"
        await two.ours.flush()
        await two.theirs.close("gone")

        with pytest.raises(CutShort) as caught:
            await here

    assert caught.value.account == Account(7, 0, 0)
    assert str(caught.value) == (
        "the other side hung up (gone) before everything was said; 0 bytes of theirs are written here; "
        "of ours 7 certainly arrived, 0 may have, 0 certainly did not"
    )


async def test_where_callers_follow_each_other_the_output_stays_open(two: Two) -> None:
    """The next one's bytes come after."""
    two.is_last = False
    two.is_attended = True
    await together(two.run_here(), two.run_there(), produce(two.there, b"first"))
    await two.here.sink.write(b" second")
    two.here.sink.close()

    assert await two.here.consume() == b"first second"


async def test_an_input_that_fails_is_told_to_both(two: Two) -> None:
    """A stream that could not be read to its end must not look whole."""
    folder = os.open("/", os.O_RDONLY)
    try:
        two.here.source = Source(folder)
        async with pumping_both(two) as (here, there):
            with pytest.raises(PipeError, match="standard input cannot be read"):
                await here
            with pytest.raises(CutShort, match="standard input cannot be read"):
                await there
    finally:
        os.close(folder)
