"""What a connection does when time passes: handshakes, frames, writing, silence; each has its bound, and each bound is met to the moment."""

from __future__ import annotations

import pytest

from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.events import ConnectionEnded, Event, Heard, LoopBlocked, Suspected
from landline.protocol.frames import HEADER, MAGIC, CloseCode, FrameType, encode_frame
from landline.protocol.handshake import Refusal, decode_payload, encode_payload
from landline.protocol.states import Phase, Role
from tests.protocol.lines import (
    Line,
    frames_of,
    hear,
    make_hello,
    make_session,
    make_welcome,
    open_pair,
    say,
)

HELLO = MAGIC + encode_payload(FrameType.HELLO, make_hello())


def run_until_the_end(
    connection: Connection, *, backlog: int = 0, until: float = 1e4
) -> tuple[float, list[Event]]:
    """Fire each timer in time, writing nowhere; return when the connection ended and what it reported."""
    events: list[Event] = []
    while (at := connection.timeout_at()) is not None and at <= until:
        connection.handle_timeout(at, backlog)
        events += connection.events()
        if connection.phase is Phase.CLOSED:
            return at, events
    raise AssertionError("it did not end")


def kinds_of(connection: Connection, now: float) -> list[str]:
    return [FrameType(kind).name for kind, _, _ in frames_of(connection.data_to_send(now))]


# Greeting...


@pytest.mark.limit("handshake_timeout")
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("said", [b"", MAGIC[:3], MAGIC, MAGIC + HEADER.pack(10, FrameType.HELLO, 0)])
def test_a_greeting_has_ten_seconds(role: Role, said: bytes) -> None:
    """However little of it came; a server tells who has shown the magic."""
    connection = Connection(role, Limits(handshake_timeout=10.0), 100.0)
    connection.receive_data(said, 109.0)

    at, events = run_until_the_end(connection)

    assert at == 110.0
    assert events == [
        ConnectionEnded(
            CloseCode.TIMED_OUT, "the handshake took too long", local=True, limit="handshake_timeout"
        )
    ]
    frames = frames_of(connection.data_to_send(at))
    assert [kind for kind, *_ in frames] == (
        [FrameType.REFUSE] if role is Role.SERVER and len(said) >= len(MAGIC) else []
    )
    for _, _, payload in frames:
        assert decode_payload(Refusal, payload).code is CloseCode.TIMED_OUT


def test_deciding_has_no_deadline_of_ours() -> None:
    """Who decides has one."""
    server = Connection(Role.SERVER, Limits(), 0.0)
    server.receive_data(HELLO, 0.0)

    assert server.timeout_at() is None


def test_a_confirmation_has_ten_seconds_and_no_ping_meanwhile() -> None:
    """The client may not have taken the welcome: nothing but a CLOSE may follow it."""
    server = Connection(Role.SERVER, Limits(handshake_timeout=10.0), 0.0)
    server.receive_data(HELLO, 0.0)
    server.welcome(make_welcome(heartbeat=1.0, dead_after=1.0), make_session(), 0, 50.0)
    server.data_to_send(50.0)
    server.events()

    at, events = run_until_the_end(server)

    assert (at, len(events)) == (60.0, 1)
    assert kinds_of(server, at) == ["CLOSE"]


# Frames...


@pytest.mark.limit("frame_timeout")
def test_a_started_frame_has_to_end() -> None:
    """30 s, and a second more for each KiB."""
    pair = open_pair(Limits(heartbeat_interval=1000.0))
    pair.line.server.receive_data(HEADER.pack(10 * 1024 - HEADER.size, FrameType.BYTES, 0), 5.0)

    at, events = run_until_the_end(pair.line.server)

    assert at == 5.0 + 30.0 + 10.0
    assert events == [
        ConnectionEnded(
            CloseCode.TIMED_OUT, "a frame took too long to arrive", local=True, limit="frame_timeout"
        )
    ]


def test_the_size_counts_however_the_header_was_cut() -> None:
    """A header that comes in two pieces allows the same time, from its first byte."""
    pair = open_pair(Limits(heartbeat_interval=1000.0))
    header = HEADER.pack(10 * 1024 - HEADER.size, FrameType.BYTES, 0)
    pair.line.server.receive_data(header[:2], 5.0)
    pair.line.server.receive_data(header[2:], 7.0)

    assert run_until_the_end(pair.line.server)[0] == 5.0 + 30.0 + 10.0


def test_single_bytes_do_not_prolong_a_frame() -> None:
    """They prove life, and no more than that."""
    pair = open_pair(Limits(heartbeat_interval=1000.0))
    server = pair.line.server
    frame = encode_frame(FrameType.BYTES, 0, bytes(100))
    for second in range(32):
        server.receive_data(frame[second : second + 1], float(second))
        server.handle_timeout(float(second))

    assert server.phase is Phase.CLOSED


def test_a_stream_that_never_pauses_between_frames_goes_on() -> None:
    """Each chunk ends within a frame, for a minute: every frame has its own time."""
    pair = open_pair(Limits(heartbeat_interval=1000.0))
    server, core = pair.line.server, pair.host.core
    frame = encode_frame(FrameType.TEXT, 0, b"hello")
    server.receive_data(frame[:5], 0.0)
    for second in range(1, 61):
        server.receive_data(frame[5:] + frame[:5], float(second))
        server.handle_timeout(float(second))
        hear(core)
        server.data_to_send(float(second))

    assert server.phase is Phase.OPEN
    assert core.received == 60


def test_between_frames_there_is_no_frame_deadline() -> None:
    """A finished frame's is gone with it."""
    pair = open_pair(Limits(heartbeat_interval=1000.0))
    frame = encode_frame(FrameType.TEXT, 0, b"hello")
    pair.line.server.receive_data(frame[:-1], 0.0)
    pair.line.server.receive_data(frame[-1:], 1.0)
    pair.line.server.data_to_send(100.0)

    pair.line.server.handle_timeout(100.0)

    assert pair.line.server.phase is Phase.OPEN


# Silence...


def test_a_dead_peer_is_found_in_33_seconds() -> None:
    """By either end: a ping, a suspicion, the verdict; and nothing is written to the dead."""
    for role in Role:
        pair = open_pair(Limits(heartbeat_interval=25.0, dead_after=8.0))
        pair.wait(1.0)
        pair.settle()
        connection = pair.line.client if role is Role.CLIENT else pair.line.server
        connection.events()

        at, events = run_until_the_end(connection)

        assert at <= 33.0 + 1.0
        assert events[-2:] == [
            Suspected(),
            ConnectionEnded(
                CloseCode.DEAD, "nothing was heard from the peer", local=True, limit="dead_after"
            ),
        ]
        assert kinds_of(connection, at) == ["PING"]


def test_jitter_takes_off_up_to_a_fifth() -> None:
    """So that sessions do not beat together."""
    beats = []
    for jitter in (0.0, 0.5, 1.0):
        client = Connection(Role.CLIENT, Limits(), 0.0, jitter=jitter)
        client.greet(make_hello())
        client.receive_data(MAGIC + encode_payload(FrameType.WELCOME, make_welcome()), 0.0)
        client.carry(make_welcome(heartbeat=25.0), make_session(), 0.0)
        beats.append(client.timeout_at())

    assert beats == [25.0, 22.5, 20.0]


def test_two_quiet_ends_keep_each_other_alive() -> None:
    """For hours, with nothing but pings and pongs, and no suspicion."""
    pair = open_pair()
    pair.guest.log.clear()
    pair.host.log.clear()

    pair.wait(3600.0)

    assert (pair.guest.log, pair.host.log) == ([], [])
    assert pair.line.client.phase is pair.line.server.phase is Phase.OPEN


def test_a_program_that_does_not_read_is_not_dead() -> None:
    """Its inbox is full, its heart beats: control never waits behind data."""
    pair = open_pair(Limits(window=200))
    for number in range(100):
        say(pair.guest.core, number)

    pair.wait(300.0)

    assert pair.line.client.phase is pair.line.server.phase is Phase.OPEN
    assert pair.guest.core.has_unsent


def test_a_suspicion_is_lifted_by_any_byte() -> None:
    """And only then is it reported that the line lives."""
    pair = open_pair()
    client = pair.line.client
    client.data_to_send(0.0)
    for at in (25.0, 29.0):
        client.handle_timeout(at)
    assert client.events() == [Suspected()]

    client.receive_data(b"\x00", 30.0)

    assert client.events() == [Heard()]
    client.receive_data(b"\x00", 30.0)
    assert client.events() == []


def test_a_loop_that_stood_still_reads_before_it_judges() -> None:
    """The bytes that came meanwhile lie unread: it says so, pings, and gives them time."""
    pair = open_pair()
    client = pair.line.client
    client.handle_timeout(25.0)
    client.data_to_send(25.0)

    client.handle_timeout(100.0)

    assert client.events() == [LoopBlocked(100.0 - 29.0)]
    assert kinds_of(client, 100.0) == ["PING"]
    client.handle_timeout(103.9)
    client.receive_data(encode_frame(FrameType.PONG), 100.1)
    assert client.phase is Phase.OPEN


def test_a_suspected_line_is_cleared_after_the_loop_stood_still() -> None:
    """Whoever was shown the suspicion is shown its end."""
    pair = open_pair()
    client = pair.line.client
    for at in (25.0, 29.0, 60.0):
        client.handle_timeout(at)
    assert client.events() == [Suspected(), LoopBlocked(60.0 - 33.0)]

    client.receive_data(encode_frame(FrameType.PONG), 60.1)

    assert client.events() == [Heard()]


# Writing...


@pytest.mark.limit("write_timeout")
def test_a_peer_that_takes_nothing_is_given_up_in_ten_seconds() -> None:
    """Although it talks: bytes that do not leave are no line."""
    pair = open_pair(Limits(write_timeout=10.0, heartbeat_interval=1000.0))
    pair.wait(100.0)
    start = pair.now
    say(pair.guest.core, "stuck")
    size = sum(map(len, pair.line.client.data_to_send(start)))
    pair.line.client.receive_data(encode_frame(FrameType.PING), start + 5.0)

    at, events = run_until_the_end(pair.line.client, backlog=size)

    assert at == start + 10.0
    assert events == [
        ConnectionEnded(CloseCode.DEAD, "the peer takes no more bytes", local=True, limit="write_timeout")
    ]


def test_a_slow_peer_is_not_given_up() -> None:
    """As long as anything leaves within each ten seconds."""
    pair = open_pair(Limits(write_timeout=10.0, heartbeat_interval=1000.0))
    say(pair.guest.core, bytes(1000))
    pair.line.client.data_to_send(pair.now)
    backlog = 1000

    while backlog > 0 and (at := pair.line.client.timeout_at()) is not None:
        pair.line.client.handle_timeout(at, backlog)
        if at % 7.5 == 0:
            backlog -= 100

    assert pair.line.client.phase is Phase.OPEN


def test_an_ack_that_cannot_be_written_does_not_spin() -> None:
    """A transport that takes nothing: the times to wait for lie ahead all the same, and the ack goes when it can."""
    pair = open_pair(Limits(heartbeat_interval=1000.0))
    server = pair.line.server
    server.receive_data(encode_frame(FrameType.TEXT, 0, b"x"), 1.0)
    assert server.data_to_send(1.0) == []
    due = server.timeout_at()
    assert due is not None
    assert due == pytest.approx(1.25)

    server.handle_timeout(due)

    following = server.timeout_at()
    assert following is not None
    assert following > due
    assert kinds_of(server, 2.0) == ["ACK"]


def test_a_timer_that_fires_early_or_twice_does_nothing() -> None:
    """The driver's timer may be older than what it waits for."""
    pair = open_pair()
    for connection in (pair.line.client, pair.line.server):
        for _ in range(3):
            connection.handle_timeout(1.0)

        assert connection.events() == []
        assert connection.data_to_send(1.0) == []


def test_nothing_to_wait_for_after_the_end() -> None:
    """No timer outlives its connection."""
    pair = open_pair()
    pair.line.cut()

    assert (pair.line.client.timeout_at(), pair.line.server.timeout_at()) == (None, None)


def test_half_open_is_found_by_both() -> None:
    """Bytes flow one way only: the deaf end judges by silence, and the other because no answer comes."""
    pair = open_pair(Limits(heartbeat_interval=25.0, dead_after=8.0))
    line = Line(pair.line.client, pair.line.server)
    ended: dict[Role, float] = {}
    while len(ended) < 2:
        live = [end for end in (line.client, line.server) if end.phase is not Phase.CLOSED]
        now = min(at for end in live if (at := end.timeout_at()) is not None)
        for end in live:
            end.handle_timeout(now)
        line.write(now)
        line.down.clear()
        line.move(now)
        for end in live:
            if end.phase is Phase.CLOSED:
                ended[end.role] = now

    assert ended[Role.CLIENT] <= 34.0
    assert ended[Role.SERVER] <= ended[Role.CLIENT] + 34.0


@pytest.mark.limit("protocol.beat")
@pytest.mark.parametrize(("asked", "first"), [(0.0, 0.05), (0.05, 0.05), (0.06, 0.06)])
def test_a_peer_cannot_press_the_heartbeat(asked: float, first: float) -> None:
    """What it asks for holds from 50 ms on; less would be a flood of pings."""
    client = Connection(Role.CLIENT, Limits(), 0.0, jitter=0.0)
    client.greet(make_hello())
    client.receive_data(MAGIC + encode_payload(FrameType.WELCOME, make_welcome()), 0.0)
    client.carry(make_welcome(heartbeat=asked, dead_after=asked), make_session(), 0.0)

    assert client.timeout_at() == first
