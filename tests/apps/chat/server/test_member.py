"""Members: sessions with the chat, over the real library without a socket, as conversations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

import landline
from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.pace import Pace
from landline.apps.chat.topics import topic_of
from landline.errors import StorageError, StorageFull
from landline.storage import Change, MemoryStorage, Page, Position
from tests.apps.chat.reading import History, Said

Opening = Callable[..., Awaitable[Any]]

FAST: dict[str, Any] = {"rate": 1e6, "burst": 1e6}


async def settled() -> None:
    """Let everything that can happen in memory happen."""
    for _ in range(100):
        await asyncio.sleep(0)


def names(members: list[wire.Member]) -> list[str]:
    return [member.name for member in members]


# Entering.


async def test_who_enters_gets_a_name_and_then_their_rooms_with_members_and_history(open_one: Any) -> None:
    """Entered, then for each room Joined, in the order asked, with where its lines are to be read from."""
    ana = await open_one.visit()
    await ana.ask(wire.Enter("ana", {"lobby": None, "tea": None}))

    epoch = open_one.chat.history.told.epoch
    assert await ana.hear() == wire.Entered("ana", epoch)
    assert await ana.hear() == wire.Joined("lobby", [wire.Member("ana")], wire.Seen(epoch, 0))
    assert await ana.hear() == History("lobby", [])
    assert await ana.hear() == wire.Joined("tea", [wire.Member("ana")], wire.Seen(epoch, 0))
    assert await ana.hear() == History("tea", [])


async def test_a_taken_name_gets_a_number(open_one: Any) -> None:
    """The answer to Enter says which."""
    await open_one.enter("ana")
    other = await open_one.visit()
    await other.ask(wire.Enter("Ana", {}))

    assert (await other.hear()).name == "Ana-2"


async def test_nothing_is_done_for_who_has_not_said_who_they_are(open_one: Any) -> None:
    """The refusal says what to do."""
    ana = await open_one.visit()
    await ana.ask(wire.Join(5, "tea"))

    assert await ana.hear() == wire.Sorry(5, "Say who you are first: the first request is Enter.")


@pytest.mark.limit("chat.enter_timeout")
async def test_who_says_nothing_at_all_is_let_go(open_chat_with: Opening) -> None:
    """After a while, with the reason."""
    served = await open_chat_with(limits=ChatLimits(enter_timeout=0.05))
    silent = await served.visit()
    with pytest.raises(landline.SessionClosed, match="did not say who you are"):
        await silent.hear()


async def test_who_cannot_be_served_is_told_why(open_one: Any) -> None:
    """Another version of the chat is named together with ours."""
    ana = await open_one.visit()
    await ana.ask(wire.Enter("ana", {}, version=2))
    with pytest.raises(landline.SessionClosed, match="speaks version 1"):
        await ana.hear()


async def test_it_is_known_from_where_somebody_came(open_one: Any) -> None:
    """What they do too often is counted where they are; the house itself is nowhere."""
    await open_one.enter("ana")

    assert [person.source for person in open_one.chat.house.names] == ["this machine"]


async def test_a_full_chat_says_so(open_chat_with: Opening) -> None:
    """As the reason of the close."""
    served = await open_chat_with(limits=ChatLimits(people=1))
    await served.enter("ana")
    late = await served.visit()
    await late.ask(wire.Enter("ben", {}))
    with pytest.raises(landline.SessionClosed, match="full"):
        await late.hear()


async def test_a_room_that_cannot_be_entered_is_answered_and_the_others_are_entered(open_one: Any) -> None:
    """One bad name does not cost the good ones."""
    ana = await open_one.visit()
    await ana.ask(wire.Enter("ana", {"a b": None, "lobby": None}))
    await ana.hear()

    barred = await ana.hear()
    assert isinstance(barred, wire.Barred)
    assert barred.room == "a b"
    assert "a space" in barred.why
    assert (await ana.hear()).room == "lobby"


async def test_more_rooms_than_one_may_be_in_are_not_entered_and_that_is_said(
    open_chat_with: Opening,
) -> None:
    """The first so many are."""
    served = await open_chat_with(limits=ChatLimits(rooms_each=2, **FAST))
    ana = await served.visit()
    await ana.ask(wire.Enter("ana", dict.fromkeys(["a", "b", "c"])))

    assert await ana.hear_until(wire.Notice) == wire.Notice("Nobody is in more than 2 rooms at once.")


# Saying.


async def test_a_line_reaches_everybody_and_comes_back_to_its_sender(open_one: Any) -> None:
    """With the number by which the sender knows it."""
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")
    id = await ana.say("hello")
    own, others = await ana.hear_until(Said), await ben.hear_until(Said)

    assert own == others
    assert (own.line.name, own.line.text, own.line.id) == ("ana", "hello", id)


async def test_a_line_waits_until_its_sender_is_in(open_one: Any) -> None:
    """An outbox of an earlier run speaks up as soon as there is a line: it is heard when the rooms are joined, and not refused."""
    ana = await open_one.visit()
    saying = ana.begin_to_say("hello")
    await settled()
    await ana.ask(wire.Enter("ana", {"tea": None, "lobby": None}))
    async with asyncio.timeout(10):
        await saying

    assert (await ana.hear_until(Said)).line.text == "hello"


async def test_a_line_comes_after_what_its_sender_asked_before(open_one: Any) -> None:
    """Requests and lines travel apart, and neither overtakes: who says the line is called what they asked to be called."""
    ana = await open_one.visit()
    await ana.ask(wire.Enter("ana", {"lobby": None}, run=5))
    await ana.lines()
    saying = ana.begin_to_say("hello", "tea", run=5, asked=2)
    await settled()
    await ana.ask(wire.Rename(1, "eva"))
    await ana.ask(wire.Join(2, "tea"))
    async with asyncio.timeout(10):
        await saying

    assert (await ana.hear_until(Said)).line.name == "eva"


async def test_a_line_of_an_earlier_run_waits_for_no_request_of_this_one(open_one: Any) -> None:
    """The numbers of its requests are others; and none of this run's that were made before it entered is still to come."""
    ana = await open_one.visit()
    await ana.ask(wire.Enter("ana", {"lobby": None}, run=5, asked=2))
    async with asyncio.timeout(10):
        await ana.say("of another run", run=4, asked=99)
        await ana.say("of this run", run=5, asked=2)

    assert [(await ana.hear_until(Said)).line.text for _ in range(2)] == [
        "of another run",
        "of this run",
    ]


async def test_a_line_goes_to_the_topic_of_its_room_alone(open_one: Any) -> None:
    """Who publishes to the topic of a room that they are not in is refused, whatever room they name."""
    ana = await open_one.enter("ana")
    say = wire.encode(wire.Say(1, "lobby", "hello"))
    with pytest.raises(landline.PublishFailed, match="topic of another room"):
        await ana.session.publish(topic_of("tea"), say)
    with pytest.raises(landline.PublishFailed, match="not understood"):
        await ana.session.publish(topic_of("lobby"), b"rubbish")

    assert open_one.chat.history.rooms == {}


async def test_everybody_hears_the_lines_of_all_in_one_order(open_one: Any) -> None:
    """Twenty lines from each of five at once: one order for all, and each speaker's own order within it."""
    people = [await open_one.enter(f"p{number}") for number in range(5)]

    async def speak(person: Any) -> None:
        for number in range(20):
            await person.say(str(number))

    async def listen(person: Any) -> list[wire.Line]:
        lines: list[wire.Line] = []
        while len(lines) < 100:
            lines.append((await person.hear_until(Said)).line)
        return lines

    speaking = [asyncio.create_task(speak(person)) for person in people]
    heard = await asyncio.gather(*(listen(person) for person in people))
    await asyncio.gather(*speaking)

    assert all([line.offset for line in lines] == list(range(1, 101)) for lines in heard)
    for number in range(5):
        assert [line.text for line in heard[0] if line.name == f"p{number}"] == [str(n) for n in range(20)]


@pytest.mark.parametrize(
    ("room", "text", "why"),
    [
        ("tea", "x", "not in the room tea"),
        ("lobby", " ", "nothing to say"),
        ("lobby", "x" * 4097, "too long"),
    ],
)
async def test_what_cannot_be_said_is_refused(open_one: Any, room: str, text: str, why: str) -> None:
    """Nobody sees it, and the next line goes."""
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")
    with pytest.raises(landline.PublishFailed, match=why):
        await ana.say(text, room)
    await ana.say("now it goes")

    assert (await ben.hear()).line.text == "now it goes"


class FullStorage(MemoryStorage):
    """A disk that is full while the test says so."""

    is_full = False
    is_unreadable = False

    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[Position]:
        if self.is_full:
            raise StorageFull("the disk is full")
        return await super().write(changes, expect=expect)

    async def last(self, pattern: str, limit: int = 300, *, to: Position | None = None) -> Page:
        if self.is_unreadable:
            raise StorageError("the disk is away")
        return await super().last(pattern, limit, to=to)


async def test_when_the_disk_is_full_the_line_is_refused_and_the_chat_goes_on(
    open_chat_with: Opening,
) -> None:
    """With room on the disk it goes on."""
    storage = FullStorage()
    served = await open_chat_with(storage)
    ana, ben = await served.enter("ana"), await served.enter("ben")
    storage.is_full = True
    for _ in range(2):  # before the room is known, and after
        with pytest.raises(landline.PublishFailed, match="is full"):
            await ana.say("lost")
        storage.is_full = False
        await ana.say("kept")
        storage.is_full = True

    assert [(await ben.hear_until(Said)).line.text for _ in range(2)] == ["kept", "kept"]


async def test_who_joins_while_the_past_cannot_be_read_is_told_so_and_hears_what_is_said(
    open_chat_with: Opening,
) -> None:
    """The present does not need the past."""
    storage = FullStorage()
    served = await open_chat_with(storage)
    storage.is_unreadable = True
    ana = await served.visit()
    await ana.ask(wire.Enter("ana", {"lobby": None}))
    history = await ana.hear_until(History)
    assert "the disk is away" in history.missing
    await ana.say("hello")

    assert (await ana.hear()).line.text == "hello"


# History.


@pytest.mark.limit("chat.history")
async def test_somebody_new_is_shown_the_last_lines(open_chat_with: Opening) -> None:
    """As many as the limit says: all of them at it, the last of them over it."""
    served = await open_chat_with(limits=ChatLimits(history=3, **FAST))
    ana = await served.enter("ana")
    for number in range(3):
        await ana.say(str(number))
        await ana.hear_until(Said)
    ben = await served.visit()
    await ben.ask(wire.Enter("ben", {"lobby": None}))
    assert [line.text for line in await ben.lines()] == ["0", "1", "2"]
    await ana.say("3")
    await ana.hear_until(Said)
    cid = await served.visit()
    await cid.ask(wire.Enter("cid", {"lobby": None}))

    assert [line.text for line in await cid.lines()] == ["1", "2", "3"]


async def test_who_comes_back_is_told_what_they_missed_with_their_own_lines_marked(
    open_chat_with: Opening,
) -> None:
    """So a client learns what became of a line it is unsure about."""
    served = await open_chat_with(limits=ChatLimits(**FAST))
    ana, ben = await served.enter("ana", client=7), await served.enter("ben")
    id = await ana.say("mine")
    seen = (await ana.hear_until(Said)).line.offset - 1
    await ana.session.close()
    for number in range(5):
        await ben.say(str(number))
        await ben.hear_until(Said)
    again = await served.visit(client=7)
    await again.ask(wire.Enter("ana", {"lobby": wire.Seen(served.chat.history.told.epoch, seen)}))
    lines = await again.lines()

    assert [line.text for line in lines] == ["mine", "0", "1", "2", "3", "4"]
    assert lines[0].id == id


async def test_between_history_and_what_is_said_now_there_is_no_seam(open_chat_with: Opening) -> None:
    """While ana speaks without a pause, others join again and again: each sees every line from the first, once and in order."""
    served = await open_chat_with(limits=ChatLimits(**FAST))
    ana = await served.enter("ana")
    epoch = served.chat.history.told.epoch
    count = 150

    async def speak() -> None:
        for number in range(count):
            await ana.say(str(number))

    async def watch(client: int) -> list[int]:
        visitor = await served.visit(client=client)
        await visitor.ask(wire.Enter("watcher", {"lobby": wire.Seen(epoch, 0)}))
        offsets: list[int] = []
        while len(offsets) < count:
            match await visitor.hear():
                case History(_, lines):
                    offsets += [line.offset for line in lines]
                case Said(_, line):
                    offsets.append(line.offset)
        return offsets

    speaking = asyncio.create_task(speak())
    watchers = [asyncio.create_task(watch(1))]
    for client in (20, 50, 90, 120):
        while served.chat.history.told.offset < client:
            await ana.hear()
        watchers.append(asyncio.create_task(watch(client)))
    await speaking

    for watcher in watchers:
        assert await watcher == list(range(1, count + 1))


class GatedStorage(MemoryStorage):
    """Its answers about the past come when the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()

    async def last(self, pattern: str, limit: int = 300, *, to: Position | None = None) -> Page:
        page = await super().last(pattern, limit, to=to)
        if pattern == "room.lobby":
            self.asked.set()
            await self.gate.wait()
        return page


async def test_what_is_said_while_the_beginning_is_looked_for_follows_it(open_chat_with: Opening) -> None:
    """The answer of the store is older than the line: the line is neither missing nor told twice."""
    storage = GatedStorage()
    storage.gate.set()
    served = await open_chat_with(storage)
    ana = await served.enter("ana")
    storage.gate.clear()
    storage.asked.clear()
    ben = await served.visit()
    await ben.ask(wire.Enter("ben", {"lobby": None}))
    await storage.asked.wait()
    await ana.say("between")
    await ana.hear_until(Said)
    storage.gate.set()
    await ana.say("after")

    assert await ben.lines() == []
    assert [(await ben.hear_until(Said)).line.text for _ in range(2)] == ["between", "after"]


async def test_what_was_seen_in_another_history_is_answered_by_the_last_lines_and_a_sentence(
    open_one: Any,
) -> None:
    """Never a silent hole."""
    ana = await open_one.enter("ana")
    await ana.say("hello")
    await ana.hear_until(Said)
    ben = await open_one.visit()
    await ben.ask(wire.Enter("ben", {"lobby": wire.Seen("another", 99)}))
    history = await ben.hear_until(History)

    assert [line.text for line in history.lines] == ["hello"]
    assert "not the one that you knew" in history.missing


# Who may read.


async def refused(session: landline.Session, pattern: str) -> str:
    """Subscribe, and return why not."""
    with pytest.raises(landline.NotAllowed) as error:
        async with asyncio.timeout(10):
            await anext(session.subscribe(pattern, "start"))
    return str(error.value)


@pytest.mark.parametrize("pattern", ["room.den", "room.*", "room.**", "**", "*.lobby", "*.*"])
async def test_nobody_reads_a_room_that_they_are_not_in(open_one: Any, pattern: str) -> None:
    """By its name or by a wildcard; not who has not entered either."""
    ana, ben = await open_one.enter("ana", "lobby"), await open_one.enter("ben", "den")
    await ben.say("secret", "den")
    stranger = await open_one.visit()

    for session in (ana.session, stranger.session):
        assert "may not subscribe" in await refused(session, pattern)
    assert "may not subscribe" in await refused(stranger.session, "room.lobby")
    await ben.say("still here", "den")
    assert [(await ben.hear_until(Said)).line.text for _ in range(2)] == ["secret", "still here"]


async def test_who_leaves_a_room_reads_no_further_there(open_one: Any) -> None:
    """Whatever their client does: what is said from then on it is not told, and it is told that it may not read; other rooms go on."""
    ana, ben = await open_one.enter("ana", "lobby", "tea"), await open_one.enter("ben", "lobby", "tea")
    await ana.say("before", "tea")
    assert (await ben.hear_until(Said)).line.text == "before"
    await ben.ask(wire.Leave(1, "tea"))
    await ben.hear_until(wire.Done)
    await ana.say("secret", "tea")
    await ana.say("for all", "lobby")

    assert (await ben.hear_until(Said)).line.text == "for all"
    assert "no longer" in str(ben.put_out["tea"])
    assert "may not subscribe" in await refused(ben.session, "room.tea")
    await ben.ask(wire.Join(2, "tea"))
    assert [line.text for line in await ben.lines("tea")] == ["before", "secret"]


async def test_what_a_slow_reader_has_not_read_when_it_leaves_it_never_reads(open_one: Any) -> None:
    """It waits in the client's inbox and in the server's outbox, and goes with the subscription."""
    ana = await open_one.enter("ana", "tea")
    ben = await open_one.enter("ben", "tea", limits=landline.Limits(window=4096, credit=4096))
    for number in range(100):
        await ana.say(f"{number:1000}", "tea")
    await ben.ask(wire.Leave(1, "tea"))
    await ben.hear_until(wire.Done)
    heard = await ben.until_put_out("tea")

    assert sum(isinstance(message, Said) for message in heard) < 10


async def test_the_rooms_of_a_client_go_on_being_read_on_its_new_session(open_one: Any) -> None:
    """Those that it wants: the others it may no longer read, on neither session."""
    old = await open_one.enter("ana", "lobby", "tea", client=7)
    ben = await open_one.enter("ben", "lobby", "tea")
    new = await open_one.enter("ana", "lobby", client=7)
    await ben.say("in the lobby", "lobby")
    await ben.say("at tea", "tea")

    assert (await new.hear_until(Said)).line.text == "in the lobby"
    assert "may not subscribe" in await refused(new.session, "room.tea")
    heard: list[Any] = []
    with contextlib.suppress(landline.SessionEnded):
        while True:
            heard.append(await old.hear())
    assert "at tea" not in [said.line.text for said in heard if isinstance(said, Said)]


# Coming, going, names, lists.


async def test_the_room_sees_who_comes_and_goes(open_one: Any) -> None:
    """An orderly close needs no reason."""
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")
    assert await ana.hear() == wire.Came("lobby", "ben")
    await ben.session.close("bye")

    assert await ana.hear() == wire.Went("lobby", "ben")


async def test_joining_leaving_and_lists(open_one: Any) -> None:
    """Join is answered by the room, a second Join and Leave by Done, lists by themselves."""
    ana = await open_one.enter("ana")
    await ana.ask(wire.Join(1, "#Tea"))
    assert await ana.hear() == wire.Joined(
        "tea", [wire.Member("ana")], wire.Seen(open_one.chat.history.told.epoch, 0)
    )
    assert await ana.hear() == History("tea", [])
    await ana.ask(wire.Join(2, "tea"))
    assert await ana.hear() == wire.Done(2)
    await ana.ask(wire.ListRooms(3))
    assert await ana.hear() == wire.RoomList(3, [wire.Room("lobby", 1), wire.Room("tea", 1)])
    await ana.ask(wire.Leave(4, "tea"))
    assert await ana.hear() == wire.Done(4)
    await ana.ask(wire.ListMembers(5, "lobby"))
    assert await ana.hear() == wire.MemberList(5, "lobby", [wire.Member("ana")])
    await ana.ask(wire.ListMembers(6, "tea"))
    assert (await ana.hear()).why.startswith("There is no room tea")
    await ana.ask(wire.Leave(7, "tea"))

    assert await ana.hear() == wire.Sorry(7, "You are not in the room tea.")


async def test_renaming_is_told_to_all_and_answered(open_one: Any) -> None:
    """And refused when the name is somebody else's."""
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")
    await ana.hear()
    await ben.ask(wire.Rename(1, "ana"))
    assert (await ben.hear()).why.startswith("Somebody is called ana already")
    await ben.ask(wire.Rename(2, "bob"))

    assert await ben.hear() == wire.Renamed("ben", "bob")
    assert await ben.hear() == wire.Done(2)
    assert await ana.hear() == wire.Renamed("ben", "bob")


async def test_whispers_and_calls_between_two(open_one: Any) -> None:
    """The others in the room hear none of it."""
    ana, ben, cid = await open_one.enter("ana"), await open_one.enter("ben"), await open_one.enter("cid")
    await ana.ask(wire.Whisper(1, "ben", "psst"))
    assert await ana.hear_until(wire.Done) == wire.Done(1)
    assert await ben.hear_until(wire.Whispered) == wire.Whispered("ana", "psst")
    await ana.ask(wire.Ring(2, "ben"))
    assert await ana.hear() == wire.Done(2)
    assert await ben.hear() == wire.Rang("ana")
    await ben.ask(wire.Accept(1))
    assert await ben.hear() == wire.CallBegan("ana")
    assert await ben.hear() == wire.Done(1)
    assert await ana.hear() == wire.CallBegan("ben")
    await ana.ask(wire.Talk(3, "hello"))
    assert await ana.hear() == wire.Done(3)
    assert await ben.hear() == wire.Talked("ana", "hello")
    await ben.ask(wire.Hangup(2))
    assert await ben.hear() == wire.CallEnded("ana", "you hung up")
    assert await ben.hear() == wire.Done(2)
    assert await ana.hear() == wire.CallEnded("ben", "they hung up")
    await ana.say("done")

    assert (await cid.hear()).line.text == "done"


@pytest.mark.limit("chat.ring_timeout")
async def test_a_call_that_nobody_answers_stops_ringing(open_chat_with: Opening) -> None:
    """The caller is told."""
    served = await open_chat_with(limits=ChatLimits(ring_timeout=0.01, **FAST))
    ana, _ben = await served.enter("ana"), await served.enter("ben")
    await ana.ask(wire.Ring(1, "ben"))

    assert await ana.hear_until(wire.CallEnded) == wire.CallEnded("ben", "they did not answer")


# Looking further back.


async def test_who_is_in_a_room_may_look_further_back(open_one: Any) -> None:
    """The answer names the request, and holds lines as they were read live."""
    ana = await open_one.enter("ana")
    ids = [await ana.say(said) for said in ("one", "two", "three")]
    live = [(await ana.hear_until(Said)).line for _ in ids]
    await ana.ask(wire.Earlier(9, "lobby", live[-1].offset, 1))

    assert await ana.hear() == wire.EarlierLines(9, "lobby", [live[1]], live[0].offset)


@pytest.mark.parametrize("room", ["tea", "nowhere", "no room"])
async def test_nobody_looks_back_at_a_room_that_they_are_not_in(open_one: Any, room: str) -> None:
    """Whether it is there or not."""
    ana, ben = await open_one.enter("ana", "tea"), await open_one.enter("ben")
    await ana.say("between us", "tea")
    await ben.ask(wire.Earlier(9, room, 1000, 10))
    answer = await ben.hear()

    assert isinstance(answer, wire.Sorry)
    assert answer.id == 9


async def test_who_has_left_a_room_looks_back_at_it_no_more(open_one: Any) -> None:
    """Being in it is asked for each time."""
    ana = await open_one.enter("ana", "tea")
    await ana.say("before", "tea")
    await ana.ask(wire.Leave(1, "tea"))
    await ana.ask(wire.Earlier(2, "tea", 1000, 10))

    assert await ana.hear_until(wire.Sorry) == wire.Sorry(
        2, "You are not in the room tea; /join tea takes you there."
    )


async def test_looking_back_where_the_disk_fails_is_refused(open_chat_with: Opening) -> None:
    """With the reason, and the session goes on."""

    class Unreadable(MemoryStorage):
        is_broken = False

        async def last(self, pattern: str, limit: int = 300, *, to: Position | None = None) -> Page:
            if self.is_broken:
                raise StorageError("the disk is gone")
            return await super().last(pattern, limit, to=to)

    storage = Unreadable()
    served = await open_chat_with(storage)
    ana = await served.enter("ana")
    storage.is_broken = True
    await ana.ask(wire.Earlier(9, "lobby", 10, 10))

    assert await ana.hear() == wire.Sorry(9, "What was said before cannot be read: the disk is gone")


# Lines that drop.


async def test_who_is_cut_off_is_away_keeps_name_and_call_and_misses_nothing(
    open_chat_with: Opening,
) -> None:
    """And is told it all when the line is back."""
    served = await open_chat_with(connection=landline.Limits(presence_grace=0.001))
    ana, ben = await served.enter("ana"), await served.enter("ben")
    await ana.ask(wire.Ring(1, "ben"))
    await ben.hear_until(wire.Rang)
    await ben.ask(wire.Accept(1))
    await ana.hear_until(wire.CallBegan)
    ben.session.drop(0.5)
    assert await ana.hear() == wire.Away("ben", True)
    await ana.ask(wire.Talk(2, "still there?"))
    await ana.say("hello")
    assert await ana.hear_until(wire.Away) == wire.Away("ben", False)

    heard: dict[type, Any] = {}
    while not heard.keys() >= {wire.Talked, Said}:
        message = await ben.hear()
        heard[type(message)] = message
    assert (heard[wire.Talked].text, heard[Said].line.text) == ("still there?", "hello")


async def test_who_is_cut_off_and_does_not_come_back_has_left_when_the_session_is_lost(
    open_chat_with: Opening,
) -> None:
    """Until then they are away; then the room is told why they left."""
    connection = landline.Limits(resume_window=0.05)
    served = await open_chat_with(connection=connection)
    ana, ben = await served.enter("ana"), await served.enter("ben")
    ben.session.drop(30)

    assert await ana.hear_until(wire.Went) == wire.Went("lobby", "ben", "the line was lost")


async def test_who_is_let_go_while_cut_off_is_not_said_to_be_back(open_chat_with: Opening) -> None:
    """The session ends without its line: the room hears that they are away, and that they have gone."""
    limits = landline.Limits(close_timeout=0.05)
    served = await open_chat_with(connection=limits)
    ana, ben = await served.enter("ana"), await served.enter("ben", limits=limits)
    assert await ana.hear() == wire.Came("lobby", "ben")
    ben.session.drop(30)
    assert await ana.hear() == wire.Away("ben", True)
    served.chat.house.names.find("ben").replaced()

    assert isinstance(await ana.hear(), wire.Went)


async def test_a_client_that_lost_its_session_takes_its_place_on_a_new_one(open_one: Any) -> None:
    """No ana-2, nobody sees a going and a coming; the old session is closed, and the history goes on where it stopped."""
    ana, ben = await open_one.enter("ana", client=7), await open_one.enter("ben")
    await ana.say("before")
    seen = (await ana.hear_until(Said)).line.offset
    await ben.hear_until(Said)
    await ben.say("meanwhile")
    await ben.hear()
    again = await open_one.visit(client=7)
    epoch = open_one.chat.history.told.epoch
    await again.ask(wire.Enter("ana", {"lobby": wire.Seen(epoch, seen)}))
    assert await again.hear() == wire.Entered("ana", epoch)
    assert [line.text for line in await again.lines()] == ["meanwhile"]
    await again.say("after", id=99)

    assert (await ben.hear()).line.text == "after"
    with pytest.raises(landline.SessionClosed, match="newer session"):
        await ana.hear_until(wire.Entered)


async def test_rooms_that_the_new_session_does_not_want_are_left(open_one: Any) -> None:
    """And the people there are told."""
    await open_one.enter("ana", "lobby", "tea", client=7)
    ben = await open_one.enter("ben", "tea")
    await open_one.enter("ana", "lobby", client=7)

    assert await ben.hear() == wire.Went("tea", "ana")


@pytest.mark.parametrize("ticks", range(0, 60, 3))
async def test_two_sessions_of_one_client_leave_no_ghost_whenever_the_second_comes(
    open_one: Any, ticks: int
) -> None:
    """The first is still joining its rooms; once both are gone nobody is anywhere."""
    rooms = open_one.chat.house.rooms
    old, new = await open_one.visit(client=7), await open_one.visit(client=7)
    await old.ask(wire.Enter("ana", dict.fromkeys(f"r{number}" for number in range(12))))
    for _ in range(ticks):
        await asyncio.sleep(0)
    await new.ask(wire.Enter("ana", {"lobby": None}))
    draining = [asyncio.create_task(drain(visitor.session)) for visitor in (old, new)]
    await asyncio.wait(draining, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(old.session.close(), new.session.close(), *draining)
    async with asyncio.timeout(10):
        while len(open_one.chat.house.names):  # noqa: ASYNC110 - the server sees the end a few steps after us
            await asyncio.sleep(0)

    assert rooms.listed() == []


async def test_a_session_that_is_replaced_while_it_takes_over_ends_in_order(
    open_chat_with: Opening,
    listener: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The rooms that it wanted to leave are the third one's by then."""
    open_one = await open_chat_with(connection=landline.Limits(close_timeout=0.05))
    await open_one.enter("ana", "tea", "hut", client=7)
    house, third = open_one.chat.house, listener(client=7)
    beginning = open_one.chat.history.beginning

    async def replaced_just_then(room: str, seen: Any) -> Any:
        if not third.name:
            house.enter(third, "ana")
        return await beginning(room, seen)

    second = await open_one.visit(client=7)
    monkeypatch.setattr(open_one.chat.history, "beginning", replaced_just_then)
    await second.ask(wire.Enter("ana", {"tea": None}))
    with pytest.raises(landline.SessionClosed, match="newer session"):
        await second.hear_until(wire.Went)

    async with asyncio.timeout(10):
        await second.session.wait_closed()
    for _ in range(50):  # in memory, the server has seen the end by then
        await asyncio.sleep(0)
    assert third.rooms.keys() == {"tea", "hut"}
    assert caplog.text == ""


async def drain(session: landline.Session) -> None:
    """Take what comes until the session is over."""
    with contextlib.suppress(landline.SessionEnded):
        while True:
            await session.receive()


async def test_who_reads_slowly_stays_and_misses_nothing(open_chat_with: Opening) -> None:
    """Ben stops reading: ana goes on as if he were not there, and he reads on where he stopped; what he has not read waits on the disk."""
    served = await open_chat_with(connection=landline.Limits(outbox_messages=200, close_timeout=0.05))
    ana = await served.enter("ana", limits=landline.Limits(window=2048))
    ben = await served.enter("ben", limits=landline.Limits(window=4096, credit=4096))
    count = 600
    for number in range(count):
        await ana.say(f"{number:1000}")
    assert [(await ana.hear_until(Said)).line.offset for _ in range(count)] == list(range(1, count + 1))

    assert [(await ben.hear_until(Said)).line.offset for _ in range(count)] == list(range(1, count + 1))
    assert len(served.chat.house.names) == 2


async def test_who_falls_too_far_behind_with_what_is_not_kept_is_let_go(open_chat_with: Opening) -> None:
    """Ben does not take what is said to him alone, for which there is no history: nobody waits for him."""
    served = await open_chat_with(connection=landline.Limits(outbox_messages=50, close_timeout=0.05))
    ana = await served.enter("ana", limits=landline.Limits(window=2048))
    ben = await served.enter("ben", limits=landline.Limits(window=512))
    await ana.hear_until(wire.Came)
    for number in range(200):
        await ana.ask(wire.Whisper(number, "ben", "x" * 100))
    async with asyncio.timeout(10):
        went = await ana.hear_until(wire.Went)

    assert went == wire.Went("lobby", "ben", "fell behind")
    with pytest.raises(landline.SessionEnded):
        await ben.hear_until(wire.Went)


async def test_a_line_that_a_client_does_not_take_is_a_gap_for_that_one_alone(open_one: Any) -> None:
    """It reaches everybody else, and the next one everybody."""
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")
    tiny = await open_one.enter("tiny", limits=landline.Limits(max_message=1000))
    long = "x" * 1000
    await ana.say(long)
    await ana.say("next")

    for person in (ana, ben):
        heard = [await person.hear_until(Said), await person.hear_until(Said)]
        assert [said.line.text for said in heard] == [long, "next"]
    assert (await tiny.hear_until(landline.Gap)).reason == "too large for the reader"
    assert (await tiny.hear_until(Said)).line.text == "next"


async def test_a_whisper_that_is_too_large_for_its_listener_is_not_its_speakers_trouble(
    open_one: Any,
) -> None:
    """Nor is a list that one's own client does not take anybody else's; that session ends with the reason."""
    ana = await open_one.enter("ana")
    tiny = await open_one.enter("tiny", limits=landline.Limits(max_message=200))
    await ana.ask(wire.Whisper(1, "tiny", "x" * 300))
    assert await ana.hear_until(wire.Done) == wire.Done(1)
    with pytest.raises(landline.SessionClosed, match="takes only smaller messages"):
        await tiny.hear_until(wire.Whispered)
    await ana.hear_until(wire.Went)
    for number in range(12):
        await open_one.enter(f"somebody-{number}")
    late = await open_one.visit(limits=landline.Limits(max_message=200))
    await late.ask(wire.Enter("late", {"lobby": None}))
    assert (await late.hear()).name == "late"
    with pytest.raises(landline.SessionClosed, match="takes only smaller messages"):
        await late.hear()

    assert (await ana.hear_until(wire.Went)).name == "late"


# Bad input.


@pytest.mark.limit("chat.bad_messages")
@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"\xc1",
        b"\xff" * 100,
        b"\x91" * 100_000,
        msgspec.msgpack.encode(["say", 1]),
        msgspec.msgpack.encode({"t": "say"}),
    ],
)
async def test_what_is_no_request_is_answered_twice_and_then_ends_this_session_alone(
    open_one: Any, rubbish: bytes
) -> None:
    """Empty, cut off, deeply nested, of another shape: nobody else notices."""
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")
    for _ in range(2):
        await ana.ask(rubbish)
        assert (await ana.hear_until(wire.Notice)).text.startswith("That was not understood")
    await ana.ask(rubbish)
    with pytest.raises(landline.SessionClosed, match="too much was not understood"):
        await ana.hear()
    await ben.hear_until(wire.Went)
    await ben.say("I am still here")

    assert (await ben.hear()).line.text == "I am still here"


async def test_what_is_no_request_but_has_a_number_is_refused_by_it(open_one: Any) -> None:
    """So the client knows which of its requests it was."""
    ana = await open_one.enter("ana")
    for bad in ({"t": "sing", "id": 4}, {"t": "msg", "id": 4, "to": 5, "text": "x"}, {"t": "say", "id": 4}):
        await ana.ask(msgspec.msgpack.encode(bad))
        answer = await ana.hear()
        assert isinstance(answer, wire.Sorry)
        assert answer.id == 4


async def test_text_instead_of_bytes_is_no_request(open_one: Any) -> None:
    """Another program may have dialled the wrong port."""
    ana = await open_one.enter("ana")
    _ = await ana.session.send("hello?")

    assert "bytes, not str" in (await ana.hear()).text


async def test_entering_twice_is_said_to_be_wrong(open_one: Any) -> None:
    """It changes neither name nor rooms."""
    ana = await open_one.enter("ana")
    await ana.ask(wire.Enter("eva", {}))

    assert await ana.hear() == wire.Notice("You have entered already.")


async def test_a_fault_in_serving_one_ends_that_one_alone(
    open_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug is logged, and everybody else goes on."""
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")

    def fail(*args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(open_one.chat.house, "whisper", fail)
    await ana.ask(wire.Whisper(1, "ben", "x"))
    assert await ben.hear() == wire.Went("lobby", "ana", "something went wrong")
    await ben.say("hello")

    assert (await ben.hear()).line.text == "hello"


# The pace.


@pytest.mark.limit("chat.rate", "chat.burst")
async def test_who_is_too_fast_is_slowed_and_loses_nothing(
    open_chat_with: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred lines at once all arrive, in order, and each of them was a step of the pace."""
    steps: list[float] = []

    class Counted(Pace):
        def step(self, now: float) -> float:
            steps.append(super().step(0.0))  # no time passes, however slow the machine is
            return steps[-1]

    monkeypatch.setattr("landline.apps.chat.server.member.Pace", Counted)
    served = await open_chat_with(limits=ChatLimits(rate=100_000, burst=5))
    ana = await served.enter("ana")
    for number in range(100):
        await ana.say(str(number))
    lines = [(await ana.hear_until(Said)).line.text for _ in range(100)]

    assert lines == [str(number) for number in range(100)]
    assert len(steps) in (99, 100)
    assert any(steps)
