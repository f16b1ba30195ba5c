"""Which way in the first bytes mean, for every beginning."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import landline
from landline.protocol.frames import MAGIC
from landline.sessions.door import HTTP_METHODS, UNDECIDED_FOR, Way, recognise, refusal_without_tls

if TYPE_CHECKING:
    from .conftest import Place

VIRTUAL_TIME = True


@pytest.mark.parametrize(
    ("head", "way"),
    [
        (MAGIC, Way.SESSION),
        (MAGIC[:1], Way.SESSION),
        (b"\x16\x03\x01", Way.TLS),
        (b"GET / HTTP/1.1\r\n", Way.HTTP),
        (b"OPTIONS /", Way.HTTP),
        (b"G", None),
        (b"GET ", None),
        (b"P", None),
        (b"", None),
        (b"GET lost", Way.PLAIN),
        (b"Good morning", Way.PLAIN),
        (b"get / ", Way.PLAIN),
        (b"POSTER", Way.PLAIN),
        (b"\n", Way.PLAIN),
        (b"\xff\xfb\x01", Way.PLAIN),
        ("übrigens".encode(), Way.PLAIN),
    ],
)
def test_what_the_first_bytes_mean(head: bytes, way: Way | None) -> None:
    """A session, TLS, HTTP, or anything else: plain text."""
    assert recognise(head) is way


@pytest.mark.parametrize(
    ("head", "location"),
    [
        (b"GET / HTTP/1.1\r\nHost: here:1\r\n\r\n", b"https://here:1/"),
        (b"GET /a?b=%20 HTTP/1.1\r\nAccept: */*\r\nhOST:[::1]:1\r\n\r\n", b"https://[::1]:1/a?b=%20"),
        (b"POST / HTTP/1.1\r\nHost: here:1\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\n\r\nHost: here\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: here", None),
    ],
)
def test_a_browser_without_tls_is_sent_where_there_is_some(head: bytes, location: bytes | None) -> None:
    """To the same place, as far as its request says where it wanted to; a form that was posted in the open is not sent on."""
    lines = refusal_without_tls(Way.HTTP, head).split(b"\r\n")

    if location is None:
        assert lines[0] == b"HTTP/1.1 426 Upgrade Required"
    else:
        assert lines[:2] == [b"HTTP/1.1 308 Permanent Redirect", b"Location: " + location]
    assert lines[-1] == b"This server is reached by TLS only: its address begins with https://\n"


def test_who_has_to_come_by_tls_is_told_in_its_own_words() -> None:
    """A client of ours gets a REFUSE, a person a sentence; broken TLS nothing."""
    assert refusal_without_tls(Way.SESSION, MAGIC).startswith(MAGIC)
    assert refusal_without_tls(Way.PLAIN, b"hello\n").startswith(b"This server is reached by TLS only: ")
    assert refusal_without_tls(Way.TLS, b"\x16") == b""


@given(
    st.binary(min_size=1, max_size=20)
    | st.sampled_from(HTTP_METHODS).flatmap(lambda m: st.binary(max_size=9).map(m.__add__))
)
def test_a_decision_does_not_change_with_more_bytes(head: bytes) -> None:
    """Whatever was decided at the first byte that allowed it holds for all that follow; nine bytes always decide."""
    ways = [recognise(head[:size]) for size in range(len(head) + 1)]
    decided = [way for way in ways if way is not None]

    assert len(set(decided)) <= 1
    assert ways == [None] * (len(ways) - len(decided)) + decided
    assert len(head) < 9 or decided


async def until_plain(place: Place, *chunks: bytes, end: bool = False) -> tuple[bytes, float]:
    """Say the chunks; return what the plain program was given first, and how long that took."""
    came: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def plain(caller: landline.Caller) -> None:
        came.set_result(await caller.receive())

    await place.serve(plain=plain)
    wire = await place.line()
    for chunk in chunks:
        wire.say(chunk)
        await asyncio.sleep(0.1)
    begun = asyncio.get_running_loop().time()
    if end:
        wire.transport.close()
    async with asyncio.timeout(10):
        first = await came
    return first, asyncio.get_running_loop().time() - begun


async def test_plain_text_comes_in_whole(place: Place) -> None:
    """What was read to decide is the first that its program is given."""
    assert await until_plain(place, b"hello\n") == (b"hello\n", 0)


@pytest.mark.limit("session.undecided")
async def test_what_might_have_become_http_is_plain_after_a_moment(place: Place) -> None:
    """Somebody says G and waits for an answer."""
    first, after = await until_plain(place, b"G")

    assert first == b"G"
    assert after == pytest.approx(UNDECIDED_FOR - 0.1)


async def test_what_might_have_become_http_is_plain_when_it_turns_out_so(place: Place) -> None:
    """The pieces are put together again."""
    assert await until_plain(place, b"GE", b"Tting there") == (b"GETting there", 0)


async def test_a_beginning_that_ends_is_plain(place: Place) -> None:
    """``printf P | nc``: it will not become HTTP any more."""
    first, after = await until_plain(place, b"P", end=True)

    assert (first, after) == (b"P", 0)


async def test_a_caller_that_comes_and_goes_is_nobody(place: Place) -> None:
    """No program runs for it, and the place it took is free again."""
    called: list[Any] = []

    async def plain(caller: landline.Caller) -> None:
        called.append(caller)

    await place.serve(plain=plain)
    wire = await place.line()
    await asyncio.sleep(0.1)
    wire.transport.close()
    await asyncio.sleep(5)

    assert called == []
    assert place.listening._acceptor._admission._silent == {}
    assert place.listening._acceptor._admission._open == {}
