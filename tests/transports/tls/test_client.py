"""Dialling under TLS: whom we take, and what whoever we do not take is told to do about it; and what the server sees of each."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from landline.errors import ConnectError, ConnectTimeout, TLSError
from landline.testing.transport_conformance import BOUND, Recorder
from landline.transports import Address, Transport, open_listener, parse_address
from landline.transports.certificates import ClientTLS, ServerTLS, make_certificate
from landline.transports.tls import TlsTransport, open_transport
from landline.transports.tls.reasons import CUT_OFF

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transports.conftest import Authority


class Seen:
    """A server that remembers what it was told of each caller."""

    def __init__(self) -> None:
        self.transports: list[Transport] = []
        self.callers: list[Recorder] = []
        self.address = Address("tls")

    @property
    def errors(self) -> list[str]:
        """What it was told of those whose handshake failed; the others were cut off by the test."""
        return [
            str(each.error)
            for each in self.callers
            if isinstance(each.error, TLSError) and each.error.reason != CUT_OFF
        ]

    async def until_lost(self, count: int) -> None:
        """Wait until it was told that so many are gone."""
        for each in range(count):
            await self.callers[each].until_told("lost")


@asynccontextmanager
async def serving(wrap: Callable[[Transport], Transport], host: str = "localhost") -> AsyncIterator[Seen]:
    seen = Seen()
    gone: dict[Transport, asyncio.Event] = {}

    def accept(inner: Transport) -> None:
        gone[inner] = asyncio.Event()
        inner.on_lost = lambda transport: gone[transport].set()
        outer = wrap(inner)
        seen.transports.append(outer)
        seen.callers.append(Recorder())
        outer.start(seen.callers[-1])

    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=16)
    port = parse_address(listener.addresses[0]).port
    seen.address = Address("tls", host=host, port=port)
    try:
        yield seen
    finally:
        listener.close()
        await listener.wait_closed()
        for each in seen.transports:
            each.abort()
        async with asyncio.timeout(BOUND):
            for event in gone.values():
                await event.wait()


def under(tls: ServerTLS) -> Callable[[Transport], Transport]:
    return lambda inner: TlsTransport(inner, tls.context)


async def refused(address: Address, tls: ClientTLS | None = None) -> str:
    """Dial, be refused, and return why."""
    with pytest.raises(ConnectError) as caught:
        await open_transport(address, tls)

    assert caught.value.address == str(address)
    return caught.value.reason


async def test_an_echo_under_tls(authority: Authority, recorder: type[Recorder]) -> None:
    """Handshake, words both ways, farewells."""
    async with serving(under(authority.server())) as seen:
        ours = await open_transport(seen.address, authority.client())
        hears = recorder()
        ours.start(hears)
        ours.write(b"hello")
        await seen.callers[0].until_told("data")
        seen.transports[0].write(b"and good bye")
        seen.transports[0].close()
        await hears.until_told("ended")
        ours.close()
        await hears.until_told("lost")
        await seen.until_lost(1)

    assert seen.callers[0].data == b"hello"
    assert hears.data == b"and good bye"
    assert hears.error is None and seen.callers[0].error is None
    assert ours.peer == str(seen.address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_the_name_that_was_dialled_counts(host: str, authority: Authority) -> None:
    """A certificate for one name is good for that one alone, host or IP address; the fingerprint of what was shown is in the advice."""
    right, wrong = authority.server(host), authority.server("elsewhere.example", "127.0.0.99")
    async with serving(under(right), host) as seen:
        ours = await open_transport(seen.address, authority.client())
        ours.abort()
    async with serving(under(wrong), host) as seen:
        reason = await refused(seen.address, authority.client())
        await seen.until_lost(2)

    assert reason == (
        f"the server's certificate is not for {host}: dial a name that it is for; or if that is what whoever runs the server reads out"
        f" to you, pin {wrong.fingerprint}"
    )
    assert seen.errors == ["the client does not take our certificate"]


async def test_a_certificate_out_of_its_time(authority: Authority) -> None:
    """Expired or not yet valid: what to do differs, and clocks may be wrong."""
    now = datetime.now(UTC)
    old = authority.server(not_before=now - timedelta(9), not_after=now - timedelta(1))
    young = authority.server(not_before=now + timedelta(1), not_after=now + timedelta(9))
    async with serving(under(old)) as seen:
        expired = await refused(seen.address, authority.client())
        await seen.until_lost(2)
    async with serving(under(young)) as seen_young:
        not_yet = await refused(seen_young.address, authority.client())

    assert expired.startswith(
        "the server's certificate has expired: have it renewed, and see that the clock here is right; or if "
    )
    assert expired.endswith(f"pin {old.fingerprint}")
    assert not_yet.startswith(
        "the server's certificate is not valid yet: see that the clock here and there is right"
    )
    assert seen.errors == ["the client says that our certificate is out of date"]


async def test_a_self_made_certificate_is_pinned_or_refused(tmp_path: Path) -> None:
    """The refusal says what to pin; pinned, or named as its own authority, it is good."""
    made = make_certificate(tmp_path, ["localhost"])
    async with serving(under(made)) as seen:
        reason = await refused(seen.address)
        pinned = await open_transport(seen.address, ClientTLS(fingerprint=reason.split()[-1]))
        known = await open_transport(seen.address, ClientTLS(authority=tmp_path / "self-made.pem"))
        for each in (pinned, known):
            each.abort()
        await seen.until_lost(4)

    assert reason == (
        "the server made its certificate itself, so nobody vouches for it: if that is what whoever runs the server reads out to you,"
        f" pin {made.fingerprint}"
    )
    assert seen.errors == ["the client trusts nobody who vouches for our certificate"]


async def test_an_authority_that_nobody_named(authority: Authority, stranger: Authority) -> None:
    """Neither that of another network nor those of this machine vouch for it."""
    tls = authority.server()
    async with serving(under(tls)) as seen:
        reasons = [await refused(seen.address, each) for each in (stranger.client(), None)]
        await seen.until_lost(4)

    advice = f"name its authority; or if that is what whoever runs the server reads out to you, pin {tls.fingerprint}"
    assert reasons == [f"nobody whom this machine trusts vouches for the server's certificate: {advice}"] * 2
    assert seen.errors == ["the client trusts nobody who vouches for our certificate"] * 2


async def test_a_wrong_pin_says_what_was_shown(authority: Authority) -> None:
    """A certificate that its authority vouches for is still not the one that was pinned."""
    tls, other = authority.server(), authority.server()
    async with serving(under(tls)) as seen:
        reason = await refused(seen.address, authority.client(fingerprint=other.fingerprint))
        await seen.until_lost(1)

    assert (
        f"it has {tls.fingerprint}, and {other.fingerprint} was expected; somebody may be in between"
        in reason
    )
    assert seen.callers[0].data == b""


async def test_a_pin_looks_at_nothing_else(authority: Authority) -> None:
    """It is this very certificate: not for this name, out of date, and still the one."""
    now = datetime.now(UTC)
    tls = authority.server("elsewhere", not_before=now - timedelta(9), not_after=now - timedelta(1))
    async with serving(under(tls)) as seen:
        ours = await open_transport(seen.address, ClientTLS(fingerprint=tls.fingerprint))
        ours.abort()
        await seen.until_lost(1)


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
async def test_clients_show_certificates(
    version: ssl.TLSVersion, authority: Authority, stranger: Authority
) -> None:
    """A server that wants them takes those of its authority alone, in every version; who has none, or another one, is told so by the dial."""
    tls = authority.server(clients=authority.path)
    tls.context.maximum_version = version
    mine = authority.sign("me@example.org")
    async with serving(under(tls)) as seen:
        ours = await open_transport(seen.address, authority.client(certificate=mine))
        hears = Recorder()
        ours.start(hears)
        seen.transports[0].write(b"welcome")
        await hears.until_told("data")
        shown = seen.transports[0]
        assert isinstance(shown, TlsTransport)
        certificate = shown.peer_certificate
        ours.abort()
        none = await refused(seen.address, authority.client())
        other = await refused(seen.address, authority.client(certificate=stranger.sign("me@example.org")))
        await seen.until_lost(3)

    assert ssl.DER_cert_to_PEM_cert(certificate).strip() in mine.read_text()
    if version is ssl.TLSVersion.TLSv1_3:
        assert none == "the server takes only clients with a certificate: show one that its authority signed"
    else:
        assert none.startswith(
            "the server broke off the handshake; it may take only clients with a certificate"
        )
    assert other == "the server does not take our certificate: show one that its authority signed"
    assert seen.errors[0] == "the client showed no certificate"
    assert seen.errors[1].startswith("the client's certificate is not good: unable to get local issuer")


async def test_a_certificate_that_cannot_be_read_is_said_before_anybody_is_dialled(tmp_path: Path) -> None:
    """The reason names the file."""
    reason = await refused(
        Address("tls", host="localhost", port=1), ClientTLS(authority=tmp_path / "none.pem")
    )

    assert reason == f"{tmp_path}/none.pem cannot be read (No such file or directory)"


# Who answers is no server of ours...


class Plain:
    """Says this to whoever comes, and then hangs up, if it is told to."""

    def __init__(self, inner: Transport, words: bytes, *, hangs_up: bool) -> None:
        self.inner = inner
        inner.start(Recorder())
        inner.write(words)
        if hangs_up:
            inner.close()


@pytest.mark.parametrize(
    ("words", "hangs_up", "why"),
    [
        (b"220 example.org ESMTP\r\n", False, "the server answers, but does not speak TLS: dial it without"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            True,
            "the server answers, but does not speak TLS: dial it without",
        ),
        (b"", True, "the peer hung up in the middle of the handshake; it may not speak TLS"),
        (b"\x15\x03\x03\x00\x02\x02\x46", True, "there is no version of TLS that both ends take"),
    ],
)
async def test_a_server_without_tls(words: bytes, hangs_up: bool, why: str) -> None:
    """It answers something else, or not at all."""

    def answer(inner: Transport) -> Transport:
        return Plain(inner, words, hangs_up=hangs_up).inner

    async with serving(answer) as seen:
        seen_why = await refused(seen.address)

    assert seen_why == why


async def test_a_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a time-out, and may be no TLS."""
    monkeypatch.setattr("landline.transports.tls.transport.HANDSHAKE", 0.0)

    def answer(inner: Transport) -> Transport:
        return Plain(inner, b"", hangs_up=False).inner

    async with serving(answer) as seen:
        with pytest.raises(ConnectTimeout, match="no TLS handshake within 0 s; it may not speak TLS"):
            await open_transport(seen.address)


async def test_a_server_that_is_gone_when_it_is_asked_again(
    authority: Authority, stranger: Authority
) -> None:
    """The advice does without the fingerprint."""
    seen_callers = 0
    tls = authority.server()

    def once(inner: Transport) -> Transport:
        nonlocal seen_callers
        seen_callers += 1
        return (
            TlsTransport(inner, tls.context) if seen_callers == 1 else Plain(inner, b"", hangs_up=True).inner
        )

    async with serving(once) as seen:
        reason = await refused(seen.address, stranger.client())

    assert reason.endswith("reads out to you, pin its fingerprint")


async def test_nobody_is_there(authority: Authority) -> None:
    """As for any other address."""
    async with serving(under(authority.server())) as seen:
        address = seen.address

    assert await refused(address, authority.client()) == "nobody listens there"
