"""What was said: stored before it is told, told in one order, never stored twice, and read back without a seam."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.history import ROOM_KEYS, Beginning, History, Tell
from landline.apps.chat.topics import ROOMS, topic_of
from landline.errors import StorageError, StorageFull
from landline.storage import (
    DAMAGED,
    Change,
    Gap,
    MemoryStorage,
    Page,
    Position,
    Retention,
    SQLiteStorage,
    Storage,
)

Listening = Callable[..., Any]


class SlowStorage(MemoryStorage):
    """Stores at once, and says so when the test lets it; or fails."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.answers: list[asyncio.Future[None]] = []
        self.is_slow = False

    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[Position]:
        if not self.is_slow:
            return await super().write(changes, expect=expect)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answers.append(answer)
        positions = await super().write(changes, expect=expect)
        await answer
        return positions


class Teller:
    """Writes down what is told, in which room."""

    def __init__(self) -> None:
        self.told: list[tuple[str, wire.Line]] = []

    def __call__(self, room: str, line: wire.Line, speaker: Any) -> int:
        self.told.append((room, line))
        return 3

    @property
    def texts(self) -> list[str]:
        return [line.text for _, line in self.told]


_numbers = itertools.count()


@contextlib.asynccontextmanager
async def opened(storage: Storage, teller: Tell | None = None, **limits: Any) -> AsyncIterator[History]:
    """One life of a server with the topics of rooms, and the history in it."""
    server = landline.Server(storage=storage)
    server.topic(ROOMS, history_age=None)
    async with storage:
        history = History(server, storage, teller or Teller(), ChatLimits(**limits), lambda: 1000.0)
        await history.open()
        try:
            async with server.listen(f"memory://history-{next(_numbers)}"):
                history.start()
                yield history
        finally:
            await history.close()


async def settled() -> None:
    """Let everything that can happen without an answer happen."""
    for _ in range(30):
        await asyncio.sleep(0)


async def looked_back(history: History, before: int, limit: int = 100) -> wire.EarlierLines:
    return await history.earlier(wire.Earlier(7, "lobby", before, limit), "lobby")


# Saying.


async def test_a_line_is_told_with_its_place_when_it_is_stored(listener: Listening) -> None:
    """Room, time and name included; and how many heard it is told to who said it."""
    teller = Teller()
    async with opened(MemoryStorage(), teller) as history:
        assert await history.say("lobby", listener("ana"), "hello") == 3

        ((room, line),) = teller.told
        assert (room, line) == ("lobby", wire.Line(1, 1000.0, "ana", "hello", line.id))
        assert line.id > 0
        assert history.told.offset == 1


async def test_nothing_is_told_before_it_is_stored(listener: Listening) -> None:
    """What is told could otherwise be missing after a crash."""
    teller, ana, storage = Teller(), listener("ana"), SlowStorage()
    async with opened(storage, teller) as history:
        await history.say("lobby", ana, "first")
        storage.is_slow = True
        saying = asyncio.create_task(history.say("lobby", ana, "hello"))
        await settled()
        assert teller.texts == ["first"]
        storage.answers[0].set_result(None)
        await saying

        assert teller.texts == ["first", "hello"]


async def test_what_a_client_published_is_told_too_and_its_speaker_is_none_of_the_house(
    listener: Listening,
) -> None:
    """Everybody in the room is told, whoever said it among them."""
    told: list[tuple[str, str, Any]] = []

    def tell(room: str, line: wire.Line, speaker: Any) -> int:
        told.append((room, line.text, speaker))
        return 1

    ana, room = listener("ana"), "𐐷" * 64
    async with opened(MemoryStorage(), tell) as history:
        await history._server.publish(topic_of(room), await history.admit(room, "ben", "hello", 7))
        await history.say("lobby", ana, "hi")

    assert told == [(room, "hello", None), ("lobby", "hi", ana)]


async def test_a_line_that_could_not_be_stored_is_told_to_nobody_and_holds_up_nobody(
    listener: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one is told."""
    teller, ana, storage = Teller(), listener("ana"), SlowStorage()
    async with opened(storage, teller) as history:
        await history.say("lobby", ana, "first")
        storage.is_slow = True
        lost = asyncio.create_task(history.say("lobby", ana, "lost"))
        await settled()
        kept = asyncio.create_task(history.say("lobby", ana, "kept"))
        await settled()
        storage.answers[0].set_exception(StorageFull("the disk is full"))
        with pytest.raises(landline.PublishFailed, match="is full"):
            await lost
        await settled()
        storage.answers[1].set_result(None)
        await kept

        assert teller.texts == ["first", "kept"]
        assert "could not be stored" in caplog.text


async def test_who_goes_while_their_line_is_stored_has_said_it(listener: Listening) -> None:
    """The line may be on the disk already, so everybody must hear it."""
    teller, storage = Teller(), SlowStorage()
    async with opened(storage, teller) as history:
        await history.say("lobby", listener("ana"), "first")
        storage.is_slow = True
        saying = asyncio.create_task(history.say("lobby", listener("ana"), "last words"))
        await settled()
        saying.cancel()
        await settled()
        storage.is_slow = False
        storage.answers[0].set_result(None)

    assert teller.texts == ["first", "last words"]


async def test_the_failure_of_a_line_whose_sender_went_is_nobodys_surprise(listener: Listening) -> None:
    """The loop complains about an error that nobody looked at; here it has nothing to complain about."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    storage = SlowStorage()
    async with opened(storage) as history:
        storage.is_slow = True
        saying = asyncio.create_task(history.say("lobby", listener("ana"), "last words"))
        await settled()
        saying.cancel()
        await settled()
        storage.is_slow = False
        storage.answers[0].set_exception(StorageError("no"))
        storage.answers.clear()
        del saying
    await settled()
    gc.collect()

    assert complaints == []


async def test_a_line_that_cannot_be_told_holds_up_neither_its_speaker_nor_the_next(
    listener: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    """It is stored, so it was said; the lines behind it are told."""
    teller, ana = Teller(), listener("ana")

    def tell(room: str, line: wire.Line, speaker: Any) -> int:
        if line.text == "bad":
            raise ZeroDivisionError
        return teller(room, line, speaker)

    async with opened(MemoryStorage(), tell) as history, asyncio.timeout(10):
        sayings = [asyncio.create_task(history.say("lobby", ana, text)) for text in ("one", "bad", "three")]
        assert await asyncio.gather(*sayings) == [3, 0, 3]

        assert teller.texts == ["one", "three"]
        assert "could not be told to everybody" in caplog.text


async def test_what_is_stored_when_the_telling_begins_is_told_too(listener: Listening) -> None:
    """Whoever gets in through the first of several doors may speak before the last one is open."""
    teller, storage = Teller(), MemoryStorage()
    async with storage:
        server = landline.Server(storage=storage)
        server.topic(ROOMS)
        history = History(server, storage, teller, ChatLimits(), lambda: 1000.0)
        await history.open()
        async with server.listen("memory://early"):
            await server.publish(topic_of("lobby"), await history.admit("lobby", "ana", "early", 7))
            history.start()
            await history.say("lobby", listener("ben"), "later")
        await history.close()

    assert teller.texts == ["early", "later"]


async def test_everybody_may_say_the_same_twice(listener: Listening) -> None:
    """Each is a line with a number of its own."""
    teller, guest = Teller(), listener("guest-1")
    async with opened(MemoryStorage(), teller) as history:
        await history.say("lobby", guest, "hello")
        await history.say("lobby", guest, "hello")

    assert teller.texts == ["hello", "hello"]
    assert len({line.id for _, line in teller.told}) == 2


# Rooms.


async def test_rooms_in_which_something_was_said_are_known_after_a_restart(listener: Listening) -> None:
    """By their names, not by their topics."""
    storage = MemoryStorage()
    async with opened(storage) as history:
        await history.say("tea.time", listener("ana"), "hello")
        assert history.rooms == {"tea.time": 1}
    async with opened(storage) as history:
        assert history.rooms == {"tea.time": 1}


async def test_a_room_is_known_before_its_first_line_is_stored(listener: Listening) -> None:
    """A server that is killed between the two would else have lines that nobody finds; a room without a line is forgotten."""
    storage = MemoryStorage()
    async with opened(storage) as history:
        await history.admit("tea", "ana", "never stored", 7)
        assert await storage.get(ROOM_KEYS + "tea") is not None
    async with opened(storage) as history:
        assert history.rooms == {}
        assert await storage.get(ROOM_KEYS + "tea") is None


async def test_a_room_whose_lines_have_all_expired_is_forgotten(listener: Listening) -> None:
    """Else the house would fill with empty rooms for ever."""
    now = 1000.0
    storage = MemoryStorage(clock=lambda: now)
    async with opened(storage) as history:
        await history.say("tea", listener("ana"), "hello")
    storage.retain(ROOMS, Retention(max_age=10))
    now += 100
    async with storage:
        await storage.trim()
    async with opened(storage) as history:
        assert history.rooms == {}
        assert await storage.get(ROOM_KEYS + "tea") is None


async def test_a_room_whose_lines_expire_while_the_server_runs_is_forgotten(listener: Listening) -> None:
    """The next line in it makes it known again."""
    now = 1000.0
    storage = MemoryStorage(clock=lambda: now)
    async with opened(storage) as history:
        storage.retain(ROOMS, Retention(max_age=10))
        await history.say("tea", listener("ana"), "hello")
        now += 100
        await history.say("hut", listener("ana"), "hello")
        await storage.trim()
        await history.refresh()
        assert history.rooms == {"hut": 2}
        assert await storage.get(ROOM_KEYS + "tea") is None
        await history.say("tea", listener("ana"), "hello again")

        assert history.rooms == {"hut": 2, "tea": 3}
        assert await storage.get(ROOM_KEYS + "tea") is not None


async def test_a_room_that_gave_way_is_forgotten_and_its_lines_stay(listener: Listening) -> None:
    """Whoever makes it again finds them."""
    storage = MemoryStorage()
    async with opened(storage) as history:
        await history.say("tea", listener("ana"), "hello")
        del history.rooms["tea"]
        await history.refresh()

        assert await storage.get(ROOM_KEYS + "tea") is None
        assert [line.text for line in (await history.recent("tea", 9, history.told)).lines] == ["hello"]


class RacingStorage(SlowStorage):
    """Says what there is, and before the answer arrives something else happens."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.meanwhile: list[Callable[[], Awaitable[None]] | None] = []
        """What happens while each of the next looks at a room is answered."""

    async def last(self, pattern: str, limit: int = 300, *, to: Position | None = None) -> Page:
        page = await super().last(pattern, limit, to=to)
        if pattern.startswith("room.") and self.meanwhile and (happens := self.meanwhile.pop(0)) is not None:
            await happens()
        return page


@pytest.mark.parametrize("look", [0, 1])
@pytest.mark.parametrize("is_answered", [False, True], ids=["being stored", "stored"])
async def test_a_room_in_which_something_is_said_just_then_is_not_forgotten(
    listener: Listening, look: int, is_answered: bool
) -> None:
    """Between the look that finds it empty and the deletion a line may come; a restart must know the room."""
    now = 1000.0
    storage = RacingStorage(clock=lambda: now)
    sayings: list[asyncio.Task[int]] = []
    async with opened(storage) as history:
        storage.retain(ROOMS, Retention(max_age=10))
        await history.say("tea", listener("ana"), "old")
        now += 100
        await storage.trim()

        async def say() -> None:
            storage.is_slow = not is_answered
            sayings.append(asyncio.create_task(history.say("tea", listener("ana"), "new")))
            await settled()

        storage.meanwhile = [None] * look + [say]
        refreshing = asyncio.create_task(history.refresh())
        await settled()
        storage.is_slow = False
        for answer in storage.answers:
            answer.set_result(None)
        await refreshing
        await asyncio.gather(*sayings)
        assert history.rooms == {"tea": 2}
    async with opened(storage) as history:
        assert history.rooms == {"tea": 2}


async def test_no_more_rooms_are_known_after_a_restart_than_there_may_be(listener: Listening) -> None:
    """The life before may have ended before it forgot those that had given way: the ones with the latest lines stay."""
    storage = MemoryStorage()
    async with opened(storage) as history:
        for room in ("c", "a", "b", "a"):
            await history.say(room, listener("ana"), "x")
    async with opened(storage, rooms=2) as again:
        assert again.rooms == {"a": 4, "b": 3}
        assert [value.key for value in await storage.scan(ROOM_KEYS)] == [ROOM_KEYS + "a", ROOM_KEYS + "b"]


async def test_more_rooms_than_one_page_are_known(listener: Listening) -> None:
    """The list is read to its end."""
    storage = MemoryStorage()
    async with opened(storage) as history:
        for number in range(301):
            await history.say(f"r{number}", listener("ana"), "x")
    async with opened(storage) as history:
        assert len(history.rooms) == 301


# Looking back.


async def said(history: History, listener: Listening, count: int, room: str = "lobby") -> None:
    for number in range(count):
        await history.say(room, listener("ana"), f"{room} {number}")


async def test_the_last_lines_are_of_this_room_alone(listener: Listening) -> None:
    """None at all when none are wanted."""
    async with opened(MemoryStorage()) as history:
        await said(history, listener, 5)
        await said(history, listener, 5, "tea")
        lines, _ = await history.recent("lobby", 2, history.told)

        assert [line.text for line in lines] == ["lobby 3", "lobby 4"]
        assert await history.recent("lobby", 0, history.told) == ([], "")


@pytest.mark.parametrize(("wanted", "after", "until"), [(2, 3, 5), (5, 0, 5), (9, 0, 5)])
async def test_somebody_new_begins_before_the_last_lines(
    listener: Listening, wanted: int, after: int, until: int
) -> None:
    """What other rooms said meanwhile is no part of that."""
    async with opened(MemoryStorage(), history=wanted) as history:
        await said(history, listener, 5)
        await said(history, listener, 5, "tea")

        assert await history.beginning("lobby", None) == Beginning(
            wire.Seen(history.told.epoch, after), until, ""
        )


@pytest.mark.parametrize(("wanted", "room"), [(0, "lobby"), (5, "tea")])
async def test_somebody_new_begins_now_where_there_is_nothing_to_show(
    listener: Listening, wanted: int, room: str
) -> None:
    """Because nothing was said, or because nothing is to be shown: in either case nothing that comes is missed."""
    async with opened(MemoryStorage(), history=wanted) as history:
        await said(history, listener, 5)

        assert await history.beginning(room, None) == Beginning(wire.Seen(history.told.epoch, 5), 0, "")


@pytest.mark.parametrize(("seen", "until"), [(0, 5), (4, 5), (5, 0), (9, 0)])
async def test_somebody_who_comes_back_goes_on_after_what_they_saw(
    listener: Listening, seen: int, until: int
) -> None:
    """It is history up to the last line; nothing is for who has seen that, or is before the server's own reader."""
    async with opened(MemoryStorage()) as history:
        await said(history, listener, 5)
        place = wire.Seen(history.told.epoch, seen)

        assert await history.beginning("lobby", place) == Beginning(place, until, "")


async def test_what_is_behind_a_damaged_line_is_history_too(listener: Listening) -> None:
    """The first page that is looked at has no line then."""

    class Damaged(MemoryStorage):
        async def read(self, pattern: str, after: Position | None = None, **options: Any) -> Page:
            assert after is not None
            place = Position(after.epoch, after.offset + 1)
            gap = Gap(pattern, after, place, DAMAGED)
            return Page([], [gap], after, place, more=True)

    async with opened(Damaged()) as history:
        await said(history, listener, 3)
        first, last = (wire.Seen(history.told.epoch, offset) for offset in (1, 2))

        assert await history.beginning("lobby", first) == Beginning(first, 3, "")
        assert await history.beginning("lobby", last) == Beginning(last, 0, "")


@pytest.mark.parametrize("offsets", [(1,), (2,), (3,), (1, 2, 3)])
async def test_lines_that_are_damaged_are_told_as_missing(
    listener: Listening, tmp_path: Path, offsets: tuple[int, ...]
) -> None:
    """Wherever they are, to whoever is shown the last lines and to whoever reads them; their room is not forgotten for it."""
    path = tmp_path / "chat.db"
    async with opened(SQLiteStorage(path)) as history:
        await said(history, listener, 3)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executemany("UPDATE records SET data = x'00' WHERE offset = ?", [(at,) for at in offsets])
    async with opened(SQLiteStorage(path)) as history:
        lines, missing = await history.recent("lobby", 3, history.told)
        assert [line.offset for line in lines] == [at for at in (1, 2, 3) if at not in offsets]
        assert missing == "Some lines are damaged on the server's disk and cannot be shown."
        after, until, _ = await history.beginning("lobby", None)
        assert (after.offset, until) == (0, 3)
        await history.refresh()
        assert list(history.rooms) == ["lobby"]


async def test_what_was_seen_in_an_earlier_life_of_the_server_counts(listener: Listening) -> None:
    """A restart of the server makes no gap."""
    storage = MemoryStorage()
    async with opened(storage) as history:
        await said(history, listener, 3)
        seen = wire.Seen(history.told.epoch, 2)
    async with opened(storage) as history:
        assert await history.beginning("lobby", seen) == Beginning(seen, 3, "")


@pytest.mark.parametrize("offset", [0, 2, -5, 2**63 - 1])
async def test_what_was_seen_in_another_history_gives_the_last_lines_and_says_so(
    listener: Listening, offset: int
) -> None:
    """Whatever the place in it."""
    async with opened(MemoryStorage(), history=2) as history:
        await said(history, listener, 5)
        beginning = await history.beginning("lobby", wire.Seen("another", offset))

        assert beginning[:2] == (wire.Seen(history.told.epoch, 3), 5)
        assert "not the one that you knew" in beginning.missing


async def test_what_has_expired_is_for_the_topic_to_say(listener: Listening) -> None:
    """Who comes back goes on from where they were; somebody new begins behind it."""
    storage = MemoryStorage()
    async with opened(storage, history=9) as history:
        storage.retain(ROOMS, Retention(max_count=2))
        await said(history, listener, 5)
        seen = wire.Seen(history.told.epoch, 1)

        assert await history.beginning("lobby", seen) == Beginning(seen, 5, "")
        assert await history.beginning("lobby", None) == Beginning(wire.Seen(history.told.epoch, 3), 5, "")


async def test_what_is_no_line_is_left_out(listener: Listening) -> None:
    """Another program's data in our topic stops nobody from reading."""
    storage = MemoryStorage()
    async with storage:
        await storage.append(topic_of("lobby"), b"\xc1rubbish")
    async with opened(storage) as history:
        await storage.append(topic_of("lobby"), b"\xc1more of it")
        await said(history, listener, 1)

        assert [line.text for line in (await history.recent("lobby", 9, history.told)).lines] == ["lobby 0"]


# Looking further back.


async def test_the_pages_of_a_rooms_past_touch(listener: Listening) -> None:
    """Each says where it begins; nothing is missing between two or in both, and the last one says that it is the start."""
    async with opened(MemoryStorage()) as history:
        await said(history, listener, 3)
        await said(history, listener, 3, "tea")
        await said(history, listener, 4)
        pages = [await looked_back(history, 1000, 3)]
        while not pages[-1].is_start:
            pages.append(await looked_back(history, pages[-1].after + 1, 3))

    assert [[line.offset for line in page.lines] for page in pages] == [[8, 9, 10], [2, 3, 7], [1]]


@pytest.mark.limit("chat.earlier")
@pytest.mark.parametrize(("wanted", "got"), [(3, 3), (4, 3), (2**63, 3), (1, 1), (0, 1), (-7, 1)])
async def test_one_page_of_a_rooms_past_has_a_most(listener: Listening, wanted: int, got: int) -> None:
    """Whatever was asked for; at least one line comes, so that whoever goes on gets on."""
    async with opened(MemoryStorage(), earlier=3) as history:
        await said(history, listener, 5)

        assert len((await looked_back(history, 6, wanted)).lines) == got


@pytest.mark.parametrize(("before", "lines"), [(3, 2), (1, 0), (0, 0), (-(2**62), 0), (2**62, 5)])
async def test_any_place_may_be_looked_back_from(listener: Listening, before: int, lines: int) -> None:
    """The line at it is not told again; from before everything there is nothing, and from far ahead what there is."""
    async with opened(MemoryStorage()) as history:
        await said(history, listener, 5)
        page = await looked_back(history, before)

    assert (len(page.lines), page.is_start, page.missing) == (lines, True, "")


async def test_one_looks_back_over_a_restart(listener: Listening) -> None:
    """A place in what an earlier life of the server kept is as good as any."""
    storage = MemoryStorage()
    async with opened(storage) as history:
        await said(history, listener, 3)
    async with opened(storage) as history:
        page = await looked_back(history, 3)

    assert [line.offset for line in page.lines] == [1, 2]


async def test_what_has_expired_is_said_where_it_would_be(listener: Listening) -> None:
    """The start of what is kept is not passed off as the start of the room."""
    storage = MemoryStorage()
    async with opened(storage) as history:
        storage.retain(ROOMS, Retention(max_count=3))
        await said(history, listener, 5)
        page = await looked_back(history, 1000)

    assert [line.offset for line in page.lines] == [3, 4, 5]
    assert page.missing == "Older lines than these are no longer kept."
