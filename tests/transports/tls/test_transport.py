"""TLS as a transport: the promises of every transport over each kind of line, and then its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landline.errors import TLSError, TLSTimeout
from landline.limits import TRANSPORT
from landline.testing.transport_conformance import BOUND, Line, Recorder, TransportConformance
from landline.transports import Accept, Listener, Transport, open_listener, open_transport, parse_address
from landline.transports.certificates import ServerTLS, fingerprint_of
from landline.transports.stream import HIGH_WATER
from landline.transports.tls import TlsTransport, transport
from landline.transports.tls.reasons import CUT_OFF, HUNG_UP
from landline.transports.tls.records import Records

if TYPE_CHECKING:
    from tests.transports.conftest import Authority


class Conformance(TransportConformance):
    """Both ends under TLS, over a line of ``scheme``."""

    @pytest.fixture(autouse=True)
    def contexts(self, authority: Authority) -> None:
        self.server, self.client = authority.server(), authority.client()

    async def open_listener(self, address: str, accept: Accept) -> Listener:
        def accept_under_tls(inner: Transport) -> None:
            accept(TlsTransport(inner, self.server.context))

        return await open_listener(parse_address(address), accept_under_tls, backlog=16)

    async def open_transport(self, address: str) -> Transport:
        inner = await open_transport(parse_address(address))
        transport = TlsTransport(inner, self.client.make_context(), server_hostname="localhost")
        await transport.shake_hands()
        return transport


class TestOverTcp(Conformance):
    scheme = "tls"

    @pytest.fixture
    def address(self) -> str:
        return "tcp://127.0.0.1:0"

    async def test_a_peer_has_an_address(self, line: Line) -> None:
        """That of TCP, and it says that TLS is spoken there."""
        (place,) = line.listener.addresses
        assert line.ours.peer == place.replace("tcp://", "tls://")
        assert parse_address(line.theirs.peer).scheme == "tls"


class TestOverUnix(Conformance):
    scheme = "unix"

    @pytest.fixture
    def address(self, tmp_path: Path) -> str:
        return f"unix://{tmp_path}/s"


class TestOverMemory(Conformance):
    scheme = "memory"
    overhead = 0.01
    has_halves = False

    @pytest.fixture
    def address(self) -> str:
        return "memory://tls"


# A peer of the test's hands, over a line in memory...


class Peer:
    """The other end of the line: raw bytes, and TLS where the test wants it."""

    def __init__(self, line: Line, client: ssl.SSLContext, server: ssl.SSLContext) -> None:
        self.ours, self.hears = line.ours, Recorder()
        self.ours.start(self.hears)
        self.theirs = TlsTransport(line.theirs, server)
        self.records = Records(client, "localhost")
        self._taken = 0
        self.heard = b""

    def say(self, data: bytes) -> None:
        """Send raw bytes."""
        self.ours.write(data)

    def hello(self) -> bytes:
        """Return the first words of a handshake."""
        self.records.receive(b"")
        return self.records.to_send()

    async def take(self) -> bytes:
        """Return the raw bytes that came since, when some have."""
        await self.hears.until(lambda: len(self.hears.data) > self._taken)
        data = bytes(self.hears.data[self._taken :])
        self._taken = len(self.hears.data)
        return data

    async def hear(self) -> None:
        """Take what came since, when something has, and answer what TLS has to answer."""
        found, broken = self.records.receive(await self.take())
        assert broken is None
        self.heard += b"".join(found)
        self.say(self.records.to_send())

    async def shake_hands(self) -> None:
        """Do it as everybody does."""
        self.say(self.hello())
        while not self.records.is_open:
            await self.hear()
        await self.hear()  # tickets: the server has our last words

    def encrypted(self, data: bytes) -> bytes:
        """Return ``data`` as records."""
        written: list[bytes] = []
        self.records.encrypt(data, written.append)
        return b"".join(written)


@pytest.fixture
async def peer(line: Line, authority: Authority) -> AsyncIterator[Peer]:
    peer = Peer(line, authority.client().make_context(), authority.server().context)
    yield peer
    peer.ours.abort()
    peer.theirs.abort()


def reason(hears: Recorder) -> str:
    assert isinstance(hears.error, TLSError)
    return hears.error.reason


async def test_a_byte_at_a_time(peer: Peer, recorder: type[Recorder]) -> None:
    """Handshake, words and farewell, however they are cut."""
    hears = recorder()
    peer.theirs.start(hears)

    def drip(data: bytes) -> None:
        for at in range(len(data)):
            peer.say(data[at : at + 1])

    drip(peer.hello())
    while not peer.records.is_open:
        peer.records.receive(await peer.take())
        drip(peer.records.to_send())
    drip(peer.encrypted(b"slowly"))
    peer.records.say_farewell()
    drip(peer.records.to_send())
    await hears.until_told("ended")

    assert hears.told == ["data", "ended"]
    assert hears.data == b"slowly"


async def test_what_was_read_already_comes_first(
    line: Line, authority: Authority, recorder: type[Recorder]
) -> None:
    """Whoever found out that it is TLS has read some of it; what comes meanwhile is later."""
    peer = Peer(line, authority.client().make_context(), authority.server().context)
    hello = peer.hello()
    theirs = TlsTransport(line.theirs, authority.server().context, first=hello[:50])
    hears = recorder()
    peer.say(hello[50:])
    theirs.start(hears)
    while not peer.records.is_open:
        peer.records.receive(await peer.take())
        peer.say(peer.records.to_send())
    peer.say(peer.encrypted(b"hello"))
    await hears.until_told("data")

    assert hears.data == b"hello"

    theirs.abort()


async def test_words_with_the_last_of_the_handshake(peer: Peer, recorder: type[Recorder]) -> None:
    """A client need not wait: both in one arrival are both told, and what the server wrote before is answered in between."""
    hears = recorder()
    peer.theirs.start(hears)
    peer.theirs.write(b"welcome")
    peer.say(peer.hello())
    while not peer.records.is_open:
        peer.records.receive(await peer.take())
    peer.say(peer.records.to_send() + peer.encrypted(b"at once"))
    await hears.until_told("data")
    found, broken = peer.records.receive(await peer.take())

    assert hears.data == b"at once"
    assert (found, broken) == ([b"welcome"], None)


async def test_nothing_is_told_after_the_loss(peer: Peer, recorder: type[Recorder]) -> None:
    """What came with the last of the handshake to somebody who holds, and was not taken until the line was gone, is gone too."""
    hears = recorder()
    peer.theirs.start(hears)
    peer.theirs.hold(True)
    peer.say(peer.hello())
    while not peer.records.is_open:
        peer.records.receive(await peer.take())
    peer.say(peer.records.to_send() + peer.encrypted(b"at once"))
    await peer.take()
    peer.theirs.abort()
    await hears.until_told("lost")
    peer.theirs.hold(False)
    await asyncio.sleep(0)

    assert hears.told == ["lost"]


@pytest.mark.limit("transport.tls_handshake")
async def test_a_handshake_has_an_end(
    line: Line, authority: Authority, recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five seconds for all of it; a caller that has finished may be silent for as long as it likes."""
    monkeypatch.setattr(transport, "HANDSHAKE", 0.0)
    peer = Peer(line, authority.client().make_context(), authority.server().context)
    peer.say(peer.hello()[:100])
    hears = recorder()
    peer.theirs.start(hears)
    await hears.until_told("lost")

    assert hears.told == ["lost"]
    assert isinstance(hears.error, TLSTimeout)
    assert reason(hears) == "no TLS handshake within 0 s"
    assert TRANSPORT.tls_handshake == 5.0


async def test_a_handshake_that_is_over_is_not_timed(peer: Peer, recorder: type[Recorder]) -> None:
    """Its timer goes with it."""
    peer.theirs.start(recorder())
    await peer.shake_hands()

    assert peer.theirs._timer is None


@pytest.mark.parametrize("is_told", [True, False])
async def test_who_hangs_up_in_the_middle(is_told: bool, peer: Peer, recorder: type[Recorder]) -> None:
    """By an end, or without a word."""
    hears = recorder()
    peer.theirs.start(hears)
    peer.say(peer.hello()[:100])
    if is_told:
        peer.ours.end()
    else:
        peer.ours.abort()
    await hears.until_told("lost")

    assert hears.told == ["lost"]
    assert reason(hears) == HUNG_UP


@pytest.mark.parametrize("is_told", [True, False])
async def test_an_end_without_a_farewell_is_a_cut(
    is_told: bool, peer: Peer, recorder: type[Recorder]
) -> None:
    """Somebody in between may have cut off the rest."""
    hears = recorder()
    peer.theirs.start(hears)
    await peer.shake_hands()
    peer.say(peer.encrypted(b"to be cont"))
    if is_told:
        peer.ours.end()
    else:
        peer.ours.abort()
    await hears.until_told("lost")

    assert hears.told == ["data", "lost"]
    assert reason(hears) == CUT_OFF


@pytest.mark.parametrize("error", [None, ConnectionResetError("reset")])
async def test_a_line_that_is_gone_at_once_is_a_cut(
    error: Exception | None, peer: Peer, recorder: type[Recorder]
) -> None:
    """Without even an end; what the line itself says is told where it says something."""
    hears = recorder()
    peer.theirs.start(hears)
    await peer.shake_hands()
    peer.theirs.lost(error)

    assert hears.told == ["lost"]
    assert hears.error is error or reason(hears) == CUT_OFF
    assert hears.error is not None


async def test_a_farewell_and_then_nothing_more(peer: Peer, recorder: type[Recorder]) -> None:
    """Then the line may end as it likes, and whatever comes is not looked at."""
    hears = recorder()
    peer.theirs.start(hears)
    await peer.shake_hands()
    peer.records.say_farewell()
    peer.say(peer.records.to_send() + b"rubbish")
    await hears.until_told("ended")
    peer.say(b"more rubbish" * 10_000)
    peer.ours.abort()
    await hears.until_told("lost")

    assert hears.told == ["ended", "lost"]
    assert hears.error is None


RUBBISH = {
    "text": (b"GET / HTTP/1.1\r\n\r\n", "what came is not TLS"),
    "a huge record": (b"\x16\x03\x01\xff\xff" + b"x" * 5000, "a record is longer than TLS allows"),
    "an old version": (b"\x16\x03\x00\x00\x05\x01\x00\x00\x01\x00", ""),
    "an alert": (b"\x15\x03\x03\x00\x02\x02\x28", ""),
    "a record of nothing": (b"\x16\x03\x01\x00\x00", ""),
    "data at once": (b"\x17\x03\x03\x00\x05hello", ""),
}


@pytest.mark.parametrize("name", RUBBISH)
@pytest.mark.parametrize("stage", ["first", "after the hello", "when it is open"])
async def test_rubbish_ends_the_line(name: str, stage: str, peer: Peer, recorder: type[Recorder]) -> None:
    """At any stage: it is told as lost, with a clause that says why, and nothing else is told."""
    hears = recorder()
    peer.theirs.start(hears)
    if stage == "when it is open":
        await peer.shake_hands()
    elif stage == "after the hello":
        peer.say(peer.hello())
    rubbish, text = RUBBISH[name]
    peer.say(rubbish * (64 if name == "a record of nothing" else 1))
    await hears.until_told("lost")

    assert hears.told == ["lost"]
    assert reason(hears)
    if stage == "first" and text:
        assert text in reason(hears)


# Closing at any moment...


async def test_a_close_in_the_middle_lets_out_what_waits(peer: Peer, recorder: type[Recorder]) -> None:
    """What was written before the handshake is over leaves with its end, and the farewell after it."""
    hears = recorder()
    peer.theirs.start(hears)
    peer.theirs.write(b"good ")
    peer.theirs.write(b"bye")
    peer.theirs.close()
    peer.theirs.write(b"too late")
    await peer.shake_hands()
    while not peer.records.has_ended:
        await peer.hear()
    await hears.until_told("lost")

    assert peer.heard == b"good bye"
    assert peer.records.has_ended
    assert hears.told == ["lost"] and hears.error is None


async def test_an_end_in_the_middle_waits_for_the_handshake(peer: Peer, recorder: type[Recorder]) -> None:
    """The other direction is as open as ever."""
    hears = recorder()
    peer.theirs.start(hears)
    peer.theirs.write(b"all of it")
    peer.theirs.end()
    await peer.shake_hands()
    while not peer.records.has_ended:
        await peer.hear()
    peer.say(peer.encrypted(b"thanks"))
    await hears.until_told("data")

    assert peer.heard == b"all of it" and peer.records.has_ended
    assert hears.told == ["data"]


async def test_a_close_with_nothing_to_say_does_not_wait(peer: Peer, recorder: type[Recorder]) -> None:
    """Nobody is owed a handshake."""
    hears = recorder()
    peer.theirs.start(hears)
    peer.theirs.close()
    await hears.until_told("lost")

    assert hears.error is None and not peer.hears.data


@pytest.mark.parametrize("go", [TlsTransport.close, TlsTransport.abort])
async def test_a_close_before_the_start_is_told(
    go: Callable[[TlsTransport], None], line: Line, authority: Authority, recorder: type[Recorder]
) -> None:
    """Whoever counts transports counts this one too; a receiver that comes later hears of it."""
    outer = TlsTransport(line.theirs, authority.server().context)
    gone = asyncio.Event()
    outer.on_lost = lambda _: gone.set()
    go(outer)
    async with asyncio.timeout(BOUND):
        await gone.wait()
    hears = recorder()
    outer.start(hears)
    await hears.until_told("lost")

    assert hears.error is None


async def test_who_closes_waits_a_moment_for_the_handshake(
    peer: Peer, recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that stops in the middle does not keep what was closed."""
    monkeypatch.setattr(transport, "LINGER", 0.0)
    hears = recorder()
    peer.theirs.start(hears)
    peer.theirs.write(b"bye")
    peer.say(peer.hello()[:100])
    peer.theirs.close()
    await hears.until_told("lost")

    assert hears.told == ["lost"] and hears.error is None


async def test_who_holds_before_the_handshake_is_told_nothing(peer: Peer, recorder: type[Recorder]) -> None:
    """The handshake goes on meanwhile, and what came with its last words waits."""
    hears = recorder()
    peer.theirs.hold(True)
    peer.theirs.start(hears)
    peer.say(peer.hello())
    while not peer.records.is_open:
        peer.records.receive(await peer.take())
    last = peer.records.to_send() + peer.encrypted(b"at once")
    peer.records.say_farewell()
    peer.say(last + peer.records.to_send())
    peer.records.receive(await peer.take())

    assert hears.told == []

    peer.theirs.hold(False)
    await hears.until_told("ended")

    assert hears.told == ["data", "ended"]


async def test_much_that_was_written_early_is_written_on_in_time(
    peer: Peer, recorder: type[Recorder]
) -> None:
    """More than a line takes waits for the handshake: the writer sees it, and is told when there is room."""
    hears = recorder()
    peer.theirs.start(hears)
    written = 0
    while peer.theirs.is_writable:
        peer.theirs.write(b"x" * 65536)
        written += 65536

    assert peer.theirs.backlog == written > HIGH_WATER

    await peer.shake_hands()
    while len(peer.heard) < written:
        await peer.hear()
    await hears.until_told("writable")

    assert peer.theirs.is_writable


# A server's verdict on its client...


class Judge:
    """A server of the test's hands that asks its client for a certificate, and keeps its verdict to itself for as long as the test wants."""

    def __init__(self, line: Line, authority: Authority, *, tickets: int) -> None:
        tls = authority.server(clients=authority.path)
        tls.context.num_tickets = tickets
        self.records, self.line, self.hears = Records(tls.context, None), line.theirs, Recorder()
        self.line.start(self.hears)
        self.client = TlsTransport(line.ours, authority.client().make_context(), server_hostname="localhost")
        self.shaking = asyncio.ensure_future(self.client.shake_hands())

    async def hear(self) -> bytes:
        """Take what came; return what there is to say about it."""
        await self.hears.until(lambda: len(self.hears.data) > 0)
        data = bytes(self.hears.data)
        self.hears.data.clear()
        self.records.receive(data)
        return self.records.to_send()


@pytest.mark.limit("transport.tls_verdict")
async def test_a_verdict_is_waited_for_a_moment(
    line: Line, authority: Authority, recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has nothing against its client may say nothing: after a second it counts as content, and a verdict ends the line then."""
    monkeypatch.setattr(transport, "VERDICT", 0.0)
    judge = Judge(line, authority, tickets=0)
    judge.line.write(await judge.hear())
    verdict = await judge.hear()
    async with asyncio.timeout(BOUND):
        await judge.shaking
    hears = recorder()
    judge.client.start(hears)
    judge.line.write(verdict)
    await hears.until_told("lost")

    assert hears.told == ["lost"]
    assert (
        reason(hears)
        == "the server takes only clients with a certificate: show one that its authority signed"
    )
    assert TRANSPORT.tls_verdict == 1.0


async def test_a_verdict_in_pieces_is_one(line: Line, authority: Authority) -> None:
    """The first byte of an alert is no sign of being content."""
    judge = Judge(line, authority, tickets=0)
    judge.line.write(await judge.hear())
    verdict = await judge.hear()
    for at in range(len(verdict)):
        judge.line.write(verdict[at : at + 1])

    with pytest.raises(TLSError, match="takes only clients with a certificate"):
        await judge.shaking


async def test_a_hang_up_is_a_verdict_too(line: Line, authority: Authority) -> None:
    """Some say no more than that."""
    judge = Judge(line, authority, tickets=0)
    judge.line.write(await judge.hear())
    await judge.hear()
    judge.line.close()

    with pytest.raises(TLSError, match="hung up when it saw our certificate"):
        await judge.shaking


async def test_a_handshake_that_is_cancelled_leaves_nothing(line: Line, authority: Authority) -> None:
    """Whoever dialled had enough."""
    judge = Judge(line, authority, tickets=0)
    await judge.hear()
    judge.shaking.cancel()
    await judge.hears.until_told("lost")

    assert judge.shaking.cancelled()


# Certificates change...


async def test_who_is_connected_goes_on_when_the_certificate_changes(
    authority: Authority, tmp_path: Path, recorder: type[Recorder]
) -> None:
    """Who comes after is shown the new one."""
    path = tmp_path / "certificate.pem"
    path.write_bytes(authority.sign("localhost").read_bytes())
    tls = ServerTLS(path, path)
    before = tls.fingerprint
    arrived: list[Recorder] = []

    def accept(inner: Transport) -> None:
        arrived.append(recorder())
        TlsTransport(inner, tls.context).start(arrived[-1])

    async def dial() -> TlsTransport:
        inner = await open_transport(parse_address(listener.addresses[0]))
        dialled = TlsTransport(inner, authority.client().make_context(), server_hostname="localhost")
        await dialled.shake_hands()
        return dialled

    listener = await open_listener(parse_address("memory://reload"), accept, backlog=4)
    first = await dial()
    path.write_bytes(authority.sign("localhost").read_bytes())
    tls.reload()
    second = await dial()
    first.write(b"still here")
    await arrived[0].until_told("data")

    assert fingerprint_of(first.peer_certificate) == before
    assert fingerprint_of(second.peer_certificate) == tls.fingerprint != before

    for each in (first, second):
        each.abort()
    listener.close()
