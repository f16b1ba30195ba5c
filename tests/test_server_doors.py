"""One port, every door: sessions, TLS, WebSocket, HTTP and plain text, over TCP and a Unix socket, with TLS around each."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.testing.transport_conformance import Recorder
from landline.transports import TlsTransport, Transport, open_listener, open_transport, parse_address
from landline.web.answers import answer

BOUND = 10.0


async def echo(session: landline.Session) -> None:
    async for message in session:
        _ = await session.send(message)


async def repeat(caller: landline.Caller) -> None:
    while chunk := await caller.receive():
        caller.send(chunk)


async def page(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/never":
        await asyncio.Event().wait()
    await answer(send, 200, f"the page {scope['path']} over {scope['scheme']}")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> landline.ServerTLS:
    return landline.make_certificate(tmp_path_factory.mktemp("certificate"), ["localhost", "127.0.0.1"])


@pytest.fixture
def trust(tls: landline.ServerTLS) -> landline.ClientTLS:
    return landline.ClientTLS(fingerprint=tls.fingerprint)


class Port:
    """A server that listens, and where."""

    def __init__(self, listening: landline.Listening) -> None:
        self.listening = listening
        self.tcp = next(each for each in listening.addresses if each.startswith("tcp"))
        self.unix = next(each for each in listening.addresses if each.startswith("unix"))
        self.place = self.tcp.removeprefix("tcp://")
        host, _, port = self.place.rpartition(":")
        self.host, self.port = host, int(port)

    async def say(self, words: bytes, door: str) -> bytes:
        """Say something as a program that knows nothing of landline, and return what is answered until the end."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        opening: dict[
            str, Callable[[], Coroutine[Any, Any, tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
        ] = {
            "tcp": lambda: asyncio.open_connection(self.host, self.port),
            "tls": lambda: asyncio.open_connection(self.host, self.port, ssl=context),
            "unix": lambda: asyncio.open_unix_connection(self.unix.removeprefix("unix://")),
        }
        async with asyncio.timeout(BOUND):
            reader, writer = await opening[door]()
            try:
                writer.write(words)
                if door != "tls":
                    writer.write_eof()
                    return await reader.read()
                return await reader.readuntil(b"\n") if b"HTTP" not in words else await reader.read()
            finally:
                writer.close()
                with contextlib.suppress(OSError, ssl.SSLError):
                    await writer.wait_closed()


@pytest.fixture
async def open_port(tls: landline.ServerTLS, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    async with contextlib.AsyncExitStack() as stack:

        async def open_it(**options: Any) -> Port:
            server = landline.Server(echo, tls=tls, web=landline.Web(app=page), **options)
            server.plain(repeat)
            listening = server.listen("tcp://127.0.0.1:0", f"unix://{tmp_path}/s")
            return Port(await stack.enter_async_context(listening))

        yield open_it


@pytest.mark.parametrize("scheme", ["tcp", "tls", "ws", "wss"])
async def test_a_session_comes_by_any_door(
    scheme: str, open_port: Callable[..., Any], trust: landline.ClientTLS
) -> None:
    """The same port takes it bare, under TLS, as a WebSocket, and as one under TLS."""
    port = await open_port()
    async with landline.connect(f"{scheme}://{port.place}", tls=trust) as session:
        _ = await session.send("hello")

        assert await session.receive() == "hello"
        assert session.peer == f"{scheme}://{port.place}"


@pytest.mark.parametrize("door", ["tcp", "tls", "unix"])
async def test_each_door_serves_the_web(door: str, open_port: Callable[..., Any]) -> None:
    """What the program has, and what every server has."""
    port = await open_port()
    said = {
        path: await port.say(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(), door
        )
        for path in ("/a", "/health", "/ready", "/metrics", "/landline/index.js")
    }

    assert all(answer.startswith(b"HTTP/1.1 200") for answer in said.values())
    assert f"the page /a over {'https' if door == 'tls' else 'http'}".encode() in said["/a"]
    assert b"landline_connections 1\n" in said["/metrics"]
    assert b"text/javascript" in said["/landline/index.js"]


@pytest.mark.parametrize("door", ["tcp", "tls", "unix"])
async def test_each_door_takes_plain_text(door: str, open_port: Callable[..., Any]) -> None:
    """Whoever is no program of ours is heard, under TLS too."""
    port = await open_port()

    assert await port.say(b"hello\n", door) == b"hello\n"


async def test_a_server_without_a_certificate_hangs_up_on_tls(trust: landline.ClientTLS) -> None:
    """At once, and the client says what may be wrong."""
    async with landline.serve(echo, "tcp://127.0.0.1:0") as listening:
        address = listening.addresses[0].replace("tcp://", "tls://")
        with pytest.raises(landline.ConnectError, match="may not speak TLS"):
            await landline.connect(address, tls=trust)


async def test_nobody_speaks_tls_within_tls(open_port: Callable[..., Any], tls: landline.ServerTLS) -> None:
    """A handshake inside is somebody's mistake or mischief: the line is closed."""
    port = await open_port()

    with pytest.raises((asyncio.IncompleteReadError, OSError)):
        await port.say(b"\x16\x03\x01\x02\x00\x01\x00", "tls")


@pytest.mark.parametrize(
    ("source", "peer", "is_under_tls", "said"),
    [
        ("192.0.2.1", "tcp://192.0.2.1:7", False, b"This server is reached by TLS only"),
        ("192.0.2.1", "tcp://192.0.2.1:7", True, b"hello"),
        ("192.0.2.1", "ws://192.0.2.1:7", False, b"This server is reached by TLS only"),
        ("192.0.2.1", "wss://192.0.2.1:7", False, b"hello"),
        ("", "tcp://127.0.0.1:7", False, b"hello"),
    ],
)
async def test_from_other_machines_by_tls_only(
    source: str,
    peer: str,
    is_under_tls: bool,
    said: bytes,
    open_port: Callable[..., Any],
    trust: landline.ClientTLS,
) -> None:
    """Ours, or that of the web server which the WebSocket came to. Who comes from here need not."""
    port = await open_port(needs_tls=True)

    def take(transport: Any) -> None:
        transport.source, transport.peer = source, peer
        port.listening.take(transport)

    listener = await open_listener(parse_address("memory://from-afar"), take, backlog=1)
    ours: Transport = await open_transport(parse_address("memory://from-afar"))
    if is_under_tls:
        ours = TlsTransport(ours, trust.make_context(), server_hostname="localhost")
    hears = Recorder()
    ours.start(hears)
    ours.write(b"hello\n")
    await hears.until_told("data")

    assert hears.data.startswith(said)

    ours.close()
    await hears.until_told("lost")
    listener.close()


async def test_a_web_socket_is_taken_at_the_root_alone(open_port: Callable[..., Any]) -> None:
    """Elsewhere the program's application answers, which has no WebSockets here."""
    port = await open_port()
    with pytest.raises(landline.ConnectError, match="200"):
        await landline.connect(f"ws://{port.place}/elsewhere")


@pytest.mark.parametrize("fields", ["Origin: http://evil.example", "Origin: null", "Host: evil.example"])
async def test_a_page_of_another_site_gets_no_session(fields: str, open_port: Callable[..., Any]) -> None:
    """Cross-site WebSockets and rebound names are refused before anything of a session is said (CWE-1385, CVE-2026-44211)."""
    port = await open_port()
    host = "" if "Host" in fields else f"Host: {port.place}\r\n"
    request = (
        f"GET / HTTP/1.1\r\n{host}{fields}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    answered = await port.say(request.encode(), "tcp")

    assert answered.split()[1] in (b"403", b"421")
    assert port.listening.sessions == 0


async def test_ready_says_no_while_the_server_goes() -> None:
    """Health goes on saying yes: it is alive, and wants nobody new."""
    said: list[bytes] = []
    going = asyncio.Event()

    async def leave_slowly(session: landline.Session) -> None:
        await session.wait_closed()
        going.set()
        await asyncio.sleep(0)
        for path in ("/ready", "/health"):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            said.append(await reader.readuntil(b"\r\n"))
            await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"\n")

    async with contextlib.AsyncExitStack() as stack:
        server = landline.Server(leave_slowly)
        listening = await stack.enter_async_context(server.listen("tcp://127.0.0.1:0"))
        host, _, port = listening.addresses[0].removeprefix("tcp://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = await reader.readuntil(b"ready\n")
        session = await landline.connect(listening.addresses[0])
        closing = asyncio.create_task(session.wait_closed())
        await stack.aclose()
        writer.close()
        closing.cancel()
        await session.close()

    assert first.startswith(b"HTTP/1.1 200")
    assert said[0].startswith(b"HTTP/1.1 503")


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_whoever_is_there_when_the_server_goes(is_cancelled: bool, tls: landline.ServerTLS) -> None:
    """Sessions over each carrier, callers between two requests and in the middle of one, silent ones, and handshakes in the middle: no line and no task is left."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    records = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(*records).do_handshake()
    hello = records[1].read()
    before = asyncio.all_tasks()
    limits = landline.Limits(close_timeout=1.0)  # who is in the middle of a request is waited for
    listening: asyncio.Future[landline.Listening] = asyncio.get_running_loop().create_future()
    is_over = asyncio.Event()

    async def serve() -> None:
        options: dict[str, Any] = {"tls": tls, "web": landline.Web(app=page), "limits": limits}
        async with landline.serve(echo, "tcp://127.0.0.1:0", **options) as it:
            listening.set_result(it)
            await is_over.wait()

    serving = asyncio.create_task(serve())
    address = (await listening).addresses[0]
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    lines: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    for words, answer_ends, context_or_none in (
        (b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n", b"over http\n", None),
        (b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n", b"over https\n", context),
        (b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n", b"", None),
        (b"GET /a HT", b"", None),
        (b"", b"", None),
        (b"", b"", context),
        (hello[:50], b"", None),
        (hello, b"", None),
    ):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context_or_none)
        writer.write(words)
        if answer_ends:
            await reader.readuntil(answer_ends)
        lines.append((reader, writer))
    trust = landline.ClientTLS(fingerprint=tls.fingerprint)
    sessions = [
        await landline.connect(address.replace("tcp", scheme), tls=trust, limits=limits)
        for scheme in ("tcp", "tls", "ws", "wss")
    ]

    async def until_hung_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(4096):
                pass
        writer.close()

    async with asyncio.timeout(BOUND):
        is_over.set()
        if is_cancelled:
            await asyncio.sleep(0)
            serving.cancel()
        hung_up = [asyncio.create_task(until_hung_up(*line)) for line in lines]
        await asyncio.wait([serving])

        assert serving.cancelled() is is_cancelled
        assert is_cancelled or not (await listening).connections

        await asyncio.gather(*hung_up)
        while (await listening).connections:  # noqa: ASYNC110 - who is aborted is gone in the next turn
            await asyncio.sleep(0)

    assert "close_timeout" not in (await listening).hits  # each door let its own go

    left = {task.get_name() for task in asyncio.all_tasks() - before}

    assert left <= {"landline redial"}

    await asyncio.gather(*(session.close() for session in sessions))
