"""The topics of a server over a storage: its own program's, and what clients' flows ask of it, honest or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

import landline
import landline.patterns.hub as hub_module
from landline.errors import (
    DataError,
    FlowReset,
    PublishFailed,
    PublishUnknown,
    StorageError,
    StorageFailed,
    StorageFull,
    TopicError,
)
from landline.history import TOO_LARGE, Gap, Position, Publication
from landline.limits import PROTOCOL, STORAGE
from landline.patterns.hub import Hub
from landline.patterns.messages import Messages
from landline.patterns.publications import say
from landline.patterns.rules import TopicRule, allow_all
from landline.patterns.topics import Subscription
from landline.protocol.feed import Behind, Bundle
from landline.protocol.frames import SharedFrames
from landline.protocol.publish import (
    PUBLISH_PURPOSE,
    Code,
    Opened,
    Opening,
    Publish,
    Published,
    Unpublished,
    decode_answer,
    encode,
)
from landline.protocol.subscription import SUBSCRIBE_PURPOSE, After, Subscribe
from landline.sessions.flow import PENDING, BareFlow
from landline.storage import Pattern, Retention
from tests.disk import Disk

pytestmark = pytest.mark.timeout(30)

_numbers = count(1)
ID = b"o" * 16


def rule(pattern: str, behind: Behind = Behind.HISTORY) -> TopicRule:
    return TopicRule(Pattern(pattern), Retention(), behind)


@asynccontextmanager
async def opened(
    disk: Disk, *rules: TopicRule, limits: landline.Limits | None = None, authorize: Any = allow_all
) -> AsyncIterator[Hub]:
    """The topics of one life of a server; by default any that begin with ``t``."""
    async with disk:
        hub = Hub(
            disk, list(rules or [rule("t"), rule("t.**")]), limits or landline.Limits(), authorize=authorize
        )
        await hub.open()
        try:
            yield hub
        finally:
            await hub.close()


async def take(subscription: AsyncGenerator[Publication | Gap, None], number: int) -> list[Publication | Gap]:
    return [await anext(subscription) for _ in range(number)]


def data(parts: list[Publication | Gap]) -> list[Any]:
    return [part.data if isinstance(part, Publication) else part for part in parts]


async def turns() -> None:
    """Whoever can go on does."""
    for _ in range(20):
        await asyncio.sleep(0)


# The server's own program...


async def test_what_is_published_is_heard_in_order_by_all() -> None:
    """From a position, from the start, or from now on: with the same positions."""
    async with opened(Disk()) as hub:
        first = await hub.publish("t.a", "one")
        await hub.publish("t.b", b"two")
        late = hub.subscribe("t.*", After.NOW)
        hearing = asyncio.ensure_future(take(late, 1))
        await turns()
        last = await hub.publish("t.a", {"three": 3})
        all_of_it = await take(hub.subscribe("t.*", After.START), 3)

        assert data(all_of_it) == ["one", b"two", {"three": 3}]
        assert [part.position for part in all_of_it if isinstance(part, Publication)] == [
            Position(last.epoch, offset) for offset in (1, 2, 3)
        ]
        assert data(await take(hub.subscribe("t.a", first), 1)) == [{"three": 3}]
        assert data(await hearing) == [{"three": 3}]
        assert data(await take(hub.subscribe("t.*", After.LAST), 2)) == [b"two", {"three": 3}]


async def test_a_pattern_selects_no_topics_that_the_server_does_not_have() -> None:
    """The storage may hold those of others, or of rules that are gone: neither they nor their gaps are told."""
    disk = Disk()
    disk.retain("secret.**", Retention(max_count=1))
    async with disk:
        for topic in ("secret.a", "t.a", "secret.a", "secret.b"):
            await disk.append(topic, b"!" + topic.encode())
        hub = Hub(disk, [rule("t.*")], landline.Limits(), authorize=allow_all)
        await hub.open()
        for after in (After.START, After.LAST):
            hearing = hub.subscribe("**", after)
            first = await take(hearing, 1)
            await hub.publish("t.b", after.name)
            assert data([*first, *await take(hearing, 1)])[0] == "t.a"
        assert data(await take(hub.subscribe("t.*", After.START), 3)) == ["t.a", "START", "LAST"]
        await hub.close()


async def test_publications_that_come_together_are_one_write() -> None:
    """In the order of the calls."""
    disk = Disk()
    async with opened(disk) as hub:
        disk.held.clear()
        publishing = [asyncio.ensure_future(hub.publish("t", number)) for number in range(9)]
        await turns()
        disk.held.set()
        positions = await asyncio.gather(*publishing)

    assert [position.offset for position in positions] == list(range(1, 10))
    assert [len(changes) for changes in disk.writes] == [1, 8] or [
        len(changes) for changes in disk.writes
    ] == [9]


async def test_what_a_program_publishes_in_one_turn_is_one_write() -> None:
    """Though the storage keeps nobody waiting: it is told to everybody as one bundle."""
    disk = Disk()
    async with opened(disk) as hub:
        await asyncio.gather(*(hub.publish("t", number) for number in range(64)))

    assert [len(changes) for changes in disk.writes] == [64]


@pytest.mark.parametrize(
    "topic", ["", "other", "t.*", "t.**", "t.>", "t a", "t\0", "t.", ".t", "t" * 10_000, "t.\u200b", 7]
)
async def test_bad_names_are_refused(topic: Any) -> None:
    """Before anything is stored; so is the name of a topic that nobody made a rule for."""
    disk = Disk()
    async with opened(disk) as hub:
        with pytest.raises(TopicError):
            await hub.publish(topic, "data")
        if topic not in ("t.*", "t.**"):
            with pytest.raises(TopicError):
                await anext(hub.subscribe(topic, After.NOW))

    assert disk.writes == []


async def test_data_that_cannot_be_sent_is_refused() -> None:
    """By its type, or its size."""
    limits = landline.Limits(max_message=2000)
    async with opened(Disk(), limits=limits) as hub:
        await hub.publish("t", bytes(2000 - PROTOCOL.publish_overhead))
        for value in (object(), "\ud800", bytes(2001 - PROTOCOL.publish_overhead)):
            with pytest.raises(DataError):
                await hub.publish("t", value)


@pytest.mark.limit("protocol.board")
async def test_publishers_wait_while_too_much_is_not_stored() -> None:
    """To the byte; they go on when some of it is."""
    disk = Disk()
    async with opened(disk) as hub:
        hub._board.size = PROTOCOL.board - 1
        await hub.publish("t", "there is room")
        hub._board.size = PROTOCOL.board
        waiting = asyncio.ensure_future(hub.publish("t", "there is none"))
        await turns()
        assert len(disk.writes) == 1
        hub._board.size -= 1
        hub._stored.wake()
        await waiting

    assert len(disk.writes) == 2


@pytest.mark.limit("storage.feed_page")
@pytest.mark.limit("storage.feed_page_bytes")
@pytest.mark.parametrize(
    ("number", "size", "readings"),
    [
        (STORAGE.feed_page, 0, 1),
        (STORAGE.feed_page + 1, 0, 2),
        (2, STORAGE.feed_page_bytes // 2 - 1, 1),
        (2, STORAGE.feed_page_bytes // 2, 2),
    ],
)
async def test_history_is_read_in_small_pages(number: int, size: int, readings: int) -> None:
    """So that a subscriber from the start does not fill the memory; one more makes another page."""
    disk = Disk()
    async with opened(disk) as hub:
        await asyncio.gather(*(hub.publish("t", bytes(size)) for _ in range(number)))
        subscription = hub.subscribe("t", After.START)
        assert len(await take(subscription, number)) == number
        last = asyncio.ensure_future(anext(subscription))
        await turns()
        await hub.publish("t", b"live")

        assert data([await last]) == [b"live"]
        assert disk.readings == readings


async def test_a_server_that_goes_ends_its_subscriptions() -> None:
    """After everything that was published before is stored and told; those who publish then are told so."""
    disk = Disk()
    heard: list[Any] = []

    async def hear(hub: Hub, after: After) -> None:
        heard.extend(data([part async for part in hub.subscribe("t", after)]))

    async with opened(disk) as hub:
        hearing = [asyncio.ensure_future(hear(hub, after)) for after in (After.NOW, After.START)]
        await turns()
        disk.held.clear()
        publishing = asyncio.ensure_future(hub.publish("t", "the last"))
        await turns()
        closing = asyncio.ensure_future(hub.close())
        await turns()
        with pytest.raises(PublishFailed, match="going away"):
            await hub.publish("t", "too late")
        disk.held.set()
        await asyncio.gather(closing, publishing, *hearing)

    assert heard == ["the last"] * 2


async def test_a_reading_that_the_end_of_the_server_overtakes_is_an_end() -> None:
    """And no error; one that fails before is."""
    disk = Disk()
    async with opened(disk) as hub:
        await hub.publish("t", "there")
        disk.held_reads.clear()
        hearing = asyncio.ensure_future(anext(hub.subscribe("t", After.START)))
        await turns()
    disk.held_reads.set()

    with pytest.raises(StopAsyncIteration):
        await hearing


# A disk that fails...


@pytest.mark.parametrize(
    ("error", "outcome", "next_outcome", "why"),
    [
        (StorageFull("/no/room"), PublishFailed, PublishFailed, "full"),
        (StorageFailed("/broken"), PublishUnknown, PublishFailed, "must be started again"),
        (OSError("/broken"), PublishUnknown, PublishUnknown, "not to be had"),
        (DataError("/too/large"), PublishFailed, PublishFailed, "not to be had"),
    ],
)
async def test_a_disk_that_fails_acks_nothing(
    error: Exception, outcome: type[Exception], next_outcome: type[Exception], why: str
) -> None:
    """Whether it may be stored is said, and not where the file is; a storage that failed once stores nothing more, and that is certain."""
    disk = Disk()
    async with opened(disk) as hub:
        subscription = hub.subscribe("t", After.NOW)
        hearing = asyncio.ensure_future(anext(subscription))
        await turns()
        disk.error = error
        with pytest.raises(outcome, match=why) as raised:
            await hub.publish("t", 1)
        assert "/" not in str(raised.value)
        with pytest.raises(next_outcome):
            await hub.publish("t", 2)
        disk.error = None
        await hub.publish("t", 3)

        assert data([await hearing]) == [3]


@pytest.mark.limit("storage.trim_interval")
async def test_old_publications_go_by_themselves_and_a_full_disk_does_not_stop_that(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the beginning, and now and then; what fails is logged and tried again."""
    clock, trims = [0.0], 0
    disk = Disk(clock=lambda: clock[0])
    disk.retain("t", Retention(max_age=10))
    trim = disk.trim

    async def counted() -> int:
        nonlocal trims
        trims += 1
        if trims == 2:
            raise StorageFull("no room")
        return await trim()

    monkeypatch.setattr(disk, "trim", counted)
    assert STORAGE.trim_interval == hub_module._TRIM_INTERVAL
    monkeypatch.setattr(hub_module, "_TRIM_INTERVAL", 0.0)
    async with opened(disk) as hub:
        await hub.publish("t", "old")
        clock[0] = 11.0
        while trims < 4:
            await turns()

        assert (await disk.read("t")).publications == []

    assert "old publications could not be removed: no room" in caplog.text


# A client's flow...


class Line:
    """A client's session, and flows of its own making."""

    def __init__(self, session: landline.Session, server: landline.Server) -> None:
        self.bare = session._bare
        self.server = server

    def open(self, purpose: str, *said: bytes) -> tuple[BareFlow, Messages]:
        flow = self.bare.open_flow(purpose)
        for payload in said:
            say(flow, payload)
        return flow, Messages(self.bare, flow)

    def publish(self, *publishes: Publish, outbox: bytes = ID) -> tuple[BareFlow, Messages]:
        return self.open(PUBLISH_PURPOSE, encode(Opening(outbox)), *map(encode, publishes))


Serve = Callable[..., Any]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@asynccontextmanager
async def line(disk: Disk, *, client: landline.Limits | None = None, **options: Any) -> AsyncIterator[Line]:
    address = f"memory://hub-{next(_numbers)}"
    server = landline.Server(storage=disk, **options)
    server.topic("t")
    server.topic("t.*")
    async with server.listen(address), landline.connect(address, limits=client) as session:
        yield Line(session, server)


async def answers(messages: Messages, number: int) -> list[Any]:
    return [decode_answer(await messages.receive()) for _ in range(number)]


async def reset_of(messages: Messages) -> FlowReset:
    try:
        while True:
            await messages.receive()
    except FlowReset as error:
        return error


async def test_a_flow_of_publishes_is_answered(disk: Disk) -> None:
    """Opened, then each of them; in another flow a repeat gets the first position."""
    async with line(disk) as client:
        _, messages = client.publish(Publish(1, 0, "t", b"\x21one"), Publish(2, 0, "t.b", b"\x21two"))
        opened, *first = await answers(messages, 3)
        _, messages = client.publish(Publish(2, 0, "t.b", b"\x21two"), Publish(3, 0, "t", b""))
        again, *second = await answers(messages, 3)

    assert (opened, again) == (Opened(known=False), Opened(known=True))
    assert [(answer.number, answer.offset) for answer in first + second] == [(1, 1), (2, 2), (2, 2), (3, 3)]
    assert len(disk.puts("landline.outbox.")) >= 3


async def test_publishes_that_arrive_together_are_one_write(disk: Disk) -> None:
    """Of several clients, what came in one turn of the loop is."""
    async with line(disk) as client:
        _, messages = client.publish(Publish(1, 0, "t", b"\x20"))
        await answers(messages, 2)
        before = len(disk.writes)
        for number in range(2, 66):
            say(messages._held, encode(Publish(number, 0, "t", b"\x20")))
        await answers(messages, 64)

        assert [len(changes) - 1 for changes in disk.writes[before:]] == [64]  # besides the outbox's record


@pytest.mark.parametrize(
    ("topic", "data", "why"),
    [
        ("other", b"", "no topic 'other'"),
        ("t.*", b"", "within a name"),
        ("", b"", "empty"),
        ("t\0", b"", "invisible"),
        ("t" * 10_000, b"", "longer than"),
        ("t", b"\x7f", "not what its type says"),
        ("t", b"\x22\xa2\xed\xa0", "not what its type says"),
    ],
)
async def test_what_may_not_be_published_is_refused(disk: Disk, topic: str, data: bytes, why: str) -> None:
    """In words; those after it are stored all the same, and no subscriber is given what it cannot read."""
    async with line(disk) as client:
        _, messages = client.publish(Publish(1, 0, topic, data), Publish(2, 0, "t", b""))
        _, refused, stored = await answers(messages, 3)

    assert isinstance(refused, Unpublished)
    assert (refused.number, refused.code) == (1, Code.REFUSED)
    assert why in refused.reason
    assert stored.offset == 1


@pytest.mark.parametrize(
    "said",
    [
        [],
        [b"\xc1"],
        [encode(Publish(1, 0, "t", b""))],
        [encode(Opening(ID)), encode(Opening(ID))],
        [encode(Opening(ID)), b"\xc1"],
    ],
)
async def test_a_flow_of_publishes_that_breaks_a_rule_is_reset(disk: Disk, said: list[bytes]) -> None:
    """It alone: the session and its other flows go on."""
    async with line(disk) as client:
        _, messages = client.open(PUBLISH_PURPOSE, *said)
        if not said:
            _ = await messages.send("text")
        error = await reset_of(messages)
        _, messages = client.publish(Publish(1, 0, "t", b""), outbox=b"p" * 16)

        assert error.code == "bad data"
        assert isinstance((await answers(messages, 2))[1], Published)


async def test_who_publishes_and_takes_no_answers_is_heard_no_further(disk: Disk) -> None:
    """The answers would gather at the server without end; it goes on when they are taken."""
    async with line(disk, client=landline.Limits(window=4096, credit=4096)) as client:
        flow, messages = client.publish()
        limit = 20_000
        for number in range(1, limit):
            while not flow.takes_more:
                wrote = flow.core.sent
                await turns()
                if flow.core.sent == wrote:
                    break
            if not flow.takes_more:
                break
            say(flow, encode(Publish(number, 0, "t.*", b"")))
        said = number - 1

        assert said < limit - 2
        assert len(await answers(messages, said + 1)) == said + 1


@pytest.mark.parametrize("answer", [False, None, "raise", "later"])
async def test_who_may_not_is_told_so(disk: Disk, answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Also where the server's own rule fails, or cannot be one: nobody gets in by its mistake."""
    asked: list[tuple[str, str, str]] = []

    async def later() -> bool:
        return True

    def authorize(*asks: str) -> Any:
        if asks[1] == "enter":
            return True
        asked.append(asks)  # type: ignore[arg-type]
        if answer == "raise":
            raise RuntimeError("a bug")
        return later() if answer == "later" else answer

    async with line(disk, authenticate=lambda credentials: "ana", authorize=authorize) as client:
        _, messages = client.publish(Publish(1, 0, "t", b""))
        _, refused = await answers(messages, 2)
        _, messages = client.open(SUBSCRIBE_PURPOSE, encode(Subscribe("t.*", After.NOW)))
        reset = await reset_of(messages)

    assert (refused.code, reset.code) == (Code.REFUSED, "unwanted")
    assert "may not publish" in refused.reason
    assert "may not subscribe" in reset.reason
    assert asked == [("ana", "publish", "t"), ("ana", "subscribe", "t.*")]
    assert ("authorize" in caplog.text) is (answer in ("raise", "later"))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([b"\xc1"], "bad data"),
        ([encode(Subscribe("t.*.*.*", After.NOW))], "unwanted"),
        ([encode(Subscribe("other", After.NOW))], "unwanted"),
        ([encode(Subscribe("t\0", After.NOW))], "unwanted"),
        ([encode(Subscribe("x" * 10_000, After.NOW))], "unwanted"),
        ([encode(Subscribe("t", After.NOW)), b"more"], "bad data"),
    ],
)
async def test_a_subscription_that_breaks_a_rule_is_reset(disk: Disk, said: list[bytes], code: str) -> None:
    """With the reason; a bad name is no offence."""
    async with line(disk) as client:
        _, messages = client.open(SUBSCRIBE_PURPOSE, *said)

        assert (await reset_of(messages)).code == code


async def test_a_publication_that_a_reader_cannot_take_is_a_gap(disk: Disk) -> None:
    """From the log, or live; others get it."""
    small = landline.Limits(max_message=1000)
    async with line(disk, client=small) as client:
        server = client.server
        await server.publish("t", bytes(1001 - PROTOCOL.publish_overhead))
        await server.publish("t", bytes(1000 - PROTOCOL.publish_overhead - 1))
        subscription = Subscription(client.bare, "t", "start")
        heard = [await anext(subscription) for _ in range(2)]
        last = await server.publish("t", bytes(1001))
        heard.append(await anext(subscription))

        assert [part.reason if isinstance(part, Gap) else len(part.data) for part in heard] == [
            TOO_LARGE,
            487,
            TOO_LARGE,
        ]
        assert subscription.position == last


async def test_who_was_told_everything_waits_for_no_room(disk: Disk) -> None:
    """Room is made with every ack, and a session may have many subscriptions: only one with more to tell is asked then."""
    address = f"memory://hub-{next(_numbers)}"
    server = landline.Server(storage=disk)
    server.topic("t.*")
    theirs: list[landline.Session] = []

    @server.on_open
    async def note(session: landline.Session) -> None:
        theirs.append(session)

    small = landline.Limits(window=4096)
    async with server.listen(address), landline.connect(address, limits=small) as session:
        quiet, slow = session.subscribe("t.quiet", "start"), session.subscribe("t.slow", "start")
        for subscription in (quiet, slow):
            await server.publish(subscription.pattern, "first")
            await anext(subscription)
        waiting = theirs[0]._bare.on_room
        assert waiting == {}

        for number in range(200):
            await server.publish("t.slow", [number, bytes(200)])
        assert len(waiting) == 1

        heard = [await anext(slow) for _ in range(200)]
        assert [part.data[0] for part in heard if isinstance(part, Publication)] == list(range(200))
        assert waiting == {}


async def test_a_storage_that_cannot_be_read_ends_its_subscriptions(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is told; nothing waits for ever."""

    async def read(*args: object, **options: object) -> None:
        raise StorageFailed("broken")

    async with line(disk) as client:
        await client.server.publish("t", "there")
        monkeypatch.setattr(disk, "read", read)
        _, messages = client.open(SUBSCRIBE_PURPOSE, encode(Subscribe("t", After.START)))
        error = await reset_of(messages)
        assert (error.code, "broken" in error.reason) == ("failed", False)
        with pytest.raises(StorageError):
            await anext(client.server.subscribe("t", "start"))


async def test_a_disk_without_room_for_an_outbox_refuses_its_publishes(disk: Disk) -> None:
    """Certainly: nothing was taken of it; they go on when there is room."""
    async with line(disk) as client:
        disk.error = StorageFull("no room")
        _, messages = client.publish(Publish(1, 0, "t", b""))
        refused = (await answers(messages, 2))[1]
        assert isinstance(refused, Unpublished)
        assert refused.code is Code.FULL
        disk.error = None
        _, messages = client.publish(Publish(2, 0, "t", b""))

        assert isinstance((await answers(messages, 2))[1], Published)


@pytest.mark.limit("protocol.outboxes")
async def test_one_session_has_few_outboxes(disk: Disk) -> None:
    """Each leaves a record; those that are there already may come again as often as they like."""
    async with line(disk) as client:
        for number in (*range(PROTOCOL.outboxes), 0):
            flow, messages = client.publish(outbox=bytes([number]) * 16)
            await answers(messages, 1)
            flow.reset()
        _, messages = client.publish(outbox=b"x" * 16)
        error = await reset_of(messages)
        assert (error.code, "8 outboxes" in error.reason) == ("unwanted", True)
        assert len(await disk.scan("landline.outbox.")) == PROTOCOL.outboxes


async def test_flows_of_the_programs_own_are_its_own(disk: Disk) -> None:
    """What is for nothing of the library's is refused where the program takes none."""
    async with line(disk) as client:
        _, messages = client.open("landline.other", b"data")

        assert (await reset_of(messages)).code == "unwanted"


async def test_frames_are_only_made_for_readers_that_take_them(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a batch that is larger than what a flow takes at once none is made as one, for nobody; all of it is heard."""
    made: list[int] = []
    frames = Bundle.frames
    data_of_each = bytes(PENDING // 4)
    count_of_them = landline.Limits().flow_outbox // len(data_of_each) + 2

    def note(bundle: Bundle, number: int) -> SharedFrames:
        made.append(len(bundle.entries))
        return frames(bundle, number)

    monkeypatch.setattr(Bundle, "frames", note)
    async with line(disk) as client:
        subscription = Subscription(client.bare, "t", "start")
        await client.server.publish("t", "first")
        assert data([await anext(subscription)]) == ["first"]
        made.clear()
        disk.held.clear()
        publishing = [client.server.publish("t", data_of_each) for _ in range(count_of_them)]
        storing = asyncio.gather(*publishing)
        await turns()
        disk.held.set()
        heard = [await anext(subscription) for _ in publishing]
        await storing

    assert data(heard) == [data_of_each] * count_of_them
    assert made
    assert max(made) == 1
