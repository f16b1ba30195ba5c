"""Flows besides the messages: opened by either end, ended, handled, abandoned, forgotten by both, whatever the line does."""

from __future__ import annotations

import random
from typing import Any

import pytest

from landline.errors import Full, ProtocolError
from landline.limits import PROTOCOL, Limits
from landline.protocol.codec import TEXT, encode_data
from landline.protocol.events import FlowAbandoned, FlowOpened
from landline.protocol.flow import Flow
from landline.protocol.flows import LAST_NUMBER
from landline.protocol.frames import COUNT, FIRST_CREDIT, CloseCode, FrameType, ResetCode, encode_frame
from landline.protocol.handshake import Open, Reset, encode_payload
from landline.protocol.session import Session
from landline.protocol.states import Role
from tests.protocol.lines import Pair, make_session, open_pair, receive


def put(session: Session, flow: Flow, value: Any) -> int:
    """Send on a flow, as a program would."""
    return session.send(flow, *encode_data(value, session.max_message))


def read(session: Session, flow: Flow) -> list[Any]:
    """Take and handle what is there, and come back for more."""
    values = []
    while flow.inbox:
        values.append(session.take(flow))
    session.handle_taken(flow)
    return values


def both(pair: Pair, purpose: str = "talk") -> tuple[Session, Flow, Session, Flow]:
    """Have the guest open a flow; return both ends of it."""
    ours, theirs = pair.guest.core, pair.host.core
    flow = ours.open_flow(purpose)
    pair.settle()
    return ours, flow, theirs, theirs.flows[flow.number]


def test_a_flow_is_its_own_order_both_ways() -> None:
    """It begins with its purpose, and what is said in it is nobody else's."""
    pair = open_pair()
    ours, flow, theirs, other = both(pair, "prices")
    put(ours, flow, "one")
    put(ours, ours.messages, "a message")
    put(theirs, other, "back")
    pair.settle()

    assert [event for event in pair.host.log if isinstance(event, FlowOpened)] == [FlowOpened(1, "prices")]
    assert read(theirs, other) == ["one"]
    assert read(theirs, theirs.messages) == ["a message"]
    assert read(ours, flow) == ["back"]


def test_either_end_opens_numbers_of_its_own() -> None:
    """The client odd ones, the server even ones, rising."""
    pair = open_pair()
    numbers = [pair.guest.core.open_flow("").number for _ in range(3)]
    numbers += [pair.host.core.open_flow("").number for _ in range(2)]
    pair.settle()

    assert numbers == [1, 3, 5, 2, 4]
    assert sorted(pair.guest.core.flows) == sorted(pair.host.core.flows) == [0, 1, 2, 3, 4, 5]


def test_a_flow_may_be_written_to_before_the_peer_knows_of_it() -> None:
    """Its OPEN goes first, and one message always fits."""
    pair = open_pair()
    ours = pair.guest.core
    flow = ours.open_flow("now")
    put(ours, flow, "x" * 100_000)
    pair.settle()

    assert read(pair.host.core, pair.host.core.flows[1]) == ["x" * 100_000]


def test_ended_and_handled_by_both_it_is_forgotten_by_both() -> None:
    """END follows the data, DONE follows the taking of it, and its place is free again."""
    pair = open_pair(Limits(max_flows=1))
    ours, flow, theirs, other = both(pair)
    put(ours, flow, "last")
    ours.end_flow(flow)
    pair.settle()

    assert read(theirs, other) == ["last"]
    assert other.is_read_out

    theirs.end_flow(other)
    pair.settle()
    assert flow.handled_by_peer == 1
    assert read(ours, flow) == []
    pair.settle()

    assert list(ours.flows) == list(theirs.flows) == [0]
    assert ours.open_flow("another").number == 3
    pair.settle()
    assert sorted(theirs.flows) == [0, 3]


def test_an_end_waits_for_the_credit_of_what_is_before_it() -> None:
    """And is never lost for want of it."""
    pair = open_pair()
    ours, flow, theirs, other = both(pair)
    for _ in range(12):
        put(ours, flow, "y" * 100_000)
    ours.end_flow(flow)
    pair.settle()

    assert not other.theirs
    heard = 0
    while not other.is_read_out or not heard:
        heard += len(read(theirs, other))
        pair.settle()
    assert heard == 12


def test_a_reset_drops_what_waits_at_both_ends() -> None:
    """The peer answers it, both forget the flow, and outcomes are as exact as can be."""
    pair = open_pair()
    ours, flow, theirs, other = both(pair)
    for number in range(4):
        put(ours, flow, number)
    put(theirs, other, "unheard")
    pair.settle()
    assert [theirs.take(other), theirs.take(other)] == [0, 1]

    theirs.abandon_flow(other, ResetCode.CANCELLED, "enough")
    pair.settle()

    assert [event for event in pair.guest.log if isinstance(event, FlowAbandoned)] == [
        FlowAbandoned(1, ResetCode.CANCELLED, "enough")
    ]
    assert (flow.handled_by_peer, flow.reach) == (1, 2)  # 0 is acked, 1 unknown, 2 and 3 failed
    assert not flow.inbox
    assert list(ours.flows) == list(theirs.flows) == [0]


def test_resets_that_cross_end_the_flow_once() -> None:
    """Neither answers the other's."""
    pair = open_pair()
    ours, flow, theirs, other = both(pair)
    ours.abandon_flow(flow, ResetCode.FAILED)
    theirs.abandon_flow(other, ResetCode.CANCELLED)
    pair.settle()

    assert list(ours.flows) == list(theirs.flows) == [0]
    pair.wait(1.0)
    assert (ours.outbox_frames, theirs.outbox_frames) == (0, 0)


def test_nothing_is_said_of_a_flow_after_its_reset() -> None:
    """Not even that all of it is handled, when its program comes to that as it leaves."""
    pair = open_pair()
    ours, flow, theirs, other = both(pair)
    theirs.end_flow(other)
    pair.settle()
    ours.abandon_flow(flow, ResetCode.CANCELLED)
    assert read(ours, flow) == []
    pair.settle()

    assert list(ours.flows) == list(theirs.flows) == [0]
    assert pair.guest.end is None


def test_what_arrives_after_our_reset_is_counted_and_dropped() -> None:
    """It was under way; the counts of both ends agree."""
    pair = open_pair()
    ours, flow, theirs, other = both(pair)
    put(theirs, other, "under way")
    pair.line.write(pair.now)
    ours.abandon_flow(flow, ResetCode.CANCELLED)
    pair.settle()

    assert ours.received == theirs.sent
    assert not flow.inbox
    assert pair.guest.end is None


@pytest.mark.limit("max_flows")
def test_too_many_flows_are_refused_here_and_an_error_there() -> None:
    """We mind what the peer allows; a peer that does not mind ours breaks the protocol."""
    pair = open_pair(Limits(max_flows=64), Limits(max_flows=64))
    for _ in range(64):
        pair.guest.core.open_flow("")
    with pytest.raises(Full, match="64 flows"):
        pair.guest.core.open_flow("")
    pair.settle()

    theirs = make_session(Limits(max_flows=2), role=Role.SERVER)
    for number in (1, 3):
        receive(theirs, *about(number))
    with pytest.raises(ProtocolError, match="more than 2 flows") as caught:
        receive(theirs, *about(5))
    assert caught.value.limit == "max_flows"


def test_a_session_that_has_used_up_its_numbers_opens_no_more() -> None:
    """No number is used twice: 2^32 flows later it says so."""
    session = make_session()
    session._flows._next = LAST_NUMBER

    assert session.open_flow("").number == LAST_NUMBER
    with pytest.raises(Full, match="no more numbers"):
        session.open_flow("")


def about(number: int, window: int = 1) -> tuple[int, int, bytes]:
    return FrameType.OPEN, number, encode_payload(FrameType.OPEN, Open(purpose="", window=window))[9:]


def reset(handled: int, taken: int) -> bytes:
    return encode_payload(FrameType.RESET, Reset(code=ResetCode.FAILED, handled=handled, taken=taken))[9:]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (about(0), "neither begin nor end"),
        (about(2), "cannot be opened"),
        (about(1), "cannot be opened"),
        ((FrameType.OPEN, 5, b"\x80"), "cannot be read"),
        ((FrameType.END, 0, b""), "neither begin nor end"),
        ((FrameType.DONE, 0, b""), "neither begin nor end"),
        ((FrameType.RESET, 0, reset(0, 0)), "neither begin nor end"),
        ((FrameType.END, 5, b""), "not open"),
        ((FrameType.END, 2, b""), "not open"),
        ((FrameType.END, 3, b"x"), "more to say"),
        ((FrameType.DONE, 3, b""), "before its end"),
        ((FrameType.RESET, 3, b"\x80"), "cannot be read"),
        ((FrameType.RESET, 3, reset(0, 1)), "0 were sent"),
        ((FrameType.RESET, 3, reset(1, 0)), "1 handled of 0"),
        ((TEXT, 7, b"x"), "not open"),
    ],
)
def test_frames_about_flows_that_cannot_be(frame: tuple[int, int, bytes], words: str) -> None:
    """Each breaks the protocol, and says how."""
    session = make_session(role=Role.SERVER)
    receive(session, *about(1))
    receive(session, *about(3))

    with pytest.raises(ProtocolError, match=words):
        receive(session, *frame)


@pytest.mark.parametrize("last", [(FrameType.END, 1, b""), (FrameType.RESET, 1, reset(0, 0))])
@pytest.mark.parametrize(
    "more", [(TEXT, 1, b"x"), (FrameType.END, 1, b""), (FrameType.RESET, 1, reset(0, 0))]
)
def test_who_is_through_with_a_flow_says_no_more_about_it(
    last: tuple[int, int, bytes], more: tuple[int, int, bytes]
) -> None:
    """Except that what was ended may still be abandoned."""
    session = make_session(role=Role.SERVER)
    receive(session, *about(1))
    receive(session, *last)

    if (last[0], more[0]) == (FrameType.END, FrameType.RESET):
        receive(session, *more)
        assert list(session.flows) == [0]
    else:
        with pytest.raises(ProtocolError):
            receive(session, *more)


@pytest.mark.parametrize(("role", "ours", "theirs"), [(Role.CLIENT, 1, 2), (Role.SERVER, 2, 1)])
@pytest.mark.parametrize("is_ours", [True, False])
def test_control_frames_may_cross_the_end_of_their_flow(
    role: Role, ours: int, theirs: int, is_ours: bool
) -> None:
    """About a flow that was open once, whoever opened it, they say nothing; about another they are an error."""
    session = make_session(role=role)
    session.attach(0)
    first = ours if is_ours else theirs
    for number in (first, first + 2):
        if is_ours:
            session.abandon_flow(session.open_flow(""), ResetCode.CANCELLED)
            session.data_to_send(0.0, 1 << 20)
        else:
            receive(session, *about(number))
        session.receive(FrameType.RESET, number, (reset(0, 0),))
    assert list(session.flows) == [0]
    told = (session.receive_handled, session.receive_credit, session.receive_ask, session.receive_waiting)

    for tell in told:
        tell(first, 5)
        tell(first + 2, 5)
    never = theirs if is_ours else ours
    for tell in told:
        for number in (first + 4, never, LAST_NUMBER, LAST_NUMBER - 1):
            with pytest.raises(ProtocolError, match="not open"):
                tell(number, 5)


@pytest.mark.limit("protocol.flow_frames")
def test_a_peer_that_opens_and_abandons_without_end_is_shown_out() -> None:
    """Our answers wait for its acks; there is a bound on how many may."""
    session = make_session(Limits(outbox_messages=10, max_flows=2), role=Role.SERVER)
    session.attach(0)
    for _ in range(10):
        put(session, session.messages, "waits for credit, and is not the peer's fault")

    allowed = PROTOCOL.flow_frames + 1
    for number in range(1, 2 * allowed, 2):
        receive(session, *about(number))
        session.receive(FrameType.RESET, number, (reset(0, 0),))
        session.data_to_send(0.0, 1 << 20)

    assert session.outbox_frames == allowed + 10
    with pytest.raises(ProtocolError, match="acks nothing") as caught:
        receive(session, *about(2 * allowed + 1))
    assert caught.value.limit == "protocol.flow_frames"
    session.receive_ack(session.sent, session.received)
    receive(session, *about(2 * allowed + 1))


def test_an_unread_flow_stalls_no_other() -> None:
    """It fills its own credit and its own outbox; messages and other flows go on."""
    limits = Limits(flow_outbox=10_000)
    pair = open_pair(limits)
    ours, unread, theirs, _ = both(pair)
    flow = ours.open_flow("read")
    pair.settle()
    while ours.has_room_in(unread):
        put(ours, unread, "z" * 1000)
        pair.settle()

    assert unread.pending_bytes >= 10_000
    for number in range(2000):
        assert ours.has_room_in(ours.messages)
        assert ours.has_room_in(flow)
        put(ours, ours.messages, "m" * 500)
        put(ours, flow, number)
        pair.settle()
        assert read(theirs, theirs.messages) == ["m" * 500]
        assert read(theirs, theirs.flows[flow.number]) == [number]


def test_flows_write_in_turns() -> None:
    """A long one does not keep a short one waiting for more than a turn of each."""
    ours = make_session(peer_window=1 << 30)
    flows = [ours.open_flow(""), ours.open_flow("")]
    ours.attach(0)
    for flow in flows:
        flow.was_granted(1 << 30)
    for _ in range(100):
        put(ours, ours.messages, "a" * 10_000)
        put(ours, flows[0], "b" * 10_000)
    put(ours, flows[1], "c")

    data = b"".join(ours.data_to_send(0.0, 100_000))

    assert b"c" in data[-200_000:]
    assert data.count(b"a" * 10_000) >= 3
    assert data.count(b"b" * 10_000) >= 3


def test_a_flow_goes_on_over_another_line() -> None:
    """Its OPEN, data, END, DONE are replayed like messages, wherever the line broke."""
    for cut_at in range(1, 700, 7):
        pair = open_pair()
        ours, theirs = pair.guest.core, pair.host.core
        flow = ours.open_flow("cut")
        put(ours, flow, "first")
        put(ours, flow, "second")
        ours.end_flow(flow)
        pair.step(up=cut_at, down=cut_at // 3)
        pair.cut()
        pair.dial()
        pair.settle()
        other = theirs.flows[1]
        theirs.end_flow(other)
        assert read(theirs, other) == ["first", "second"]
        pair.step(up=cut_at, down=cut_at // 5)
        pair.cut()
        pair.dial()
        pair.settle()
        assert read(ours, flow) == []
        pair.settle()

        assert list(ours.flows) == list(theirs.flows) == [0]
        assert flow.handled_by_peer == 2
        assert pair.guest.end is None or pair.guest.end.code is CloseCode.DEAD


def test_totals_of_a_flow_that_the_peer_has_not_heard_of_follow_its_open() -> None:
    """Told before, they would be about a flow that is not open there."""
    session = make_session()
    session.attach(0)
    session.data_to_send(0.0, 1 << 20)
    flow = session.open_flow("")
    session.data_to_send(0.0, 1 << 20)
    session.attach(0)
    kinds = [data[4] for data in session.data_to_send(0.0, 1 << 20)]

    about_flow = [kind for kind in kinds if kind in (FrameType.OPEN, FrameType.HANDLED, FrameType.CREDIT)]
    assert about_flow == [FrameType.HANDLED, FrameType.CREDIT, FrameType.OPEN]
    kinds = [data[4] for data in session.data_to_send(0.0, 1 << 20)]
    assert kinds == [FrameType.HANDLED, FrameType.CREDIT]
    assert flow.number == 1


def test_credit_of_a_flow_begins_small_and_grows() -> None:
    """Whoever opens begins with 4,096, and is granted more as soon as the peer has heard of it."""
    pair = open_pair()
    ours = pair.guest.core
    flow = ours.open_flow("")

    assert flow.credit == FIRST_CREDIT
    pair.settle()
    assert flow.credit > 100_000


def test_a_frame_beyond_the_first_credit_is_an_error() -> None:
    """A flow is bounded from its first byte on."""
    session = make_session(role=Role.SERVER)
    receive(session, *about(1))
    session.receive(TEXT, 1, (b"x" * FIRST_CREDIT,))

    with pytest.raises(ProtocolError, match="beyond its credit"):
        session.receive(TEXT, 1, (b"x",))


def test_a_close_takes_the_flows_along() -> None:
    """What was written into them is delivered before it, like messages."""
    pair = open_pair()
    ours, flow, theirs, other = both(pair)
    put(ours, flow, "before the close")
    ours.end_flow(flow)
    connection = pair.line.client
    connection.close(CloseCode.NORMAL, "", pair.now)
    pair.settle()

    assert read(theirs, other) == ["before the close"]


class Half:
    """One direction of one flow in a world of many, with its books."""

    def __init__(self, sender: Session, receiver: Session, number: int) -> None:
        self.sender, self.receiver, self.number = sender, receiver, number
        self.flow = sender.flows[number]
        self.said: list[str] = []
        self.heard: list[str] = []
        self.is_ended = False

    def act(self, chance: random.Random) -> None:
        if chance.random() < 0.5:
            if not self.is_ended and self.sender.has_room_in(self.flow):
                text = f"{self.number}.{len(self.said)}".ljust(chance.randrange(1, 300), ".")
                self.said.append(text)
                put(self.sender, self.flow, text)
            if chance.random() < 0.1 and not self.is_ended:
                self.is_ended = True
                self.sender.end_flow(self.flow)
        else:
            self.read()

    def read(self) -> None:
        flow = self.receiver.flows.get(self.number)
        if flow is not None:
            self.heard += read(self.receiver, flow)
        assert self.heard == self.said[: len(self.heard)]

    def finish(self) -> None:
        if not self.is_ended:
            self.is_ended = True
            self.sender.end_flow(self.flow)


@pytest.mark.parametrize("seed", range(30))
def test_many_flows_over_lines_that_break(seed: int) -> None:
    """Each direction of each flow delivers once and in order, and at the end nothing is left of any of them."""
    chance = random.Random(seed)
    limits = Limits(window=chance.choice((200, 3000, 1 << 18)), credit=chance.choice((4096, 1 << 20)))
    pair = open_pair(limits)
    ends = (pair.guest.core, pair.host.core)
    halves: list[Half] = []
    for _ in range(400):
        roll = chance.random()
        if roll < 0.05 and len(halves) < 40:
            opener = chance.choice(ends)
            peer = ends[opener is ends[0]]
            number = opener.open_flow("x").number
            halves.append(Half(opener, peer, number))
            pair.settle()
            halves.append(Half(peer, opener, number))
        elif roll < 0.12:
            pair.cut()
            pair.dial()
        elif halves and roll < 0.8:
            chance.choice(halves).act(chance)
        else:
            pair.step(up=chance.randrange(2000), down=chance.randrange(2000))
    for half in halves:
        half.finish()
    for _ in range(200):
        pair.settle()
        for half in halves:
            half.read()
    pair.wait(1.0)

    for half in halves:
        assert half.heard == half.said
        assert half.flow.handled_by_peer == len(half.said)
    for end in ends:
        assert list(end.flows) == [0]
        assert (end.outbox_frames, end.outbox_bytes, end.inbox_bytes, end.pressure.used) == (0, 0, 0, 0)


def test_the_wire_of_a_flow() -> None:
    """Its frames carry its number, and nothing else that is new."""
    session = make_session()
    session.attach(0)
    session.data_to_send(0.0, 1 << 20)
    flow = session.open_flow("p")
    put(session, flow, "x")
    session.end_flow(flow)

    assert session.data_to_send(0.0, 1 << 20) == [
        encode_payload(FrameType.OPEN, Open(purpose="p", window=flow.granted), 1),
        encode_frame(TEXT, 1, b"x"),
        encode_frame(FrameType.END, 1),
    ]
    assert COUNT.size == 8
