"""What a receiver makes of the flow of durable sends, from senders that keep to no rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

import landline
from landline.errors import FlowReset
from landline.limits import PROTOCOL
from landline.patterns.intake import DurableIntake
from landline.patterns.messages import Messages
from landline.patterns.publications import encode_stored, say
from landline.protocol.intake import SEND_PURPOSE
from landline.protocol.publish import (
    Code,
    Opened,
    Opening,
    Publish,
    Published,
    Unpublished,
    decode_answer,
    encode,
)
from landline.sessions.flow import BareFlow
from tests.disk import Disk

pytestmark = pytest.mark.timeout(30)

_numbers = count(1)
QUICK = landline.Limits(redial_min=0.001, redial_max=0.01, close_timeout=0.05, window=4096)
OUTBOX = b"o" * 16


class Sender:
    """A client that says what it likes in flows of durable sends, and the program at the other end."""

    def __init__(self, session: landline.Session, disk: Disk, given: list[Any]) -> None:
        self.session = session
        self.bare = session._bare
        self.disk = disk
        self.given = given
        self.may_go_on = asyncio.Event()

    async def another(self) -> Sender:
        """Another session with the same program."""
        session = await landline.connect(self.session.peer, limits=QUICK)
        sender = Sender(session, self.disk, self.given)
        sender.may_go_on = self.may_go_on
        return sender

    async def flow(self, outbox: bytes = OUTBOX, *, known: bool | None = None) -> Flow:
        flow = Flow(self, self.bare.open_flow(SEND_PURPOSE))
        flow.say(Opening(outbox))
        opened = await flow.hear()
        assert isinstance(opened, Opened)
        assert known is None or opened.known is known
        return flow


class Flow:
    """One of them."""

    def __init__(self, sender: Sender, bare: BareFlow) -> None:
        self.bare = bare
        self._messages = Messages(sender.bare, bare)

    def say(self, said: Any) -> None:
        say(self.bare, said if isinstance(said, bytes) else encode(said))

    def send(self, number: int, value: Any, answered: int = 0) -> None:
        self.say(Publish(number, answered, "", encode_stored(value, 1 << 20)))

    async def hear(self) -> Any:
        return decode_answer(await self._messages.receive())


async def turns() -> None:
    """Whoever can go on does."""
    for _ in range(100):
        await asyncio.sleep(0)


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    given: list[Any] = []

    async def program(session: landline.Session) -> None:
        async for message in session:
            given.append(message)
            if message == "hold":
                await may_go_on.wait()
            if message == "leave":
                await may_go_on.wait()
                _ = await session.send("too late")

    may_go_on = asyncio.Event()
    disk = Disk()
    address = f"memory://intake-{next(_numbers)}"
    async with (
        landline.Server(program, storage=disk, limits=QUICK).listen(address),
        landline.connect(address, limits=QUICK) as session,
    ):
        sender = Sender(session, disk, given)
        sender.may_go_on = may_go_on
        yield sender
        may_go_on.set()


async def test_a_repeat_is_answered_and_not_given_again(sender: Sender) -> None:
    """In the same flow or in another one, until it says that it has the answer."""
    flow = await sender.flow(known=False)
    flow.send(1, "x")
    assert await flow.hear() == Published(1, "", 0)
    flow.send(1, "x")
    assert await flow.hear() == Published(1, "", 0)
    other = await sender.flow(known=True)
    other.send(1, "x")
    assert await other.hear() == Published(1, "", 0)
    other.send(3, "z", answered=1)
    assert await other.hear() == Published(3, "", 0)
    other.send(1, "x")
    assert isinstance(await other.hear(), Unpublished)
    assert sender.given == ["x", "z"]


async def test_a_number_that_was_left_out_is_not_known_to_have_failed(sender: Sender) -> None:
    """Nobody can say what became of what came after it."""
    flow = await sender.flow()
    flow.send(5, "x")
    await flow.hear()
    flow.send(4, "y")
    answer = await flow.hear()

    assert isinstance(answer, Unpublished)
    assert answer.code is Code.UNKNOWN
    assert sender.given == ["x"]


async def test_what_cannot_be_unpacked_is_refused_and_the_others_go_on(sender: Sender) -> None:
    """It never was given."""
    flow = await sender.flow()
    flow.say(Publish(1, 0, "", b"\x00\xc1"))
    flow.send(2, "x")
    refused = await flow.hear()

    assert isinstance(refused, Unpublished)
    assert refused.code is Code.REFUSED
    assert await flow.hear() == Published(2, "", 0)
    assert sender.given == ["x"]


@pytest.mark.parametrize(
    "rubbish", [b"", b"\xc1", encode([1]), encode(Publish(1, 0, "", b""))[:-1], encode(Opening(OUTBOX))]
)
async def test_rubbish_ends_the_flow_and_nothing_else(sender: Sender, rubbish: bytes) -> None:
    """The program, the session and the next flow go on."""
    flow = await sender.flow()
    flow.send(1, "x")
    await flow.hear()
    flow.say(rubbish)
    with pytest.raises(FlowReset, match=r"read|twice"):
        await flow.hear()
    _ = await sender.session.send("plain")
    await sender.session.flush()
    other = await sender.flow()
    other.send(2, "y")
    assert await other.hear() == Published(2, "", 0)
    assert sender.given == ["x", "plain", "y"]


async def test_a_flow_that_does_not_begin_with_its_outbox(sender: Sender) -> None:
    """Is ended, and says why."""
    flow = Flow(sender, sender.bare.open_flow(SEND_PURPOSE))
    flow.send(1, "x")
    with pytest.raises(FlowReset, match="begin with their outbox"):
        await flow.hear()


@pytest.mark.limit("protocol.outboxes")
async def test_one_session_has_few_outboxes(sender: Sender) -> None:
    """Each leaves a record; the newest one is the one that is given."""
    flows = [await sender.flow(bytes([number]) * 16) for number in range(PROTOCOL.outboxes)]
    flow = Flow(sender, sender.bare.open_flow(SEND_PURPOSE))
    flow.say(Opening(b"z" * 16))
    with pytest.raises(FlowReset, match="outboxes"):
        await flow.hear()
    with pytest.raises(FlowReset, match="another outbox"):
        await flows[0].hear()
    flows[-1].send(1, "x")
    assert await flows[-1].hear() == Published(1, "", 0)


async def test_nothing_is_taken_from_who_takes_no_answers(sender: Sender) -> None:
    """Its answers would gather in memory: it stops with what fits, and goes on when it listens."""
    flow = await sender.flow()
    for number in range(1, 2001):
        flow.send(number, "", answered=max(number - 1000, 0))
        await asyncio.sleep(0)
    for _ in range(40):
        await turns()
    assert len(sender.given) < 1500
    for number in range(1, 2001):
        assert (await flow.hear()).number == number
    assert len(sender.given) == 2000


async def test_a_flow_that_is_abandoned_leaves_the_rest(sender: Sender) -> None:
    """What was not given is given when it is said again; what was given is answered once, when that is stored."""
    flow = await sender.flow()
    sender.disk.held.clear()
    flow.send(1, "x")
    flow.send(2, "y")
    await turns()
    flow.bare.reset()
    opening = asyncio.ensure_future(sender.flow(known=True))
    await turns()
    assert not opening.done()
    sender.disk.held.set()
    other = await opening
    for number, value in enumerate("xyz", 1):
        other.send(number, value)
    assert [await other.hear() for _ in range(3)] == [Published(number, "", 0) for number in (1, 2, 3)]
    assert sender.given == ["x", "y", "z"]


async def test_one_session_does_not_handle_what_another_has_in_hand(sender: Sender) -> None:
    """Its program asks for the next, and never had this one."""
    before = await sender.flow()
    other = await sender.another()
    flow = await other.flow(known=True)
    with pytest.raises(FlowReset, match="another flow"):
        await before.hear()
    flow.send(1, "hold")
    hearing = asyncio.ensure_future(flow.hear())
    await turns()
    await sender.session.send_nowait("plain")
    await turns()
    assert sender.given == ["hold", "plain"]
    assert not hearing.done()
    sender.may_go_on.set()

    assert await hearing == Published(1, "", 0)
    await other.session.close()


@pytest.mark.parametrize(
    ("late", "given"), [("hold", ["x", "hold", "y"]), ("leave", ["x", "leave", "leave", "y"])]
)
async def test_what_came_late_over_the_flow_before_is_waited_for(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, late: str, given: list[str]
) -> None:
    """A program is given it in the moment in which another session takes over: that waits again, and is given it if it is put down unhandled."""
    before = await sender.flow()
    other = await sender.another()
    free = DurableIntake._free

    async def freed(intake: DurableIntake) -> None:
        await free(intake)
        if len(sender.given) == 1:
            before.send(2, late)
            await turns()

    monkeypatch.setattr(DurableIntake, "_free", freed)
    sender.disk.held.clear()
    before.send(1, "x")
    await turns()
    opening = asyncio.ensure_future(other.flow(known=True))
    await turns()
    sender.disk.held.set()
    for _ in range(5):
        await turns()
    assert sender.given == ["x", late]
    assert not opening.done()
    if late == "leave":
        await sender.session.close()
    sender.may_go_on.set()
    flow = await opening
    flow.send(2, late)
    flow.send(3, "y")

    assert [await flow.hear() for _ in range(2)] == [Published(2, "", 0), Published(3, "", 0)]
    assert sender.given == given
    await other.session.close()


async def test_another_outbox_waits_until_the_program_has_handled_what_it_has_of_the_first(
    sender: Sender,
) -> None:
    """Else nobody would ever say that this is handled."""
    first = await sender.flow()
    first.send(1, "hold")
    await turns()
    opening = asyncio.ensure_future(sender.flow(b"z" * 16))
    await turns()
    assert not opening.done()
    sender.may_go_on.set()
    assert await first.hear() == Published(1, "", 0)
    other = await opening
    other.send(1, "y")
    assert await other.hear() == Published(1, "", 0)
    again = await sender.flow(known=True)
    again.send(1, "hold")

    assert await again.hear() == Published(1, "", 0)
    assert sender.given == ["hold", "y"]


@pytest.mark.parametrize("later", range(1, 12))
async def test_a_program_that_takes_the_next_while_another_flow_begins_is_waited_for(later: int) -> None:
    """At whatever turn of the loop: what it has in hand is answered once, before the other flow goes on."""
    begins = asyncio.Event()
    given: list[Any] = []

    async def program(session: landline.Session) -> None:
        given.append(await session.receive())
        await begins.wait()
        session.ack()
        for _ in range(later):
            await asyncio.sleep(0)
        while True:
            given.append(await session.receive())

    disk = Disk()
    address = f"memory://intake-{next(_numbers)}"
    async with (
        landline.Server(program, storage=disk, limits=QUICK).listen(address),
        landline.connect(address, limits=QUICK) as one,
        landline.connect(address, limits=QUICK) as two,
    ):
        flow = await Sender(one, disk, given).flow()
        for number in (1, 2, 3):
            flow.send(number, number)
        await turns()
        opening = asyncio.ensure_future(Sender(two, disk, given).flow())
        await turns()
        begins.set()
        other = await opening
        for number in (1, 2, 3):
            other.send(number, number)

        assert [(await other.hear()).number for _ in range(3)] == [1, 2, 3]
    assert given == [1, 2, 3]
