"""Who answers for what came through the doors of TLS, HTTP and WebSocket: whoever breaks their rules, and no honest browser."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import landline
from landline.transports import tcp_listener

BOUND = 20.0
HOST = b"Host: localhost\r\n"
GET = b"GET %s HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
BAD, GOOD = "bad", "good"


def unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Port:
    """A server to which everybody comes from the same other machine, until somebody else is said."""

    def __init__(self, listening: landline.Listening) -> None:
        self.source = BAD
        self.listening = listening
        host, _, port = listening.addresses[0].removeprefix("tcp://").rpartition(":")
        self.where = host, int(port)

    async def say(self, words: bytes, context: ssl.SSLContext | None = None) -> bytes:
        """Say something, and return what is answered until the end."""
        async with asyncio.timeout(BOUND):
            reader, writer = await asyncio.open_connection(*self.where, ssl=context)
            try:
                writer.write(words)
                return await reader.read()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def is_refused(self, source: str) -> bool:
        """Whether this source is hung up on whatever it says."""
        before, self.source = self.source, source
        try:
            return not (await self.say(GET % b"/health")).startswith(b"HTTP/1.1 200 ")
        except ConnectionError:
            return True
        finally:
            self.source = before

    async def all_gone(self) -> None:
        async with asyncio.timeout(BOUND):
            while self.listening.connections:  # noqa: ASYNC110 - what can be awaited ends a little before
                await asyncio.sleep(0)


@pytest.fixture
async def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Port]:
    tls = landline.make_certificate(tmp_path, ["localhost"])
    async with landline.Server(tls=tls).listen("tcp://127.0.0.1:0") as listening:
        found = Port(listening)
        monkeypatch.setattr(tcp_listener, "source_of", lambda host: found.source)
        yield found


NO_HELLO = b"\x16\x03\x01\x01\x00" + bytes(256)
BROKEN = {
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "fields": b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100 + b"\r\n",
    "no mask": UPGRADE + b"\x82\x05hello",
    "compressed": UPGRADE + b"\xc2\x80\0\0\0\0",
    "text": UPGRADE + b"\x81\x80\0\0\0\0",
    "too large": UPGRADE + b"\x82\xff\x40" + bytes(11),
}


@pytest.mark.parametrize(
    ("said", "context"),
    [
        pytest.param(NO_HELLO, None, id="no TLS hello"),
        *(pytest.param(said, None, id=name) for name, said in BROKEN.items()),
        *(pytest.param(said, unverified(), id=f"{name}, under TLS") for name, said in BROKEN.items()),
    ],
)
async def test_whoever_breaks_rules_twice_is_refused(
    said: bytes, context: ssl.SSLContext | None, port: Port
) -> None:
    """As with a bad greeting of a session, whichever protocol the rules are of; once may be a mistake, and others are not refused."""
    for is_refused in (False, True):
        with contextlib.suppress(ConnectionError):
            await port.say(said, context)

        assert await port.is_refused(BAD) is is_refused
    assert not await port.is_refused(GOOD)
    assert not await port.is_refused("")


async def test_an_honest_browser_is_not_refused(port: Port) -> None:
    """It comes with more lines than it uses, warns of the certificate, and is told that there is no such page, no icon and no such name."""
    for _ in range(2):
        for _ in range(4):
            socket.create_connection(port.where).close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await port.say(b"", ssl.create_default_context())
    for _ in range(20):
        for path in (b"/none", b"/favicon.ico"):
            assert (await port.say(GET % path, unverified())).startswith(b"HTTP/1.1 404 ")
    wrong = b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
    assert (await port.say(wrong)).startswith(b"HTTP/1.1 421 ")
    await port.all_gone()

    assert not await port.is_refused(BAD)


async def test_who_does_not_take_the_certificate_breaks_no_rule(port: Port) -> None:
    """However often: a browser asks anew with each line, and whoever is behind one address shares what it costs."""
    for _ in range(60):
        with pytest.raises(ssl.SSLCertVerificationError):
            await port.say(b"", ssl.create_default_context())
    await port.all_gone()

    assert not await port.is_refused(BAD)


async def test_who_has_no_version_of_tls_in_common_breaks_no_rule(port: Port) -> None:
    """An old program is no attacker."""
    said = bytes.fromhex("160301002d010000290301") + bytes(32) + bytes.fromhex("000002002f0100")  # of TLS 1.0
    for _ in range(10):
        with contextlib.suppress(ConnectionError):
            await port.say(said)
    await port.all_gone()

    assert not await port.is_refused(BAD)
