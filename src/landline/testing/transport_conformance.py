"""What every transport must do, as a pytest class to run over one's own kind.

    class TestMyTransport(TransportConformance):
        scheme = "mine"

        @pytest.fixture
        def address(self):
            return "mine://somewhere-free"

Needs pytest with pytest-asyncio in its auto mode. Each test is one promise of ``landline.transports.Transport``, in the words of its
docstring. How an address is opened and listened on is asked of ``open_transport`` and ``open_listener``, which a subclass may replace.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio

from ..errors import ConnectError, ListenError
from ..transports import Accept, Listener, Transport, open_listener, open_transport, parse_address
from ..transports.stream import HIGH_WATER

BOUND = 10.0
"""Seconds that anything here may take before a test counts as failed."""


class Recorder:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.chunks: list[bytes] = []
        self.told: list[str] = []
        self.error: Exception | None = None
        self._news = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """These bytes arrived."""
        self.data += data
        self.chunks.append(data)
        self._tell("data")

    def data_lent(self, data: memoryview) -> None:
        """These bytes arrived."""
        self.data_received(bytes(data))

    def data_ended(self) -> None:
        """No more comes."""
        self._tell("ended")

    def writable(self) -> None:
        """More may be written."""
        self._tell("writable")

    def lost(self, error: Exception | None) -> None:
        """It is gone."""
        self.error = error
        self._tell("lost")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something told makes it so."""
        async with asyncio.timeout(BOUND):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def until_told(self, what: str) -> None:
        """Wait until this was told: ``data``, ``ended``, ``writable`` or ``lost``."""
        await self.until(lambda: what in self.told)


class _Holding(Recorder):
    """A receiver that wants no more after the first chunk, and says so once."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if len(self.chunks) == 1:
            self._transport.hold(True)


async def _turns() -> None:
    """Let what is on its way arrive: each turn of the loop asks the sockets."""
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass
class Line:
    """Both ends of a transport, and the listener that accepted one of them."""

    listener: Listener
    ours: Transport
    theirs: Transport
    hears: Recorder
    """What the accepted end is told; the dialled end is not started."""


class TransportConformance:
    """The suite. A subclass says where to listen."""

    scheme: str
    """The scheme of its addresses."""
    is_local = True
    """Whether its peers are on this machine, and so count for no source."""
    overhead = 0.0
    """What it adds to the bytes that are written, as a share of them: heads of its own count in its backlog."""
    has_halves = True
    """Whether one direction may end while the other goes on after both were closed, as with sockets."""

    @pytest.fixture
    def address(self) -> str:
        """Return an address that is free to listen on."""
        raise NotImplementedError

    async def open_listener(self, address: str, accept: Accept) -> Listener:
        """Listen there."""
        return await open_listener(parse_address(address), accept, backlog=16)

    async def open_transport(self, address: str) -> Transport:
        """Dial there."""
        return await open_transport(parse_address(address))

    @asynccontextmanager
    async def open_line(self, address: str) -> AsyncIterator[Line]:
        """Open both ends of a transport; afterwards both must have gone."""
        accepted = asyncio.Event()
        gone: dict[Transport, asyncio.Event] = {}
        hears = Recorder()

        def went(transport: Transport) -> None:
            gone[transport].set()

        def count(transport: Transport) -> None:
            gone[transport] = asyncio.Event()
            transport.on_lost = went

        def accept(transport: Transport) -> None:
            count(transport)
            transport.start(hears if not accepted.is_set() else Recorder())
            accepted.set()

        listener = await self.open_listener(address, accept)
        ours = await self.open_transport(listener.addresses[0])
        async with asyncio.timeout(BOUND):
            await accepted.wait()
        theirs = next(iter(gone))
        count(ours)
        yield Line(listener, ours, theirs, hears)
        listener.close()
        for transport, event in gone.items():
            transport.abort()
            if transport.on_lost is went:
                async with asyncio.timeout(BOUND):
                    await event.wait()

    @pytest_asyncio.fixture
    async def line(self, address: str) -> AsyncIterator[Line]:
        """Both ends of a transport."""
        async with self.open_line(address) as line:
            yield line

    @pytest.fixture
    def hears(self) -> Recorder:
        """A second recorder, of the same kind as the accepted end's."""
        return Recorder()

    # The promises...

    async def test_bytes_arrive_in_order_both_ways(self, line: Line, hears: Recorder) -> None:
        """Whatever the chunks, the bytes are the same."""
        there, back = bytes(range(256)) * 4096, bytes(reversed(range(256))) * 4096
        line.ours.start(hears)
        for at in range(0, len(there), 100_000):
            line.ours.write(there[at : at + 100_000])
            line.theirs.write(back[at : at + 100_000])

        await line.hears.until(lambda: len(line.hears.data) == len(there))
        await hears.until(lambda: len(hears.data) == len(back))

        assert line.hears.data == there
        assert hears.data == back

    async def test_what_is_lent_comes_in_its_order(self, line: Line) -> None:
        """Who takes more at a time is told the same; lent or not."""
        heard = line.hears
        said = b"".join(number.to_bytes(4, "big") for number in range(1 << 18))
        line.theirs.widen(heard)
        for at in range(0, len(said), 300_001):
            line.ours.write(said[at : at + 7])
            line.ours.write(said[at + 7 : at + 300_001])

        await heard.until(lambda: len(heard.data) == len(said))

        assert heard.data == said

    async def test_nothing_is_told_before_the_start(self, line: Line, hears: Recorder) -> None:
        """What arrived before waits for the receiver, the end included."""
        line.theirs.write(b"early")
        line.theirs.close()
        for _ in range(5):
            await asyncio.sleep(0)

        line.ours.start(hears)
        await hears.until_told("lost" if not self.has_halves else "ended")

        assert hears.data == b"early"

    async def test_a_close_is_told_as_an_end_and_then_as_lost_once(self, line: Line, hears: Recorder) -> None:
        """Both ends are told exactly once that the transport is gone, and then whoever counts them."""
        gone: list[tuple[Transport, str]] = []
        line.ours.on_lost = lambda which: gone.append((which, f"after {hears.told[-1]}"))
        line.theirs.on_lost = lambda which: gone.append((which, f"after {line.hears.told[-1]}"))
        line.ours.start(hears)
        line.theirs.write(b"bye")
        line.theirs.close()
        await hears.until_told("ended")
        line.ours.close()
        await hears.until_told("lost")
        await line.hears.until_told("lost")
        for _ in range(5):
            await asyncio.sleep(0)

        assert hears.told == ["data", "ended", "lost"]
        assert line.hears.told.count("lost") == 1
        assert hears.error is None and line.hears.error is None
        assert sorted(gone, key=lambda each: each[0] is line.theirs) == [
            (line.ours, "after lost"),
            (line.theirs, "after lost"),
        ]

    async def test_a_close_lets_out_what_waits(self, line: Line, hears: Recorder) -> None:
        """What was written before the close arrives, however much."""
        line.ours.start(hears)
        line.ours.write(b"x" * (4 * HIGH_WATER))
        line.ours.close()
        await line.hears.until_told("ended")

        assert len(line.hears.data) == 4 * HIGH_WATER

    async def test_last_words_survive_what_the_peer_still_sends(self, line: Line, hears: Recorder) -> None:
        """Closing with unread bytes in the kernel must not reset the line before our last words are read."""
        line.ours.start(hears)
        for _ in range(50):
            line.ours.write(b"flood" * 1000)
        line.theirs.write(b"no more, please")
        line.theirs.close()
        line.ours.write(b"flood" * 1000)
        await hears.until_told("ended")

        assert hears.data == b"no more, please"

    async def test_one_direction_ends_and_the_other_goes_on(self, line: Line, hears: Recorder) -> None:
        """What was written before arrives, the peer is told once, nothing more is written, and the peer's own words still come."""
        line.ours.start(hears)
        line.ours.write(b"all of it")
        line.ours.end()
        line.ours.write(b"too late")
        line.ours.end()
        await line.hears.until_told("ended")
        line.theirs.write(b"still here")
        await hears.until(lambda: len(hears.data) == 10)
        line.theirs.end()
        await hears.until_told("ended")

        assert line.hears.data == b"all of it"
        assert hears.data == b"still here"
        assert "lost" not in hears.told + line.hears.told

        line.theirs.close()
        line.ours.close()
        await hears.until_told("lost")
        await line.hears.until_told("lost")

        assert hears.told.count("ended") == line.hears.told.count("ended") == 1

    async def test_an_abort_ends_both_ends(self, line: Line, hears: Recorder) -> None:
        """The one that aborted is told at once; the other one hears of it."""
        line.ours.start(hears)
        line.ours.abort()
        await hears.until_told("lost")
        await line.hears.until(lambda: "ended" in line.hears.told or "lost" in line.hears.told)

        assert not line.ours.is_writable

    async def test_nothing_raises_after_the_end(self, line: Line, hears: Recorder) -> None:
        """A transport that is gone takes every call and does nothing."""
        line.ours.start(hears)
        line.ours.abort()
        line.ours.write(b"too late")
        await hears.until_told("lost")
        for transport in (line.ours, line.theirs):
            transport.write(b"later still")
            transport.hold(True)
            transport.hold(False)
            transport.close()
            transport.abort()
            transport.close()
            transport.start(hears)

        assert line.ours.backlog == 0
        assert not line.ours.is_writable
        assert hears.told.count("lost") == 1

    async def test_a_reader_that_holds_makes_the_writer_wait(self, line: Line, hears: Recorder) -> None:
        """Back-pressure: bytes pile up at the writer, which sees it and is told when they are gone."""
        line.theirs.hold(True)
        line.ours.start(hears)
        written = 0
        for is_writable in iter(lambda: line.ours.is_writable, False):
            assert is_writable
            line.ours.write(b"x" * 65536)
            written += 65536
            await asyncio.sleep(0)
        held = len(line.hears.data)

        assert (written - held) * (1 + self.overhead) >= line.ours.backlog > 0

        line.theirs.hold(False)
        await hears.until_told("writable")
        await line.hears.until(lambda: len(line.hears.data) == written)

        assert line.ours.is_writable
        assert line.ours.backlog == 0

    async def test_a_hold_counts_from_the_start(self, line: Line, hears: Recorder) -> None:
        """Also what arrived before is told only when it is wanted."""
        line.theirs.write(b"early")
        await _turns()
        line.ours.start(hears)
        line.ours.hold(True)
        await _turns()

        assert hears.told == []

        line.ours.hold(False)
        await hears.until_told("data")

        assert hears.data == b"early"

    async def test_who_holds_over_the_first_words_is_told_no_more(self, line: Line) -> None:
        """A sender that never stops fills nobody's memory, from the first chunk on."""
        hears = _Holding(line.ours)
        line.theirs.write(b"x" * HIGH_WATER)
        await _turns()
        line.ours.start(hears)
        await hears.until_told("data")
        await _turns()

        assert len(hears.chunks) == 1

        line.ours.hold(False)
        await hears.until(lambda: len(hears.data) == HIGH_WATER)

    async def test_a_second_start_hands_over(self, line: Line) -> None:
        """Another receiver goes on where the first one stopped; the first hears no more."""
        second = Recorder()
        line.ours.write(b"one")
        await line.hears.until(lambda: line.hears.data == b"one")
        line.theirs.start(second)
        line.ours.write(b"two")
        await second.until(lambda: second.data == b"two")
        line.ours.abort()
        await second.until(lambda: "ended" in second.told or "lost" in second.told)

        assert line.hears.told == ["data"]

    async def test_who_takes_over_is_told_of_the_end_that_was(self, line: Line) -> None:
        """The end may come in the very chunk that decides who reads on."""
        if not self.has_halves:
            pytest.skip("a memory transport has no half that stays open after an end")
        second = Recorder()
        line.ours.write(b"last")
        line.ours.close()
        await line.hears.until_told("ended")
        line.theirs.start(second)
        await second.until_told("ended")
        line.theirs.close()
        await second.until_told("lost")

        assert second.told == ["ended", "lost"]

    async def test_who_is_accepted_outlives_the_listener(self, line: Line, hears: Recorder) -> None:
        """A listener that is closed lets nobody in; who is in stays."""
        line.listener.close()
        line.ours.start(hears)
        line.ours.write(b"still here")
        await line.hears.until(lambda: line.hears.data == b"still here")

        with pytest.raises(ConnectError):
            await self.open_transport(line.listener.addresses[0])

    async def test_an_address_is_served_once(self, line: Line) -> None:
        """A second listener is told that the place is taken, and the first one goes on."""

        def accept(transport: Transport) -> None:
            raise AssertionError

        with pytest.raises(ListenError) as caught:
            await self.open_listener(line.listener.addresses[0], accept)

        assert caught.value.address == line.listener.addresses[0]
        assert caught.value.reason
        line.ours.write(b"still served")
        await line.hears.until(lambda: line.hears.data == b"still served")

    async def test_local_peers_count_for_no_source(self, line: Line) -> None:
        """Limits per source are for strangers."""
        if self.is_local:
            assert line.ours.source == line.theirs.source == ""

    async def test_a_peer_has_an_address(self, line: Line) -> None:
        """The text of a peer can be read as an address of the same kind."""
        assert parse_address(line.ours.peer).scheme == self.scheme
        assert parse_address(line.theirs.peer).scheme == self.scheme
        assert line.ours.peer == line.listener.addresses[0]
