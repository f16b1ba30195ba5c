"""The groups of a server: its own program's, and what clients' flows ask of them, honest or not; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import msgspec
import pytest

import landline
from landline import Joined, Left, Snapshot, Updated
from landline.errors import DataError, FlowReset, LandlineError, NotAllowed, SessionEnded, TopicError
from landline.limits import PROTOCOL, SESSION
from landline.patterns.messages import Messages
from landline.patterns.publications import heard, say
from landline.protocol.presence import (
    PRESENCE_PURPOSE,
    Begun,
    Enter,
    Here,
    News,
    Put,
    encode,
    encode_state,
)
from landline.sessions.flow import BareFlow

VIRTUAL_TIME = True

_numbers = count(1)
GRACE = landline.Limits().presence_grace
WINDOW = landline.Limits().resume_window
decode = msgspec.msgpack.Decoder(Begun | News).decode


class Place:
    """A server with groups, who is in them, and what its program was told."""

    def __init__(self, server: landline.Server, listening: landline.Listening) -> None:
        self.server = server
        self.address = listening.addresses[0]
        self.sessions: dict[str, landline.Session] = {}

    @property
    def groups(self) -> Any:
        return self.server._groups

    def client(self, who: str = "", away: float = 0.1, **limits: Any) -> landline.connect:
        """Somebody; when their line drops they dial again after so many seconds."""
        return landline.connect(
            self.address, credentials=who, pause=lambda _: away, limits=landline.Limits(**limits)
        )

    def states(self, group: str) -> list[Any]:
        return [member.state for member in self.server.members(group).values()]


@asynccontextmanager
async def place(authorize: Any = None, **options: Any) -> AsyncIterator[Place]:
    sessions: dict[str, landline.Session] = {}

    async def program(session: landline.Session) -> None:
        sessions[session.id] = session
        await session.wait_closed()

    if authorize is not None:
        options["authorize"] = authorize
    server = landline.Server(program, authenticate=lambda who: who or "", **options)
    server.presence("rooms.*")
    async with (
        asyncio.timeout(10 * WINDOW),  # in virtual time
        server.listen(f"memory://groups-{next(_numbers)}") as listening,
    ):
        there = Place(server, listening)
        there.sessions = sessions
        yield there


async def turns() -> None:
    """Whoever can go on does, and no time passes."""
    for _ in range(50):
        await asyncio.sleep(0)


async def until(watching: Any, kind: type) -> Any:
    while not isinstance(change := await anext(watching), kind):
        pass
    return change


def entering(session: landline.Session, *said: object) -> tuple[BareFlow, Messages]:
    """A flow in which somebody says this, whatever it is."""
    bare = session._bare
    flow = bare.open_flow(PRESENCE_PURPOSE)
    for each in said:
        say(flow, each if isinstance(each, bytes) else encode(each))
    return flow, Messages(bare, flow)


async def all_of(messages: Messages) -> None:
    while True:
        await messages.receive()


async def hear(messages: Messages) -> Begun | News:
    said: Begun | News = decode(heard(await messages.receive()))
    return said


# The server's own program...


async def test_the_program_sees_who_comes_changes_and_goes() -> None:
    """At the moment that it asks, and by watching."""
    async with place() as there, there.client("ana") as ana:
        watching = there.server.watch("rooms.a")
        assert await anext(watching) == Snapshot(())
        async with ana.presence("rooms.a", {"typing": False}) as here:
            joined = await anext(watching)
            assert isinstance(joined, Joined)
            assert (joined.member.id, joined.member.principal) == (here.id, "ana")
            assert there.server.members("rooms.a") == {here.id: joined.member}
            await here.update("busy")
            updated = await anext(watching)
            assert isinstance(updated, Updated)
            assert (updated.member.state, updated.before.state) == ("busy", {"typing": False})
        left = await anext(watching)

        assert left == Left(updated.member, "")
        assert there.server.members("rooms.a") == {}
        await watching.aclose()
        assert (there.groups._gatherings, there.groups._leases) == ({}, {})


async def test_the_program_joins_on_somebodys_behalf() -> None:
    """Each time a membership of its own, whose end is the block's, a word's or the session's."""
    async with place(authorize=lambda who, verb, group: verb == "enter") as there:
        async with there.client("ana") as ana:
            await turns()
            session = there.sessions[ana.id]
            first = there.server.join(session, "rooms.a", "one")
            with there.server.join(session, "rooms.a") as second:
                assert there.states("rooms.a") == ["one", None]
                assert second.member.id != first.member.id
                assert second.member.id.startswith(ana.id)
                second.update("two")
                assert there.states("rooms.a") == ["one", "two"]
            assert there.states("rooms.a") == ["one"]
            second.update("too late")
            second.leave()
            first.leave("was sent away")
            first.leave()
            assert there.states("rooms.a") == []
            last = there.server.join(session, "rooms.b", "last")
            assert there.states("rooms.b") == ["last"]
        await session.wait_closed()
        assert there.states("rooms.b") == []
        last.leave()
        with pytest.raises(SessionEnded):
            there.server.join(session, "rooms.a")
        assert (there.groups._gatherings, there.groups._leases) == ({}, {})


async def test_the_program_is_told_what_it_does_wrong() -> None:
    """A group that there is not, a state that is none."""
    async with place() as there, there.client() as ana:
        await turns()
        server, session = there.server, there.sessions[ana.id]
        with pytest.raises(TopicError, match=r"this server has no group 'halls\.a'"):
            server.members("halls.a")
        with pytest.raises(TopicError):
            server.join(session, "halls.a")
        with pytest.raises(TopicError, match="has an empty token"):
            await anext(server.watch("rooms..a"))
        with pytest.raises(DataError):
            server.join(session, "rooms.a", "x" * PROTOCOL.presence_state)
        with pytest.raises(TopicError):
            server.presence("rooms.**.a")
        assert there.groups._gatherings == {}


def test_there_are_groups_while_the_server_listens() -> None:
    """Not before, nor afterwards."""
    server = landline.Server()
    server.presence("rooms.*")
    with pytest.raises(LandlineError, match="while their server listens"):
        server.members("rooms.a")


async def test_a_server_without_a_program_keeps_sessions_for_its_groups() -> None:
    """As it does for topics."""
    server = landline.Server()
    server.presence("rooms.*")
    async with server.listen(f"memory://groups-{next(_numbers)}") as listening:
        async with landline.connect(listening.addresses[0]) as ana, ana.presence("rooms.a", 1):
            await turns()
            assert [member.state for member in server.members("rooms.a").values()] == [1]


# The lease...


@pytest.mark.limit("presence_grace")
async def test_a_blink_of_the_line_shows_nothing_and_a_longer_one_is_told_once() -> None:
    """Up to the grace nobody is told; past it that they reconnect, and that they are back."""
    async with place() as there:
        for away, told in ((GRACE - 0.01, []), (GRACE + 0.01, [False, True])):
            async with there.client(away=away) as ana, ana.presence("rooms.a", 1):
                watching = asyncio.create_task(until_left(there.server.watch("rooms.a")))
                await turns()
                ana.drop(away)
                await asyncio.sleep(10.0)
            changes = await watching

            assert [change.member.is_here for change in changes if isinstance(change, Updated)] == told


async def until_left(watching: Any) -> list[Any]:
    """All changes, each as it comes, up to that somebody leaves."""
    changes = [await anext(watching)]
    while not isinstance(changes[-1], Left):
        changes.append(await anext(watching))
    await watching.aclose()
    return changes


async def test_of_whoever_is_revoked_the_others_are_told_so() -> None:
    """And not that a line was lost."""
    async with place() as there:
        async with there.client("ana") as ana, ana.presence("rooms.a", 1) as here:
            async with there.client("ben") as ben, ben.presence("rooms.a", 2):
                await until(here, Joined)
                assert there.server.revoke("ben") == 1
                left = await until(here, Left)
    assert (left.member.principal, left.reason) == ("ben", "access was revoked")


@pytest.mark.parametrize("away", [0.5 * GRACE, 1.5 * GRACE])
async def test_who_is_put_into_a_group_without_a_line_is_here_for_what_is_left_of_the_grace(
    away: float,
) -> None:
    """It began when the line went; who is away for longer is never shown as here."""
    async with place() as there, there.client("ana", away=4 * GRACE) as ana:
        await turns()
        ana.drop(4 * GRACE)
        await asyncio.sleep(away)
        watching = there.server.watch("rooms.a")
        await anext(watching)
        membership = there.server.join(there.sessions[ana.id], "rooms.a")
        assert membership.member.is_here is (away < GRACE)
        joined = await until(watching, Joined)
        assert joined.member.is_here is (away < GRACE)
        if joined.member.is_here:
            begun = asyncio.get_running_loop().time()
            assert not (await until(watching, Updated)).member.is_here
            assert asyncio.get_running_loop().time() - begun == pytest.approx(GRACE - away, abs=0.1)
        assert (await until(watching, Updated)).member.is_here
        await watching.aclose()


async def test_whoever_does_not_come_back_is_gone_with_their_session() -> None:
    """Reconnecting for the whole window, and then left, with the reason; in every group, and once."""
    async with place() as there:
        ana = await there.client()
        joined = [await ana.presence(f"rooms.{name}", name).__aenter__() for name in "ab"]
        watching = [asyncio.create_task(until_left(there.server.watch(f"rooms.{name}"))) for name in "ab"]
        await turns()
        begun = asyncio.get_running_loop().time()
        ana.drop(2 * WINDOW)
        for changes in await asyncio.gather(*watching):
            assert [type(change) for change in changes] == [Snapshot, Updated, Left]
            assert not changes[1].member.is_here
            assert changes[2] == Left(changes[1].member, "the line was lost")
        assert asyncio.get_running_loop().time() - begun == pytest.approx(WINDOW, abs=0.1)
        assert (there.groups._gatherings, there.groups._leases) == ({}, {})

        await ana.close()
        for each in joined:
            await each.__aexit__(None, None, None)


async def test_who_joins_while_the_line_is_down_is_shown_so_after_the_grace() -> None:
    """The program may put somebody into a group at any moment."""
    async with place() as there, there.client() as ana:
        await turns()
        ana.drop(100.0)
        await turns()
        seen = []
        joined = [there.server.join(there.sessions[ana.id], "rooms.a")]
        seen.append([each.member.is_here for each in joined])
        await asyncio.sleep(GRACE + 0.01)
        joined.append(there.server.join(there.sessions[ana.id], "rooms.a"))
        seen.append([each.member.is_here for each in joined])
        await asyncio.sleep(100.0)
        seen.append([each.member.is_here for each in joined])

        assert seen == [[True], [False, False], [True, True]]


async def test_a_program_that_returns_takes_its_client_out() -> None:
    """From then on the session is closing, even where its line is down and its last words wait."""
    server = landline.Server(lambda session: session.receive())
    server.presence("rooms.*")
    async with server.listen(f"memory://groups-{next(_numbers)}") as listening:
        async with landline.connect(listening.addresses[0]) as ana, ana.presence("rooms.a", 1):
            assert len(server.members("rooms.a")) == 1
            _ = await ana.send("bye")
            await ana.wait_closed()
            assert server.members("rooms.a") == {}


async def test_a_server_that_goes_tells_of_nobody_who_goes_with_it() -> None:
    """They come back to its next life, or everybody's session is over."""
    told: list[Any] = []
    async with place() as there:
        ana, ben = await there.client(), await there.client()
        here = await ben.presence("rooms.a").__aenter__()
        joined = await ana.presence("rooms.a", 1).__aenter__()
        watching = there.server.watch("rooms.a")
        told += [await anext(watching), await anext(here), await anext(here)]
    for end in (joined, here):
        await end.__aexit__(None, None, None)
    told += [change async for change in watching]
    told += [change async for change in here]
    for session in (ana, ben):
        await session.close()

    assert [type(change) for change in told] == [Snapshot, Snapshot, Joined]
    with pytest.raises(LandlineError):
        there.server.members("rooms.a")


# Who may...


async def test_who_may_not_is_told_so() -> None:
    """Join, or watch, or both; joining without watching asks only for that."""
    may = {("ana", "join"), ("ben", "watch")}
    async with (
        place(
            authorize=lambda who, verb, group: verb == "enter" or ((who, verb) in may and group == "rooms.a")
        ) as there,
        there.client("ana") as ana,
        there.client("ben") as ben,
    ):
        refused = (
            (ana.presence("rooms.a", 1), "you may not watch 'rooms.a'"),
            (ana.presence("rooms.a"), "you may not watch 'rooms.a'"),
            (ben.presence("rooms.a", 1), "you may not join 'rooms.a'"),
            (ana.presence("rooms.b", 1, watch=False), "you may not join 'rooms.b'"),
            (ana.presence("halls.a", 1), "this server has no group 'halls.a'"),
        )
        for presence, why in refused:
            with pytest.raises(NotAllowed, match=why):
                await presence.__aenter__()
        async with ana.presence("rooms.a", 1, watch=False) as joined, ben.presence("rooms.a") as watched:
            assert list(watched.members) == [joined.id]
            assert joined.members == {}
        await turns()
        assert there.groups._gatherings == {}


async def test_who_may_no_longer_is_taken_out_and_told_nothing_more() -> None:
    """When the program says so; others see them leave."""
    barred: set[str] = set()
    async with (
        place(authorize=lambda who, verb, group: verb == "enter" or who not in barred) as there,
        there.client("ana") as ana,
        there.client("ben") as ben,
        ana.presence("rooms.a", 1) as here,
        ben.presence("rooms.a", 2) as other,
    ):
        await until(other, Snapshot)
        there.server.reauthorize("ana")
        barred.add("ana")
        there.server.reauthorize("ana")
        with pytest.raises(NotAllowed, match=r"you may no longer join 'rooms\.a'"):
            await until(here, Left)
        with pytest.raises(NotAllowed):
            await here.update(3)
        assert (await until(other, Left)).member.id == here.id
        assert there.states("rooms.a") == [2]


@pytest.mark.limit("protocol.presence_members")
async def test_a_group_that_is_full_takes_nobody_more() -> None:
    """Until somebody leaves; whoever watches is not counted."""
    async with place() as there, there.client() as ana:
        await turns()
        session = there.sessions[ana.id]
        joined = [there.server.join(session, "rooms.a", n) for n in range(PROTOCOL.presence_members)]
        why = "the group 'rooms.a' is full: 10,000 members are in it"
        with pytest.raises(NotAllowed, match=why):
            there.server.join(session, "rooms.a")
        with pytest.raises(NotAllowed, match=why):
            await ana.presence("rooms.a", 1).__aenter__()
        async with ana.presence("rooms.a") as here:
            assert len(here.members) == PROTOCOL.presence_members
            await until(here, Snapshot)
            joined[0].leave()
            async with ana.presence("rooms.a", "in"):
                assert (await until(here, Joined)).member.state == "in"


# Telling...


@pytest.mark.limit("session.presence_tick")
async def test_what_changes_within_a_tick_is_told_together() -> None:
    """The first at once, and what comes until the tick has passed in one message then; past it, at once again."""
    tick, loop = SESSION.presence_tick, asyncio.get_running_loop()
    async with place() as there, there.client() as ana, there.client() as ben:
        await turns()
        session = there.sessions[ana.id]
        _, messages = entering(ben, Enter("rooms.a", 0, None, watches=True))
        assert isinstance(await hear(messages), Begun)
        assert await hear(messages) == News(is_first=True, is_complete=True, entries=[])
        await asyncio.sleep(1.0)

        begun, told = loop.time(), []
        joined = [there.server.join(session, "rooms.a", 0)]
        told.append((await hear(messages), loop.time() - begun))
        for number in range(1000):
            joined[0].update(number)
        joined += [there.server.join(session, "rooms.a", n) for n in range(1, 10)]
        told.append((await hear(messages), loop.time() - begun))
        await asyncio.sleep(2 * tick)
        begun = loop.time()
        joined[0].update("late")
        told.append((await hear(messages), loop.time() - begun))

    assert [(len(news.entries), at) for news, at in told if isinstance(news, News)] == [
        (1, 0.0), (10, pytest.approx(tick)), (1, 0.0),
    ]  # fmt: skip


async def test_a_slow_watcher_costs_nothing_and_is_told_the_newest() -> None:
    """Little waits for it however much changes, others are told meanwhile, and in the end it knows as much as they."""
    async with place() as there, there.client() as ana, there.client() as ben:
        await turns()
        session = there.sessions[ana.id]
        _, messages = entering(ben, Enter("rooms.a", 0, None, watches=True))
        joined = [there.server.join(session, "rooms.a", "x" * 900) for _ in range(1000)]
        async with ana.presence("rooms.a") as quick:
            await until(quick, Snapshot)
            for number in range(200):
                for each in joined:
                    each.update(f"{number}" + "x" * 800)
                await asyncio.sleep(SESSION.presence_tick)
            assert all(member.state.startswith("199x") for member in quick.members.values())
        core = there.sessions[ben.id]._bare.core
        waiting = sum(flow.pending_bytes for flow in core.flows.values())
        assert 0 < waiting < 3 * PROTOCOL.presence_batch

        known: dict[str, bytes] = {}
        count, is_complete = 0, False
        while not is_complete:
            news = await hear(messages)
            if isinstance(news, News):
                count += 1
                is_complete = news.is_complete
                known |= {entry.id: entry.state for entry in news.entries if isinstance(entry, Here)}
        final = {id: member.data for id, member in there.server.members("rooms.a").items()}
        while known != final:
            news = await hear(messages)
            assert isinstance(news, News)
            count += 1
            known |= {entry.id: entry.state for entry in news.entries if isinstance(entry, Here)}
        assert count < 3 * len(final) * 900 / PROTOCOL.presence_batch


async def test_a_crowd_that_comes_at_once_is_told_of_in_a_few_messages() -> None:
    """A thousand members cost a watcher as many entries, and not as many messages."""
    async with place() as there, there.client() as ana, there.client() as ben:
        await turns()
        _, messages = entering(ben, Enter("rooms.a", 0, None, watches=True))
        await hear(messages)
        await hear(messages)
        for number in range(1000):
            there.server.join(there.sessions[ana.id], "rooms.a", number)
            if number % 100 == 0:
                await asyncio.sleep(0.001)
        told: list[News] = []
        while sum(len(news.entries) for news in told) < 1000:
            news = await hear(messages)
            assert isinstance(news, News)
            told.append(news)

    assert len(told) <= 8


async def test_a_client_that_takes_only_small_messages_is_told_that_a_member_is_too_large() -> None:
    """The others are told all the same."""
    async with place() as there, there.client(max_message=200) as small, there.client() as ana:
        async with small.presence("rooms.a", "small") as here:
            async with ana.presence("rooms.a", "x" * 500) as other:
                assert len(other.members) == 2
                with pytest.raises(NotAllowed, match="does not fit the largest message"):
                    await until(here, Left)


# ... and whoever breaks the rules.


@pytest.mark.parametrize(
    "said",
    [
        (Put(encode_state(1)),),
        (b"\xc1",),
        (Enter("rooms.a", 0, None, watches=False),),
        (Enter("rooms.a", 0, b"\x21\xff", watches=True),),
        (Enter("rooms.a", 0, encode_state(1), watches=True), Enter("rooms.a", 1, None, watches=True)),
        (Enter("rooms.a", 0, None, watches=True), Put(encode_state(1))),
        (Enter("rooms.a", 0, encode_state(1), watches=True), Put(b"\x21\xff")),
    ],
    ids=["no-group", "rubbish", "neither", "bad-state", "twice", "a-watcher's-state", "bad-update"],
)
async def test_rubbish_ends_its_flow_and_nothing_else(said: tuple[object, ...]) -> None:
    """With a reason; nothing of it stays."""
    async with place() as there, there.client() as ana, ana.presence("rooms.b", 1) as here:
        flow, messages = entering(ana, *said)
        with pytest.raises(FlowReset) as caught:
            await all_of(messages)
        assert caught.value.code == "bad data"
        assert there.states("rooms.a") == []
        assert set(there.groups._gatherings) == {"rooms.b"}
        await here.update(2)
        assert there.states("rooms.b") == [2]
        assert flow.is_over


async def test_a_membership_is_not_taken_twice() -> None:
    """A client numbers its own; the one that is there stays."""
    async with place() as there, there.client() as ana:
        _, first = entering(ana, Enter("rooms.a", 7, encode_state("first"), watches=False))
        assert isinstance(await hear(first), Begun)
        _, second = entering(ana, Enter("rooms.a", 7, encode_state("second"), watches=False))
        with pytest.raises(FlowReset, match="a membership that is there already"):
            await second.receive()
        assert there.states("rooms.a") == ["first"]


async def test_text_is_no_word_of_presence() -> None:
    """These flows carry bytes."""
    async with place() as there, there.client() as ana:
        flow = ana._bare.open_flow(PRESENCE_PURPOSE)
        messages = Messages(ana._bare, flow)
        _ = await messages.send("hello")
        with pytest.raises(FlowReset, match="is bytes"):
            await messages.receive()
        assert there.groups._gatherings == {}
