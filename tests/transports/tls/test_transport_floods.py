"""Peers that keep TLS busy, or stop in the middle: bounded memory, gone in time, and nobody else notices.

What no TLS library would send is forged: with the secrets that a handshake leaves in its key log, records are made by hand.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from landline.errors import TLSError, TLSTimeout
from landline.limits import TRANSPORT
from landline.testing.transport_conformance import BOUND, Line, Recorder
from landline.transports import Transport, open_listener, open_transport, parse_address
from landline.transports.tls import TlsTransport, transport
from landline.transports.tls.reasons import CHATTERED
from landline.transports.tls.records import Records

if TYPE_CHECKING:
    from tests.transports.conftest import Authority

HANDSHAKE: Final = 22
DATA: Final = 23
KEY_UPDATE: Final = b"\x18\x00\x00\x01"


class Forger:
    """A client that has shaken hands under TLS 1.3, and now makes its records itself."""

    def __init__(self, line: Line, authority: Authority, folder: Path) -> None:
        context = authority.client().make_context()
        context.keylog_filename = str(folder / "keys")
        self._keys = folder / "keys"
        self._records = Records(context, "localhost")
        self.ours, self.hears, self.told = line.ours, Recorder(), Recorder()
        self.theirs = TlsTransport(line.theirs, authority.server().context)
        self._secret = b""
        self._number = 0

    async def shake_hands(self) -> None:
        self.ours.start(self.hears)
        self.theirs.start(self.told)
        self._records.receive(b"")
        self.ours.write(self._records.to_send())
        while not self._records.is_open:
            self._records.receive(await self.take())
        self.ours.write(self._records.to_send())
        await self.take()  # tickets: it has our last words
        assert self._records._tls.cipher() == ("TLS_AES_256_GCM_SHA384", "TLSv1.3", 256)
        for line in self._keys.read_text().splitlines():
            if line.startswith("CLIENT_TRAFFIC_SECRET_0 "):
                self._use(bytes.fromhex(line.split()[2]))

    async def take(self) -> bytes:
        """Return what came since, when something has."""
        await self.hears.until(lambda: len(self.hears.data) > 0)
        data = bytes(self.hears.data)
        self.hears.data.clear()
        return data

    def _use(self, secret: bytes) -> None:
        self._secret, self._number = secret, 0
        self._cipher = AESGCM(_expand(secret, b"key", 32))
        self._iv = int.from_bytes(_expand(secret, b"iv", 12))

    def record(self, kind: int, body: bytes) -> bytes:
        inner = body + bytes([kind])
        head = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2)
        nonce = (self._iv ^ self._number).to_bytes(12)
        self._number += 1
        return head + self._cipher.encrypt(nonce, inner, head)

    def key_update(self, *, wants_answer: bool) -> bytes:
        made = self.record(HANDSHAKE, KEY_UPDATE + bytes([wants_answer]))
        self._use(_expand(self._secret, b"traffic upd", 48))
        return made


def _expand(secret: bytes, label: bytes, length: int) -> bytes:
    label = b"tls13 " + label
    info = length.to_bytes(2) + bytes([len(label)]) + label + b"\0"
    return HKDFExpand(hashes.SHA384(), length, info).derive(secret)


@pytest.fixture
async def forger(line: Line, authority: Authority, tmp_path: Path) -> AsyncIterator[Forger]:
    forger = Forger(line, authority, tmp_path)
    await forger.shake_hands()
    yield forger
    forger.ours.abort()
    forger.theirs.abort()


async def test_a_forged_record_is_a_record(forger: Forger) -> None:
    """Else none of these tests would test anything: words arrive, also under a new key."""
    forger.ours.write(forger.record(DATA, b"one, "))
    forger.ours.write(forger.key_update(wants_answer=False) + forger.record(DATA, b"two"))
    await forger.told.until(lambda: forger.told.data == b"one, two")

    assert forger.told.told == ["data", "data"]


@pytest.mark.limit("transport.tls_chatter")
async def test_a_flood_of_key_updates_has_an_end(forger: Forger) -> None:
    """64 KiB in which nothing is said are borne, and any word makes good for them; a byte more ends the line."""
    update = forger.key_update(wants_answer=False)
    size = len(update)
    forger.ours.write(update)
    forger.ours.write(forger.record(DATA, b"one"))
    most = TRANSPORT.tls_chatter // size
    forger.ours.write(b"".join(forger.key_update(wants_answer=False) for _ in range(most)))
    forger.ours.write(forger.record(DATA, b"two"))
    await forger.told.until(lambda: forger.told.data == b"onetwo")
    for _ in range(most):
        forger.ours.write(forger.key_update(wants_answer=False))
    await _turns(5)

    assert forger.told.told == ["data", "data"]

    forger.ours.write(forger.key_update(wants_answer=False))
    await forger.told.until_told("lost")

    assert isinstance(forger.told.error, TLSError) and forger.told.error.reason == CHATTERED


async def test_a_flood_of_empty_records_has_an_end(forger: Forger) -> None:
    """They are data, and nothing."""
    for _ in range(4000):
        forger.ours.write(forger.record(DATA, b""))
    await forger.told.until_told("lost")

    assert forger.told.told == ["lost"]
    assert isinstance(forger.told.error, TLSError)


@pytest.mark.limit("transport.tls_chatter")
async def test_answers_that_nobody_takes_have_an_end(forger: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for answers, says a word between so as not to chatter, and reads nothing, ends when the line is full and 64 KiB more wait."""
    monkeypatch.setattr("landline.transports.memory.HIGH_WATER", 8 << 10)
    most = 0
    forger.ours.hold(True)
    for _ in range(4000):
        forger.ours.write(
            b"".join(forger.key_update(wants_answer=True) for _ in range(20)) + forger.record(DATA, b".")
        )
        await asyncio.sleep(0)
        most = max(most, forger.theirs.backlog)
        if "lost" in forger.told.told:
            break

    assert isinstance(forger.told.error, TLSError) and forger.told.error.reason == CHATTERED
    assert TRANSPORT.tls_chatter < most < (8 << 10) + TRANSPORT.tls_chatter + 4096


@pytest.mark.parametrize("body", [b"\x01\x00\x00\x02hi", b"\x14\x00\x00\x00", b"\xff\xff\xff\xff"])
async def test_rubbish_under_encryption_ends_the_line(body: bytes, forger: Forger) -> None:
    """A hello again, a second end of the handshake, a message that there is none of."""
    forger.ours.write(forger.record(HANDSHAKE, body))
    await forger.told.until_told("lost")

    assert forger.told.told == ["lost"]
    assert isinstance(forger.told.error, TLSError)


async def test_a_line_that_is_broken_gives_its_memory_back(forger: Forger) -> None:
    """OpenSSL's, which is much: neither the transport nor the error, which somebody may keep, holds it any longer."""
    tls = weakref.ref(forger.theirs._records._tls)
    forger.ours.write(forger.record(HANDSHAKE, b"\xff\xff\xff\xff"))
    await _turns(5)
    gc.collect()

    assert isinstance(forger.theirs._error, TLSError)
    assert tls() is None


@pytest.mark.parametrize(
    ("body", "breaks"),
    [(b"\x02\x2e", 0), (b"\x02\x30", 0), (b"\xff\xff", 1)],
    ids=["unknown", "CA", "rubbish"],
)
async def test_it_is_told_at_once_who_breaks_rules(body: bytes, breaks: int, forger: Forger) -> None:
    """To say in TLS's own words that a certificate is not taken breaks none."""
    told: list[Exception] = []
    forger.theirs.on_broken = told.append
    forger.ours.write(forger.record(21, body))
    await forger.told.until_told("lost")

    assert len(told) == breaks


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


CROWD: Final = 300


async def test_a_crowd_that_stops_in_the_middle(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each goes when its time is up, nothing is left of it, and who talks meanwhile is not disturbed."""
    monkeypatch.setattr(transport, "HANDSHAKE", 0.5)
    made: weakref.WeakSet[TlsTransport] = weakref.WeakSet()
    errors: list[Exception | None] = []
    gone = asyncio.Semaphore(0)
    server = authority.server()

    class Echo(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.line.write(data)

        def lost(self, error: Exception | None) -> None:
            errors.append(error)
            gone.release()

        def __init__(self, line: Transport) -> None:
            super().__init__()
            self.line = line
            line.start(self)

    def accept(inner: Transport) -> None:
        outer = TlsTransport(inner, server.context)
        made.add(outer)
        Echo(outer)

    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=4096)
    address = parse_address(listener.addresses[0])
    context = authority.client().make_context()
    honest = TlsTransport(await open_transport(address), context, server_hostname="localhost")
    await honest.shake_hands()
    hears = Recorder()
    honest.start(hears)

    crowd: list[tuple[Transport, Recorder]] = []
    for number in range(CROWD):
        records = Records(context, "localhost")
        records.receive(b"")
        hello = records.to_send()
        half = await open_transport(address)
        crowd.append((half, Recorder()))
        half.start(crowd[-1][1])
        half.write(hello[: number % len(hello)] if number % 2 else hello)
        honest.write(b"?")
    async with asyncio.timeout(BOUND):
        for _ in range(CROWD):
            await gone.acquire()
    await hears.until(lambda: len(hears.data) == CROWD)

    assert {type(error) for error in errors} == {TLSTimeout}

    for half, told in crowd:
        await told.until(lambda told=told: "ended" in told.told or "lost" in told.told)  # type: ignore[misc]
        half.abort()
    await _turns(3)
    gc.collect()

    assert len(made) == 1

    honest.abort()
    listener.close()
    await hears.until_told("lost")
    async with asyncio.timeout(BOUND):
        await gone.acquire()


@pytest.mark.needs("openssl")
async def test_a_renegotiation_is_refused(authority: Authority) -> None:
    """Under TLS 1.2 a client may ask for handshakes without end; here it is told no, and the line goes on as it was."""
    told = Recorder()

    def accept(inner: Transport) -> None:
        TlsTransport(inner, server.context).start(told)

    server = authority.server()
    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=4)
    port = parse_address(listener.addresses[0]).port
    client = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{port}", "-CAfile", str(authority.path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert client.stdin is not None and client.stdout is not None
    client.stdin.write(b"hello\n")
    await told.until_told("data")
    client.stdin.write(b"R\n")
    async with asyncio.timeout(BOUND):
        output = await client.stdout.read()
        await client.wait()
    await told.until_told("lost")
    listener.close()

    assert b"RENEGOTIATING" in output and b"no renegotiation" in output
    assert told.data == b"hello\n"
