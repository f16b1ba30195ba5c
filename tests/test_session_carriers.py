"""One session over every carrier that its server has: it goes on over TCP, TLS, WebSocket, both, and a Unix socket, as the line is cut.

``Roads`` are bad networks before one server, one for each carrier, of which one is open at a time: each redial finds itself on another.
"""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.testing.ledger import Ledger
from landline.testing.network import Faults, Proxy, bad_network
from landline.transports.stream import StreamTransport

LIMITS = landline.Limits(redial_min=0.001, redial_max=0.01)
SCHEMES = ("tcp", "unix", "ws", "tls", "wss")
CLEAN = {"lost": 0, "doubled": 0, "reordered": 0, "invented": 0}


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> landline.ServerTLS:
    return landline.make_certificate(tmp_path_factory.mktemp("certificate"), ["127.0.0.1"])


class Roads:
    """A server with one life after the other, and a bad network before each of its addresses.

    Attributes:
        taken: on which the session went on, one for each time that it did.
    """

    def __init__(self, stack: AsyncExitStack, tls: landline.ServerTLS, folder: Path) -> None:
        self.proxies: dict[str, Proxy] = {}
        self.taken: list[str] = []
        self._stack = stack
        self._tls = tls
        self._trust = landline.ClientTLS(fingerprint=tls.fingerprint)
        self._folder = folder
        self._chance = random.Random(0)
        self._next: list[str] = []
        self._life = AsyncExitStack()
        self._listening: landline.Listening
        stack.push_async_callback(self.close)

    async def open(self, program: Any = None, **options: Any) -> landline.Server:
        """A life of the server begins."""
        server = landline.Server(program, tls=self._tls, retry_in=0.001, **options)
        server.topic("t.*", history=None, history_bytes=None)
        places = ("tcp://127.0.0.1:0", f"unix://{self._folder}/s")
        self._listening = await self._life.enter_async_context(server.listen(*places))
        for scheme, proxy in self.proxies.items():
            proxy.target = self.direct(scheme)
        return server

    def direct(self, scheme: str) -> str:
        """Where the server is reached without a bad network."""
        tcp, unix = self._listening.addresses
        return unix if scheme == "unix" else f"{scheme}://{tcp.removeprefix('tcp://')}"

    async def spoil(self, faults: Faults, seed: int = 0) -> None:
        """Put the bad networks there."""
        self._chance.seed(seed)
        for place, scheme in enumerate(SCHEMES):
            proxy = bad_network(self.direct(scheme), replace(faults), seed=seed + place)
            self.proxies[scheme] = await self._stack.enter_async_context(proxy)
        self._turn()

    def _turn(self) -> None:
        """Open another road than the one that is open; of five turns each opens one."""
        if not self._next:
            self._next = self._chance.sample(SCHEMES, len(SCHEMES))
            if not self.proxies[self._next[0]].is_refusing:
                self._next.reverse()
        opened = self._next.pop(0)
        for scheme, proxy in self.proxies.items():
            proxy.is_refusing = scheme != opened

    def _pause(self, number: int) -> float:
        del number
        self._turn()
        return 0.001

    async def connect(self, **options: Any) -> landline.Session:
        """Dial until somebody answers: the first dial is not redialled by itself, and these networks cut it too."""
        while True:
            addresses = [proxy.address for proxy in self.proxies.values()]
            dial = landline.connect(*addresses, limits=LIMITS, tls=self._trust, pause=self._pause, **options)
            with contextlib.suppress(landline.ConnectError):
                session = await dial
                self.taken.append(session.peer.partition("://")[0])
                return session
            self._turn()

    async def watch(self, session: landline.Session) -> None:
        """Write down what the session goes on over."""
        async for change in session.states():
            if change.state is landline.State.CONNECTED:
                self.taken.append(session.peer.partition("://")[0])

    async def crash(self) -> None:
        """The server ends without a word to anybody."""
        self._listening._acceptor.abort()
        await self._life.aclose()

    async def close(self) -> None:
        await self._life.aclose()

    @property
    def cuts(self) -> int:
        return sum(proxy.cuts for proxy in self.proxies.values())

    @property
    def changes(self) -> int:
        return sum(one != other for one, other in zip(self.taken, self.taken[1:], strict=False))


@pytest.fixture
async def roads(tls: landline.ServerTLS, tmp_path: Path) -> AsyncIterator[Roads]:
    async with AsyncExitStack() as stack:
        yield Roads(stack, tls, tmp_path)


def words(chance: random.Random, count: int) -> list[object]:
    """Numbered messages of several kinds and sizes."""
    filling = ["x" * chance.randrange(80) for _ in range(count)]
    return [
        [number, f"{number}:{filling[number]}", f"{number}:{filling[number]}".encode()][number % 3]
        for number in range(count)
    ]


async def speak(session: landline.Session, ledger: Ledger, messages: list[object]) -> None:
    receipts = []
    for message in messages:
        ledger.sent.append(message)
        receipts.append(await session.send(message))
    await session.flush()
    assert {receipt.outcome for receipt in receipts} == {landline.Outcome("acked")}
    ledger.acked = len(messages)


async def hear(session: landline.Session, ledger: Ledger, count: int) -> None:
    for _ in range(count):
        ledger.delivered.append(await session.receive())
    session.ack()


@contextlib.asynccontextmanager
async def beside(work: Awaitable[None]) -> AsyncIterator[None]:
    """Have something go on meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("seed", "count", "faults"),
    [
        (1, 2500, Faults(cut_every=9000)),
        (2, 1200, Faults(cut_every=5000, slice_to=23)),
        pytest.param(3, 30_000, Faults(cut_every=15_000), marks=pytest.mark.long),
        pytest.param(4, 6000, Faults(cut_every=6000, slice_to=17), marks=pytest.mark.long),
    ],
    ids=["cut", "cut and sliced", "cut for long", "cut and sliced small, for long"],
)
async def test_both_books_agree_over_every_carrier(
    seed: int, count: int, faults: Faults, roads: Roads
) -> None:
    """Nothing is lost, doubled, reordered or made up in either direction, while every redial goes over another carrier."""
    chance = random.Random(seed)
    up, down = Ledger(), Ledger()

    async def program(session: landline.Session) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(session, down, words(chance, count)))
            tasks.create_task(hear(session, up, count))
        await session.wait_closed()

    async with asyncio.timeout(55):
        await roads.open(program)
        await roads.spoil(faults, seed)
        session = await roads.connect()
        async with session, beside(roads.watch(session)), asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(session, up, words(chance, count)))
            tasks.create_task(hear(session, down, count))

    print(f"\n{roads.cuts} cuts, {roads.changes} changes over {' '.join(roads.taken)}")
    assert up.faults() == down.faults() == CLEAN
    assert len(up.delivered) == len(down.delivered) == up.acked == down.acked == count
    assert set(roads.taken) == set(SCHEMES)
    assert roads.changes > 10


@pytest.mark.long
async def test_topics_and_durable_sends_go_on_over_every_carrier(roads: Roads, tmp_path: Path) -> None:
    """Through cuts, and a server that dies in between and is another one afterwards: each once, in order, answered."""
    count = 400
    handled: list[int] = []
    told: list[tuple[int, int]] = []
    half = asyncio.Event()

    async def program(session: landline.Session) -> None:
        async for number in session:
            handled.append(number)  # noqa: PERF401 - as it comes: no session ends here in good order

    async def publish(session: landline.Session) -> None:
        for number in range(0, count, 10):
            await asyncio.gather(*(session.publish("t.a", each) for each in range(number, number + 10)))
            if number == count // 2:
                half.set()

    async def send(session: landline.Session) -> None:
        receipts = [await session.send(number, durable=True) for number in range(count)]
        assert {(await receipt).status for receipt in receipts} == {"acked"}

    async def read(session: landline.Session) -> None:
        async for item in session.subscribe("t.*", after="start"):
            assert isinstance(item, landline.Publication)
            told.append((item.position.offset, item.data))
            if item.data == count - 1:
                return

    async def restart() -> None:
        await half.wait()
        await roads.crash()
        await roads.open(program, storage=tmp_path / "server.db")

    async with asyncio.timeout(55):
        await roads.open(program, storage=tmp_path / "server.db")
        await roads.spoil(Faults(cut_every=4000), seed=5)
        session = await roads.connect(storage=tmp_path / "client.db")
        async with session, beside(roads.watch(session)), asyncio.TaskGroup() as tasks:
            for work in (publish(session), send(session), read(session), restart()):
                tasks.create_task(work)

    print(f"\n{roads.cuts} cuts, over {' '.join(roads.taken)}")
    assert [data for _, data in told] == list(range(count))
    assert [offset for offset, _ in told] == sorted({offset for offset, _ in told})
    assert sorted(set(handled)) == list(range(count))
    assert handled == sorted(handled)
    assert len(handled) <= count + 1  # what the program had when its server died is given again
    assert roads.changes > 2


class OnlyHttp:
    """What some networks have at their border: it ends TLS, lets requests for a WebSocket through, and hangs up on everything else."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self.passed: list[bytes] = []
        self.turned_away: list[bytes] = []

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n") and (byte := await reader.read(1)):
            head += byte
            if not b"GET ".startswith(head[:4]):
                break
        if not head.startswith(b"GET ") or b"upgrade: websocket" not in head.lower():
            self.turned_away.append(head)
            writer.transport.abort()
            return
        self.passed.append(head)
        host, _, port = self._target.removeprefix("tcp://").rpartition(":")
        back_reader, back_writer = await asyncio.open_connection(host, int(port))
        back_writer.write(head)
        try:
            await asyncio.gather(self._carry(reader, back_writer), self._carry(back_reader, writer))
        finally:
            writer.transport.abort()
            back_writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

    async def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def only_http(target: str, context: ssl.SSLContext) -> AsyncIterator[tuple[OnlyHttp, str]]:
    """Run one; yield it, and its host and port."""
    border = OnlyHttp(target)
    server = await asyncio.start_server(border.serve, "127.0.0.1", 0, ssl=context)
    try:
        yield border, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await border.end()


async def test_where_only_http_passes_a_session_goes_on_over_wss(
    roads: Roads, tls: landline.ServerTLS
) -> None:
    """Its own port is closed to it from one moment to the next, and TLS without HTTP inside is turned away: nothing is lost."""
    up, down = Ledger(), Ledger()
    count = 400

    async def program(session: landline.Session) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(session, down, words(random.Random(1), count)))
            tasks.create_task(hear(session, up, count))
        await session.wait_closed()

    async with asyncio.timeout(30), AsyncExitStack() as stack:
        await roads.open(program)
        border, place = await stack.enter_async_context(only_http(roads.direct("tcp"), tls.context))
        open_road = await stack.enter_async_context(bad_network(roads.direct("tcp")))
        session = await landline.connect(
            open_road.address,
            *(f"{scheme}://{place}" for scheme in ("tcp", "tls", "wss")),
            limits=LIMITS,
            tls=landline.ClientTLS(fingerprint=tls.fingerprint),
        )
        async with session, asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(session, up, words(random.Random(2), count)))
            for _ in range(count // 2):
                down.delivered.append(await session.receive())
            open_road.is_refusing = True
            open_road.cut()
            tasks.create_task(hear(session, down, count - count // 2))
        assert session.peer == f"wss://{place}"

    assert len(border.passed) == 1
    assert border.turned_away[:1] == [b"\xfe"]  # the magic, under TLS
    assert up.faults() == down.faults() == CLEAN
    assert len(up.delivered) == len(down.delivered) == up.acked == down.acked == count


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_sessions_line_is_read_more_at_a_time(
    scheme: str, roads: Roads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over every carrier, at both ends: its credit bounds what comes."""
    widened: list[StreamTransport] = []
    monkeypatch.setattr(StreamTransport, "widen", lambda transport, borrower: widened.append(transport))

    async def take(session: landline.Session) -> None:
        async for _ in session:
            pass

    await roads.open(take)
    async with landline.connect(roads.direct(scheme), tls=roads._trust) as session:
        assert (await (await session.send("here"))).is_acked
        assert len(set(map(id, widened))) == 2
