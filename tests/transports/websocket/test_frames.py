"""WebSocket's frames: what is read does not depend on the chunks, every rule has its code, and nothing costs what it only declares."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.limits import TRANSPORT
from landline.transports.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Arrival,
    CloseReason,
    FrameReader,
    WebSocketError,
    encode_close,
    encode_frame,
    read_close,
)

KEY = b"\x37\xfa\x21\x3d"
MASKED_HELLO = bytes.fromhex("818537fa213d7f9f4d5158")  # of RFC 6455, section 5.7
A = b"a" * 65536


def reader(*, is_masked: bool = False, max_message: int = 1 << 20) -> FrameReader:
    return FrameReader(is_masked=is_masked, max_message=max_message, takes_text=True)


def read(reader: FrameReader, data: bytes, size: int) -> tuple[list[tuple[int, bytes]], bytes, int]:
    """Feed ``data`` in chunks; return what is complete, what is there of the rest, and the code of the failure or 0."""
    complete: list[tuple[int, bytes]] = []
    rest = b""
    for at in range(0, len(data), size):
        for kind, payload, is_complete in reader.feed(data[at : at + size]):
            if kind & 8:
                complete.append((kind, payload))
                continue
            rest += payload
            if is_complete:
                complete.append((kind, rest))
                rest = b""
    return complete, rest, 0 if reader.failure is None else reader.failure.close_code


def all_of(*frames: bytes) -> list[Arrival]:
    found = reader()
    arrived = found.feed(b"".join(frames))
    assert found.failure is None
    return arrived


def failure(*frames: bytes, **arguments: int) -> WebSocketError:
    found = reader(**arguments)  # type: ignore[arg-type]
    found.feed(b"".join(frames))
    assert found.failure is not None
    return found.failure


# What arrives...

messages = st.lists(
    st.one_of(
        st.tuples(st.just(BINARY), st.lists(st.binary(max_size=200), min_size=1, max_size=4)),
        st.tuples(st.just(TEXT), st.lists(st.text(max_size=60).map(str.encode), min_size=1, max_size=3)),
        st.tuples(st.sampled_from([PING, PONG]), st.lists(st.binary(max_size=125), min_size=1, max_size=1)),
    ),
    max_size=6,
)


def frames_of(messages: list[tuple[int, list[bytes]]], key: bytes) -> bytes:
    return b"".join(
        encode_frame(CONTINUATION if number else kind, part, key, is_final=number == len(parts) - 1)
        for kind, parts in messages
        for number, part in enumerate(parts)
    )


@given(messages=messages, is_masked=st.booleans(), size=st.integers(1, 400))
def test_what_is_written_is_read_whatever_the_chunks(
    messages: list[tuple[int, list[bytes]]], is_masked: bool, size: int
) -> None:
    """In fragments, masked or not."""
    data = frames_of(messages, KEY if is_masked else b"")

    found = read(reader(is_masked=is_masked), data, size)

    assert found == ([(kind, b"".join(parts)) for kind, parts in messages], b"", 0)


@given(
    messages=messages,
    is_masked=st.booleans(),
    size=st.integers(1, 50),
    rubbish=st.binary(max_size=60),
    cut=st.integers(0, 80),
)
def test_rubbish_ends_it_at_the_same_place_whatever_the_chunks(
    messages: list[tuple[int, list[bytes]]], is_masked: bool, size: int, rubbish: bytes, cut: int
) -> None:
    """With the same messages before, and the same code."""
    data = frames_of(messages, KEY if is_masked else b"")
    data = data[: max(len(data) - cut, 0)] + rubbish

    whole = read(reader(is_masked=is_masked), data, max(len(data), 1))
    pieces = read(reader(is_masked=is_masked), data, size)

    assert (whole[0], whole[2]) == (pieces[0], pieces[2])
    assert pieces[1].startswith(whole[1])


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
@pytest.mark.parametrize("key", [b"", KEY])
def test_every_size_has_its_shortest_length(size: int, key: bytes) -> None:
    """One byte, two or eight."""
    payload = bytes(range(256)) * 400
    frame = encode_frame(BINARY, payload[:size], key)

    assert len(frame) == 2 + (0 if size < 126 else 2 if size < 65536 else 8) + len(key) + size
    assert reader(is_masked=bool(key)).feed(frame) == [(BINARY, payload[:size], True)]


def test_the_example_of_the_rfc() -> None:
    """A masked text message."""
    assert reader(is_masked=True).feed(MASKED_HELLO) == [(TEXT, b"Hello", True)]
    assert encode_frame(TEXT, b"Hello", KEY) == MASKED_HELLO


def test_a_ping_within_a_message_is_told_at_once() -> None:
    """Control frames come between the fragments of others."""
    begin = encode_frame(BINARY, b"one", is_final=False)

    assert all_of(begin, encode_frame(PING, b"?"), encode_frame(CONTINUATION, b"two")) == [
        (BINARY, b"one", False),
        (PING, b"?", True),
        (BINARY, b"two", True),
    ]


def test_what_arrives_of_a_message_is_told_at_once_and_not_kept() -> None:
    """Whatever it declares: an unfinished frame costs nothing."""
    found = reader(max_message=1 << 40)
    header = struct.pack("!BBQ", 0x82, 127, 1 << 40)

    assert found.feed(header + b"abc") == [(BINARY, b"abc", False)]
    assert found.feed(b"defg") == [(BINARY, b"defg", False)]
    assert found.held == 0


def test_an_unfinished_control_frame_is_all_that_is_kept() -> None:
    """125 bytes and what stands before them, at most."""
    found = reader(is_masked=True)
    frame = encode_frame(PING, b"p" * 125, KEY)

    for byte in frame[:-1]:
        assert found.feed(bytes([byte])) == []
    assert found.held == 130

    assert found.feed(frame[-1:]) == [(PING, b"p" * 125, True)]
    assert found.held == 0


# What may not arrive...


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([b"\xc2\x00"], 1002),
        ([b"\xa2\x00"], 1002),
        ([b"\x92\x00"], 1002),
        ([b"\x83\x00"], 1002),
        ([b"\x87\x00"], 1002),
        ([b"\x8b\x00"], 1002),
        ([b"\x8f\x00"], 1002),
        ([b"\x82\x80"], 1002),
        ([b"\x09\x00"], 1002),
        ([b"\x08\x00"], 1002),
        ([b"\x89\x7e"], 1002),
        ([b"\x8a\x7f"], 1002),
        ([b"\x80\x00"], 1002),
        ([b"\x00\x00"], 1002),
        ([b"\x02\x00", b"\x82\x00"], 1002),
        ([b"\x01\x00", b"\x02\x00"], 1002),
        ([b"\x82\x00", b"\x80\x00"], 1002),
        ([b"\x82\x7e\x00\x7d"], 1002),
        ([b"\x82\x7f" + (65535).to_bytes(8, "big")], 1002),
        ([b"\x82\x7f\x80" + bytes(7)], 1002),
        ([b"\x82\x7f\x00\x01" + bytes(6)], 1009),
        ([b"\x81\x01\xff"], 1007),
        ([b"\x81\x02\xce"], 0),
        ([b"\x81\x01\xce"], 1007),
        ([b"\x01\x01\xce", b"\x80\x00"], 1007),
        ([b"\x01\x02\xf4\x90"], 1007),
        ([b"\x01\x03\xed\xa0\x80"], 1007),
        ([b"\x88\x01\x03"], 1002),
        ([b"\x88\x03\x03\xe8\xff"], 1007),
    ],
    ids=lambda value: value if isinstance(value, int) else b",".join(value).hex(),
)
def test_each_rule_has_its_code(frames: list[bytes], code: int) -> None:
    """And what comes after it is not looked at."""
    found = reader()
    found.feed(b"".join(frames))

    assert (0 if found.failure is None else found.failure.close_code) == code
    if code:
        assert found.feed(encode_frame(BINARY, b"later")) == []


def test_a_client_masks_and_a_server_does_not() -> None:
    """The other way each is an error."""
    assert failure(encode_frame(BINARY, b"x", KEY)).reason == "a masked frame from a server"
    assert failure(encode_frame(BINARY, b"x"), is_masked=True).reason == "a frame of a client without a mask"


def test_a_session_takes_no_text() -> None:
    """Which is said with a code of its own; binary messages before it were taken."""
    found = FrameReader(is_masked=False)

    assert found.feed(encode_frame(BINARY, b"fine") + encode_frame(TEXT, b"hello")) == [
        (BINARY, b"fine", True)
    ]
    assert found.failure is not None and found.failure.close_code == 1003


@pytest.mark.limit("transport.websocket_message")
def test_a_message_has_its_limit_and_not_a_byte_more() -> None:
    """By what its frames declare, together."""
    most = TRANSPORT.websocket_message
    at_its_edge = struct.pack("!BBQ", 0x82, 127, most)
    over = struct.pack("!BBQ", 0x82, 127, most + 1)
    fragments = encode_frame(BINARY, A, is_final=False), struct.pack("!BBQ", 0x80, 127, most - len(A) + 1)

    assert FrameReader(is_masked=False).feed(at_its_edge + b"x") == [(BINARY, b"x", False)]
    for data in (over, b"".join(fragments)):
        found = FrameReader(is_masked=False)
        found.feed(data)
        assert found.failure is not None
        assert (found.failure.close_code, found.failure.code) == (1009, "too-large")
        assert found.failure.limit == "transport.websocket_message"


def test_the_limit_holds_for_frames_that_are_here_whole() -> None:
    """At it, and a byte past it."""
    assert reader(max_message=10).feed(encode_frame(BINARY, b"x" * 10)) == [(BINARY, b"x" * 10, True)]
    assert failure(encode_frame(BINARY, b"x" * 11), max_message=10).close_code == 1009


def test_each_message_is_counted_anew() -> None:
    """Of a message in fragments nothing is left to the next."""
    message = encode_frame(BINARY, b"x" * 5, is_final=False) + encode_frame(CONTINUATION, b"y" * 5)
    found = reader(max_message=10)

    assert len(found.feed(message * 3)) == 6
    assert found.failure is None


def test_fragments_may_be_many_and_empty() -> None:
    """Nothing is kept of them; the next message counts anew."""
    whole = b"\x02\x00" + b"\x00\x00" * 5000 + b"\x80\x01x"

    assert all_of(whole, whole) == [(BINARY, b"x", True), (BINARY, b"x", True)]


# The end...


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999])
def test_codes_that_may_be_sent(code: int) -> None:
    """The registered ones, and those that are free."""
    assert all_of(encode_close(code, "why")) == [(CLOSE, code.to_bytes(2, "big") + b"why", True)]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_codes_that_may_not_be_sent(code: int) -> None:
    """Some stand for what was not said, the others are nobody's."""
    assert failure(encode_frame(CLOSE, code.to_bytes(2, "big"))).close_code == 1002


def test_nothing_counts_after_a_close() -> None:
    """Neither rubbish nor messages."""
    found = reader()

    assert found.feed(encode_close(1000) + b"\xff\xff" + encode_frame(BINARY, b"late")) == [
        (CLOSE, b"\x03\xe8", True)
    ]
    assert found.is_closed
    assert found.feed(encode_frame(BINARY, b"later")) == []
    assert found.failure is None


def test_a_close_may_say_nothing() -> None:
    """Then it has no code, which has a number that is never sent."""
    assert read_close(b"") == CloseReason(1005, "")
    assert encode_close(1005) == b"\x88\x00"


def test_a_reason_is_cut_where_a_character_ends() -> None:
    """A Close holds 123 bytes of it."""
    assert read_close(encode_close(1002, "é" * 100)[2:]) == CloseReason(1002, "é" * 61)
    assert read_close(encode_close(1002, "x" * 200)[2:]) == CloseReason(1002, "x" * 123)
    assert encode_close(1002, "x" * 200)[1] == 125


def test_a_failure_holds_nothing_of_what_was_read() -> None:
    """It lives as long as its line lingers: two thousand of them with a chunk each were 290 MB."""
    found = reader()
    found.feed(encode_frame(TEXT, b"x") + bytes(1 << 16))

    assert found.failure is not None
    assert found.failure.__traceback__ is None
