"""One transport's life as a conversation: the greeting, messages in any chunks, every way a peer can break a rule, every code to end with."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landline.limits import Limits
from landline.protocol import frames
from landline.protocol.connection import WRITE_BUDGET, Connection
from landline.protocol.events import (
    ConnectionEnded,
    Event,
    HelloReceived,
    MessagesReceived,
    OutcomesKnown,
    PeerClosed,
    ResumeReceived,
    RoomMade,
    Turned,
    Welcomed,
)
from landline.protocol.frames import (
    COUNT,
    COUNTS,
    FRAME_COST,
    HEADER,
    MAGIC,
    CloseCode,
    FrameType,
    encode_frame,
)
from landline.protocol.handshake import Close, Refusal, decode_payload, encode_payload
from landline.protocol.states import Phase, Role
from tests.protocol.lines import (
    TOKEN,
    Pair,
    frames_of,
    hear,
    make_hello,
    make_resume,
    make_session,
    make_welcome,
    open_pair,
    say,
)

HELLO = encode_payload(FrameType.HELLO, make_hello())
WELCOME = encode_payload(FrameType.WELCOME, make_welcome())


def make_server(limits: Limits | None = None) -> Connection:
    return Connection(Role.SERVER, limits or Limits(), 0.0)


def make_client(limits: Limits | None = None) -> Connection:
    connection = Connection(Role.CLIENT, limits or Limits(), 0.0)
    connection.greet(make_hello())
    connection.data_to_send(0.0)
    return connection


def open_client(limits: Limits | None = None) -> Connection:
    connection = make_client(limits)
    connection.receive_data(MAGIC + WELCOME, 0.0)
    connection.carry(make_welcome(), make_session(limits), 0.0)
    connection.data_to_send(0.0)
    connection.events()
    return connection


def open_server(limits: Limits | None = None) -> Connection:
    connection = make_server(limits)
    connection.receive_data(MAGIC + HELLO, 0.0)
    connection.welcome(make_welcome(), make_session(limits), 0, 0.0)
    connection.receive_data(encode_frame(FrameType.CONFIRM, 0, TOKEN), 0.0)
    connection.data_to_send(0.0)
    connection.events()
    return connection


def end_of(connection: Connection) -> ConnectionEnded:
    """Return the last event, which says how it ended."""
    assert connection.phase is Phase.CLOSED
    *_, end = connection.events()
    assert isinstance(end, ConnectionEnded)
    return end


def kinds_of(data: list[bytes]) -> list[str]:
    return [FrameType(kind).name for kind, _, _ in frames_of(data)]


def last_frame(connection: Connection, now: float = 0.0) -> Close | Refusal:
    """Return what the connection writes last: why it closes or refuses."""
    *_, (kind, _, payload) = frames_of(connection.data_to_send(now))
    if kind == FrameType.REFUSE:
        return decode_payload(Refusal, payload)
    assert kind == FrameType.CLOSE
    return decode_payload(Close, payload)


# The greeting...


def test_the_first_words() -> None:
    """Magic and HELLO; magic and WELCOME; CONFIRM with the token of the welcome, then totals, then messages."""
    client, server = Connection(Role.CLIENT, Limits(), 0.0), make_server()
    client.greet(make_hello())
    hello = b"".join(client.data_to_send(0.0))
    assert hello == MAGIC + HELLO

    server.receive_data(hello, 0.0)
    assert server.events() == [HelloReceived(make_hello())]
    server.welcome(make_welcome(), make_session(), 0, 0.0)
    welcome = b"".join(server.data_to_send(0.0))
    assert welcome == MAGIC + WELCOME
    assert server.phase is Phase.CONFIRMING

    client.receive_data(welcome, 0.0)
    assert client.events() == [Welcomed(make_welcome())]
    session = make_session()
    say(session, "at once")
    client.carry(make_welcome(), session, 0.0)
    first = client.data_to_send(0.0)
    assert frames_of(first)[0] == (FrameType.CONFIRM, 0, TOKEN)
    assert kinds_of(first) == ["CONFIRM", "ACK", "HANDLED", "CREDIT", "TEXT"]

    server.receive_data(b"".join(first), 0.0)
    assert (client.phase, server.phase) == (Phase.OPEN, Phase.OPEN)


def test_a_server_says_nothing_before_the_confirmation() -> None:
    """Whatever its program sends: the client may not have taken the welcome yet."""
    server, session = make_server(), make_session()
    server.receive_data(MAGIC + HELLO, 0.0)
    server.welcome(make_welcome(), session, 0, 0.0)
    say(session, "early")

    assert kinds_of(server.data_to_send(0.0)) == ["WELCOME"]
    assert server.data_to_send(9.0) == []
    server.receive_data(encode_frame(FrameType.CONFIRM, 0, TOKEN), 9.0)
    assert kinds_of(server.data_to_send(9.0))[-1] == "TEXT"


@pytest.mark.parametrize(
    "changes", [{"resumed": True}, {"resumed": True, "session": b"o" * 16}], ids=["resumed", "another"]
)
def test_a_welcome_back_to_a_newcomer_is_a_protocol_error(changes: dict[str, Any]) -> None:
    """Who asked for a new session is not given an old one."""
    client = make_client()

    client.receive_data(MAGIC + encode_payload(FrameType.WELCOME, make_welcome(**changes)), 0.0)

    assert end_of(client).code is CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "changes", [{"resumed": False}, {"resumed": True, "session": b"o" * 16}], ids=["new", "another"]
)
def test_a_welcome_that_resumes_something_else_is_a_protocol_error(changes: dict[str, Any]) -> None:
    """Counts of one session are never taken for another's."""
    client = Connection(Role.CLIENT, Limits(), 0.0)
    client.greet(make_resume())

    client.receive_data(MAGIC + encode_payload(FrameType.WELCOME, make_welcome(**changes)), 0.0)

    assert end_of(client).code is CloseCode.PROTOCOL_ERROR


def test_a_resume_is_the_first_frame() -> None:
    """And is asked about like a hello."""
    server = make_server()

    server.receive_data(MAGIC + encode_payload(FrameType.RESUME, make_resume()), 0.0)

    assert server.events() == [ResumeReceived(make_resume())]
    assert server.phase is Phase.DECIDING


def test_a_refusal_is_the_last_word() -> None:
    """Its code and reason end both connections."""
    client, server = make_client(), make_server()
    server.receive_data(MAGIC + HELLO, 0.0)
    refusal = Refusal(code=CloseCode.BUSY, reason="full", retry_in=2.0)
    server.events()

    server.refuse(refusal)
    client.receive_data(b"".join(server.data_to_send(0.0)), 0.0)

    assert client.events() == [Turned(refusal), ConnectionEnded(CloseCode.BUSY, "full", local=False)]
    assert end_of(server) == ConnectionEnded(CloseCode.BUSY, "full", local=True)


def test_a_miscount_at_the_welcome_writes_nothing() -> None:
    """The server raises before its answer is written, so that it can still refuse."""
    server = make_server()
    server.receive_data(MAGIC + encode_payload(FrameType.RESUME, make_resume()), 0.0)

    with pytest.raises(Exception, match="cannot be"):
        server.welcome(make_welcome(), make_session(), 1, 0.0)

    assert server.data_to_send(0.0) == []
    server.refuse(Refusal(code=CloseCode.MISCOUNT))
    assert last_frame(server).code is CloseCode.MISCOUNT


@pytest.mark.parametrize(
    "text", [b"GET / HTTP/1.1\r\n", b"hello\n", b"\x16\x03\x01", b"\xfeLNDLM\x00\x01", b"\xfe\xfe"]
)
@pytest.mark.parametrize("make", [make_client, make_server])
def test_who_does_not_speak_landline_is_told_nothing(make: Callable[[], Connection], text: bytes) -> None:
    """Frames would be noise to it; it is over at the first wrong byte."""
    connection = make()

    connection.receive_data(text, 0.0)

    assert connection.data_to_send(0.0) == []
    assert end_of(connection).code is CloseCode.PROTOCOL_ERROR


def test_another_version_is_told_which_we_speak() -> None:
    """The magic is enough of a common language for a refusal."""
    server = make_server()

    server.receive_data(MAGIC[:-1] + b"\x02", 0.0)

    refusal = last_frame(server)
    assert (refusal.code, refusal.reason) == (
        CloseCode.VERSION,
        "the peer speaks version 2 of the protocol, we speak 1",
    )
    assert end_of(server).code is CloseCode.VERSION


def test_an_unconfirmed_size_or_count_is_a_protocol_error() -> None:
    """A token has 32 bytes, a count 8, an ACK 16."""
    server = make_server()
    server.receive_data(MAGIC + HELLO, 0.0)
    server.welcome(make_welcome(), make_session(), 0, 0.0)
    server.receive_data(encode_frame(FrameType.CONFIRM, 0, TOKEN[:-1]), 0.0)
    assert end_of(server).reason == "a token of the wrong size"

    for kind in (FrameType.ACK, FrameType.HANDLED, FrameType.CREDIT, FrameType.ASK):
        for payload in (b"", bytes(7), bytes(9), bytes(15), bytes(17)):
            connection = open_client()
            connection.receive_data(encode_frame(kind, 0, payload), 0.0)
            assert end_of(connection).code is CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize("kind", [FrameType.HANDLED, FrameType.CREDIT, FrameType.ASK])
def test_counts_have_63_bits(kind: FrameType) -> None:
    """So that they fit every language's integers."""
    connection = open_client()

    connection.receive_data(encode_frame(kind, 0, COUNT.pack(1 << 63)), 0.0)

    assert end_of(connection).reason == "a count beyond 63 bits"


# What a caller may cost before it is let in...


@pytest.mark.limit("preauth_bytes")
def test_a_caller_that_says_too_much_is_refused() -> None:
    """4 KiB before it is let in, whatever it is."""
    server = make_server()

    server.receive_data(MAGIC + bytes(5000), 0.0)

    assert last_frame(server).code is CloseCode.TOO_LARGE


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_nothing_piles_up_while_it_is_decided(size: int) -> None:
    """A caller that goes on before its answer is refused, also when it does not finish a frame."""
    server = make_server()
    server.receive_data(MAGIC + HELLO, 0.0)
    data = HEADER.pack(1 << 20, FrameType.BYTES, 0) + bytes(10_000)

    for start in range(0, len(data), size):
        server.receive_data(data[start : start + size], 0.0)

    assert end_of(server).code is CloseCode.TOO_LARGE


def test_single_bytes_before_the_hello_cost_what_they_are() -> None:
    """No frame of a caller, however declared, holds more than it sent."""
    server = make_server()
    server.receive_data(MAGIC + HEADER.pack(4000, FrameType.HELLO, 0), 0.0)
    tracemalloc.start()
    try:
        for _ in range(3900):
            server.receive_data(b"x", 0.0)
        ours = tracemalloc.Filter(
            True, str(Path(frames.__file__).with_name("*"))
        )  # whatever else runs meanwhile
        held = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([ours]).traces)
    finally:
        tracemalloc.stop()

    assert 3900 <= held < 1.5 * 3900
    assert server.phase is Phase.GREETING


@pytest.mark.long
def test_a_message_of_a_megabyte_in_single_bytes_arrives() -> None:
    """Slow, but whole, and in linear time."""
    connection = open_client(Limits(max_message=1 << 18))
    session = connection.session
    assert session is not None
    whole = encode_frame(FrameType.BYTES, 0, bytes(1 << 18))

    for at in range(len(whole)):
        connection.receive_data(whole[at : at + 1], 0.0)

    assert hear(session) == [bytes(1 << 18)]


# Messages...


def test_messages_arrive_in_order_and_are_acked() -> None:
    """Both ways; the outcome is known when the other program is done with them."""
    pair = open_pair()
    for number in range(5):
        say(pair.guest.core, number)
        say(pair.host.core, str(number))
    pair.settle()

    assert hear(pair.host.core) == [0, 1, 2, 3, 4]
    assert hear(pair.guest.core) == ["0", "1", "2", "3", "4"]
    pair.wait(0.3)
    for core in (pair.guest.core, pair.host.core):
        assert (core.messages.handled_by_peer, core.outbox_frames, core.outbox_bytes) == (5, 0, 0)


def test_events_come_once_per_chunk() -> None:
    """However many frames were in it."""
    connection = open_client()
    session = connection.session
    assert session is not None
    for text in "ab":
        say(session, text)
    connection.data_to_send(0.0)
    session.lacks_room = True
    frames = encode_frame(FrameType.TEXT, 0, b"x") * 3
    acks = encode_frame(FrameType.ACK, 0, COUNTS.pack(2, 3)) + encode_frame(
        FrameType.HANDLED, 0, COUNT.pack(2)
    )

    session.lacks_room = True
    connection.receive_data(frames + acks, 0.0)

    assert connection.events() == [MessagesReceived(0), OutcomesKnown(0, 2), RoomMade()]
    assert not session.lacks_room


@settings(max_examples=40)
@given(
    st.lists(st.one_of(st.text(max_size=50), st.binary(max_size=50), st.integers(0, 9)), max_size=20),
    st.data(),
)
def test_a_conversation_does_not_depend_on_the_chunks(values: list[Any], data: st.DataObject) -> None:
    """The same messages and outcomes, in slices of any size."""
    pair = Pair()
    slices = data.draw(st.integers(1, 40))
    pair.settle(slices=slices)
    for value in values:
        say(pair.guest.core, value)
        say(pair.host.core, value)
        for _ in range(data.draw(st.integers(0, 3))):
            pair.step(up=data.draw(st.integers(0, 40)), down=data.draw(st.integers(0, 40)))
    pair.settle(slices=slices)

    assert hear(pair.host.core) == values
    assert hear(pair.guest.core) == values


def test_credit_is_never_exceeded_and_always_comes_back() -> None:
    """A window far smaller than what is sent, and messages larger than the window."""
    pair = open_pair(Limits(window=300))
    values = [bytes(size) for size in (10, 1000, 0, 299, 300, 5, 2000)] * 5
    for value in values:
        say(pair.guest.core, value)

    heard: list[Any] = []
    while len(heard) < len(values):
        pair.settle()
        flow = pair.host.core.messages
        assert flow.received_cost - flow.taken_cost < 300 + 2000 + FRAME_COST
        assert flow.inbox
        heard.append(pair.host.core.take(flow))
        pair.wait(0.1)

    assert heard == values
    assert pair.line.server.phase is Phase.OPEN


@pytest.mark.limit("protocol.write")
def test_one_call_writes_a_budget_and_says_that_there_is_more() -> None:
    """So that one session does not hold the loop; the rest comes with the next calls."""
    connection = open_client()
    session = connection.session
    assert session is not None
    session.receive_credit(0, 1 << 40)
    for _ in range(3):
        say(session, bytes(WRITE_BUDGET))

    sizes = [sum(map(len, connection.data_to_send(0.0)))]
    while connection.has_more_to_send:
        sizes.append(sum(map(len, connection.data_to_send(0.0))))

    assert [size // WRITE_BUDGET for size in sizes] == [1, 1, 1]
    assert not connection.has_more_to_send


def test_a_ping_flood_is_answered_once_a_write() -> None:
    """A million pings cost one pong, and no memory."""
    connection = open_client()

    connection.receive_data(encode_frame(FrameType.PING) * 100_000, 0.0)

    assert kinds_of(connection.data_to_send(0.0)) == ["PONG"]
    assert connection.data_to_send(0.0) == []


# Broken rules...


@pytest.mark.parametrize("make", [open_client, open_server])
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (encode_frame(FrameType.HELLO), CloseCode.PROTOCOL_ERROR),
        (encode_frame(FrameType.TEXT, 5, b"x"), CloseCode.PROTOCOL_ERROR),
        (encode_frame(FrameType.TEXT, 0, b"\xff"), CloseCode.BAD_DATA),
        (encode_frame(FrameType.PACKED, 0, b"\xc1"), CloseCode.BAD_DATA),
        (encode_frame(FrameType.ACK, 0, COUNTS.pack(1, 0)), CloseCode.MISCOUNT),
        (encode_frame(FrameType.ACK, 0, COUNTS.pack(0, 1)), CloseCode.MISCOUNT),
        (encode_frame(FrameType.HANDLED, 0, COUNT.pack(1)), CloseCode.MISCOUNT),
        (encode_frame(FrameType.CREDIT, 0, COUNT.pack(5)), CloseCode.PROTOCOL_ERROR),
        (HEADER.pack(1 << 31, FrameType.BYTES, 0), CloseCode.TOO_LARGE),
        (HEADER.pack(5000, FrameType.PING, 0), CloseCode.TOO_LARGE),
        (encode_frame(FrameType.BYTES, 0, bytes(Limits().window)) * 2, CloseCode.PROTOCOL_ERROR),
        (encode_frame(FrameType.CLOSE, 0, b"\x80"), CloseCode.PROTOCOL_ERROR),
    ],
)
def test_a_broken_rule_ends_the_connection_and_is_told(
    make: Callable[[], Connection], data: bytes, code: CloseCode
) -> None:
    """With the code that both ends then report; what follows in the same chunk is not looked at."""
    connection = make()

    connection.receive_data(data + encode_frame(FrameType.PING), 0.0)

    end = end_of(connection)
    assert (end.code, end.local) == (code, True)
    close = last_frame(connection)
    assert (close.code, close.reason) == (code, end.reason)
    peer = open_server()
    peer.receive_data(encode_payload(FrameType.CLOSE, Close(code=code, reason=end.reason)), 0.0)
    assert end_of(peer) == ConnectionEnded(code, end.reason, local=False)


def test_after_the_end_nothing_is_read_written_or_waited_for() -> None:
    """Not even once more, whoever asks."""
    connection = open_server()
    connection.break_off(CloseCode.FAILED, "internal error")
    assert kinds_of(connection.data_to_send(0.0)) == ["CLOSE"]
    assert len(connection.events()) == 1

    connection.receive_data(encode_frame(FrameType.PING), 0.0)
    connection.receive_end()
    connection.break_off(CloseCode.FAILED, "again")
    connection.close(CloseCode.NORMAL, "", 0.0)
    connection.refuse(Refusal(code=CloseCode.BUSY))
    connection.fence()
    connection.handle_timeout(1e6)

    assert connection.data_to_send(1e6) == []
    assert connection.events() == []
    assert connection.timeout_at() is None
    assert not connection.has_more_to_send


def test_a_caller_that_went_while_it_was_decided_about_is_not_let_in() -> None:
    """Its end is reported, and no welcome brings it back."""
    server, session = make_server(), make_session()
    server.receive_data(MAGIC + HELLO, 0.0)
    server.receive_end()

    server.welcome(make_welcome(), session, 0, 0.0)

    assert server.phase is Phase.CLOSED
    assert server.data_to_send(0.0) == []
    assert end_of(server).code is CloseCode.DEAD


@pytest.mark.parametrize("is_told", [True, False])
def test_a_line_that_ends_behind_its_welcome_is_not_carried_on(is_told: bool) -> None:
    """Whether the server closed at once or the line dropped: who takes the welcome hears of the end, though it was reported before."""
    client, session = make_client(), make_session()
    close = encode_payload(FrameType.CLOSE, Close(code=CloseCode.GOING_AWAY, retry_in=1.0))
    client.receive_data(MAGIC + WELCOME + (close if is_told else b""), 0.0)
    client.receive_end()
    seen: list[Event] = client.events()
    assert isinstance(seen[0], Welcomed)
    assert (PeerClosed(CloseCode.GOING_AWAY, "", 1.0) in seen) is is_told

    client.carry(make_welcome(), session, 0.0)

    *told, end = client.events()
    assert told == ([PeerClosed(CloseCode.GOING_AWAY, "", 1.0)] if is_told else [])
    assert isinstance(end, ConnectionEnded)
    assert end.code is (CloseCode.GOING_AWAY if is_told else CloseCode.DEAD)
    assert client.data_to_send(0.0) == []


@given(st.binary(max_size=200), st.sampled_from(["open_client", "open_server", "make_client", "make_server"]))
def test_any_bytes_are_survived(data: bytes, make: str) -> None:
    """Nothing escapes, whatever arrives; and after the end there is silence."""
    connection: Connection = globals()[make]()

    connection.receive_data(MAGIC + data if make.startswith("make") else data, 0.0)
    connection.data_to_send(0.0)

    if connection.phase is Phase.CLOSED:
        assert connection.timeout_at() is None


@given(
    st.lists(
        st.tuples(st.integers(0, 0x24), st.integers(0, 2), st.integers(0, 3), st.binary(max_size=4)),
        max_size=20,
    )
)
def test_any_frames_are_survived(frames: list[tuple[int, int, int, bytes]]) -> None:
    """Well-formed or not: counts are right, or the connection ends."""
    connection = open_server()
    session = connection.session
    assert session is not None
    say(session, "mine")
    connection.data_to_send(0.0)

    for kind, number, count, payload in frames:
        counted = {FrameType.ACK: COUNTS.pack(count, count), FrameType.HANDLED: COUNT.pack(count)}
        connection.receive_data(
            encode_frame(kind, number, counted.get(FrameType(kind), payload) if 0 < kind < 13 else payload),
            0.0,
        )

    assert session.received == session.messages.received
    assert session.outbox_frames in (0, 1)
    assert session.messages.handled_by_peer <= session.sent


# Every code...


def _normal() -> Connection:
    connection = open_client()
    connection.close(CloseCode.NORMAL, "", 0.0)
    connection.receive_data(encode_payload(FrameType.CLOSE, Close(code=CloseCode.NORMAL)), 0.0)
    return connection


def _going_away() -> Connection:
    connection = open_client()
    connection.receive_data(encode_payload(FrameType.CLOSE, Close(code=CloseCode.GOING_AWAY)), 0.0)
    return connection


def _replaced() -> Connection:
    connection = open_server()
    connection.fence()
    return connection


def _refused_by(prepare: Callable[[Pair], None]) -> Callable[[], Connection]:
    def run() -> Connection:
        pair = open_pair()
        pair.cut()
        prepare(pair)
        pair.dial()
        pair.settle()
        connection = pair.line.client
        assert pair.guest.end is not None
        connection.happened = [pair.guest.end]  # the guest has read it already
        return connection

    return run


def _raise_attempt(pair: Pair) -> None:
    pair.host.record.attempt = 99


def _forge_token(pair: Pair) -> None:
    pair.guest.token = b"x" * 32


def _forget(pair: Pair) -> None:
    pair.guest.id = b"x" * 16


def _wait_too_long(pair: Pair) -> None:
    pair.now += 300.0


def _use_a_retired_token(pair: Pair) -> None:
    old = pair.guest.token
    pair.dial()
    pair.settle()
    pair.cut()
    pair.guest.token = old


def _dead() -> Connection:
    connection = open_client()
    for _ in range(3):
        at = connection.timeout_at()
        assert at is not None
        connection.data_to_send(at)
        connection.handle_timeout(at)
    for _ in range(20):
        at = connection.timeout_at()
        if at is None:
            break
        connection.handle_timeout(at)
    return connection


def _sent(data: bytes) -> Callable[[], Connection]:
    def run() -> Connection:
        connection = open_client()
        connection.receive_data(data, 0.0)
        return connection

    return run


def _version() -> Connection:
    connection = make_client()
    connection.receive_data(MAGIC[:-1] + b"\x09", 0.0)
    return connection


def _busy() -> Connection:
    connection = make_server()
    connection.refuse(Refusal(code=CloseCode.BUSY))
    return connection


def _failed() -> Connection:
    connection = open_server()
    connection.break_off(CloseCode.FAILED, "internal error")
    return connection


def _timed_out() -> Connection:
    connection = make_server()
    connection.receive_data(MAGIC, 0.0)
    connection.handle_timeout(10.0)
    return connection


WAYS: dict[CloseCode, Callable[[], Connection]] = {
    CloseCode.NORMAL: _normal,
    CloseCode.GOING_AWAY: _going_away,
    CloseCode.REPLACED: _replaced,
    CloseCode.STALE: _refused_by(_raise_attempt),
    CloseCode.DEAD: _dead,
    CloseCode.PROTOCOL_ERROR: _sent(encode_frame(0)),
    CloseCode.MISCOUNT: _sent(encode_frame(FrameType.ACK, 0, COUNTS.pack(1, 0))),
    CloseCode.TOO_LARGE: _sent(HEADER.pack(1 << 31, FrameType.TEXT, 0)),
    CloseCode.BAD_DATA: _sent(encode_frame(FrameType.TEXT, 0, b"\xff")),
    CloseCode.UNAUTHORIZED: _refused_by(_forge_token),
    CloseCode.UNKNOWN_SESSION: _refused_by(_forget),
    CloseCode.EXPIRED: _refused_by(_wait_too_long),
    CloseCode.REVOKED: _refused_by(_use_a_retired_token),
    CloseCode.BUSY: _busy,
    CloseCode.VERSION: _version,
    CloseCode.FAILED: _failed,
    CloseCode.TIMED_OUT: _timed_out,
}


@pytest.mark.parametrize("code", CloseCode, ids=lambda code: code.name.lower())
def test_every_code_is_reached(code: CloseCode) -> None:
    """Each code has a way to it, and no code lacks one."""
    assert end_of(WAYS[code]()).code is code


@pytest.mark.parametrize("seed", range(200))
@pytest.mark.long
def test_a_flipped_bit_is_survived(seed: int) -> None:
    """A carrier without checksums may change a bit of anything: nothing escapes, and no more is delivered than was sent."""
    chance = random.Random(seed)
    pair = open_pair()
    for number in range(20):
        say(pair.guest.core, f"up {number}")
        say(pair.host.core, f"down {number}")
    line = pair.line
    line.write(pair.now)
    for direction in (line.up, line.down):
        direction[chance.randrange(len(direction))] ^= 1 << chance.randrange(8)

    pair.settle()
    pair.wait(100.0)

    assert pair.guest.core.received <= 20
    assert pair.guest.core.messages.handled_by_peer == 0


@pytest.mark.limit("preauth_bytes")
@pytest.mark.parametrize("missing", [0, 1])
def test_a_greeting_may_take_all_that_is_read_before_the_entrance(missing: int) -> None:
    """Behind the magic; a byte less room, and the same greeting is refused."""
    server = make_server(Limits(preauth_bytes=len(HELLO) - missing))

    server.receive_data(MAGIC + HELLO, 0.0)

    if missing:
        assert last_frame(server).code is CloseCode.TOO_LARGE
        assert end_of(server).limit == "preauth_bytes"
    else:
        assert [type(event).__name__ for event in server.events()] == ["HelloReceived"]
