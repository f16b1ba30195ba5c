"""Heads of requests: whole or not, too large, and whatever two programs might read in two ways."""

from __future__ import annotations

import h11
import pytest

from landline.limits import WEB
from landline.web.head import read_head, take_head
from landline.web.refusal import Refused

LINE = b"GET / HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"


def padded(size: int) -> bytes:
    """A head of exactly this many bytes."""
    start = LINE + HOST + b"X: "
    return start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"


def read(head: bytes) -> h11.Request:
    found = take_head(bytearray(head))
    assert found is not None
    return read_head(h11.Connection(h11.SERVER), found)


def status(head: bytes) -> int:
    """The status that a head is refused with; 0 where it is taken."""
    try:
        read(head)
    except Refused as refused:
        assert refused.sentence.endswith(".")
        return refused.status
    return 0


def test_a_head_is_taken_when_it_is_complete_and_no_more() -> None:
    """What follows it is the body's, or the next request's."""
    buffer = bytearray(LINE + HOST + b"\r")

    assert take_head(buffer) is None

    buffer += b"\nrest"

    assert take_head(buffer) == LINE + HOST + b"\r\n"
    assert buffer == b"rest"


def test_an_empty_line_before_a_request_is_passed_over() -> None:
    """One, as old programs send it after a body; a stream of them is no request."""
    assert read(b"\r\n" + LINE + HOST + b"\r\n").method == b"GET"
    assert status(b"\r\n\r\n\r\n\r\n") == 400


@pytest.mark.limit("web.head_bytes")
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_head_has_a_size(is_whole: bool) -> None:
    """The largest passes, a byte more does not, whether its end has come or not."""
    assert read(padded(WEB.head_bytes)).method == b"GET"

    with pytest.raises(Refused) as caught:
        take_head(bytearray(padded(WEB.head_bytes + 1)[: None if is_whole else -1]))

    assert (caught.value.status, caught.value.limit) == (431, "web.head_bytes")


def test_an_address_without_end_is_told_so() -> None:
    """A browser's own error for that is clearer than one about fields."""
    with pytest.raises(Refused) as caught:
        take_head(bytearray(b"GET /" + b"x" * WEB.head_bytes))

    assert caught.value.status == 414


@pytest.mark.limit("web.fields")
def test_a_head_has_so_many_fields() -> None:
    """As many small ones would cost more than their bytes."""
    fields = HOST + b"a: b\r\n" * (WEB.fields - 1)

    assert status(LINE + fields + b"\r\n") == 0
    assert status(LINE + fields + b"a: b\r\n\r\n") == 431


AMBIGUOUS = {
    "both lengths": LINE + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two lengths": LINE + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "the same length twice": LINE + HOST + b"Content-Length: 5\r\ncontent-length: 5\r\n\r\n",
    "a list of lengths": LINE + HOST + b"Content-Length: 5, 6\r\n\r\n",
    "a signed length": LINE + HOST + b"Content-Length: +5\r\n\r\n",
    "a hexadecimal length": LINE + HOST + b"Content-Length: 0x5\r\n\r\n",
    "a length of many digits": LINE + HOST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
    "a folded field": LINE + HOST + b"X: a\r\n b\r\n\r\n",
    "a field folded by a tab": LINE + HOST + b"X: a\r\n\tb\r\n\r\n",
    "a bare LF": LINE + HOST + b"X: a\nY: b\r\n\r\n",
    "a bare CR": LINE + HOST + b"X: a\rY: b\r\n\r\n",
    "NUL": LINE + HOST + b"X: a\0b\r\n\r\n",
    "a blank before the colon": LINE + HOST + b"Content-Length : 5\r\n\r\n",
    "a field without a name": LINE + HOST + b": x\r\n\r\n",
    "a line without a colon": LINE + HOST + b"hello\r\n\r\n",
    "no host": LINE + b"\r\n",
    "two hosts": LINE + HOST + HOST + b"\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an absolute form": b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an asterisk form": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a blank in the address": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "bytes above ASCII in the address": b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
    "1.0 without a host": b"GET / HTTP/1.0\r\n\r\n",
}


@pytest.mark.parametrize("head", AMBIGUOUS.values(), ids=list(AMBIGUOUS))
def test_what_can_be_read_in_two_ways_is_refused(head: bytes) -> None:
    """Another program on the way may have read it in the other one."""
    assert status(head) == 400


OTHERS = {
    "an unknown coding": (501, LINE + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n"),
    "a coding that only looks right": (501, LINE + HOST + b"Transfer-Encoding: xchunked\r\n\r\n"),
    "two codings": (501, LINE + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\n"),
    "a version to come": (505, b"GET / HTTP/1.2\r\nHost: x\r\n\r\n"),
    "CONNECT": (501, b"CONNECT localhost:1 HTTP/1.1\r\nHost: x\r\n\r\n"),
    "TRACE": (501, b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a packed body": (415, LINE + HOST + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n"),
    "a packed body behind one that is not": (
        415,
        LINE + HOST + b"Content-Encoding: gzip\r\nContent-Encoding: identity\r\n\r\n",
    ),
    "another expectation": (417, LINE + HOST + b"Expect: 200-ok\r\n\r\n"),
}


@pytest.mark.parametrize(("expected", "head"), OTHERS.values(), ids=list(OTHERS))
def test_what_is_not_done_here_is_said(expected: int, head: bytes) -> None:
    """With the status that says why."""
    assert status(head) == expected


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\n", LINE + b"Host: x\n", b"\0", LINE + b"X: \0"])
def test_a_head_that_can_become_none_is_refused_before_its_end(start: bytes) -> None:
    """Nobody waits ten seconds for the rest of it."""
    with pytest.raises(Refused) as caught:
        take_head(bytearray(start))

    assert caught.value.status == 400
