"""Serving: programs and their failures, the plain-text door, draining in every situation, and what is left afterwards."""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

import landline
import landline.storage
from landline import State
from landline.protocol.frames import MAGIC

pytestmark = pytest.mark.timeout(30)

TCP = "tcp://127.0.0.1:0"
QUICK = landline.Limits(redial_min=0.001, redial_max=0.01)


async def keep(session: landline.Session) -> None:
    """A program that reads to the end."""
    async for _ in session:
        pass


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


# Where...


async def test_several_addresses_are_served_as_one(tmp_path: Path) -> None:
    """Every one of them leads to the same server, and says where it really is."""
    async with landline.serve(keep, "tcp://localhost:0", f"unix://{tmp_path}/s", "memory://s") as listening:
        assert len(listening.addresses) == 4
        sessions = [await landline.connect(address) for address in listening.addresses]
        assert listening.sessions == 4
        for session in sessions:
            await session.close()


async def test_no_address_is_an_error() -> None:
    """There is no default to listen on."""
    with pytest.raises(landline.AddressError):
        async with landline.Server().listen():
            pass
    with pytest.raises(landline.AddressError):
        async with landline.Server().listen("localhost:1"):
            pass


async def test_one_bad_address_serves_none(tmp_path: Path) -> None:
    """What was opened before the one that failed is closed again."""
    path = tmp_path / "s"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(landline.ListenError, match="the port is taken"):
            async with landline.serve(keep, f"unix://{path}", f"tcp://127.0.0.1:{port}"):
                pass

    assert not path.exists()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_who_dials_between_two_servers_waits_for_the_second(kind: str, tmp_path: Path) -> None:
    """The first one hands its sockets over and goes; nobody is refused, and the second serves them at the same address."""
    text = TCP if kind == "tcp" else f"unix://{tmp_path}/line.sock"
    async with landline.serve(keep, text) as listening:
        (address,) = listening.addresses
        sockets = listening.hand_over()
    dialling = asyncio.ensure_future(landline.connect(address))
    caller = await landline.dial(address)
    async with landline.Server(keep).listen(text, sockets=sockets) as listening:
        assert listening.addresses == [address]
        session = await dialling
        assert session.state is State.CONNECTED
        await session.close()
        await caller.close()

    assert [each.sock.fileno() for each in sockets] == [-1]
    assert not (tmp_path / "line.sock").exists()


async def test_a_socket_that_belongs_to_no_address_is_an_error(tmp_path: Path) -> None:
    """Nothing is served then, not for a moment: who waits in what was passed is not hung up on."""
    sockets = [landline.ListeningSocket(socket.create_server(("127.0.0.1", 0)), "web") for _ in range(2)]
    holds = sockets[0].copy()
    _, port = holds.sock.getsockname()
    with socket.create_connection(("127.0.0.1", port)) as caller:
        with pytest.raises(
            landline.ListenError, match="was passed to us, named web, and no address asks for it"
        ) as error:
            async with landline.Server(keep).listen(f"tcp://127.0.0.1:{port}", sockets=sockets):
                pass
        caller.setblocking(False)
        with pytest.raises(BlockingIOError):
            caller.recv(1)
        accepted, _ = holds.sock.accept()
        accepted.close()

    assert error.value.address.startswith("tcp://127.0.0.1:")
    assert error.value.address != f"tcp://127.0.0.1:{port}"
    assert [each.sock.fileno() for each in sockets] == [-1, -1]
    holds.close()


async def test_who_is_accepted_at_the_last_moment_is_told_as_well() -> None:
    """The kernel gave us their connection in the very turn of the loop in which the server goes: they are asked to come back."""
    with socket.socket() as caller:
        async with landline.serve(keep, TCP) as listening:
            (listener,) = listening._listeners
            (each,) = listener._sockets  # type: ignore[attr-defined]
            caller.connect(each.sock.getsockname())
            caller.sendall(MAGIC)
            listener._take_burst(each.sock)  # type: ignore[attr-defined]
        caller.settimeout(10)
        answer = caller.recv(1000)

    assert answer.startswith(MAGIC)
    assert b"the server is going away" in answer


async def test_a_server_may_listen_again() -> None:
    """The same server, another time."""
    server = landline.Server(keep)
    for _ in range(2):
        async with server.listen(TCP) as listening, landline.connect(listening.addresses[0]):
            pass


async def test_leaving_one_listening_leaves_the_other_alone() -> None:
    """A server that listens twice has two sets of sessions; each drains its own."""
    server = landline.Server(keep, limits=landline.Limits(close_timeout=0.1))
    async with server.listen(TCP) as first:
        async with server.listen(TCP) as second:
            staying = await landline.connect(first.addresses[0], limits=QUICK)
            leaving = await landline.connect(second.addresses[0], limits=QUICK)
        assert staying.state is State.CONNECTED
        assert first.sessions == 1
        assert second.sessions == 0
        await staying.send("still served")
        await staying.flush()
        await staying.close()
        await leaving.close()


# Programs...


async def test_the_programs_return_closes_its_session() -> None:
    """What it sent is delivered first."""

    async def program(session: landline.Session) -> None:
        for number in range(10):
            session.send_nowait(number)

    async with landline.serve(program, TCP) as listening, landline.connect(listening.addresses[0]) as session:
        assert [message async for message in session] == list(range(10))
        assert session.state is State.CLOSED


@pytest.mark.parametrize("who", ["server", "client"])
@pytest.mark.parametrize("fails", [False, True])
async def test_who_leaves_in_peace_has_handled_what_it_took(who: str, fails: bool) -> None:
    """The last message before a return was handled, and its sender learns that; what an error interrupted is unknown."""
    outcomes: list[str] = []

    async def take(session: landline.Session) -> None:
        await session.receive()
        if fails:
            raise RuntimeError("while it was being handled")

    async def give(session: landline.Session) -> None:
        receipt = await session.send("the last one")
        _ = await session.send("nobody asks for this")
        outcomes.append((await receipt).status)

    served, dialled = (take, give) if who == "server" else (give, take)
    async with landline.serve(served, "memory://leave") as listening:
        with suppress(RuntimeError):
            async with landline.connect(listening.addresses[0]) as session:
                await dialled(session)

    assert outcomes == ["unknown" if fails else "acked"]


async def test_the_programs_last_words_wait_for_a_line() -> None:
    """It returned while the client was away; the client comes back and is given everything."""
    away = asyncio.Event()

    async def program(session: landline.Session) -> None:
        changes = aiter(session.states())
        first = asyncio.ensure_future(anext(changes))
        await session.send("ready")
        assert (await first).state is State.RECONNECTING
        session.send_nowait("while you were out")
        away.set()

    async with landline.serve(program, TCP) as listening:
        async with landline.connect(listening.addresses[0], limits=QUICK) as session:
            assert await session.receive() == "ready"
            session.drop(0.05)
            await away.wait()

            assert [message async for message in session] == ["while you were out"]


async def test_nothing_is_kept_of_a_program_that_has_run() -> None:
    """While the server goes on, for months."""
    tasks: list[weakref.ref[Any]] = []

    async def program(session: landline.Session) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(weakref.ref(task))
        await session.wait_closed()

    async with landline.serve(program, TCP) as listening:
        for _ in range(3):
            async with landline.connect(listening.addresses[0]) as session:
                await session.send(1)
        async with asyncio.timeout(10):
            while any(task() is not None for task in tasks):
                await asyncio.sleep(0)
                gc.collect()

    assert len(tasks) == 3


async def test_a_program_that_fails_loses_its_session_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The client is told that the server failed, and not why; the log has the reason; others go on."""

    async def program(session: landline.Session) -> None:
        async for message in session:
            if message == "fail":
                raise RuntimeError("the secret reason")
            await session.send(message)

    async with landline.serve(program, TCP) as listening:
        address = listening.addresses[0]
        async with landline.connect(address) as other, landline.connect(address) as session:
            await session.send("fail")
            with pytest.raises(landline.SessionLost, match="program failed") as lost:
                await session.receive()
            await other.send("fine")
            assert await other.receive() == "fine"

    assert "secret" not in str(lost.value)
    assert "the secret reason" in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        GeneratorExit(),
        BaseExceptionGroup("two", [RuntimeError("one"), GeneratorExit()]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_program_raises_is_its_failure(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Not only an ``Exception``: what it waited for may have been cancelled, and that is no orderly close."""

    async def program(session: landline.Session) -> None:
        await session.receive()
        raise error

    async with landline.serve(program, TCP) as listening, landline.connect(listening.addresses[0]) as session:
        await session.send("go on")
        with pytest.raises(landline.SessionLost, match="program failed"):
            await session.receive()

    assert "the program of a session failed" in caplog.text


async def test_a_drain_that_is_cancelled_leaves_nothing() -> None:
    """Its time was up: programs are cancelled and lines cut, at once, and no task stays."""
    before = asyncio.all_tasks()
    entered, left = asyncio.Event(), asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def program(session: landline.Session) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async def main() -> None:
        async with landline.serve(program, TCP) as listening:
            ready.set_result(listening.addresses[0])
            await asyncio.Event().wait()

    running = asyncio.ensure_future(main())
    session = await landline.connect(await ready, limits=landline.Limits(close_timeout=0.05))
    async with asyncio.timeout(10):
        await entered.wait()
        session.drop(1000)
        running.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await session.close()
        await left.wait()
        await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)

    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("way", ["receive", "group", "send", "iterate"])
async def test_the_end_of_a_session_is_no_failure_of_its_program(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However the program is told that its session is over, nothing is logged as an error: by a close, a loss, a drain."""
    entered = asyncio.Semaphore(0)

    async def program(session: landline.Session) -> None:
        entered.release()
        match way:
            case "receive":
                while True:
                    await session.receive()
            case "group":
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_forever(session))
                    tasks.create_task(session.wait_closed())
            case "send":
                await session.wait_closed()
                await session.send("late")
            case _:
                async for _ in session:
                    pass

    limits = landline.Limits(close_timeout=0.2, resume_window=0.05)
    async with landline.serve(program, TCP, limits=limits) as listening:
        address = listening.addresses[0]
        closed = await landline.connect(address)
        await entered.acquire()
        await closed.close()
        lost = await landline.connect(address)
        await entered.acquire()
        lost.drop(60)
        drained = await landline.connect(address, limits=QUICK)
        await entered.acquire()
        while listening.sessions > 1:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.01)
    await drained.close()
    await lost.close()

    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _forever(session: landline.Session) -> None:
    while True:
        await session.receive()


async def test_a_server_without_a_program_holds_its_sessions() -> None:
    """It closes them at once, in order: there is nobody to talk to."""
    async with (
        landline.Server().listen(TCP) as listening,
        landline.connect(listening.addresses[0]) as session,
    ):
        with pytest.raises(landline.SessionClosed):
            await session.receive()


# The plain-text door...


async def test_who_speaks_plain_text_has_a_program_too() -> None:
    """Bytes in, bytes out; its return hangs up."""
    server = landline.Server(keep)

    @server.plain
    async def shout(caller: landline.Caller) -> None:
        while words := await caller.receive():
            caller.send(words.upper())
            if words == b"bye\n":
                return

    async with server.listen(TCP) as listening:
        caller = await landline.dial(listening.addresses[0])
        for words in (b"hello\n", b"GETting on\n", b"bye\n"):
            caller.send(words)
            assert await caller.receive() == words.upper()
        assert await caller.receive() == b""
        await caller.close()


async def test_a_plain_program_that_fails_hangs_up_on_its_caller_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log has the reason."""
    server = landline.Server(keep)

    @server.plain
    async def fail(caller: landline.Caller) -> None:
        if await caller.receive() == b"fail":
            raise RuntimeError("in the plain program")
        caller.send(b"fine")
        await caller.receive()

    async with server.listen(TCP) as listening:
        other, caller = [await landline.dial(listening.addresses[0]) for _ in range(2)]
        caller.send(b"fail")
        assert await caller.receive() == b""
        other.send(b"?")
        assert await other.receive() == b"fine"
        await caller.close()
        await other.close()

    assert "in the plain program" in caplog.text


# Draining...


async def test_clients_are_told_that_the_server_goes(stack: AsyncExitStack) -> None:
    """They go on trying: somebody may come back there. The program's session is closed."""
    ends: list[BaseException] = []
    entered = asyncio.Event()

    async def program(session: landline.Session) -> None:
        entered.set()
        try:
            await session.receive()
        except landline.SessionEnded as error:
            ends.append(error)
            raise

    async with landline.serve(program, TCP) as listening:
        session = await landline.connect(listening.addresses[0], limits=landline.Limits(close_timeout=0.05))
        states = aiter(session.states())
        first = asyncio.ensure_future(anext(states))
        await entered.wait()
    change = await first

    assert change.state is State.RECONNECTING
    assert "going away" in change.reason
    assert [type(end) for end in ends] == [landline.SessionClosed]
    await session.close()


async def test_a_restarted_server_does_not_know_the_session(stack: AsyncExitStack) -> None:
    """The client redials the new one, is refused, and says what is missing: handled, doubtful, never sent."""
    got: list[Any] = []
    read = asyncio.Event()

    async def program(session: landline.Session) -> None:
        got.append(await session.receive())
        session.ack()
        got.append(await session.receive())
        read.set()
        await session.wait_closed()

    async with landline.serve(program, TCP, retry_in=0.0) as listening:
        address = listening.addresses[0]
        session = await landline.connect(address, limits=QUICK)
        receipts = [await session.send(word) for word in ("handled", "read")]
        await read.wait()
        assert await receipts[0] == landline.Outcome("acked")
        session.drop(0.05)
        receipts.append(await session.send("never sent"))
    async with landline.serve(keep, address):
        with pytest.raises(landline.SessionLost, match="unknown session") as lost:
            await session.receive()

    assert [(await receipt).status for receipt in receipts] == ["acked", "unknown", "failed"]
    assert lost.value.unacked == 2
    assert session.state is State.LOST


@pytest.mark.parametrize(
    "who", ["detached", "silent", "plain", "half a hello", "reads nothing", "stubborn program"]
)
async def test_a_drain_ends_whoever_is_there(who: str, stack: AsyncExitStack) -> None:
    """Within its time, with every socket closed and no task left."""
    limits = landline.Limits(close_timeout=0.2)
    entered = asyncio.Event()

    async def program(session: landline.Session) -> None:
        entered.set()
        if who == "reads nothing":
            while True:
                await session.send(b"x" * 60_000)
        if who == "stubborn program":
            while True:
                try:
                    await asyncio.sleep(3600)
                finally:
                    entered.clear()
        await keep(session)

    server = landline.Server(program, limits=limits)
    if who == "plain":

        @server.plain
        async def plain(caller: landline.Caller) -> None:
            entered.set()
            while await caller.receive():
                pass

    before = asyncio.all_tasks()
    sock = None
    session = None
    async with server.listen(TCP) as listening:
        address = listening.addresses[0]
        port = int(address.rpartition(":")[2])
        acceptor = listening._acceptor
        if who in ("silent", "plain", "half a hello"):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall({"silent": b"", "plain": b"hello\n", "half a hello": MAGIC + b"\0\0"}[who])
            while not (acceptor._host._greeting if who == "half a hello" else acceptor._admission._open):  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0)
            if who == "plain":
                await entered.wait()
        else:
            session = await landline.connect(address, limits=landline.Limits(close_timeout=0.05))
            await entered.wait()
            if who == "detached":
                session.drop(60)
                while not acceptor._host._table._detached:  # noqa: ASYNC110 - nobody announces it
                    await asyncio.sleep(0)

    assert listening.sessions == 0
    assert not acceptor._admission._open
    if session is not None:
        await session.close()
    if sock is not None:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_recv(sock, 1000)
        sock.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


async def test_a_server_that_is_cancelled_drains() -> None:
    """Ctrl-C cancels the main task; clients are told all the same."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    entered = asyncio.Event()

    async def program(session: landline.Session) -> None:
        entered.set()
        await keep(session)

    async def main() -> None:
        async with landline.serve(program, TCP) as listening:
            ready.set_result(listening.addresses[0])
            await asyncio.Event().wait()

    running = asyncio.ensure_future(main())
    session = await landline.connect(await ready, limits=landline.Limits(close_timeout=0.05))
    changes = aiter(session.states())
    first = asyncio.ensure_future(anext(changes))
    await entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert "going away" in (await first).reason
    await session.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux shows them")
@pytest.mark.long
async def test_no_descriptor_is_left() -> None:
    """After sessions, drops, rubbish and silent callers."""

    async def round_trip() -> None:
        async with landline.serve(keep, "tcp://localhost:0") as listening:
            port = int(listening.addresses[0].rpartition(":")[2])
            for said in (b"", MAGIC, b"\x16\x03", b"hello\n", b"GET / HTTP/1.0\r\n\r\n"):
                with socket.create_connection(("127.0.0.1", port)) as rubbish:
                    rubbish.sendall(said)
            for _ in range(5):
                async with landline.connect(listening.addresses[0], limits=QUICK) as session:
                    await session.send("x")
                    session.drop()
                    await session.flush()

    await round_trip()
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        await round_trip()
    gc.collect()

    assert len(list(Path("/proc/self/fd").iterdir())) <= before


# Topics...


async def test_a_storage_that_is_open_is_left_open() -> None:
    """Whoever opened it goes on with it; one that is closed is opened, and closed again."""
    async with landline.storage.MemoryStorage() as storage:
        server = landline.Server(storage=storage)
        server.topic("t")
        async with server.listen("memory://open"):
            await server.publish("t", "hello")
        assert storage.is_open
    async with server.listen("memory://open"):
        assert storage.is_open
        (publication,) = (await server.last("t")).publications

    assert publication.data == "hello"
    assert not storage.is_open


async def test_a_server_reads_its_topics_as_they_were_published() -> None:
    """And what something else wrote into the storage as the bytes that it is."""
    async with landline.storage.MemoryStorage() as storage:
        await storage.append("t", b"\xc1 of something else")
        server = landline.Server(storage=storage)
        server.topic("t")
        async with server.listen("memory://read"):
            first = await server.publish("t", {"a": 1})
            await server.publish("t", "text")
            page = await server.read("t", limit=2)
            assert [item.data for item in page.publications] == [b"\xc1 of something else", {"a": 1}]
            assert (page.end, page.more) == (first, True)
            assert [item.data for item in (await server.last("t", 1)).publications] == ["text"]
            reading = server.subscribe("t", "start")
            assert [(await anext(reading)).data for _ in range(3)] == [  # type: ignore[union-attr]
                b"\xc1 of something else",
                {"a": 1},
                "text",
            ]
            await reading.aclose()


class FullStorage(landline.storage.MemoryStorage):
    """A disk that is full while the test says so."""

    is_full = True

    async def write(self, *args: Any, **options: Any) -> list[landline.Position]:
        if self.is_full:
            raise landline.StorageFull("the disk is full")
        return await super().write(*args, **options)


async def test_a_full_disk_refuses_what_is_published_and_takes_it_when_there_is_room() -> None:
    """Of a client with an outbox of its own, too, that the server cannot even write down: it is told no, and nothing is left in doubt."""
    disk = FullStorage()
    server = landline.Server(keep, storage=disk)
    server.topic("t")
    async with (
        server.listen("memory://full"),
        landline.storage.MemoryStorage() as outbox,
        landline.connect("memory://full", storage=outbox) as session,
        asyncio.timeout(10),
    ):
        with pytest.raises(landline.PublishFailed, match=r"the disk.* is full"):
            await session.publish("t", "refused")
        disk.is_full = False
        await session.publish("t", "taken")

        assert [item.data for item in (await server.last("t")).publications] == ["taken"]


async def test_a_vet_may_wait_and_what_its_client_publishes_next_waits_behind_it() -> None:
    """Nobody else does."""
    gate = asyncio.Event()

    async def vet(session: landline.Session, topic: str, data: str) -> str:
        if data == "slow":
            await gate.wait()
        return data.upper()

    server = landline.Server(keep)
    server.topic("t", vet=vet)
    async with server.listen("memory://vet"), landline.connect("memory://vet") as ana:
        async with landline.connect("memory://vet") as ben:
            publishing = [asyncio.create_task(ana.publish("t", data)) for data in ("slow", "next")]
            await ben.publish("t", "other")
            assert not any(task.done() for task in publishing)
            gate.set()
            await asyncio.gather(*publishing)

        assert [item.data for item in (await server.last("t")).publications] == ["OTHER", "SLOW", "NEXT"]


async def test_a_vet_that_waits_when_its_client_goes_is_cancelled_and_asked_again_when_it_comes_back() -> (
    None
):
    """The answer of before could be untrue by then; and it is published once."""
    asked: list[str] = []
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def vet(session: landline.Session, topic: str, data: str) -> str:
        asked.append(session.id)
        begun.set()
        if len(set(asked)) == 1:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
        return data

    server = landline.Server(keep)
    server.topic("t", vet=vet)
    async with (
        server.listen("memory://vet"),
        landline.storage.MemoryStorage() as storage,
        asyncio.timeout(10),
    ):
        first = await landline.connect(
            "memory://vet", storage=storage, limits=landline.Limits(close_timeout=0.05)
        )
        publishing = asyncio.create_task(first.publish("t", "once"))
        await begun.wait()
        await first.close()
        with pytest.raises(landline.PublishUnknown) as unknown:
            await publishing
        assert unknown.value.is_kept
        await cancelled.wait()
        async with landline.connect("memory://vet", storage=storage) as second:
            (earlier,) = second.earlier
            await earlier.position()

        assert len(asked) == 2
        assert [item.data for item in (await server.last("t")).publications] == ["once"]


async def coroutine(session: landline.Session) -> None:
    await session.wait_closed()


@functools.wraps(coroutine)
def wrapper(session: landline.Session) -> Any:
    return coroutine(session)


def annotated(session: landline.Session) -> Awaitable[None]:
    return session.wait_closed()


def plain(session):  # type: ignore[no-untyped-def]
    pass


def generator(session):  # type: ignore[no-untyped-def]
    yield


async def asynchronous_generator(session):  # type: ignore[no-untyped-def]
    yield


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("tcp://localhost:1", "an async function that takes a session, and not 'tcp"),
        (landline.Server(), "a Server listens by itself: async with server.listen.address."),
        (plain, "plain is a plain one: landline.sync.serve runs those"),
        (generator, "does not yield"),
        (asynchronous_generator, "does not yield"),
    ],
)
async def test_what_is_no_program_is_refused_at_once(program: Any, words: str) -> None:
    """Before anybody could connect, and find out."""
    with pytest.raises(TypeError, match=words):
        async with landline.serve(program, "memory://none"):
            pass


@pytest.mark.parametrize(
    "program",
    [
        None,
        coroutine,
        wrapper,
        annotated,
        lambda session: session.wait_closed(),
        functools.partial(coroutine),
    ],
)
async def test_what_may_return_an_awaitable_is_a_program(program: Any) -> None:
    """Not every program is written ``async def``."""
    async with landline.Server(program, methods=landline.Methods()).listen("memory://some"):
        async with landline.connect("memory://some") as session:
            await session.flush()
