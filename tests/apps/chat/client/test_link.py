"""The link between a chat client and its sessions, over sessions that do what the test says, and over real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import landline
from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.client.link import REDIAL_MAX, REDIAL_MIN, Link, full_jitter
from landline.apps.chat.client.model import Client
from landline.limits import Limits

NUMBER = 4711
BOUND = 5.0
"""Seconds that anything here may take before a test counts as failed."""


class Receipt:
    def __init__(self, status: str) -> None:
        self.status = status

    def __await__(self) -> Any:
        return self._outcome().__await__()

    async def _outcome(self) -> landline.Outcome:
        return landline.Outcome(self.status)  # type: ignore[arg-type]


class FakeSession:
    """A session whose other end is the test."""

    peer = "tcp://there"

    def __init__(self) -> None:
        self.sent: asyncio.Queue[wire.Request] = asyncio.Queue()
        self.inbox: asyncio.Queue[wire.Told | bytes | landline.SessionEnded] = asyncio.Queue()
        self.changes: asyncio.Queue[landline.StateChange] = asyncio.Queue()
        self.outcomes: dict[int, str] = {}
        self.dropped: list[float] = []
        self.closed_with: str | None = None
        self.takes_no_more = ""

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

    async def receive(self) -> bytes:
        told = await self.inbox.get()
        if isinstance(told, landline.SessionEnded):
            self.closed_with = self.closed_with or "ended"
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
        for told in (wire.Entered(name, epoch), wire.Joined("lobby", []), wire.History("lobby", lines or [])):
            self.inbox.put_nowait(told)


class World:
    """A client, its link, and the sessions that its dials give, one after the other."""

    def __init__(self, *results: FakeSession | Exception) -> None:
        self.results = list(results)
        self.pauses: list[int] = []
        self.client = Client("ana", NUMBER)
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
        wire.Enter("ana", NUMBER, {"lobby": None}),
        wire.Say(1, "lobby", "one"),
        wire.Say(2, "lobby", "two"),
    ]
    session.inbox.put_nowait(wire.Done(1))
    session.inbox.put_nowait(wire.Done(2))
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


async def test_a_lost_session_is_settled_before_the_next_begins() -> None:
    """Outcomes first: what failed goes out again, with its number, in the new session; what is unknown does not."""
    first, second = FakeSession(), FakeSession()
    world = World(first, landline.ConnectError("tcp://there", "still starting"), second)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    first.let_in()
    await world.until(lambda: world.client.rooms["lobby"].caught_up)
    first.outcomes = {1: "unknown", 2: "failed"}
    world.type("doubtful")
    world.type("waiting")
    async with asyncio.timeout(BOUND):
        for _ in range(3):
            await first.sent.get()

    first.inbox.put_nowait(landline.SessionLost("unknown session"))
    second.let_in(epoch="e2")

    async with asyncio.timeout(BOUND):
        assert await second.sent.get() == wire.Enter("ana", NUMBER, {"lobby": wire.Seen("e1", 0)})
        assert await second.sent.get() == wire.Say(2, "lobby", "waiting")
    assert world.pauses == [0, 1]
    assert events.Doubtful("doubtful", "#lobby") in world.told
    assert any(isinstance(event, events.LineBack) and event.restarted for event in world.told)
    world.stop.set()
    second.inbox.put_nowait(wire.Done(2))
    await running


@pytest.mark.parametrize("why", ["ended", "full"])
async def test_what_a_dying_session_would_not_take_goes_out_in_the_next(why: str) -> None:
    """The session was over, or had no room, when the line was handed to it: certainly not sent, so it goes out later, undoubted."""
    first, second = FakeSession(), FakeSession()
    world = World(first, second)
    await world.link.open(world.stop)
    running = asyncio.create_task(world.link.run(world.stop))
    first.let_in()
    await world.until(lambda: world.client.rooms["lobby"].caught_up)
    first.takes_no_more = why
    world.type("one")
    world.type("two")
    await asyncio.sleep(0)  # the first is refused, the second still waits its turn
    first.inbox.put_nowait(landline.SessionLost("unknown session"))
    second.let_in(epoch="e2")

    async with asyncio.timeout(BOUND):
        sent = [await second.sent.get() for _ in range(3)]

    assert sent[1:] == [wire.Say(1, "lobby", "one"), wire.Say(2, "lobby", "two")]
    assert not any(isinstance(event, events.Doubtful) for event in world.told)
    world.stop.set()
    for id in (1, 2):
        second.inbox.put_nowait(wire.Done(id))
    await running


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
    session.changes.put_nowait(
        landline.StateChange(landline.State.CONNECTED, landline.State.RECONNECTING, "", None, 3.0)
    )
    await world.until(lambda: world.client.line.down_since is None)

    assert [type(event) for event in world.told][-2:] == [events.LineDown, events.LineBack]
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


async def test_a_dropped_line_loses_and_doubles_nothing() -> None:
    """Lines said while the line is down arrive once and in order, and their echoes confirm them."""
    heard: list[str] = []

    async def lobby(session: landline.Session) -> None:
        offset = 0
        async for message in session:
            match wire.decode_request(message):
                case wire.Enter(name):
                    for told in (
                        wire.Entered(name, "e1"),
                        wire.Joined("lobby", []),
                        wire.History("lobby", []),
                    ):
                        _ = session.send_nowait(wire.encode(told))
                case wire.Say(id, room, text):
                    heard.append(text)
                    offset += 1
                    _ = session.send_nowait(
                        wire.encode(wire.Said(room, wire.Line(offset, 0.0, "ana", text, NUMBER, id)))
                    )

    async with landline.serve(lobby, "tcp://127.0.0.1:0") as listening:
        world = World()

        async def dial() -> landline.Session:
            return await landline.connect(listening.addresses[0], limits=Limits(redial_min=0.01))

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

    assert heard == ["before", *(f"line {number}" for number in range(20))]
    assert any(isinstance(event, events.LineBack) for event in world.told)


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
