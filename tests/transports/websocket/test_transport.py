"""WebSocket as a transport: what every transport promises, over TCP and Unix sockets, and what is its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.websocket.server import listen
from landline.errors import ConnectError, ProtocolError
from landline.testing.transport_conformance import Recorder, TransportConformance
from landline.transports import Accept, Listener, Transport, parse_address
from landline.transports import open_transport as open_line
from landline.transports.websocket import WebSocketTransport
from landline.transports.websocket.client import ask, open_transport
from landline.transports.websocket.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    encode_close,
    encode_frame,
)
from tests.transports.websocket.lines import FakeLine

if TYPE_CHECKING:
    from tests.transports.conftest import Authority

KEY = b"\x01\x02\x03\x04"


class Conformance(TransportConformance):
    """Both ends of a WebSocket, over a line of another kind."""

    async def open_listener(self, address: str, accept: Accept) -> Listener:
        return await listen(address, accept)

    async def open_transport(self, address: str) -> Transport:
        try:
            return await ask(await open_line(parse_address(address)), parse_address("ws://localhost/"))
        except ProtocolError as error:  # a Unix socket may still be there, and let nobody in
            raise ConnectError(address, error.reason) from error


class TestOverTcp(Conformance):
    scheme = "ws"

    @pytest.fixture
    def address(self) -> str:
        return "ws://127.0.0.1:0"

    async def open_transport(self, address: str) -> Transport:
        return await open_transport(parse_address(address))


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
        return "memory://websocket"


class TestOverTls(Conformance):
    scheme = "wss"

    @pytest.fixture
    def address(self) -> str:
        return "wss://127.0.0.1:0"

    @pytest.fixture(autouse=True)
    def contexts(self, authority: Authority) -> None:
        self.server, self.client = authority.server(), authority.client()

    async def open_listener(self, address: str, accept: Accept) -> Listener:
        return await listen(address, accept, tls=self.server)

    async def open_transport(self, address: str) -> Transport:
        return await open_transport(parse_address(address), self.client)


def opened(*, is_client: bool = False, first: bytes = b"") -> tuple[FakeLine, WebSocketTransport, Recorder]:
    line, hears = FakeLine(), Recorder()
    transport = WebSocketTransport(line, is_client=is_client, first=first)
    transport.start(hears)
    return line, transport, hears


async def turn() -> None:
    """Let what was scheduled run."""
    await asyncio.sleep(0)


def binary(data: bytes) -> bytes:
    return encode_frame(BINARY, data, KEY)


# Bytes...


async def test_a_write_is_one_message() -> None:
    """Unmasked from a server, masked from a client, and never twice with the same mask; nothing is no message."""
    line, transport, _ = opened()
    transport.write(b"one")
    transport.write(b"")
    transport.write(b"two")

    assert line.heard() == [(BINARY, b"one"), (BINARY, b"two")]

    line, transport, _ = opened(is_client=True)
    transport.write(b"one")
    first = bytes(line.written)
    transport.write(b"one")

    assert bytes(line.written[len(first) :]) != first
    assert line.heard(is_masked=True) == [(BINARY, b"one")] * 2


async def test_what_arrives_in_one_chunk_is_told_at_once() -> None:
    """Whatever its messages and fragments: the fewer calls the better. Nothing is told of an empty one."""
    line, _, hears = opened()
    await turn()
    line.say(binary(b"one") + encode_frame(BINARY, b"t", KEY, is_final=False) + encode_frame(0, b"wo", KEY))
    line.say(binary(b""))
    line.say(binary(b"three"))

    assert hears.chunks == [b"onetwo", b"three"]


@given(size=st.integers(1, 60), parts=st.lists(st.binary(max_size=50), max_size=8))
def test_bytes_do_not_depend_on_chunks(size: int, parts: list[bytes]) -> None:
    """Neither on how they were cut into messages."""

    async def play() -> bytes:
        data = b"".join(map(binary, parts))
        line, _, hears = opened(first=data[:size])
        for at in range(size, len(data), size):
            line.say(data[at : at + size])
        await turn()
        return bytes(hears.data)

    assert asyncio.run(play()) == b"".join(parts)


async def test_what_was_read_behind_the_handshake_comes_first() -> None:
    """Even when more arrives before anybody was told; and nothing within the call of start."""
    line, _, hears = opened(first=binary(b"one"))
    line.say(binary(b"two"))
    assert hears.told == []

    await turn()
    line.say(binary(b"three"))

    assert hears.chunks == [b"onetwo", b"three"]


async def test_who_does_not_start_has_little_read() -> None:
    """After the first chunk the line is held, until somebody wants to know."""
    line = FakeLine()
    transport = WebSocketTransport(line, is_client=False)
    line.say(binary(b"one"))
    assert line.done == ["hold"]

    hears = Recorder()
    transport.start(hears)
    await turn()

    assert line.done == ["hold", "let go"]
    assert hears.chunks == [b"one"]


async def test_who_it_is_is_what_the_line_says() -> None:
    """With WebSocket's schemes for those that have one."""
    peers = {
        peer: WebSocketTransport(FakeLine(peer), is_client=False).peer
        for peer in ("tcp://a:1", "tls://a:1", "unix:///a")
    }

    assert peers == {"tcp://a:1": "ws://a:1", "tls://a:1": "wss://a:1", "unix:///a": "unix:///a"}
    assert WebSocketTransport(FakeLine(), is_client=False).source == "10.0.0.1"


# Pings...


async def test_a_ping_is_answered_with_what_it_says() -> None:
    """Each of them; a pong that nobody asked for says nothing."""
    line, _, hears = opened()
    await turn()
    line.say(
        encode_frame(PING, b"1", KEY)
        + encode_frame(PONG, b"?", KEY)
        + binary(b"x")
        + encode_frame(PING, b"2", KEY)
    )

    assert line.heard() == [(PONG, b"1"), (PONG, b"2")]
    assert hears.told == ["data"]


async def test_pings_of_one_who_reads_nothing_pile_up_nothing() -> None:
    """Only the last is answered, when there is room."""
    line, _, hears = opened()
    await turn()
    line.is_writable = False
    for number in range(0, 1000, 2):
        line.say(encode_frame(PING, b"%d" % number, KEY) + encode_frame(PING, b"%d" % (number + 1), KEY))
    assert line.written == b""

    line.is_writable = True
    assert line.receiver is not None
    line.receiver.writable()
    line.receiver.writable()

    assert line.heard() == [(PONG, b"999")]
    assert hears.told == ["writable", "writable"]


async def test_no_ping_is_answered_after_our_close() -> None:
    """It is the last frame that we send."""
    line, transport, _ = opened()
    await turn()
    transport.end()
    assert line.heard() == [(CLOSE, b"\x03\xe8")]
    line.say(encode_frame(PING, b"1", KEY))

    assert line.written == b""


# The end...


async def test_the_peers_close_is_an_end_and_is_answered_when_we_close() -> None:
    """With the same code; then the line is closed, and nobody is told anything more until it is gone."""
    line, transport, hears = opened()
    await turn()
    line.say(binary(b"bye") + encode_close(1001, "", KEY))
    assert (hears.told, line.heard()) == (["data", "ended"], [])

    transport.write(b"still here")
    transport.close()
    assert line.heard() == [(BINARY, b"still here"), (CLOSE, b"\x03\xe9")]
    assert line.done[-1] == "close"
    line.say_end()
    line.lose()

    assert hears.told == ["data", "ended", "lost"]
    assert hears.error is None


async def test_our_close_waits_for_the_peers() -> None:
    """What comes before it is dropped."""
    line, transport, hears = opened()
    await turn()
    transport.close()
    transport.write(b"too late")
    line.say(binary(b"more"))
    assert line.heard() == [(CLOSE, b"\x03\xe8")]
    assert "close" not in line.done

    line.say(encode_close(1000, "", KEY))
    assert line.done[-1] == "close"
    line.lose()

    assert hears.told == ["lost"]


async def test_a_close_that_is_not_answered_with_an_end_of_the_line() -> None:
    """Is one all the same."""
    line, transport, hears = opened()
    await turn()
    transport.close()
    line.say_end()
    assert line.done[-1] == "close"
    line.lose()

    assert (hears.told, hears.error) == (["lost"], None)


async def test_an_end_reads_on_until_the_peers() -> None:
    """And leaves the line to who closes."""
    line, transport, hears = opened()
    await turn()
    transport.end()
    transport.end()
    line.say(binary(b"still here") + encode_close(1000, "", KEY))

    assert line.heard() == [(CLOSE, b"\x03\xe8")]
    assert hears.told == ["data", "ended"]
    assert "close" not in line.done
    transport.close()
    assert line.done[-1] == "close"
    assert line.heard() == []


async def test_a_peer_that_gives_up_says_why() -> None:
    """A code that is no farewell is an error."""
    line, transport, hears = opened(is_client=True)
    await turn()
    line.say(encode_close(1009, "too\x1b large"))
    transport.close()
    line.lose()

    assert hears.told == ["ended", "lost"]
    assert str(hears.error) == r"the other end closed its WebSocket with 1009, 'too\x1b large'"


async def test_a_line_that_is_cut_is_no_end() -> None:
    """Without a Close nobody knows whether that was all."""
    line, _, hears = opened()
    await turn()
    line.say(binary(b"half of"))
    line.say_end()

    assert hears.told == ["data", "lost"]
    assert isinstance(hears.error, ProtocolError)
    assert line.done[-1] == "close"


async def test_a_line_that_is_cut_early_is_told_after_what_came_before() -> None:
    """When it all comes before anybody could be told."""
    line, _, hears = opened(first=binary(b"half of"))
    line.say_end()
    assert hears.told == []
    await turn()

    assert hears.told == ["data", "lost"]
    assert isinstance(hears.error, ProtocolError)


async def test_a_line_that_is_lost_is_told_after_what_came_before() -> None:
    """Also when it all comes before anybody could be told; and once."""
    line, transport, hears = opened(first=binary(b"one"))
    gone: list[str] = []
    transport.on_lost = lambda _: gone.append(hears.told[-1])
    error = ConnectionResetError()
    line.lose(error)
    await turn()

    assert hears.told == ["data", "lost"]
    assert hears.error is error
    assert gone == ["lost"]


async def test_who_starts_too_late_is_told_that_it_is_lost() -> None:
    """Once."""
    line, hears = FakeLine(), Recorder()
    transport = WebSocketTransport(line, is_client=False)
    line.lose()
    transport.start(hears)
    await turn()
    transport.start(hears)
    await turn()

    assert hears.told == ["lost"]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (encode_frame(TEXT, b"hello", KEY), 1003),
        (b"\xff\xff", 1002),
        (encode_frame(BINARY, b"unmasked"), 1002),
        (encode_frame(BINARY, b"x" * 11, KEY), 1009),
    ],
)
async def test_what_breaks_a_rule_ends_it_with_a_code(bad: bytes, code: int) -> None:
    """What came before was told; the receiver is told that it is lost, the line is closed; whatever more comes means nothing."""
    line, hears = FakeLine(), Recorder()
    transport = WebSocketTransport(line, is_client=False, max_message=10)
    transport.start(hears)
    await turn()
    line.say(binary(b"good") + bad + binary(b"later"))
    line.say(binary(b"later still") + encode_close(1000, "", KEY))
    [(kind, payload)] = line.heard()

    assert (kind, int.from_bytes(payload[:2], "big")) == (CLOSE, code)
    assert hears.chunks == [b"good"]
    assert hears.told == ["data", "lost"]
    assert isinstance(hears.error, ProtocolError) and str(hears.error).encode() == payload[2:]
    assert line.done[-1] == "close" and not transport.is_writable
    line.lose()
    assert hears.told == ["data", "lost"]


async def test_who_closes_while_it_is_told_hears_no_more() -> None:
    """The rest of the chunk is dropped, except for the peer's Close."""
    line, transport, hears = opened()
    await turn()

    class Closer(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            transport.close()

    closer = Closer()
    transport.start(closer)
    line.say(binary(b"one") + encode_close(1000, "", KEY))

    assert closer.told == ["data"]
    assert line.heard() == [(CLOSE, b"\x03\xe8")]
    assert line.done[-1] == "close"
    assert hears.told == []


async def test_an_abort_says_nothing() -> None:
    """The line goes at once, without a Close."""
    line, transport, _ = opened()
    transport.abort()
    transport.write(b"too late")

    assert line.done[-1] == "abort" and line.written == b""
    assert not transport.is_writable
