"""The payloads of the first frames and of the last: what is sent arrives, what is wrong in them is a protocol error."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.errors import ProtocolError
from landline.limits import PROTOCOL
from landline.protocol.frames import CloseCode, FrameType, ResetCode
from landline.protocol.handshake import (
    Close,
    Hello,
    Open,
    Refusal,
    Reset,
    Resume,
    Welcome,
    decode_payload,
    encode_payload,
)
from tests.protocol.lines import frames_of, make_hello, make_resume, make_welcome

GOOD: list[tuple[FrameType, Any]] = [
    (FrameType.HELLO, make_hello(credentials={"name": "ana"})),
    (FrameType.RESUME, make_resume()),
    (FrameType.WELCOME, make_welcome()),
    (FrameType.REFUSE, Refusal(code=CloseCode.STALE, attempt=7)),
    (FrameType.CLOSE, Close(code=CloseCode.GOING_AWAY, reason="later", retry_in=1.5)),
]


@pytest.mark.parametrize(("kind", "payload"), GOOD, ids=lambda value: getattr(value, "name", ""))
def test_payloads_arrive_as_they_were_sent(kind: FrameType, payload: Any) -> None:
    """In one frame of their type."""
    ((frame_type, number, data),) = frames_of(encode_payload(kind, payload))

    assert (frame_type, number) == (kind, 0)
    assert decode_payload(type(payload), data) == payload


@pytest.mark.parametrize(("kind", "payload"), GOOD, ids=lambda value: getattr(value, "name", ""))
def test_unknown_keys_are_ignored(kind: FrameType, payload: Any) -> None:
    """A later version may say more."""
    data = msgspec.msgpack.encode(msgspec.to_builtins(payload, builtin_types=(bytes,)) | {"more": [1, 2]})

    assert decode_payload(type(payload), data) == payload


@pytest.mark.limit("protocol.reason", "protocol.longest")
@pytest.mark.parametrize(
    ("payload", "key", "value"),
    [
        (make_hello(), "life", b"short"),
        (make_hello(), "window", -1),
        (make_hello(), "window", 1 << 63),
        (make_hello(), "max_message", 1.5),
        (make_resume(), "session", b"x" * 17),
        (make_resume(), "token", b"x" * 31),
        (make_resume(), "attempt", 0),
        (make_resume(), "attempt", 1 << 63),
        (make_resume(), "received", -1),
        (make_resume(), "received", (1 << 64) - 1),
        (make_resume(), "received", "0"),
        (make_welcome(), "resumed", 1),
        (make_welcome(), "heartbeat", -1.0),
        (make_welcome(), "heartbeat", math.nan),
        (make_welcome(), "dead_after", math.inf),
        (make_welcome(), "resume_window", 1e9),
        (Refusal(code=CloseCode.BUSY), "code", 99),
        (Refusal(code=CloseCode.BUSY), "retry_in", math.nan),
        (Close(code=CloseCode.NORMAL), "reason", "x" * 501),
        (Close(code=CloseCode.NORMAL), "code", "NORMAL"),
        (Close(code=CloseCode.NORMAL), "retry_in", 31 * 86_400.0 + 1),
    ],
)
def test_a_field_out_of_its_range_is_a_protocol_error(payload: Any, key: str, value: Any) -> None:
    """Wrong size, sign, type, or a number that would never come due."""
    data = msgspec.msgpack.encode(msgspec.to_builtins(payload, builtin_types=(bytes,)) | {key: value})

    with pytest.raises(ProtocolError, match=f"a {type(payload).__name__} that cannot be read"):
        decode_payload(type(payload), data)


@pytest.mark.parametrize(
    "payload",
    [
        make_hello(window=0, max_message=(1 << 63) - 1),
        make_resume(attempt=1),
        make_resume(attempt=(1 << 63) - 1, received=(1 << 63) - 1),
        make_welcome(heartbeat=0.0, dead_after=PROTOCOL.longest, resume_window=0.5),
    ],
)
def test_a_field_at_the_edge_of_its_range_is_read(payload: Any) -> None:
    """Nothing that the protocol allows is refused."""
    assert decode_payload(type(payload), msgspec.msgpack.encode(payload)) == payload


@pytest.mark.parametrize(
    ("payload", "keys"),
    [
        (make_hello(), {"life", "window", "max_message"}),
        (make_resume(), {"session", "token", "attempt", "life", "received"}),
        (Refusal(code=CloseCode.BUSY), {"code"}),
        (Close(code=CloseCode.NORMAL), {"code"}),
        (Reset(code=ResetCode.FAILED, handled=0, taken=0), {"code", "handled", "taken"}),
    ],
)
def test_what_is_not_said_is_not_written(payload: Any, keys: set[str]) -> None:
    """And is read as its default; a peer that says nothing of flows allows none."""
    data = msgspec.msgpack.encode(payload)

    assert set(msgspec.msgpack.decode(data)) == keys
    assert decode_payload(type(payload), data) == payload
    assert getattr(payload, "max_flows", 0) == 0


def test_a_welcome_that_says_nothing_of_flows_allows_none() -> None:
    """As a HELLO does."""
    data = msgspec.msgpack.encode(make_welcome())

    assert "max_flows" not in msgspec.msgpack.decode(data)
    assert decode_payload(Welcome, data).max_flows == 0


@pytest.mark.parametrize("kind", [Hello, Resume, Welcome, Refusal, Close])
def test_a_missing_field_is_a_protocol_error(kind: type[Any]) -> None:
    """The empty map says nothing."""
    with pytest.raises(ProtocolError):
        decode_payload(kind, b"\x80")


@given(st.sampled_from([Hello, Resume, Welcome, Refusal, Close]), st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_a_protocol_error(kind: type[Any], data: bytes) -> None:
    """Nothing else escapes."""
    try:
        decode_payload(kind, data)
    except ProtocolError as error:
        assert error.code == "protocol-error"


def test_credentials_of_any_depth_are_read_or_a_protocol_error() -> None:
    """Nested beyond what Python's stack takes, and before anybody is let in; how deep that is differs between its versions."""
    whole = msgspec.msgpack.encode(make_hello(credentials=0))

    with contextlib.suppress(ProtocolError):  # what fits into a frame may be read
        decode_payload(Hello, whole[:-1] + b"\x91" * 3000 + b"\x00")
    with pytest.raises(ProtocolError):
        decode_payload(Hello, whole[:-1] + b"\x91" * 1_000_000 + b"\x00")


@pytest.mark.limit("protocol.purpose", "protocol.redirect")
@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda text: Open(purpose=text, window=1), PROTOCOL.purpose),
        (lambda text: Close(code=CloseCode.GOING_AWAY, redirect=text), PROTOCOL.redirect),
        (lambda text: Refusal(code=CloseCode.BUSY, redirect=text), PROTOCOL.redirect),
    ],
)
def test_words_of_a_peer_are_bounded(make: Callable[[str], Any], most: int) -> None:
    """At the limit they are read, past it they are an error."""
    right, wrong = make("x" * most), make("x" * (most + 1))

    assert decode_payload(type(right), encode_payload(FrameType.OPEN, right)[9:]) == right
    with pytest.raises(ProtocolError):
        decode_payload(type(wrong), encode_payload(FrameType.OPEN, wrong)[9:])
