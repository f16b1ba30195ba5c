"""The floor and the load in C: they are compiled, they say to each kind of server what it understands, and they count what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from benchmarks.jobs import durable, loaded
from benchmarks.native import compiled
from benchmarks.peers import bare, brokers, carrier, floor, landline, websockets
from benchmarks.peers.load import Talk, framed, held, publishers, publishes, rate
from benchmarks.peers.peer import MESSAGE, Peer, Play
from landline import Limits, Server, Session
from landline.protocol.publish import decode_record
from landline.storage import MemoryStorage

pytestmark = pytest.mark.needs("gcc")

SERVERS = {
    "floor": floor.PEER.plays["fan-out"],
    "bare": bare.BARE.plays["fan-out"],
    "landline": landline.SENDS.plays["fan-out"],
    "landline over WebSocket": landline.SENDS_OVER_WEBSOCKET.plays["fan-out"],
    "our WebSocket": carrier.PEER.plays["fan-out"],
    "websockets": websockets.PEER.plays["fan-out"],
}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Play:
    return SERVERS[request.param]


def connected(server: Play, place: str) -> AbstractAsyncContextManager[Talk]:
    return server.connect(place)


async def test_trips_are_made_until_all_are(server: Play) -> None:
    """More of them than a session acks at once, over several lines."""
    async with server.serve() as place, connected(server, place) as talk:
        assert await rate(talk, "trips", lines=3, count=4_000) > 0


async def test_everybody_is_told(server: Play) -> None:
    """One message each, and 64 at once."""
    async with server.serve() as place, connected(server, place) as talk:
        for messages in (1, 64):
            assert await rate(talk, "fan", lines=20, count=20, messages=messages) > 0


@pytest.mark.parametrize("peer", [landline.OVER_TCP, landline.OVER_WEBSOCKET], ids=["TCP", "WebSocket"])
async def test_everybody_is_told_what_one_publishes(peer: Peer) -> None:
    """One message each, and 64 at once; more of them than a session acks or is granted at once; each load has its own outbox."""
    server = peer.plays["fan-out"]
    async with server.serve() as place, connected(server, place) as talk:
        for messages, count in ((1, 2_000), (64, 100), (64, 1)):
            assert await rate(talk, "fan", lines=5, count=count, messages=messages) > 0


@pytest.mark.parametrize("scheme", ["tcp", "ws"])
async def test_every_line_publishes_from_an_outbox_of_its_own(scheme: str) -> None:
    """Once to be ready, and so many times in all, more than a line is granted at once; the numbers of each go up by one."""
    storage = MemoryStorage()
    server = Server(storage=storage, limits=Limits(window=64 * 1024))
    server.topic("t.*", history=None, history_bytes=None)
    async with server.listen("tcp://127.0.0.1:0") as listening:
        port = int(listening.addresses[0].rpartition(":")[2])
        talk = publishers(port, "t.load", is_web=scheme == "ws")
        for _ in range(2):
            a_second, milliseconds = await publishes(talk, lines=2, count=1_000)
            assert a_second > 0 and milliseconds > 0
        outboxes = [
            decode_record(kept.data, kept.position)[0].last for kept in await storage.scan("landline.outbox.")
        ]
        newest = await storage.head()

    assert len(outboxes) == 2 * 2
    assert sum(outboxes) == 2 * (2 + 1_000)
    assert newest.offset == 2 * (2 + 1_000)


async def test_a_load_fails_when_something_is_not_published() -> None:
    """Nothing that was refused is counted."""
    left = 30

    async def vet(session: Session, topic: str, data: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError("no more")
        return data

    server = Server(storage=MemoryStorage())
    server.topic("t.*", vet=vet)
    async with server.listen("tcp://127.0.0.1:0") as listening:
        talk = publishers(int(listening.addresses[0].rpartition(":")[2]), "t.load")
        await publishes(talk, lines=3, count=27)
        with pytest.raises(ValueError, match=r"^load: something was not published$"):
            await publishes(talk, lines=3, count=1)


async def test_the_jobs_about_publishers_in_c_take_both_figures() -> None:
    """Of one peer that is always there."""
    play = landline.OVER_TCP.plays["publishes"]
    async with play.serve() as place:
        assert await durable.acknowledged_to_load(play.connect, place, 0, 300) > 0
        assert await durable.slowest_to_load(play.connect, place, 0, 300) > 0


async def _appends(count: int, *, hold: int = -1, refuse: int = -1) -> tuple[int, float]:
    """Be redis, whose names for what is new have any length, to one line that appends; hold one answer back for 0.2 s, or refuse one.

    Return how many were appended, and the load's milliseconds.
    """
    said = 0
    talk = brokers.redis_publishes("1 1")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal said
        await reader.readexactly(len(talk.greeting[0][0]))
        writer.write(b"+PONG\r\n")
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readexactly(len(talk.say)):
                name = b"17-%d" % 10**said if said < 20 else b"17-0"
                if said == hold:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.2):
                            await reader.read(1)
                said += 1
                writer.write(b"-ERR no\r\n" if said == refuse else b"$%d\r\n" % len(name))
                await writer.drain()
                writer.write(b"" if said == refuse else b"%b\r\n" % name)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        _, milliseconds = await publishes(talk._replace(port=port), lines=1, count=count)
    return said, milliseconds


async def test_an_answer_of_any_length_is_counted_in_lines() -> None:
    """Nothing more is said before its last line has come."""
    said, _ = await _appends(50)

    assert said == 1 + 50


async def test_a_line_of_text_that_refuses_ends_the_load() -> None:
    """It would wait for the second line else."""
    with pytest.raises(ValueError, match=r"^load: the server refused what it was told$"):
        await _appends(50, refuse=20)


async def test_one_wait_in_a_hundred_is_the_slowest_and_one_in_more_is_not() -> None:
    """As the job whose publishers are in Python has it."""
    _, slowest = await _appends(100, hold=30)
    _, second = await _appends(101, hold=30)

    assert slowest >= 200
    assert second < 200


async def test_lines_come_and_go(server: Play) -> None:
    """Each is greeted, and says goodbye."""
    async with server.serve() as place, connected(server, place) as talk:
        assert await rate(talk, "connects", lines=5, count=40) > 0


async def test_lines_are_held(server: Play) -> None:
    """Until whoever holds them has looked."""
    async with server.serve() as place, connected(server, place) as talk, held(talk, 30):
        pass


async def test_the_memory_of_a_server_grows_with_its_lines() -> None:
    """By as much as the job says, which looks at another process than the one that told the place."""
    play = SERVERS["floor"]
    async with play.serve() as place:
        assert await loaded.idle(play.connect, place, os.getpid(), 200) >= 0


async def test_a_load_that_fails_says_why() -> None:
    """A port at which nobody listens."""
    with pytest.raises(ValueError, match="load: "):
        await rate(framed(1), "trips", lines=1, count=1)


async def test_a_load_says_as_much_as_it_is_told_to() -> None:
    """Each line once when it is new, a tenth and one more to warm up, and what counts."""
    said = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal said
        while data := await reader.read(1):
            said += 1
            frame = data + await reader.readexactly(len(MESSAGE) + 3)
            for part in (frame[:10], frame[10:]):  # an answer in pieces is one answer
                writer.write(part)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        await rate(framed(server.sockets[0].getsockname()[1]), "trips", lines=3, count=100)

        assert said == 3 + 11 + 100


async def test_a_part_of_an_answer_is_none() -> None:
    """Nothing more is said before the rest of it has come."""
    early = b""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal early
        while data := await reader.read(1):
            frame = data + await reader.readexactly(len(MESSAGE) + 3)
            writer.write(frame[:-1])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    early += await reader.read(1)
            writer.write(frame[-1:])
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        await rate(framed(server.sockets[0].getsockname()[1]), "trips", lines=1, count=2)

    assert early == b""


async def test_more_lines_than_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, so that the job is left out."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (300, 300))
    play = SERVERS["floor"]
    async with play.serve() as place:
        with pytest.raises(ValueError, match="it takes 301 descriptors at each end, and 300 are allowed"):
            await loaded.idle(play.connect, place, os.getpid(), 101)
        await loaded.idle(play.connect, place, os.getpid(), 100)


def test_a_program_is_compiled_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what does not compile is said."""
    source = tmp_path / "one.c"
    source.write_text("int main(void) { return 7; }")
    monkeypatch.setattr(compiled, "_HERE", tmp_path)
    monkeypatch.setattr(compiled, "_BUILT", tmp_path / "built")
    monkeypatch.setattr(compiled, "SOURCES", {"one": ("one.c",)})

    built = compiled.compiled("one")
    first = built.stat().st_mtime_ns
    assert compiled.compiled("one").stat().st_mtime_ns == first
    source.write_text("int main(void) {")
    os.utime(source, ns=(first + 10**10, first + 10**10))

    with pytest.raises(RuntimeError, match="one does not compile"):
        compiled.compiled("one")


def test_without_a_compiler_there_is_no_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is said, and no more than that."""
    monkeypatch.setattr(compiled, "_BUILT", tmp_path)
    monkeypatch.setattr(compiled, "find_compiler", lambda: None)

    with pytest.raises(RuntimeError, match="there is no C compiler"):
        compiled.compiled("floor")
