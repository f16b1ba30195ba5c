"""The link between a chat client and its sessions, over sessions that do what the test says, and over real ones."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import landline
from landline.apps.chat import credentials, wire
from landline.apps.chat.client import events
from landline.apps.chat.client.link import REDIAL_MAX, REDIAL_MIN, Link, full_jitter
from landline.apps.chat.client.model import Client
from landline.apps.chat.topics import topic_of
from landline.limits import Limits
from landline.storage import MemoryStorage
from tests.apps.chat.reading import Said, joined, published

NUMBER = 4711
RUN = 100
BOUND = 5.0
"""Seconds that anything here may take before a test counts as failed."""


class Receipt:
    def __init__(self, status: str) -> None:
        self.status = status

    def __await__(self) -> Any:
        return self._outcome().__await__()

    async def _outcome(self) -> landline.Outcome:
        return landline.Outcome(self.status)  # type: ignore[arg-type]


class Earlier:
    """A line in the outbox of a session at its beginning."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.answer: asyncio.Future[landline.Position] = asyncio.get_running_loop().create_future()

    async def position(self) -> landline.Position:
        return await self.answer


class FakeSession:
    """A session whose other end is the test."""

    peer = "tcp://there"

    def __init__(self) -> None:
        self.sent: asyncio.Queue[wire.Request | wire.Say] = asyncio.Queue()
        self.earlier: list[Earlier] = []
        self.answers: dict[int, asyncio.Future[landline.Position]] = {}
        self.inbox: asyncio.Queue[wire.Told | bytes | landline.SessionEnded | landline.SessionInterrupted] = (
            asyncio.Queue()
        )
        self.changes: asyncio.Queue[landline.StateChange] = asyncio.Queue()
        self.outcomes: dict[int, str] = {}
        self.dropped: list[float] = []
        self.closed_with: str | None = None
        self.takes_no_more = ""
        self.read_after: list[landline.Position] = []
        self.lobby: asyncio.Queue[wire.Line | landline.LandlineError] = asyncio.Queue()
        self.unsubscribed = 0

    @contextlib.asynccontextmanager
    async def subscribe(
        self, topic: str, after: landline.Position
    ) -> AsyncIterator[AsyncIterator[landline.Publication]]:
        assert topic == "room.lobby"
        self.read_after.append(after)
        try:
            yield self._lobby()
        finally:
            self.unsubscribed += 1

    async def _lobby(self) -> AsyncIterator[landline.Publication]:
        while True:
            said = await self.lobby.get()
            if isinstance(said, landline.LandlineError):
                raise said
            yield published(Said("lobby", said))

    @contextlib.asynccontextmanager
    async def files(self) -> AsyncIterator[AsyncIterator[landline.FileOffer]]:
        yield self._no_files()

    async def _no_files(self) -> AsyncIterator[landline.FileOffer]:
        await asyncio.Event().wait()
        yield  # type: ignore[misc]

    @property
    def closed(self) -> bool:
        return self.closed_with is not None

    async def send(self, data: bytes) -> Receipt:
        request = wire.decode_request(data)
        if self.takes_no_more == "ended":
            raise landline.SessionLost("unknown session")
        if self.takes_no_more == "full":
            await asyncio.Event().wait()
        self.sent.put_nowait(request)
        return Receipt("acked" if isinstance(request, wire.Enter) else self.outcomes.get(request.id, "acked"))

    async def publish(self, topic: str, data: bytes, *, on_kept: Callable[[], object]) -> landline.Position:
        say = wire.decode_say(data)
        assert topic == topic_of(say.room)
        if self.takes_no_more == "ended":
            raise landline.SessionLost("unknown session")
        self.sent.put_nowait(say)
        self.answers[say.id] = asyncio.get_running_loop().create_future()
        on_kept()
        return await self.answers[say.id]

    def store(self, id: int, outcome: int | Exception = 1) -> None:
        """Answer a line: it is stored at this place, or not."""
        answer = self.answers[id]
        if isinstance(outcome, int):
            answer.set_result(landline.Position("e1", outcome))
        else:
            answer.set_exception(outcome)

    async def receive(self) -> bytes:
        told = await self.inbox.get()
        if isinstance(told, landline.SessionInterrupted):
            raise told
        if isinstance(told, landline.SessionEnded):
            self.closed_with = self.closed_with or "ended"
            for answer in (*self.answers.values(), *(earlier.answer for earlier in self.earlier)):
                if not answer.done():
                    answer.set_exception(landline.PublishUnknown("the session ended", is_kept=True))
            raise told
        return told if isinstance(told, bytes) else wire.encode(told)

    async def states(self) -> AsyncIterator[landline.StateChange]:
        while True:
            yield await self.changes.get()

    def drop(self, seconds: float) -> None:
        self.dropped.append(seconds)

    async def close(self, reason: str = "") -> None:
        self.closed_with = self.closed_with or reason
        self.inbox.put_nowait(landline.SessionClosed(reason))

    def let_in(self, *, name: str = "ana", epoch: str = "e1", lines: list[wire.Line] | None = None) -> None:
        for told in (wire.Entered(name, epoch), joined("lobby", lines=lines or (), epoch=epoch)):
            self.inbox.put_nowait(told)
        for line in lines or ():
            self.lobby.put_nowait(line)


class World:
    """A client, its link, and the sessions that its dials give, one after the other."""

    def __init__(self, *results: FakeSession | Exception) -> None:
        self.results = list(results)
        self.pauses: list[int] = []
        self.client = Client("ana", NUMBER, draw=itertools.count(RUN).__next__)
        self.told: list[events.Event] = []
        self.link = Link(self.client, self.dial, self.changed, pause=self.pause)
        self.stop = asyncio.Event()
        self.news = asyncio.Event()

    async def dial(self) -> Any:
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def pause(self, attempt: int) -> float:
        self.pauses.append(attempt)
        return 0.0

    def changed(self) -> None:
        self.told += self.client.events()
        self.news.set()

    def type(self, line: str) -> None:
        self.client.typed(line, self.link.now)
        self.link.advance()

    async def until(self, fact: Callable[[], object]) -> None:
        async with asyncio.timeout(BOUND):
            while not fact():
                self.news.clear()
                await self.news.wait()


WorldIn = Callable[..., Awaitable[tuple[World, list[FakeSession]]]]


@pytest.fixture
async def world_in() -> AsyncIterator[WorldIn]:
    """Makes worlds that are in the lobby, with so many sessions, and what a dial gives between them."""
    running: list[tuple[World, asyncio.Task[None], list[FakeSession]]] = []

    async def enter(count: int, *between: Exception) -> tuple[World, list[FakeSession]]:
        sessions = [FakeSession() for _ in range(count)]
        world = World(sessions[0], *between, *sessions[1:])
        await world.link.open(world.stop)
        running.append((world, asyncio.create_task(world.link.run(world.stop)), sessions))
        sessions[0].let_in()
        await world.until(lambda: world.client.rooms["lobby"].caught_up)
        await sessions[0].sent.get()
        return world, sessions

    yield enter
    for world, task, sessions in running:
        world.client.leave(0.0, at_once=True)
        for session in sessions:
            session.inbox.put_nowait(landline.SessionClosed("the test is over"))
        world.stop.set()
        async with asyncio.timeout(BOUND):
            await task


async def test_open_raises_when_the_first_dial_fails() -> None:
    """Only the first dial gives up: its error is the caller's."""
    world = World(landline.ConnectError("tcp://there", "nobody listens"))

    with pytest.raises(landline.ConnectError, match="nobody listens"):
        await world.link.open(world.stop)


async def test_open_ends_when_told_to_stop() -> None:
    """A dial that hangs does not hold a program that shall end."""
    world = World()

    async def hang() -> landline.Session:
        raise AssertionError(await asyncio.Event().wait())

    world.link = Link(world.client, hang, world.changed)
    world.stop.set()

    async with asyncio.timeout(BOUND):
        assert not await world.link.open(world.stop)


async def test_requests_and_answers_are_carried_in_order() -> None:
    """What is typed leaves in order; what is told arrives at the client."""
    session = FakeSession()
    world = World(session)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    session.let_in()
    await world.until(lambda: world.client.rooms["lobby"].caught_up)
    world.type("one")
    world.type("two")

    async with asyncio.timeout(BOUND):
        sent = [await session.sent.get() for _ in range(3)]
    assert sent == [
        wire.Enter("ana", {"lobby": None}, run=RUN),
        wire.Say(101, "lobby", "one", RUN),
        wire.Say(102, "lobby", "two", RUN),
    ]
    for offset, id in enumerate((101, 102), 1):
        session.store(id, offset)
        session.lobby.put_nowait(wire.Line(offset, 0.0, "ana", "x", id))
    world.type("bye")
    async with asyncio.timeout(BOUND):
        await running
    assert session.closed_with == "bye"
    assert not any(isinstance(event, events.LineDown) for event in world.told)


async def test_drop_goes_to_the_session() -> None:
    """/drop 3 is the session's own drop."""
    session = FakeSession()
    world = World(session)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    session.let_in()
    await world.until(lambda: world.client.entered)

    world.type("/drop 3")

    assert session.dropped == [3.0]
    world.stop.set()
    await running


async def test_what_is_asked_after_a_line_is_sent_when_that_is_answered(world_in: WorldIn) -> None:
    """They travel apart, and must not overtake each other; the line itself waits for nothing."""
    world, (session,) = await world_in(1)
    world.type("one")
    world.type("/who")
    world.type("two")
    async with asyncio.timeout(BOUND):
        assert [await session.sent.get() for _ in range(2)] == [
            wire.Say(101, "lobby", "one", RUN),
            wire.Say(102, "lobby", "two", RUN, 1),
        ]
    for _ in range(20):
        await asyncio.sleep(0)
    assert session.sent.empty()

    session.store(101)

    async with asyncio.timeout(BOUND):
        assert await session.sent.get() == wire.ListMembers(1, "lobby")


async def test_what_becomes_of_a_line_is_told(world_in: WorldIn) -> None:
    """Refused, with the reason; or nobody knows: then it is not said again."""
    world, (session,) = await world_in(1)
    world.type("refused")
    world.type("unknown")
    async with asyncio.timeout(BOUND):
        for _ in range(2):
            await session.sent.get()

    session.store(101, landline.PublishFailed("You are not in the room lobby."))
    session.store(102, landline.PublishUnknown("the server lost its memory"))

    await world.until(lambda: not world.client.waiting)
    assert events.NotSent("refused", "#lobby", "You are not in the room lobby.") in world.told
    assert events.Doubtful("unknown", "#lobby") in world.told


async def test_another_life_of_the_server_is_entered_anew_on_the_same_session(world_in: WorldIn) -> None:
    """Lines go on by themselves; of the requests, what failed goes out again and what is unknown does not."""
    world, (session,) = await world_in(1)
    session.outcomes = {1: "unknown", 2: "failed"}
    world.type("/msg ben doubtful")
    world.type("/msg ben waiting")
    world.type("a line")
    async with asyncio.timeout(BOUND):
        for _ in range(3):
            await session.sent.get()

    session.inbox.put_nowait(landline.SessionInterrupted("the server was restarted", 2))
    session.let_in(epoch="e2")

    async with asyncio.timeout(BOUND):
        assert await session.sent.get() == wire.Enter("ana", {"lobby": wire.Seen("e1", 0)}, run=RUN, asked=2)
        session.store(101)
        assert await session.sent.get() == wire.Whisper(2, "ben", "waiting")
    assert session.read_after == [landline.Position("e1", 0), landline.Position("e2", 0)]
    assert session.unsubscribed == 1
    assert events.Doubtful("doubtful", "ben") in world.told
    assert any(isinstance(event, events.LineBack) and event.restarted for event in world.told)
    assert [pending.text for pending in world.client.waiting] == ["waiting", "a line"]
    assert not session.closed


async def test_a_request_that_waits_for_a_line_when_the_session_is_interrupted_is_not_sent_out_of_turn(
    world_in: WorldIn,
) -> None:
    """It is held until we are in again; that does not wait for the line, which the server takes from nobody who is not in."""
    world, (session,) = await world_in(1)
    world.type("a line")
    world.type("/msg ben after it")
    async with asyncio.timeout(BOUND):
        await session.sent.get()
    for _ in range(20):
        await asyncio.sleep(0)

    session.inbox.put_nowait(landline.SessionInterrupted("the server was restarted"))
    async with asyncio.timeout(BOUND):
        assert isinstance(await session.sent.get(), wire.Enter)
    session.let_in(epoch="e2")
    for _ in range(20):
        await asyncio.sleep(0)
    assert session.sent.empty()
    session.store(101)

    async with asyncio.timeout(BOUND):
        assert await session.sent.get() == wire.Whisper(1, "ben", "after it")


async def test_a_lost_sessions_lines_are_in_the_outbox_of_the_next(world_in: WorldIn) -> None:
    """That one says them by itself: nobody says them again, and what becomes of them is told."""
    world, (first, second) = await world_in(2, landline.ConnectError("tcp://there", "still starting"))
    world.type("kept")
    async with asyncio.timeout(BOUND):
        kept = await first.sent.get()
    assert isinstance(kept, wire.Say)
    second.earlier = [Earlier(wire.encode(kept))]

    first.inbox.put_nowait(landline.SessionLost("unknown session"))
    second.let_in(epoch="e2")

    async with asyncio.timeout(BOUND):
        assert isinstance(await second.sent.get(), wire.Enter)
    await world.until(lambda: world.client.rooms["lobby"].caught_up)
    assert world.pauses == [0, 1]
    assert second.sent.empty()
    second.earlier[0].answer.set_exception(landline.PublishFailed("You are not in the room lobby."))
    await world.until(lambda: not world.client.waiting)
    assert events.NotSent("kept", "#lobby", "You are not in the room lobby.") in world.told


async def test_what_an_earlier_run_left_is_told_and_what_cannot_be_read_is_passed_over() -> None:
    """The outbox says both; a later version may have left what we do not know."""
    session = FakeSession()
    left = wire.Say(7, "lobby", "typed before", 5, 3)
    session.earlier = [Earlier(b"of a later version"), Earlier(wire.encode(left))]
    world = World(session)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    await world.until(lambda: world.client.waiting)

    assert events.GoingOut(1) in world.told
    session.inbox.put_nowait(landline.SessionClosed("go away"))
    world.stop.set()
    await running


async def test_what_a_dying_session_would_not_take_goes_out_in_the_next(world_in: WorldIn) -> None:
    """The session was over when the line was handed to it: certainly not sent, so it goes out later, undoubted."""
    world, (first, second) = await world_in(2)
    first.takes_no_more = "ended"
    world.type("one")
    world.type("two")
    first.inbox.put_nowait(landline.SessionLost("unknown session"))
    second.let_in(epoch="e2")

    async with asyncio.timeout(BOUND):
        sent = [await second.sent.get() for _ in range(3)]

    says = [request for request in sent if isinstance(request, wire.Say)]
    assert says == [wire.Say(101, "lobby", "one", RUN), wire.Say(102, "lobby", "two", RUN)]
    assert not any(isinstance(event, events.Doubtful) for event in world.told)


async def test_a_request_that_a_full_session_would_not_take_goes_out_in_the_next(world_in: WorldIn) -> None:
    """It had no room, and is lost while the request waits for some."""
    world, (first, second) = await world_in(2)
    first.takes_no_more = "full"
    world.type("/msg ben hello")
    for _ in range(5):
        await asyncio.sleep(0)
    first.inbox.put_nowait(landline.SessionLost("unknown session"))
    second.let_in(epoch="e2")

    async with asyncio.timeout(BOUND):
        sent = [await second.sent.get() for _ in range(2)]

    assert sent[1:] == [wire.Whisper(1, "ben", "hello")]


async def test_a_server_that_hangs_up_is_dialled_again() -> None:
    """An orderly close by the server (it drains, say) is not the person's wish to leave."""
    first, second = FakeSession(), FakeSession()
    world = World(first, second)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    first.let_in()
    await world.until(lambda: world.client.entered)

    first.inbox.put_nowait(landline.SessionClosed("the server is restarting"))
    second.let_in(epoch="e2")
    await world.until(lambda: any(isinstance(event, events.LineBack) for event in world.told))

    (down,) = [event for event in world.told if isinstance(event, events.LineDown)]
    assert "the server is restarting" in down.why
    world.stop.set()
    await running


async def test_sessions_that_end_at_once_are_dialled_ever_more_slowly() -> None:
    """A server that lets us in and hangs up is not dialled in a tight loop."""
    sessions = [FakeSession() for _ in range(4)]
    world = World(*sessions)
    for session in sessions[:3]:
        session.inbox.put_nowait(landline.SessionClosed("go away"))
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))

    sessions[3].let_in()
    await world.until(lambda: world.client.entered)

    assert world.pauses == [0, 1, 2]
    world.stop.set()
    await running


@pytest.mark.limit("chat.client.redial_refused")
async def test_who_is_not_let_in_tries_seldom_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The invite was taken back: who tries every few seconds has everybody at the same address turned away."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def fall_asleep(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr("landline.apps.chat.client.link.asyncio.sleep", fall_asleep)
    first, second = FakeSession(), FakeSession()
    world = World(
        first,
        landline.Untrusted("wss://there:1/", "another certificate"),
        landline.Refused("wss://there:1/", "that invite is not good here", "unauthorized"),
        landline.Refused("wss://there:1/", "full", "busy"),
        second,
    )
    first.inbox.put_nowait(landline.SessionLost("unauthorized"))
    second.let_in(epoch="e2")
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    await world.until(lambda: world.client.entered)

    assert [pause for pause in slept if pause in (0.0, 60.0)] == [0.0, 0.0, 60.0, 0.0]
    said = [event.text for event in world.told if isinstance(event, events.Said)]
    assert [words in text for words, text in zip(("another", "invite", "full"), said, strict=True)] == [
        True
    ] * 3
    world.stop.set()
    await running


async def test_leaving_while_it_redials() -> None:
    """Who leaves while nobody answers is let go at once, and told what was not sent."""
    first = FakeSession()
    world = World(first)
    world.link = Link(world.client, world.dial, world.changed, pause=lambda attempt: 3600.0)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    first.let_in()
    await world.until(lambda: world.client.entered)
    first.inbox.put_nowait(landline.SessionLost("gone"))
    await world.until(lambda: world.client.line.redial_at)
    world.type("never said")
    world.type("bye")
    world.type("bye")

    async with asyncio.timeout(BOUND):
        await running

    assert isinstance(world.told[-1], events.NotSent)


async def test_what_is_no_chat_is_refused_at_once() -> None:
    """Another program of landline's answers: there is nothing to wait for."""
    session = FakeSession()
    world = World(session)
    await world.link.open(world.stop)
    session.inbox.put_nowait(b"of another program")

    with pytest.raises(landline.Refused, match="what answers there is no chat"):
        async with asyncio.timeout(BOUND):
            await world.link.run(world.stop)


async def test_a_server_without_a_program_is_no_chat() -> None:
    """It closes each session as soon as it begins: to dial again would be to dial for ever."""
    async with landline.Server().listen("memory://no-chat"):
        world = World()
        world.link = Link(
            world.client,
            lambda: landline.connect("memory://no-chat"),
            world.changed,
            pause=lambda attempt: 0.0,
        )
        await world.link.open(world.stop)

        with pytest.raises(landline.Refused, match="no chat: it hung up without a word"):
            async with asyncio.timeout(BOUND):
                await world.link.run(world.stop)


async def test_what_cannot_be_understood_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """A message of a later version disturbs nothing, once a chat was there."""
    session = FakeSession()
    world = World(session)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    session.let_in()
    session.inbox.put_nowait(b"of a later version")
    session.inbox.put_nowait(wire.Notice("and on"))
    await world.until(lambda: any("and on" in repr(event) for event in world.told))
    world.stop.set()
    await running

    assert "does not understand" in caplog.text


async def test_states_reach_the_client() -> None:
    """The line beneath the session is visible: down, the countdown, and back."""
    session = FakeSession()
    world = World(session)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    session.let_in()
    await world.until(lambda: world.client.entered)

    session.changes.put_nowait(
        landline.StateChange(landline.State.RECONNECTING, landline.State.CONNECTED, "reset", 3.0, 10.0)
    )
    await world.until(lambda: world.client.line.redial_at)
    down = landline.State.RECONNECTING
    for why in ("", "another certificate", "", "another certificate"):
        session.changes.put_nowait(landline.StateChange(down, down, why, 3.0))
    await world.until(session.changes.empty)
    assert [event for event in world.told if isinstance(event, events.Said)] == [
        events.Said("another certificate; trying again.", trouble=True)
    ]
    session.changes.put_nowait(
        landline.StateChange(landline.State.CONNECTED, landline.State.RECONNECTING, "", None, 3.0)
    )
    await world.until(lambda: world.client.line.down_since is None)

    assert [type(event) for event in world.told][-3:] == [events.LineDown, events.Said, events.LineBack]
    world.stop.set()
    await running


@pytest.mark.limit("chat.client.redial_min", "chat.client.redial_max")
def test_full_jitter_stays_in_its_bounds() -> None:
    """From zero to a bound that doubles up to the largest."""
    for attempt in (0, 1, 5, 1000):
        bound = min(REDIAL_MAX, REDIAL_MIN * 2**attempt)
        pauses = [full_jitter(attempt) for _ in range(200)]
        assert min(pauses) >= 0
        assert max(pauses) <= bound
        assert max(pauses) > bound / 2


# With real sessions.


async def test_a_dropped_line_loses_and_doubles_nothing(open_one: Any) -> None:
    """Lines said while the line is down arrive once and in order, and their echoes confirm them."""
    ben = await open_one.enter("ben")
    world = World()

    async def dial() -> landline.Session:
        return await landline.connect(
            open_one.address,
            credentials=credentials.show(NUMBER),
            limits=Limits(redial_min=0.01),
            storage=MemoryStorage(),
        )

    world.link = Link(world.client, dial, world.changed)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    await world.until(lambda: world.client.rooms["lobby"].caught_up)
    world.type("before")
    world.type("/drop 0.2")
    for number in range(20):
        world.type(f"line {number}")
    assert world.client.waiting
    await world.until(lambda: not world.client.waiting)
    world.type("bye")
    async with asyncio.timeout(BOUND):
        await running
        heard = [(await ben.hear_until(Said)).line.text for _ in range(21)]

    assert heard == ["before", *(f"line {number}" for number in range(20))]
    assert any(isinstance(event, events.LineBack) for event in world.told)


async def test_what_happened_while_the_line_was_down_is_told_in_the_order_in_which_it_did(
    open_one: Any,
) -> None:
    """Lines and who came and went travel apart: somebody comes, speaks, goes, and another one speaks."""
    ben = await open_one.enter("ben")
    world = World()

    async def dial() -> landline.Session:
        return await landline.connect(
            open_one.address,
            credentials=credentials.show(NUMBER),
            limits=Limits(redial_min=0.01),
            storage=MemoryStorage(),
        )

    world.link = Link(world.client, dial, world.changed)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    await world.until(lambda: world.client.rooms["lobby"].caught_up)
    await ben.say("before")
    await world.until(lambda: len(heard_in(world)) == 1)
    world.type("/drop 0.2")
    await world.until(lambda: world.client.line.is_down)
    await ben.say("first")
    for number in range(3):
        cid = await open_one.enter("cid")
        await cid.say(f"cid {number}")
        await cid.close()
        await ben.hear_until(wire.Went)
        await ben.say(f"ben {number}")
    async with asyncio.timeout(BOUND):
        await world.until(lambda: "ben 2" in heard_in(world))

    turn = [events.Came, "cid", events.Went, "ben"]
    assert [what.split()[0] if isinstance(what, str) else what for what in heard_in(world)[2:]] == 3 * turn
    world.type("bye")
    async with asyncio.timeout(BOUND):
        await running


def heard_in(world: World) -> list[Any]:
    """What was said, and who came and went, in its order."""
    return [
        event.line.text if isinstance(event, events.Heard) else type(event)
        for event in world.told
        if isinstance(event, events.Heard | events.Came | events.Went)
    ]


class Stuck(FakeSession):
    """Its close waits for a line that never comes back."""

    async def close(self, reason: str = "") -> None:
        await super().close(reason)
        await asyncio.Event().wait()


@pytest.mark.limit("chat.client.redial_reset")
async def test_a_session_that_held_for_long_starts_the_pauses_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """For exactly as long it does: here every session has held for 0 s at least."""
    monkeypatch.setattr("landline.apps.chat.client.link.REDIAL_RESET", 0.0)
    sessions = [FakeSession() for _ in range(4)]
    world = World(*sessions)
    for session in sessions[:3]:
        session.inbox.put_nowait(landline.SessionClosed("go away"))
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))

    sessions[3].let_in()
    await world.until(lambda: world.client.entered)

    assert world.pauses == [0, 0, 0]
    world.stop.set()
    await running


@pytest.mark.limit("chat.client.haste")
async def test_a_close_that_hangs_does_not_hold_up_the_next_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session is over anyway; one that closes in time is waited for."""
    monkeypatch.setattr("landline.apps.chat.client.link.HASTE", 0.01)
    first, second = Stuck(), FakeSession()
    world = World(first, second)
    first.inbox.put_nowait(landline.SessionLost("gone"))
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    second.let_in()
    await world.until(lambda: world.client.entered)

    assert first.closed
    world.stop.set()
    await running


@pytest.mark.limit("chat.client.leave_timeout")
async def test_a_stop_waits_so_long_for_confirmations_and_for_the_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then it goes, and says what was not confirmed. What comes in time is waited for, as the other tests show."""
    for name in ("LEAVE_TIMEOUT", "HASTE"):
        monkeypatch.setattr(f"landline.apps.chat.client.link.{name}", 0.01)
    session = Stuck()
    world = World(session)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    session.let_in()
    await world.until(lambda: world.client.entered)
    world.type("never confirmed")
    world.stop.set()

    async with asyncio.timeout(BOUND):
        await running
    assert session.closed_with == "bye"
    assert any(isinstance(event, events.Doubtful | events.NotSent) for event in world.told)
