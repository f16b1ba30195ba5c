"""What was said: stored before it is told, told in one order, never stored twice, and read back without a seam."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.history import ROOM_KEYS, History, Stored, Tell, by_size, topic
from landline.errors import StorageError, StorageFull
from landline.storage import Change, MemoryStorage, Page, Position, Retention
from landline.storage.names import check_topic

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


async def opened(storage: MemoryStorage, teller: Tell | None = None, **limits: Any) -> History:
    history = History(storage, teller or Teller(), ChatLimits(**limits), lambda: 1000.0)
    await history.open()
    return history


async def settled(history: History) -> None:
    """Let everything that can happen without an answer happen."""
    for _ in range(10):
        await asyncio.sleep(0)


# Saying.


async def test_a_line_is_told_with_its_place_when_it_is_stored(listener: Listening) -> None:
    """Room, time, name and numbers included."""
    teller = Teller()
    async with MemoryStorage() as storage:
        history = await opened(storage, teller)

        assert await history.say("lobby", listener("ana", client=7), "hello", 5) == 3
        assert teller.told == [("lobby", wire.Line(1, 1000.0, "ana", "hello", 7, 5))]
        assert history.told == Position(storage.epoch, 1)


async def test_nothing_is_told_before_it_is_stored(listener: Listening) -> None:
    """What is told could otherwise be missing after a crash."""
    teller, ana = Teller(), listener("ana")
    async with SlowStorage() as storage:
        history = await opened(storage, teller)
        storage.is_slow = True
        saying = asyncio.create_task(history.say("lobby", ana, "hello"))
        await settled(history)
        assert teller.told == []
        storage.answers[0].set_result(None)
        await saying

        assert teller.texts == ["hello"]


async def test_lines_are_told_in_the_order_of_their_places_whatever_is_done_first(
    listener: Listening,
) -> None:
    """The second answer comes first: it waits for the first."""
    teller, ana = Teller(), listener("ana")
    async with SlowStorage() as storage:
        history = await opened(storage, teller)
        storage.is_slow = True
        sayings = [asyncio.create_task(history.say("lobby", ana, text)) for text in ("one", "two", "three")]
        await settled(history)
        storage.answers[1].set_result(None)
        await settled(history)
        assert teller.texts == []
        storage.answers[0].set_result(None)
        await settled(history)
        assert teller.texts == ["one", "two"]
        storage.answers[2].set_result(None)
        await asyncio.gather(*sayings)

        assert [line.offset for _, line in teller.told] == [1, 2, 3]


async def test_a_line_that_could_not_be_stored_is_told_to_nobody_and_holds_up_nobody(
    listener: Listening,
) -> None:
    """The next one is told, and saying it again with the same number stores it."""
    teller, ana = Teller(), listener("ana", client=7)
    async with SlowStorage() as storage:
        history = await opened(storage, teller)
        storage.is_slow = True
        lost = asyncio.create_task(history.say("lobby", ana, "lost", 1))
        kept = asyncio.create_task(history.say("lobby", ana, "kept", 2))
        await settled(history)
        storage.answers[1].set_result(None)
        storage.answers[0].set_exception(StorageFull("the disk is full"))
        with pytest.raises(StorageFull):
            await lost
        await kept
        assert teller.texts == ["kept"]
        storage.is_slow = False

        assert await history.say("lobby", ana, "lost", 1) == 3


async def test_who_goes_while_their_line_is_stored_has_said_it(listener: Listening) -> None:
    """The line may be on the disk already, so everybody must hear it; and nothing fails for want of a listener."""
    teller = Teller()
    async with SlowStorage() as storage:
        history = await opened(storage, teller)
        storage.is_slow = True
        saying = asyncio.create_task(history.say("lobby", listener("ana"), "last words"))
        await settled(history)
        storing = list(history._writing)
        saying.cancel()
        await settled(history)
        storage.answers[0].set_result(None)
        await history.close()

        assert teller.texts == ["last words"]
        assert [task.exception() for task in storing] == [None]


async def test_the_failure_of_a_line_whose_sender_went_is_nobodys_surprise(listener: Listening) -> None:
    """The loop complains about an error that nobody looked at; here it has nothing to complain about."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    async with SlowStorage() as storage:
        history = await opened(storage)
        storage.is_slow = True
        saying = asyncio.create_task(history.say("lobby", listener("ana"), "last words"))
        await settled(history)
        saying.cancel()
        await settled(history)
        storage.answers[0].set_exception(StorageError("no"))
        await history.close()
        storage.answers.clear()
        del saying
        await settled(history)
        gc.collect()

        assert complaints == []


async def test_a_line_that_cannot_be_told_holds_up_neither_its_speaker_nor_the_next(
    listener: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    """It is stored, so it was said; the lines behind it are told."""
    teller, ana = Teller(), listener("ana", client=7)

    def tell(room: str, line: wire.Line, speaker: Any) -> int:
        if line.text == "bad":
            raise ZeroDivisionError
        return teller(room, line, speaker)

    async with SlowStorage() as storage:
        history = await opened(storage, tell)
        storage.is_slow = True
        sayings = [asyncio.create_task(history.say("lobby", ana, text)) for text in ("one", "bad", "three")]
        await settled(history)
        for answer in reversed(storage.answers):
            answer.set_result(None)
        async with asyncio.timeout(10):
            assert await asyncio.gather(*sayings) == [3, 0, 3]

        assert teller.texts == ["one", "three"]
        assert "could not be told to everybody" in caplog.text


# Repeats.


async def test_a_repeat_is_not_stored_again(listener: Listening) -> None:
    """It is answered all the same."""
    teller, ana = Teller(), listener("ana", client=7)
    async with MemoryStorage() as storage:
        history = await opened(storage, teller)
        await history.say("lobby", ana, "hello", 5)

        assert await history.say("lobby", ana, "hello", 5) is None
        assert teller.texts == ["hello"]
        assert (await storage.head()).offset == 1


async def test_a_repeat_waits_for_the_first_that_is_still_being_stored(listener: Listening) -> None:
    """Answered sooner, it would say that a line is safe which is not."""
    ana = listener("ana", client=7)
    async with SlowStorage() as storage:
        history = await opened(storage)
        storage.is_slow = True
        first = asyncio.create_task(history.say("lobby", ana, "hello", 5))
        await settled(history)
        again = asyncio.create_task(history.say("lobby", ana, "hello", 5))
        await settled(history)
        assert not again.done()
        storage.answers[0].set_result(None)

        assert [await first, await again] == [3, None]


async def test_a_repeat_is_known_after_a_restart(listener: Listening) -> None:
    """The numbers are read back from the lines."""
    storage, ana = MemoryStorage(), listener("ana", client=7)
    async with storage:
        await (await opened(storage)).say("lobby", ana, "hello", 5)
    async with storage:
        history = await opened(storage)

        assert await history.say("lobby", ana, "hello", 5) is None
        assert await history.say("lobby", ana, "more", 6) == 3


async def test_without_numbers_everything_is_new(listener: Listening) -> None:
    """Plain callers and the operator may well say the same twice."""
    teller, guest = Teller(), listener("guest-1")
    async with MemoryStorage() as storage:
        history = await opened(storage, teller)
        await history.say("lobby", guest, "hello")
        await history.say("lobby", guest, "hello")

        assert teller.texts == ["hello", "hello"]


@pytest.mark.limit("chat.repeats")
async def test_the_numbers_that_are_remembered_are_bounded(listener: Listening) -> None:
    """At the limit the oldest is still known; one more, and it is not."""
    ana = listener("ana", client=7)
    async with MemoryStorage() as storage:
        history = await opened(storage, repeats=3)
        for id in (1, 2, 3):
            await history.say("lobby", ana, "x", id)
        assert await history.say("lobby", ana, "x", 1) is None
        await history.say("lobby", ana, "x", 4)

        assert await history.say("lobby", ana, "x", 1) == 3


# Rooms.


async def test_rooms_in_which_something_was_said_are_known_after_a_restart(listener: Listening) -> None:
    """By their names, not by their topics."""
    storage = MemoryStorage()
    async with storage:
        history = await opened(storage)
        await history.say("tea.time", listener("ana"), "hello")
        assert history.rooms == {"tea.time": 1}
    async with storage:
        assert (await opened(storage)).rooms == {"tea.time": 1}


async def test_a_room_whose_lines_have_all_expired_is_forgotten(listener: Listening) -> None:
    """Else the house would fill with empty rooms for ever."""
    now = 1000.0
    storage = MemoryStorage(clock=lambda: now, retention={"room.*": Retention(max_age=10)})
    async with storage:
        await (await opened(storage)).say("tea", listener("ana"), "hello")
    now += 100
    async with storage:
        await storage.trim()

        assert (await opened(storage)).rooms == {}
        assert await storage.get(ROOM_KEYS + "tea") is None


async def test_a_room_whose_lines_expire_while_the_server_runs_is_forgotten(listener: Listening) -> None:
    """The next line in it makes it known again."""
    now = 1000.0
    storage = MemoryStorage(clock=lambda: now, retention={"room.*": Retention(max_age=10)})
    async with storage:
        history = await opened(storage)
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
    async with MemoryStorage() as storage:
        history = await opened(storage)
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
    storage = RacingStorage(clock=lambda: now, retention={"room.*": Retention(max_age=10)})
    sayings: list[asyncio.Task[int | None]] = []
    async with storage:
        history = await opened(storage)
        await history.say("tea", listener("ana"), "old")
        now += 100
        await storage.trim()

        async def say() -> None:
            storage.is_slow = not is_answered
            sayings.append(asyncio.create_task(history.say("tea", listener("ana"), "new")))
            await settled(history)

        storage.meanwhile = [None] * look + [say]
        await history.refresh()
        for answer in storage.answers:
            answer.set_result(None)
        await asyncio.gather(*sayings)
        assert history.rooms == {"tea": 2}
        storage.is_slow = False
    async with storage:
        assert (await opened(storage)).rooms == {"tea": 2}


async def test_no_more_rooms_are_known_after_a_restart_than_there_may_be(listener: Listening) -> None:
    """The life before may have ended before it forgot those that had given way: the ones with the latest lines stay."""
    async with MemoryStorage() as storage:
        history = await opened(storage)
        for room in ("c", "a", "b", "a"):
            await history.say(room, listener("ana"), "x")
        again = await opened(storage, rooms=2)

        assert again.rooms == {"a": 4, "b": 3}
        assert [value.key for value in await storage.scan(ROOM_KEYS)] == [ROOM_KEYS + "a", ROOM_KEYS + "b"]


async def test_more_rooms_than_one_page_are_known(listener: Listening) -> None:
    """The list is read to its end."""
    storage = MemoryStorage()
    async with storage:
        history = await opened(storage)
        for number in range(301):
            await history.say(f"r{number}", listener("ana"), "x")
    async with storage:
        assert len((await opened(storage)).rooms) == 301


@pytest.mark.parametrize("room", ["lobby", "a.b", "a-b_c.d'e", "日本" * 32, "𐐷" * 64])
def test_every_rooms_name_makes_a_topic_of_one_token(room: str) -> None:
    """Dots, marks, and names whose bytes are more than a topic's."""
    assert len(check_topic(topic(room)).split(".")) == 2


def test_different_rooms_have_different_topics() -> None:
    """However alike, and however long."""
    rooms = ["a.b", "a-b", "ab", "𐐷" * 64, "𐐷" * 63 + "𐐶"]

    assert len({topic(room) for room in rooms}) == len(rooms)


# Looking back.


async def said(history: History, listener: Listening, count: int, room: str = "lobby") -> None:
    for number in range(count):
        await history.say(room, listener("ana"), f"{room} {number}")


async def test_somebody_new_gets_the_last_lines(listener: Listening) -> None:
    """Of this room only; none at all when none are wanted."""
    async with MemoryStorage() as storage:
        history = await opened(storage)
        await said(history, listener, 5)
        await said(history, listener, 5, "tea")
        chunk = await history.recent("lobby", 2, history.told)

        assert [line.text for line in chunk.lines] == ["lobby 3", "lobby 4"]
        assert chunk.end == history.told
        assert (await history.recent("lobby", 0, history.told)).lines == []


@pytest.mark.limit("chat.page")
async def test_somebody_who_comes_back_gets_everything_after_what_they_saw_in_pages(
    listener: Listening,
) -> None:
    """Only the last page says that it is the last."""
    async with MemoryStorage() as storage:
        history = await opened(storage, page=2)
        await said(history, listener, 6)
        seen = wire.Seen(storage.epoch, 1)
        chunks = [chunk async for chunk in history.pages("lobby", seen, history.told)]

        assert [[line.offset for line in chunk.lines] for chunk in chunks] == [[2, 3], [4, 5], [6]]
        assert [chunk.more for chunk in chunks] == [True, True, False]


async def test_what_is_stored_and_not_told_yet_is_not_read_either(listener: Listening) -> None:
    """Else it would be in the history and then be told again."""
    async with MemoryStorage() as storage:
        history = await opened(storage)
        await said(history, listener, 1)
        to = history.told
        await said(history, listener, 1)
        chunks = [chunk async for chunk in history.pages("lobby", wire.Seen(storage.epoch, 0), to)]

        assert [line.offset for chunk in chunks for line in chunk.lines] == [1]


async def test_what_was_seen_in_an_earlier_life_of_the_server_counts(listener: Listening) -> None:
    """A restart of the server makes no gap."""
    storage = MemoryStorage()
    async with storage:
        history = await opened(storage)
        await said(history, listener, 3)
        seen = wire.Seen(storage.epoch, 2)
    async with storage:
        history = await opened(storage)
        (chunk,) = [chunk async for chunk in history.pages("lobby", seen, history.told)]

        assert [line.offset for line in chunk.lines] == [3]
        assert chunk.missing == ""


@pytest.mark.parametrize("offset", [0, 2, -5, 2**63 - 1])
async def test_what_was_seen_in_another_history_gives_the_last_lines_and_says_so(
    listener: Listening, offset: int
) -> None:
    """Whatever the place in it."""
    async with MemoryStorage() as storage:
        history = await opened(storage, history=2)
        await said(history, listener, 5)
        (chunk,) = [
            chunk async for chunk in history.pages("lobby", wire.Seen("another", offset), history.told)
        ]

        assert [line.offset for line in chunk.lines] == [4, 5]
        assert "not the one that you knew" in chunk.missing


async def test_what_has_expired_is_said_to_be_missing(listener: Listening) -> None:
    """And what is left follows."""
    async with MemoryStorage(retention={"room.*": Retention(max_count=2)}) as storage:
        history = await opened(storage)
        await said(history, listener, 5)
        (chunk,) = [
            chunk async for chunk in history.pages("lobby", wire.Seen(storage.epoch, 1), history.told)
        ]

        assert [line.offset for line in chunk.lines] == [4, 5]
        assert chunk.missing == "Older lines than these are no longer kept."


async def test_what_is_no_line_is_left_out(listener: Listening) -> None:
    """Another program's data in our topic stops nobody from reading."""
    async with MemoryStorage() as storage:
        await storage.append(topic("lobby"), b"\xc1rubbish")
        history = await opened(storage)
        await said(history, listener, 1)

        assert [line.text for line in (await history.recent("lobby", 9, history.told)).lines] == ["lobby 0"]


@pytest.mark.limit("chat.page_bytes")
def test_a_chunk_is_cut_by_size() -> None:
    """Within the limit it is one part; over it, more; a line that is larger alone is a part alone; nothing is one empty part."""
    lines = [wire.Line(offset, 0.0, "ana", "é" * 400) for offset in range(5)]

    assert by_size(lines, 5000) == [lines]
    assert by_size(lines, 2500) == [lines[:2], lines[2:4], lines[4:]]
    assert by_size(lines, 10) == [[line] for line in lines]
    assert by_size([], 10) == [[]]


def test_a_stored_line_keeps_its_fields_by_name() -> None:
    """Later versions add fields; those that are there keep theirs."""
    assert Stored.__struct_fields__ == ("at", "name", "text", "client", "id")


@pytest.mark.limit("chat.repeats_read")
async def test_so_many_lines_are_read_back_for_their_numbers(listener: Listening) -> None:
    """The last ones; a repeat of an older line is a new line."""
    async with MemoryStorage() as storage:
        history, ana = await opened(storage), listener("ana", client=7)
        for id in (1, 2, 3):
            await history.say("lobby", ana, str(id), id)
        again = await opened(storage, repeats_read=2)

        assert await again.say("lobby", ana, "2", 2) is None
        assert await again.say("lobby", ana, "1", 1) is not None
