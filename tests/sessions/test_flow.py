"""One flow on the loop: messages over it, its end, its reset, and who waits for what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import landline
from landline.errors import FlowEnded, FlowReset, Full, SessionClosed
from landline.patterns.messages import Messages
from landline.protocol.empty import NOBODY
from landline.protocol.frames import (
    FRAME_COST,
    HEADER,
    FrameType,
    ResetCode,
    SharedFrames,
    each_of,
    encode_frame,
)
from landline.sessions.bare import BareSession
from landline.sessions.flow import PENDING, BareFlow, EarlyFlows


class Ends:
    """Two sessions in one process, and the flows that the client opened at the server."""

    def __init__(self, client: BareSession, server: BareSession) -> None:
        self.client = client
        self.server = server
        self.flows: asyncio.Queue[BareFlow] = asyncio.Queue()
        server.on_flow = self.flows.put_nowait

    async def open(self, purpose: str = "talk") -> tuple[BareFlow, Messages, BareFlow, Messages]:
        ours = self.client.open_flow(purpose)
        theirs = await self.flows.get()
        return ours, Messages(self.client, ours), theirs, Messages(self.server, theirs)


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    begun: asyncio.Future[landline.Session] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def program(session: landline.Session) -> None:
        begun.set_result(session)
        await over.wait()

    async with landline.serve(program, "memory://flows"), landline.connect("memory://flows") as client:
        server = await begun
        yield Ends(client._bare, server._bare)
        over.set()


async def test_messages_over_a_flow_arrive_in_order_and_are_acked(ends: Ends) -> None:
    """The same words as for a session's own messages."""
    ours, saying, theirs, hearing = await ends.open("prices")
    receipts = [await saying.send(number) for number in range(10)]
    heard = [await hearing.receive() for _ in range(10)]
    hearing.ack()

    assert theirs.purpose == ours.purpose == "prices"
    assert heard == list(range(10))
    assert [(await receipt).status for receipt in receipts] == ["acked"] * 10


class Offered:
    """Frames that are alike; notes for which flows they were made."""

    def __init__(self, count: int, size: int) -> None:
        self.count = count
        self.size = size
        self.before_last = (count - 1) * size
        self.made_for: list[int] = []

    def to(self, flow: BareFlow) -> bool:
        return flow.offer(self.count, self.before_last, self.frames)

    def frames(self, number: int) -> SharedFrames:
        self.made_for.append(number)
        frame = encode_frame(FrameType.BYTES, number, bytes(self.size - HEADER.size))
        return SharedFrames(frame * self.count, self.count, self.size)


async def test_a_flow_of_which_little_waits_takes_what_it_is_offered(ends: Ends) -> None:
    """Until enough waits, and nothing once it ends: who offers it keeps it, and has not made it for nothing."""
    flow = ends.client.open_flow("talk")
    one = Offered(1, PENDING // 2)
    assert [one.to(flow) for _ in range(3)] == [True, True, False]
    assert flow.core.queued == 2
    assert one.made_for == [flow.core.number] * 2

    other = ends.client.open_flow("another")
    other.end()
    assert not one.to(other)
    assert other.core.queued == 0

    last = ends.client.open_flow("of an earlier life")
    last.was_renewed()
    assert not one.to(last)
    assert last.core.queued == 0
    assert one.made_for == [flow.core.number] * 2


@pytest.mark.limit("session.pending")
@pytest.mark.parametrize(("size", "takes"), [(PENDING // 4, True), (PENDING // 4 + 1, False)])
async def test_frames_are_taken_together_where_each_would_be(ends: Ends, size: int, takes: bool) -> None:
    """All of them or none, as though they were offered one after the other: before the last there was room for it."""
    flow = ends.client.open_flow("talk")
    assert Offered(1, PENDING // 4 - 1).to(flow)
    several = Offered(4, size)

    assert several.to(flow) is takes
    assert several.made_for == [flow.core.number] * takes
    assert [len(frame) for frame in each_of(flow.core.pending)][1:] == [size] * (4 * takes)


async def test_where_nothing_waits_frames_are_taken_together_that_can_be_written_now(ends: Ends) -> None:
    """If the flow's outbox has room for them: many flows share them. Without the credit for all of them most would wait here."""
    flow = ends.client.open_flow("talk")
    most = ends.client.core.limits.flow_outbox
    count = most // 1024
    flow.core.credit = (count - 1) * (1024 - HEADER.size + FRAME_COST)
    many = Offered(count, 1024)
    assert not many.to(flow)
    flow.core.credit += 1
    assert many.to(flow)
    assert flow.core.pending_bytes == most > PENDING
    assert not Offered(1, 64).to(flow)

    other = ends.client.open_flow("talk")
    other.core.credit = 1 << 20
    too_many = Offered(count + 1, 1024)
    assert not too_many.to(other)
    assert (too_many.made_for, many.made_for) == ([], [flow.core.number])


async def test_waits_that_were_given_up_are_not_kept(ends: Ends) -> None:
    """However many flushes are cancelled while the peer handles nothing; who waits on is still told."""
    ours, saying, _, hearing = await ends.open()
    receipt = await saying.send("slow")
    patient = asyncio.ensure_future(saying.flush())
    for _ in range(100):
        impatient = [asyncio.ensure_future(saying.flush()) for _ in range(10)]
        await asyncio.sleep(0)
        for flush in impatient:
            flush.cancel()
        await asyncio.wait(impatient)
    kept = len(ours._waiting)
    await hearing.receive()
    hearing.ack()
    await patient

    assert kept <= 3
    assert (await receipt).status == "acked"


async def test_the_end_of_a_flow_comes_after_everything(ends: Ends) -> None:
    """Each direction has its own; when both have come, nothing is left at either end."""
    ours, saying, theirs, hearing = await ends.open()
    _ = await saying.send("last")
    ours.end()
    with pytest.raises(FlowEnded, match="sends no more"):
        _ = await saying.send("too late")
    assert await hearing.receive() == "last"
    with pytest.raises(FlowEnded, match="sent everything"):
        await hearing.receive()
    _ = await hearing.send("and back")
    theirs.end()
    assert await saying.receive() == "and back"
    with pytest.raises(FlowEnded):
        await saying.receive()
    await saying.flush()
    await hearing.flush()

    assert ours.is_over
    assert list(ends.client.core.flows) == [0]


async def test_a_reset_wakes_everybody_at_both_ends(ends: Ends) -> None:
    """Who receives, sends, flushes or waits for an outcome is told why."""
    ours, saying, theirs, hearing = await ends.open()
    receipts = [await saying.send(number) for number in range(3)]
    assert await hearing.receive() == 0
    assert await hearing.receive() == 1
    waiting = asyncio.ensure_future(saying.receive())
    flushing = asyncio.ensure_future(saying.flush())

    theirs.reset(ResetCode.FAILED, "it broke")

    for task in (waiting, flushing):
        with pytest.raises(FlowReset, match="it broke") as caught:
            await task
        assert caught.value.code == "failed"
    assert [(await receipt).status for receipt in receipts] == ["acked", "unknown", "failed"]
    with pytest.raises(FlowReset):
        _ = await saying.send("more")
    with pytest.raises(FlowReset):
        await hearing.receive()
    ours.reset()
    assert ours.is_over


async def test_a_flow_that_nobody_takes_is_reset(ends: Ends) -> None:
    """By default no program takes any."""
    flow = ends.server.open_flow("surprise")
    hearing = Messages(ends.server, flow)

    with pytest.raises(FlowReset, match="nobody here takes") as caught:
        await hearing.receive()

    assert caught.value.code == "unwanted"


async def test_an_unread_flow_makes_its_sender_wait_and_nobody_else(ends: Ends) -> None:
    """Its own outbox is full; the messages go on, and so does it when it is read."""
    _, saying, _, hearing = await ends.open()
    receipts = []
    for _ in range(10_000):
        try:
            receipts.append(saying.send_nowait(b"x" * 1000))
        except Full:
            break
        await asyncio.sleep(0)
    assert len(receipts) < 10_000
    writing = asyncio.ensure_future(saying.send(b"x" * 1000))
    for number in range(100):
        _ = await Messages(ends.client).send(number)
        assert await Messages(ends.server).receive() == number
    assert not writing.done()

    for _ in receipts:
        assert len(await hearing.receive()) == 1000
    _ = await writing


async def test_a_close_waits_until_every_flow_is_read(ends: Ends) -> None:
    """The peer has closed: who reads the messages to their end does not end it for who still reads another flow."""
    _, saying, _, hearing = await ends.open()
    receipts = [await saying.send(number) for number in range(2)]
    reading = asyncio.ensure_future(Messages(ends.server).receive())
    closing = asyncio.ensure_future(ends.client.close())
    async for change in ends.server.states():
        if change.state is landline.State.CLOSING:
            break
    for _ in range(5):
        await asyncio.sleep(0)
    assert not reading.done()
    assert [await hearing.receive(), await hearing.receive()] == [0, 1]
    with pytest.raises(SessionClosed):
        await hearing.receive()
    await closing

    assert [(await receipt).status for receipt in receipts] == ["acked", "acked"]
    with pytest.raises(SessionClosed):
        await reading


async def test_a_reset_wakes_who_waits_for_room_although_the_line_is_down(ends: Ends) -> None:
    """Nothing need be heard of the peer for that."""
    ours, saying, _, _ = await ends.open()
    ends.client.core.writer = NOBODY
    while ends.client.core.has_room_in(ours.core):
        _ = saying.send_nowait(b"x" * 1000)
    writing = asyncio.ensure_future(saying.send(b"x" * 1000))
    await asyncio.sleep(0)
    ours.reset()
    for _ in range(3):
        await asyncio.sleep(0)

    assert writing.done()
    with pytest.raises(FlowReset):
        _ = await writing
    ends.client.lose(ends.client.end_code, "for the test")


async def test_the_end_of_a_session_is_the_end_of_its_flows(ends: Ends) -> None:
    """Who waits in one is told, and none can be opened any more."""
    _, saying, _, _ = await ends.open()
    receipt = await saying.send("unread")
    waiting = asyncio.ensure_future(saying.receive())
    await asyncio.sleep(0)

    ends.client.lose(ends.client.end_code, "for the test")

    with pytest.raises(landline.SessionLost):
        await waiting
    assert (await receipt).status == "unknown"
    with pytest.raises(landline.SessionLost):
        ends.client.open_flow("another")


async def test_a_session_that_closes_opens_no_flows(ends: Ends) -> None:
    """It takes no more of anything."""
    closing = asyncio.ensure_future(ends.client.close())
    await asyncio.sleep(0)

    with pytest.raises(SessionClosed):
        ends.client.open_flow("late")
    await closing


async def test_two_programs_that_only_send_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Both see it in their states, as a property, and in the log; it ends when one receives."""
    limits = landline.Limits(window=1000, stalled_after=0.05)
    begun: asyncio.Future[landline.Session] = asyncio.get_running_loop().create_future()

    async def program(session: landline.Session) -> None:
        begun.set_result(session)
        await session.wait_closed()

    async def stalled(session: landline.Session) -> str:
        async for change in session.states():
            if change.state is change.previous:
                return change.reason
        return ""

    async with (
        landline.serve(program, "memory://stalls", limits=limits),
        landline.connect("memory://stalls", limits=limits) as client,
    ):
        server = await begun
        watching = [asyncio.ensure_future(stalled(session)) for session in (client, server)]
        await asyncio.sleep(0)
        for session in (client, server):
            for _ in range(20):
                _ = await session.send("x" * 100)

        for reason in await asyncio.gather(*watching):
            assert reason.startswith("stalled")
        assert [client.is_stalled, server.is_stalled] == [True, True]
        for _ in range(20):
            await server.receive()
            await client.receive()
        assert [client.is_stalled] == [False]
        server.ack()
    assert [record.levelname for record in caplog.records if "stalled:" in record.message] == ["WARNING"] * 2


async def test_the_words_of_a_reset_are_such_as_can_be_told(ends: Ends) -> None:
    """Not Unicode, or too long: the peer is told what there is of it."""
    ours, _, _, hearing = await ends.open()
    ours.reset(reason="enough \udcff")

    with pytest.raises(FlowReset, match=r"enough \?"):
        await hearing.receive()


@pytest.mark.parametrize("takes", [True, False])
async def test_flows_of_the_first_breath_wait_for_the_programs_first_turn(takes: bool) -> None:
    """The client opens them together with what begins the session; a program that takes some says so at its very beginning."""
    taken: asyncio.Queue[BareFlow] = asyncio.Queue()
    over = asyncio.Event()

    async def program(session: landline.Session) -> None:
        if takes:
            session._bare.on_flow = taken.put_nowait
        await over.wait()

    async with landline.serve(program, "memory://breath"), landline.connect("memory://breath") as client:
        flows = [client._bare.open_flow(str(number)) for number in range(3)]
        flows[1].reset()
        receipts = [Messages(client._bare, flow).send_nowait("first") for flow in (flows[0], flows[2])]
        async with asyncio.timeout(5):
            if takes:
                assert [(await taken.get()).purpose for _ in receipts] == ["0", "2"]
            else:
                assert [(await receipt).status for receipt in receipts] == ["failed", "failed"]
        over.set()


async def test_who_waits_no_longer_for_an_outcome_is_forgotten(ends: Ends) -> None:
    """A wait with a time-out, again and again, keeps nothing; those who still wait are told."""
    ours, saying, _, hearing = await ends.open()
    receipts = [await saying.send(number) for number in range(4)]
    patient = asyncio.ensure_future(ours.wait_handled(3))
    for number in range(200):
        waiting = asyncio.ensure_future(ours.wait_handled(number % 4))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    together = [asyncio.ensure_future(ours.wait_handled(number % 4)) for number in range(200)]
    await asyncio.sleep(0)
    for waiting in together:
        waiting.cancel()
    await asyncio.wait(together)
    assert len(ours._waiting) <= 2

    for _ in receipts:
        await hearing.receive()
    hearing.ack()
    await patient
    assert not ours._waiting


@pytest.mark.limit("max_flows")
async def test_flows_that_nobody_looks_at_are_not_held_once_they_are_over(ends: Ends) -> None:
    """Twice as many as may be open are looked through for that; those that stand keep their order."""
    early = EarlyFlows(2)
    stand = []
    for number in range(40):
        ours, _, theirs, _ = await ends.open()
        early.keep(theirs)
        if number % 20:
            ours.reset()
            while not theirs.is_over:  # noqa: ASYNC110 - it comes without an event
                await asyncio.sleep(0)
        else:
            stand.append(theirs)
        assert len(early) <= 4

    assert [flow for flow in early.take() if not flow.is_over] == stand
    assert len(early) == 0
