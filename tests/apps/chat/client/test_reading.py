"""The readers of a client's rooms, over sessions whose topics are the test's."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

import landline
from landline import Position
from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.client.model import Client
from landline.apps.chat.client.reading import RoomReaders
from tests.apps.chat.reading import Said, joined, published

BOUND = 5.0
"""Seconds that anything here may take before a test counts as failed."""

pytestmark = pytest.mark.usefixtures("without_pauses")


@pytest.fixture
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.apps.chat.client.reading._READ_AGAIN", 0.0)


def line(offset: int) -> wire.Line:
    return wire.Line(offset, 0.0, "ben", f"line {offset}")


class Topics:
    """A session that has topics alone."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, Position]] = []
        self.open: list[str] = []
        self.items: dict[str, asyncio.Queue[Any]] = {}

    def bring(self, room: str, *items: Any) -> None:
        """Publications, gaps, errors to raise, or None for the end."""
        for item in items:
            self.items.setdefault(room, asyncio.Queue()).put_nowait(item)

    @contextlib.asynccontextmanager
    async def subscribe(self, topic: str, after: Position) -> AsyncIterator[AsyncIterator[Any]]:
        room = topic.removeprefix("room.")
        self.begun.append((room, after))
        self.open.append(room)
        try:
            yield self._items(room)
        finally:
            self.open.remove(room)

    async def _items(self, room: str) -> AsyncIterator[Any]:
        items = self.items.setdefault(room, asyncio.Queue())
        while (item := await items.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item


class Seat:
    """A client in its rooms, and their readers."""

    def __init__(self) -> None:
        self.topics = Topics()
        self.client = Client("ana", 7, ("lobby", "tea"), draw=itertools.count(100).__next__)
        self.told: list[events.Event] = []
        self.readers = RoomReaders(cast("landline.Session", self.topics), self.client, self.advance)
        self.client.opened(0.0)
        self.client.heard(wire.Entered("ana", "e1"), 0.0)

    def advance(self) -> None:
        self.told += self.client.events()
        self.client.to_send()
        self.readers.stir()

    def hear(self, *messages: wire.Told) -> None:
        for message in messages:
            self.client.heard(message, 0.0)
        self.advance()

    async def until(self, fact: Callable[[], object]) -> None:
        async with asyncio.timeout(BOUND):
            while not fact():  # noqa: ASYNC110 - what is open is no event
                await asyncio.sleep(0)

    def said(self) -> list[tuple[str, int]]:
        return [(event.room, event.line.offset) for event in self.told if isinstance(event, events.Heard)]


@contextlib.asynccontextmanager
async def seated() -> AsyncIterator[Seat]:
    """The readers run until the block is left; what went wrong with them is raised there."""
    seat = Seat()
    running = asyncio.create_task(seat.readers.run())
    try:
        yield seat
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert seat.topics.open == []


async def test_each_room_is_read_from_where_the_server_says_until_it_is_left() -> None:
    """One more reads nothing of the others anew; one that is left is read no further; one that is joined again, from there."""
    async with seated() as seat:
        topics = seat.topics
        seat.hear(joined("lobby", after=4))
        await seat.until(lambda: topics.open == ["lobby"])
        seat.hear(joined("tea", lines=[line(2)]))
        await seat.until(lambda: topics.open == ["lobby", "tea"])
        topics.bring("tea", published(Said("tea", line(2))))
        topics.bring("lobby", published(Said("lobby", line(5))))
        await seat.until(lambda: len(seat.said()) == 2)
        seat.client.typed("/leave tea", 0.0)
        seat.advance()
        await seat.until(lambda: topics.open == ["lobby"])
        seat.client.typed("/join tea", 0.0)
        seat.hear(joined("tea", after=9))
        await seat.until(lambda: topics.open == ["lobby", "tea"])

        place = [Position("e1", offset) for offset in (4, 1, 9)]
        assert topics.begun == [("lobby", place[0]), ("tea", place[1]), ("tea", place[2])]
        assert sorted(seat.said()) == [("lobby", 5), ("tea", 2)]


async def test_what_the_session_says_at_the_same_time_finds_its_place_among_the_lines() -> None:
    """A line, somebody who goes, and another line, all at once: whoever is woken first, they are told in this order."""
    async with seated() as seat:
        seat.hear(joined("lobby", [wire.Member("ben")]))
        await seat.until(lambda: seat.topics.open == ["lobby"])
        has_come = asyncio.Event()

        async def hear() -> None:
            await has_come.wait()
            seat.hear(wire.Went("lobby", "ben", "", 1))

        hearing = asyncio.create_task(hear())
        await asyncio.sleep(0)
        seat.told.clear()
        seat.topics.bring("lobby", *(published(Said("lobby", line(offset))) for offset in (1, 2)))
        has_come.set()
        await hearing
        await seat.until(lambda: len(seat.told) == 3)

        assert [type(event) for event in seat.told] == [events.Heard, events.Went, events.Heard]


async def test_a_room_that_cannot_be_read_is_tried_again_from_where_it_was() -> None:
    """That it cannot is told once, however often; and again after another reason. Other rooms go on."""
    async with seated() as seat:
        seat.topics.bring("lobby", published(Said("lobby", line(1))))
        full, reset = landline.Full("no flows"), landline.FlowReset("the disk", "failed")
        seat.topics.bring("lobby", full, full, reset, published(Said("lobby", line(2))))
        seat.hear(joined("lobby"))
        await seat.until(lambda: ("lobby", 2) in seat.said())

        assert [after.offset for _, after in seat.topics.begun] == [0, 1, 1, 1]
        assert [event.why for event in seat.told if isinstance(event, events.Unreachable)] == [
            "What is said here cannot be read: no flows",
            f"What is said here cannot be read: {reset}",
        ]


async def test_a_room_that_may_not_be_read_is_left() -> None:
    """And not tried again."""
    async with seated() as seat:
        seat.topics.bring("tea", landline.NotAllowed("you may no longer subscribe"))
        seat.hear(joined("lobby"), joined("tea"))
        await seat.until(lambda: events.Left("tea", "lobby") in seat.told)

        assert [room for room, _ in seat.topics.begun] == ["lobby", "tea"]
        assert list(seat.client.rooms) == ["lobby"]


@pytest.mark.parametrize("end", [landline.SessionLost("gone"), landline.SessionClosed("bye"), None])
async def test_the_end_of_the_session_is_nothing_that_readers_tell(end: Exception | None) -> None:
    """Another session goes on."""
    async with seated() as seat:
        seat.hear(joined("lobby"))
        told = list(seat.told)
        seat.topics.bring("lobby", end)
        await seat.until(lambda: seat.topics.begun and not seat.topics.open)

        assert seat.told == told
        assert len(seat.topics.begun) == 1


async def test_a_bug_does_not_look_like_a_quiet_room() -> None:
    """It ends them all, with its traceback."""
    seat = Seat()
    seat.topics.bring("lobby", ZeroDivisionError())
    seat.hear(joined("lobby"))
    with pytest.raises(ExceptionGroup) as error:
        async with asyncio.timeout(BOUND):
            await seat.readers.run()

    assert error.group_contains(ZeroDivisionError)
