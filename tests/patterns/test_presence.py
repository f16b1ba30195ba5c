"""Being in a group and watching it, as a client does: over dropped lines, over restarts of the server, and to its end; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import pytest

import landline
from landline import Joined, Left, Snapshot, Updated
from landline.errors import DataError, Full, LandlineError, NotAllowed, SessionLost, TopicError
from landline.limits import PROTOCOL, SESSION
from landline.patterns.messages import Messages
from landline.patterns.presence import Presence
from landline.patterns.publications import heard, say
from landline.protocol.presence import (
    NOT_BACK,
    PRESENCE_PURPOSE,
    Begun,
    Enter,
    Here,
    News,
    decode_asked,
    encode,
    encode_state,
)
from landline.sessions.bare import BareSession
from landline.sessions.flow import BareFlow
from tests.disk import Disk

VIRTUAL_TIME = True

GRACE = landline.Limits().presence_grace
WINDOW = landline.Limits().resume_window
TICK = 2 * SESSION.presence_tick
_numbers = count(1)


class Place:
    """A server with one life after the other, whose sessions outlive it, and its clients."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.address = f"memory://presence-{next(_numbers)}"
        self.disk = Disk()
        self.server: landline.Server
        self.max_flows = 64
        self._clients = stack
        self._life = AsyncExitStack()
        self._listening: landline.Listening

    async def open(self) -> None:
        """Another life begins."""
        self.disk = self.disk.image()
        limits = landline.Limits(max_flows=self.max_flows)
        self.server = landline.Server(storage=self.disk, authenticate=str, limits=limits)
        self.server.presence("rooms.*")
        self._listening = await self._life.enter_async_context(self.server.listen(self.address))

    async def crash(self) -> None:
        """It ends without a word to anybody."""
        disk, self.disk = self.disk, self.disk.image()
        self._listening._acceptor.abort()
        await self._life.aclose()
        disk.held.set()

    async def close(self) -> None:
        """It ends in an orderly way."""
        await self._life.aclose()

    async def client(self, who: str, away: float = 0.1) -> landline.Session:
        """Somebody; when their line drops they dial again after so many seconds."""
        connecting = landline.connect(self.address, credentials=who, pause=lambda _: away)
        return await self._clients.enter_async_context(connecting)

    async def enter(self, session: landline.Session, *args: Any, **options: Any) -> Presence:
        return await self._clients.enter_async_context(session.presence("rooms.a", *args, **options))


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    async with asyncio.timeout(20 * WINDOW), AsyncExitStack() as lives:
        async with AsyncExitStack() as clients:
            there = Place(clients)
            await there.open()
            lives.push_async_callback(there.close)
            yield there


def known(here: Presence) -> dict[str, tuple[Any, bool]]:
    """Who is there: what each says, and whether they are here."""
    return {member.principal: (member.state, member.is_here) for member in here.members.values()}


class Book:
    """What a program is told as it happens, and when."""

    def __init__(self, here: Presence) -> None:
        self.told: list[tuple[float, Any]] = []
        self.error: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        self.task = asyncio.create_task(self._read(here))

    async def _read(self, here: Presence) -> None:
        try:
            async for change in here:
                self.told.append((self._loop.time() - self._begun, change))
        except LandlineError as error:
            self.error = error

    def words(self) -> list[str]:
        """The changes, in short, from the last look on."""
        told, self.told = self.told, []
        return [word(change) for _, change in told]


def word(change: Any) -> str:
    match change:
        case Snapshot(members):
            return "there: " + " ".join(sorted(member.principal for member in members))
        case Joined(member):
            return f"{member.principal} joined: {member.state}"
        case Left(member, reason):
            return f"{member.principal} left" + (reason and f": {reason}")
        case Updated(member, before) if member.data != before.data:
            return f"{member.principal}: {member.state}"
        case Updated(member):
            return f"{member.principal} is {'back' if member.is_here else 'reconnecting'}"
    raise AssertionError(change)


async def test_who_joins_sees_the_others_and_is_seen() -> None:
    """On entering the block everybody is known, oneself included; then each change is told."""
    async with place() as there:
        ana, ben = await there.client("ana"), await there.client("ben")
        async with ana.presence("rooms.a", {"mood": "fine"}) as here:
            book = Book(here)
            assert known(here) == {"ana": ({"mood": "fine"}, True)}
            assert here.members[here.id].principal == "ana"
            assert (here.group, here.members[here.id].session) == ("rooms.a", ana.id)
            async with ben.presence("rooms.a") as watching:
                assert (known(watching), watching.id) == (known(here), "")
            async with ben.presence("rooms.a", 1) as other:
                await asyncio.sleep(TICK)
                await other.update(2)
                await asyncio.sleep(TICK)
            await asyncio.sleep(TICK)
        await book.task

        assert book.words() == ["there: ana", "ben joined: 1", "ben: 2", "ben left"]
        assert book.error is None
        assert there.server.members("rooms.a") == {}


async def test_one_principal_with_two_sessions_is_two_members() -> None:
    """And a session that joins twice is two, too."""
    async with place() as there:
        one, two = await there.client("ana"), await there.client("ana")
        async with (
            one.presence("rooms.a", 1) as first,
            one.presence("rooms.a", 2),
            two.presence("rooms.a", 3),
        ):
            await asyncio.sleep(TICK)
            assert sorted(member.state for member in first.members.values()) == [1, 2, 3]
            assert {member.principal for member in first.members.values()} == {"ana"}


async def test_what_a_client_says_is_checked_where_it_says_it() -> None:
    """Before anything is sent."""
    async with place() as there:
        ana = await there.client("ana")
        with pytest.raises(TopicError):
            ana.presence("rooms..a", 1)
        with pytest.raises(DataError, match="over the limit"):
            ana.presence("rooms.a", "x" * PROTOCOL.presence_state)
        with pytest.raises(ValueError, match="without watching"):
            ana.presence("rooms.a", watch=False)
        async with ana.presence("rooms.a") as watching, ana.presence("rooms.a", 1) as here:
            with pytest.raises(LandlineError, match="has no state"):
                await watching.update(1)
            with pytest.raises(DataError):
                await here.update(object())
            assert known(here) == {"ana": (1, True)}


async def test_nobody_is_there_before_it_is_entered() -> None:
    """Said at once: neither an empty group nor a wait for ever."""
    async with place() as there:
        session = await there.client("ana")
        here = session.presence("rooms.a", 1)

        with pytest.raises(landline.LandlineError, match="async with"):
            await anext(here)
        with pytest.raises(landline.LandlineError, match="async with"):
            await here.update(2)


async def test_only_a_client_joins_over_its_session() -> None:
    """A server's program says so to its server."""
    begun: asyncio.Future[landline.Session] = asyncio.get_running_loop().create_future()

    async def program(session: landline.Session) -> None:
        begun.set_result(session)
        await session.wait_closed()

    async with landline.serve(program, f"memory://presence-{next(_numbers)}") as listening:
        async with landline.connect(listening.addresses[0]):
            with pytest.raises(LandlineError, match="only a client"):
                (await begun).presence("rooms.a", 1)


# The line drops...


async def test_what_is_said_while_the_line_is_down_is_said_when_it_is_back() -> None:
    """The newest of it, once; and nobody is told of the drop, if it is short."""
    async with place() as there:
        ana, ben = await there.client("ana", away=1.0), await there.client("ben")
        here, other = await there.enter(ana, 0), await there.enter(ben)
        book = Book(other)
        await here.update("before")
        await asyncio.sleep(TICK)
        assert book.words() == ["there: ana", "ana: before"]
        ana.drop(1.0)
        updates = [asyncio.create_task(here.update("x" * 900 + str(number))) for number in range(200)]
        await asyncio.sleep(0.5)
        assert not any(update.done() for update in updates)
        assert known(here) == {"ana": ("before", True)}
        await asyncio.gather(*updates)
        await asyncio.sleep(TICK)

        words = book.words()
        assert words[-1].endswith("x199")
        assert len(words) <= 3
        assert known(here) == known(other)


async def test_who_was_away_is_told_the_newest_of_each() -> None:
    """What came and went meanwhile is not told; what others said last is."""
    async with place() as there:
        ana, ben = await there.client("ana", away=100.0), await there.client("ben")
        here, other = await there.enter(ana), await there.enter(ben, 0)
        book = Book(here)
        await asyncio.sleep(TICK)
        ana.drop(100.0)
        for number in range(50):
            await other.update("x" * 900 + str(number))
            async with ben.presence("rooms.a", "passing"):
                await asyncio.sleep(1.0)
        await asyncio.sleep(100.0)

        words = book.words()
        assert words[:2] == ["there: ", "ben joined: 0"]
        assert words[-1].endswith("x49")
        assert known(here) == known(other)


# ... or the server is started again...


async def test_over_a_restart_everybody_joins_again_by_themselves() -> None:
    """With what they said last; who comes back within the grace was never missed, and nobody is told anything."""
    async with place() as there:
        sessions = [await there.client(name) for name in ("ana", "ben", "cleo")]
        everybody = [await there.enter(session, 0) for session in sessions]
        for here, state in zip(everybody, "abc", strict=True):
            await here.update(state)
        await asyncio.sleep(TICK)
        books = [Book(here) for here in everybody]
        await asyncio.sleep(TICK)
        for book in books:
            assert book.words()[0].startswith("there: ")
        ids = set(everybody[0].members)
        await there.crash()
        await asyncio.sleep(10.0)
        await there.open()
        await asyncio.sleep(GRACE)

        for here, book in zip(everybody, books, strict=True):
            assert known(here) == {"ana": ("a", True), "ben": ("b", True), "cleo": ("c", True)}
            assert set(here.members) == ids == set(there.server.members("rooms.a"))
            assert book.words() == []
        await everybody[0].update("still heard")
        await asyncio.sleep(TICK)
        assert books[2].words() == ["ana: still heard"]


async def test_who_does_not_come_back_after_a_restart_is_no_ghost() -> None:
    """They count as reconnecting after the grace and as gone after the window; the server itself never says that they are there."""
    async with place() as there:
        ana, ben = await there.client("ana"), await there.client("ben")
        cleo = await there.client("cleo", away=50.0)
        here = await there.enter(ana, 0)
        await there.enter(ben, 0)
        await there.enter(cleo, 0)
        await asyncio.sleep(TICK)
        book = Book(here)
        await asyncio.sleep(TICK)
        assert book.words() == ["there: ana", "ben joined: 0", "cleo joined: 0"]
        await there.crash()
        ben._bare.keeper.ended(ben._bare)  # it dials no more: its process was killed, too
        await there.open()
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(1.0)
        assert (book.words(), known(here)["ben"]) == ([], (0, True))
        await asyncio.sleep(GRACE)
        assert sorted(book.words()) == ["ben is reconnecting", "cleo is reconnecting"]
        assert known(here) == {"ana": (0, True), "ben": (0, False), "cleo": (0, False)}
        assert [member.principal for member in there.server.members("rooms.a").values()] == ["ana"]
        await asyncio.sleep(50.0)
        assert book.words() == ["cleo is back"]
        await asyncio.sleep(WINDOW)

        ((at, change),) = book.told
        assert word(change) == f"ben left: {NOT_BACK}"
        assert at - (begun - book._begun) == pytest.approx(WINDOW, abs=1.0)
        assert known(here) == {"ana": (0, True), "cleo": (0, True)}


async def test_a_server_that_goes_in_good_order_is_the_same_to_its_members() -> None:
    """Nobody is told that they leave while it goes."""
    async with place() as there:
        ana, ben = await there.client("ana"), await there.client("ben")
        here, other = await there.enter(ana, "a"), await there.enter(ben, "b")
        await asyncio.sleep(TICK)
        books = [Book(here), Book(other)]
        await asyncio.sleep(TICK)
        assert [book.words()[-1] for book in books] == ["ben joined: b", "there: ana ben"]
        await there.close()
        await asyncio.sleep(1.0)
        await there.open()
        await asyncio.sleep(5.0)

        assert known(here) == known(other) == {"ana": ("a", True), "ben": ("b", True)}
        assert [book.words() for book in books] == [[], []]


async def test_another_life_that_does_not_let_us_in_ends_it() -> None:
    """It says so where the changes are read; for want of flows, too."""
    async with place() as there:
        ana = await there.client("ana")
        here, more = await there.enter(ana, 0), await there.enter(ana, 1)
        books = [Book(here), Book(more)]
        await there.crash()
        there.max_flows = 1
        await there.open()
        await asyncio.sleep(1.0)
        assert sorted(str(type(book.error).__name__) for book in books) == ["Full", "NoneType"]
        await there.crash()
        there.server = landline.Server(storage=there.disk, authenticate=str)
        async with there.server.listen(there.address):
            await asyncio.wait([book.task for book in books])
            assert {type(book.error) for book in books} == {NotAllowed, Full}


# ... and it ends.


async def test_it_ends_with_its_session() -> None:
    """The changes of a closed one are over; of a lost one, that is raised; and an update does not wait for ever."""
    async with place() as there:
        ana, ben = await there.client("ana"), await there.client("ben")
        here, other = await there.enter(ana, 0), await there.enter(ben, 0)
        books = [Book(here), Book(other)]
        ben.drop(10 * WINDOW)
        waiting = asyncio.create_task(other.update(1))
        await ana.close()
        await asyncio.sleep(2 * WINDOW)

        assert books[0].task.done() and books[0].error is None
        assert isinstance(books[1].error, SessionLost)
        assert isinstance(waiting.exception(), SessionLost)
        with pytest.raises(landline.SessionClosed):
            await here.update(2)
        with pytest.raises(landline.SessionEnded):
            await ben.presence("rooms.a").__aenter__()


async def test_leaving_lets_go_of_everything_at_both_ends() -> None:
    """Tasks, flows, and who would be called; also where entering is given up."""
    async with place() as there:
        ana = await there.client("ana")
        async with ana.presence("rooms.a"):
            before = {task for task in asyncio.all_tasks() if "presence" not in task.get_name()}
        for watch in (True, False):
            async with ana.presence("rooms.a", 1, watch=watch) as here:
                await here.update(2)
        ana.drop(5.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0), ana.presence("rooms.a", 3):
                raise AssertionError("nobody let us in")
        await asyncio.sleep(10.0)

        groups: Any = there.server._groups
        assert asyncio.all_tasks() == before
        assert list(ana._bare.core.flows) == [0]
        assert ana._bare.on_room == {}
        assert (groups._gatherings, groups._leases) == ({}, {})


async def test_a_program_that_reads_no_changes_keeps_few() -> None:
    """What it is told later is the newest of each, and who it is told of are those who are there."""
    async with place() as there:
        ana, ben = await there.client("ana"), await there.client("ben")
        here, other = await there.enter(ana), await there.enter(ben, 0)
        await asyncio.sleep(TICK)
        for number in range(100):
            async with ben.presence("rooms.a", "passing"):
                await other.update(number)
                await asyncio.sleep(TICK)
        await asyncio.sleep(TICK)

        assert len(here._cursor.changed) == 1
        book = Book(here)
        await asyncio.sleep(TICK)
        assert book.words() == ["there: ", "ben joined: 99"]


# A server that breaks the rules...


async def answer(messages: Messages, flow: BareFlow, *said: bytes) -> None:
    """Take somebody in, and say this."""
    assert isinstance(decode_asked(heard(await messages.receive())), Enter)
    for each in said:
        say(flow, each)


@pytest.mark.parametrize(
    "said", [b"\xc1", encode(News(True, True, [Here("id", "p", b"\x21\xff", True, 0.0)]))]
)
async def test_rubbish_from_the_server_ends_it_and_not_the_session(said: bytes) -> None:
    """It is told as what it is."""

    async def program(session: landline.Session) -> None:
        def take(_: BareSession, flow: BareFlow) -> bool:
            messages = Messages(session._bare, flow)
            tasks.append(asyncio.create_task(answer(messages, flow, encode(Begun(0.0)), said)))
            return flow.purpose == PRESENCE_PURPOSE

        session._bare.takers = (take, *session._bare.takers)
        async for message in session:
            _ = await session.send(message)

    tasks: list[asyncio.Task[None]] = []
    async with landline.serve(program, f"memory://presence-{next(_numbers)}") as listening:
        async with landline.connect(listening.addresses[0]) as ana:
            _ = await ana.send("begun?")
            await ana.receive()
            with pytest.raises(landline.ProtocolError):
                await ana.presence("rooms.a", encode_state(1)).__aenter__()
            _ = await ana.send("still served")
            assert await ana.receive() == "still served"
    await asyncio.gather(*tasks)
