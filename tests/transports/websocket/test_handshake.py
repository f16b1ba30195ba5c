"""The handshake of WebSocket: the example of the RFC, what a request and an answer must say, and what people are told of other answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.errors import ProtocolError
from landline.limits import TRANSPORT
from landline.transports import parse_address
from landline.transports.websocket.handshake import (
    AnswerReader,
    accept_key,
    check_request,
    encode_answer,
    encode_request,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = {
    b"host": b"example",
    b"upgrade": b"websocket",
    b"connection": b"keep-alive, Upgrade",
    b"sec-websocket-key": KEY.encode(),
    b"sec-websocket-version": b"13",
}


def said_of(answer: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        AnswerReader(KEY).feed(answer)
    return caught.value.reason


def test_the_example_of_the_rfc() -> None:
    """Section 1.3."""
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


# A request...


def test_a_request_of_ours_is_one() -> None:
    """And names no origin."""
    request = encode_request(parse_address("ws://[::1]:8000/chat?x=1"), KEY)
    head, _, rest = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]

    assert first == b"GET /chat?x=1 HTTP/1.1"
    assert (b"Host", b"[::1]:8000") in fields
    assert check_request(fields) is None
    assert rest == b"" and b"rigin" not in request


@pytest.mark.parametrize(
    ("address", "host", "path"),
    [
        ("ws://example", b"example", b"/"),
        ("ws://example:443", b"example:443", b"/"),
        ("wss://example/x", b"example", b"/x"),
        ("wss://[::1]", b"[::1]", b"/"),
    ],
)
def test_the_usual_port_is_not_named(address: str, host: bytes, path: bytes) -> None:
    """As RFC 6455 has it, section 4.1."""
    request = encode_request(parse_address(address), KEY)

    assert request.startswith(b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (b"upgrade", None, "no upgrade"),
        (b"upgrade", b"h2c", "no upgrade"),
        (b"upgrade", b"websockets", "no upgrade"),
        (b"connection", None, "Connection"),
        (b"connection", b"close", "Connection"),
        (b"sec-websocket-version", b"8", "Version"),
        (b"sec-websocket-version", None, "Version"),
        (b"sec-websocket-key", None, "Key"),
        (b"sec-websocket-key", b"short", "Key"),
        (b"sec-websocket-key", b"!" * 24, "Key"),
        (b"sec-websocket-key", b"QUJD", "Key"),
        (b"sec-websocket-key", b"\xff" * 24, "Key"),
    ],
)
def test_what_a_request_lacks_is_said(name: bytes, value: bytes | None, says: str) -> None:
    """As a clause for whoever wrote the client."""
    fields = {key: each for key, each in {**GOOD, name: value}.items() if each is not None}

    assert check_request(GOOD.items()) is None
    assert says in (check_request(fields.items()) or "")


def test_names_and_tokens_are_in_any_case() -> None:
    """A second key is one too many."""
    fields = [
        (name.title(), value if b"Key" in name.title() else value.upper()) for name, value in GOOD.items()
    ]

    assert check_request(fields) is None
    assert "Key" in (check_request([*fields, (b"Sec-WebSocket-Key", KEY.encode())]) or "")


# An answer...


@given(size=st.integers(1, 200), behind=st.binary(max_size=20))
def test_an_answer_is_read_whatever_the_chunks(size: int, behind: bytes) -> None:
    """What came behind it in the same chunk is the first of the frames."""
    reader, data = AnswerReader(KEY), encode_answer(KEY) + behind
    for at in range(0, len(data), size):
        rest = reader.feed(data[at : at + size])
        if rest is not None:
            assert rest + data[at + size :] == behind
            return

    raise AssertionError("it was not understood")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "a web server answered 404 there, and no landline server"),
        (b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n", "answered 200 there, and no landline server"),
        (b"HTTP/1.1 200\r\n\r\n", "answered 200"),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://example/\r\n\r\n",
            "'https://example/'; no redirect is followed",
        ),
        (b"HTTP/1.1 302 Found\r\nLocation: \xe2\x82\x1b\r\n\r\n", "speaks HTTP wrongly"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "answered 403 there: it lets us in not at all"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the server behind it is down"),
        (b"HTTP/1.0 101 Switching\r\n\r\n", "answered 101"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "speaks no HTTP"),
        (b"\xfeLNDLN\x00\x01", "speaks no HTTP"),
        (b"HTTP/1.1 1O1 x\r\n\r\n", "speaks HTTP wrongly"),
        (b"HTTP/1.1 101 x\r\nno field\r\n\r\n", "speaks HTTP wrongly"),
        (b"HTTP/1.1 101 x\r\nA: b\r\n folded\r\n\r\n", "speaks HTTP wrongly"),
        (b"HTTP/1.1 101 x\r\nA: b\n\r\n\r\n", "speaks HTTP wrongly"),
        (encode_answer(KEY).replace(b"Upgrade: websocket", b"Upgrade: h2c"), "something else than WebSocket"),
        (
            encode_answer(KEY).replace(b"Connection: Upgrade", b"Connection: close"),
            "something else than WebSocket",
        ),
        (encode_answer("x" * 24), "did not read our request"),
        (
            encode_answer(KEY)[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
            "did not ask for",
        ),
        (encode_answer(KEY)[:-2] + b"Sec-WebSocket-Protocol: chat\r\n\r\n", "did not ask for"),
    ],
)
def test_who_answered_is_said(answer: bytes, says: str) -> None:
    """As a clause that says what to do, where something can be done."""
    assert says in said_of(answer)


def test_what_cannot_become_an_answer_is_known_at_once() -> None:
    """Nobody waits for the rest of a line that is no HTTP."""
    assert "speaks no HTTP" in said_of(b"2")
    assert AnswerReader(KEY).feed(b"HTTP/1.") is None


@pytest.mark.limit("transport.websocket_answer")
def test_an_answer_has_its_bytes_and_not_one_more() -> None:
    """A head without end is not waited for."""
    empty = encode_answer(KEY)[:-2] + b"X: \r\n\r\n"
    filled = empty.replace(b"X: ", b"X: " + b"x" * (TRANSPORT.websocket_answer - len(empty)))

    assert AnswerReader(KEY).feed(filled + b"behind") == b"behind"
    assert "more than 8,192 bytes" in said_of(filled.replace(b"X: ", b"X: x"))
    assert "more than 8,192 bytes" in said_of(b"HTTP/1.1 101 " + b"x" * TRANSPORT.websocket_answer)
