"""The chat server as a whole: every door at once, the order of starting, and the drain."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.chat import credentials, wire
from landline.apps.chat.server import serve as server
from landline.apps.chat.server.serve import open_chat
from landline.errors import ListenError, StorageDamaged, StorageLocked
from landline.settings import ServeSettings, Settings
from landline.storage import MemoryStorage, SQLiteStorage
from tests.apps.chat.reading import History, Said
from tests.apps.chat.visitor import Visitor


def settings(folder: Path, *addresses: str, **options: Any) -> Settings:
    return Settings(
        data=folder / "data", serve=ServeSettings(addresses=addresses or ("tcp://localhost:0",)), **options
    )


async def lines_of(caller: landline.Caller, *wanted: str) -> str:
    """Read until all of these were said, and return everything."""
    text = ""
    while not all(part in text for part in wanted):
        data = await caller.receive()
        assert data, f"hung up after {text!r}"
        text += data.decode()
    return text


async def rest_of(caller: landline.Caller) -> str:
    """Read until the other end hangs up, and hang up."""
    text = b""
    while data := await caller.receive():
        text += data
    await caller.close()
    return text.decode()


async def listen(visitor: Visitor, heard: list[Any]) -> None:
    """Write down what comes, for ever."""
    while True:
        heard.append(await visitor.hear())


async def enter(session: landline.Session, name: str = "ana", seen: wire.Seen | None = None) -> Visitor:
    visitor = Visitor(session, 7)
    await visitor.ask(wire.Enter(name, {"lobby": seen}))
    return visitor


async def test_a_session_and_a_plain_caller_talk_over_one_port() -> None:
    """Each sees the other come, speak and go."""
    async with server.open_chat(MemoryStorage(), ("tcp://localhost:0",)) as (_, listening):
        address = listening.addresses[0]
        async with landline.connect(address, credentials=credentials.show(7)) as session:
            ana = await enter(session)
            await ana.lines()
            caller = await landline.dial(address)
            caller.send(b"hello from nc\n")
            said = await ana.hear_until(Said)
            assert (said.line.name, said.line.text) == ("guest-1", "hello from nc")
            await ana.say("hello nc", id=1)
            await lines_of(caller, "Welcome", "ana: hello nc\n")
            caller.send(b"bye\n")
            await lines_of(caller, "Goodbye")

            assert await caller.receive() == b""
            assert await ana.hear_until(wire.Went) == wire.Went("lobby", "guest-1", at=2)
            await caller.close()


async def test_what_was_said_is_there_after_a_restart_and_nothing_else_is_needed(tmp_path: Path) -> None:
    """On another life of the server a client reads on where it stopped."""
    storage = SQLiteStorage(tmp_path / "chat.db")
    async with (
        server.open_chat(storage, ("memory://one",)),
        landline.connect("memory://one", credentials=credentials.show(7)) as session,
    ):
        ana = await enter(session)
        await ana.lines()
        for id in (1, 2):
            await ana.say(f"line {id}", id=id)
        first = await ana.hear_until(Said)
        await ana.hear_until(Said)
        epoch = storage.epoch
    async with (
        server.open_chat(SQLiteStorage(tmp_path / "chat.db"), ("memory://two",)),
        landline.connect("memory://two", credentials=credentials.show(7)) as session,
    ):
        ana = await enter(session, "ana", wire.Seen(epoch, first.line.offset))
        entered = await ana.hear_until(wire.Entered)
        history = await ana.hear_until(History)

        assert entered.epoch != epoch
        assert [(line.text, line.id) for line in history.lines] == [("line 2", 2)]
        assert history.missing == ""


async def test_after_a_restart_nobody_reads_a_room_before_they_have_entered_again(tmp_path: Path) -> None:
    """The session and its subscriptions go on by themselves, and who is in which room is not kept: they are refused until it is said anew."""
    limits = landline.Limits(redial_min=0.001, redial_max=0.01)
    storage = SQLiteStorage(tmp_path / "chat.db")
    async with server.open_chat(storage, ("tcp://127.0.0.1:0",)) as (_, listening):
        address = listening.addresses[0]
        session = await landline.connect(address, credentials=credentials.show(7), limits=limits)
        ana = await enter(session)
        await ana.lines()
        await ana.say("one")
        first = (await ana.hear_until(Said)).line
        seen = wire.Seen(storage.epoch, first.offset)
        listening._acceptor.abort()
    async with server.open_chat(SQLiteStorage(tmp_path / "chat.db"), (address,)) as (chat, _):
        with pytest.raises(landline.SessionInterrupted):
            await ana.hear_until(wire.Notice)
        assert await ana.until_put_out("lobby") == []
        assert "you may not subscribe" in str(ana.put_out["lobby"])
        ben = await landline.connect(address, credentials=credentials.show(8), limits=limits)
        await Visitor(ben, 8).ask(wire.Enter("ben", {"lobby": None}))
        while "lobby" not in chat.house.rooms._open:  # noqa: ASYNC110 - ben has no more to say of it
            await asyncio.sleep(0)
        await Visitor(ben, 8).say("two")
        await ana.ask(wire.Enter("ana", {"lobby": seen}))

        assert [line.text for line in await ana.lines()] == ["two"]
        await ben.close()
        await ana.close()


class LateStorage(MemoryStorage):
    """Takes its time to open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def open(self) -> None:
        await self.gate.wait()
        await super().open()


async def test_no_door_is_open_before_the_storage_is() -> None:
    """Whoever gets in finds the chat open."""
    storage, is_open, is_done = LateStorage(), asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with server.open_chat(storage, ("memory://late",)):
            is_open.set()
            await is_done.wait()

    serving = asyncio.create_task(serve())
    await asyncio.sleep(0)
    for _ in range(50):  # in memory, everything that can happen without the storage has happened by then
        await asyncio.sleep(0)
    with pytest.raises(landline.ConnectError):
        await landline.dial("memory://late")
    storage.gate.set()
    await is_open.wait()
    async with landline.connect("memory://late", credentials=credentials.show(7)) as session:
        ana = await enter(session)
        assert (await ana.hear_until(wire.Entered)).name == "ana"
    is_done.set()
    await serving


async def test_where_the_storage_cannot_be_opened_no_door_ever_is() -> None:
    """The error is the storage's, and it is closed again."""

    class Damaged(MemoryStorage):
        async def open(self) -> None:
            raise StorageDamaged("it is damaged")

    listened = False

    def listen(*args: Any) -> Any:
        nonlocal listened
        listened = True
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landline.Server, "listen", listen)
        with pytest.raises(StorageDamaged):
            async with server.open_chat(Damaged(), ("memory://damaged",)):
                pass

    assert not listened


async def test_when_the_server_closes_everybody_is_told_and_every_socket_is_closed() -> None:
    """Sessions are told to come back, plain callers are told goodbye."""
    async with server.open_chat(MemoryStorage(), ("tcp://localhost:0",)) as (_, listening):
        address = listening.addresses[0]
        session = await landline.connect(
            address, credentials=credentials.show(7), limits=landline.Limits(close_timeout=0.05)
        )
        ana = await enter(session)
        await ana.lines()
        caller = await landline.dial(address)
        caller.send(b"hello\n")
        await lines_of(caller, "Welcome")
        await ana.hear_until(Said)

        heard: list[Any] = []
        reading = asyncio.create_task(listen(ana, heard))
        goodbye = asyncio.create_task(rest_of(caller))
    assert server.CLOSING in await goodbye
    assert [type(message) for message in heard] == [wire.Notice]
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await ana.close()
    with pytest.raises(landline.ConnectError):
        await landline.connect(address)


async def test_a_server_that_cannot_listen_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither a history nor its folder: nothing was said."""
    async with landline.serve(lambda session: asyncio.sleep(0), "tcp://localhost:0") as listening:
        with pytest.raises(ListenError):
            await server.run(settings(tmp_path, listening.addresses[0]), asyncio.Event())

    assert not (tmp_path / "data").exists()


async def test_run_prints_how_to_join_and_drains_when_told_to_stop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the ports that it really has."""
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(settings(tmp_path), stop))
    out = ""
    while "To join" not in out:
        await asyncio.sleep(0)
        out += capsys.readouterr().out
    stop.set()

    assert await running == 0
    assert "tcp://127.0.0.1:" in out
    assert (tmp_path / "data" / "chat.db").exists()


async def test_a_second_server_on_one_port_is_told_about_the_port_first(tmp_path: Path) -> None:
    """Not about the data folder, which is taken for the same reason."""
    first = settings(tmp_path)
    storage = SQLiteStorage(first.make_data_folder() / "chat.db")
    async with server.open_chat(storage, ("tcp://127.0.0.1:0",)) as (_, listening):
        with pytest.raises(ListenError):
            await server.run(settings(tmp_path, listening.addresses[0]), asyncio.Event())
        with pytest.raises(StorageLocked):
            await server.run(settings(tmp_path, "tcp://127.0.0.1:0"), asyncio.Event())


async def test_a_server_on_another_port_has_a_file_of_its_own(tmp_path: Path) -> None:
    """`LANDLINE_PORT=12346 make run` works beside `make run`."""
    first = settings(tmp_path)
    async with SQLiteStorage(first.make_data_folder() / "chat.db"):
        stop = asyncio.Event()
        stop.set()

        assert await server.run(settings(tmp_path, "memory://other", port=12346), stop) == 0
        assert (tmp_path / "data" / "chat-12346.db").exists()


async def test_one_plain_caller_with_rubbish_disturbs_nobody() -> None:
    """And nothing of it that could move a cursor is passed on."""
    async with server.open_chat(MemoryStorage(), ("tcp://localhost:0",)) as (_, listening):
        address = listening.addresses[0]
        async with landline.connect(address, credentials=credentials.show(7)) as session:
            ana = await enter(session)
            await ana.lines()
            for rubbish in (
                b"\xff\xfe\xfd" * 1000 + b"\n",
                b"\x00" * 5000,
                b"\x1b[2J\x1b]0;x\x07\n",
                b"x" * 100_000,
            ):
                caller = await landline.dial(address)
                caller.send(rubbish)
                await asyncio.sleep(0)
                await caller.close()
            await ana.say("still here", id=7)
            while (said := await ana.hear_until(Said)).line.id != 7:
                assert "\x1b" not in said.line.text

            assert said.line.text == "still here"


def test_a_real_process_drains_at_sigterm(tmp_path: Path) -> None:
    """It says how to join, and ends with 0."""
    environment = {**os.environ, "LANDLINE_DATA": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "landline", "serve", "--port", "0"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        printed = [process.stdout.readline()]
        while printed[-1] and not printed[-1].startswith("Ctrl-C"):
            printed.append(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)

    assert printed[0].startswith("The chat is open at tcp://")
    assert any("nc localhost" in line for line in printed)
    assert err == ""
    assert process.returncode == 0


@pytest.mark.limit("chat.line.heartbeat_interval", "chat.line.dead_after", "chat.line.max_per_source")
async def test_the_lines_beneath_a_chat_have_its_figures() -> None:
    """A dead line is noticed within 8 s, one address has 16 lines; that they hold at their edge is the library's to show."""
    async with open_chat(MemoryStorage(), ("memory://figures",)) as (_, listening):
        limits = listening._acceptor._limits

    assert (limits.heartbeat_interval, limits.dead_after, limits.max_per_source) == (5.0, 3.0, 64)


def held(folder: Path) -> landline.ListeningSocket:
    """A listening socket that somebody made for us, in which a caller waits already."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(folder / "held.sock"))
    sock.listen()
    return landline.ListeningSocket(sock)


async def test_who_waits_in_a_socket_that_was_passed_is_served(tmp_path: Path) -> None:
    """Also where the history is new, so that it is tried first whether the address can be served: nobody is hung up on for that."""
    address = f"unix://{tmp_path}/held.sock"
    sock, stop = held(tmp_path), asyncio.Event()
    caller = await landline.dial(address)
    caller.send(b"hello\n")
    running = asyncio.create_task(server.run(settings(tmp_path, address), stop, sockets=[sock]))
    await lines_of(caller, "Welcome")
    stop.set()

    assert await running == 0
    assert server.CLOSING in await rest_of(caller)
    assert (tmp_path / "held.sock").exists()


@pytest.mark.parametrize("why", ["nobody asked", "locked"])
async def test_a_server_that_cannot_start_lets_go_of_what_was_passed(why: str, tmp_path: Path) -> None:
    """It has made no history where there was none, nor hung up on who waits there: somebody else may hold it too."""
    sock = held(tmp_path)
    holds = sock.sock.dup()
    address = "memory://another" if why == "nobody asked" else f"unix://{tmp_path}/held.sock"
    async with AsyncExitStack() as stack:
        if why == "locked":
            folder = settings(tmp_path).make_data_folder()
            await stack.enter_async_context(SQLiteStorage(folder / "chat.db"))
        caller = await landline.dial(f"unix://{tmp_path}/held.sock")
        with pytest.raises(ListenError if why == "nobody asked" else StorageLocked):
            await server.run(settings(tmp_path, address), asyncio.Event(), sockets=[sock])
    if why == "nobody asked":
        assert not (tmp_path / "data").exists()
        sock.close()  # the chat was never opened with it
    accepted, _ = holds.accept()
    accepted.sendall(b"served by another")

    assert await caller.receive() == b"served by another"
    assert sock.sock.fileno() == -1
    accepted.close()
    holds.close()
    await caller.close()


async def test_a_server_that_is_back_at_once_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its sockets can be handed over before they are closed; everybody is told, who came at the last moment as well."""
    address, stop = f"unix://{tmp_path}/chat.sock", asyncio.Event()
    kept: list[landline.ListeningSocket] = []
    is_leaving = asyncio.Event()

    def leave(listening: landline.Listening) -> bool:
        kept.extend(listening.hand_over())
        is_leaving.set()
        return True

    running = asyncio.create_task(server.run(settings(tmp_path, address), stop, leave=leave))
    out = ""
    while "To join" not in out:
        await asyncio.sleep(0)
        out += capsys.readouterr().out
    early, late = await landline.dial(address), await landline.dial(address)
    early.send(b"hello\n")
    await lines_of(early, "Welcome")  # the other one was accepted in the same turn
    stop.set()
    heard = asyncio.create_task(rest_of(early))
    await is_leaving.wait()
    late.send(b"hello\n")
    heard_late = await rest_of(late)

    assert await running == 0
    assert "Welcome" not in heard_late
    assert [text.count(server.RESTARTING) for text in (await heard, heard_late)] == [1, 1]
    assert "The chat restarts." in capsys.readouterr().out
    caller = await landline.dial(address)
    kept[0].close()
    await caller.close()
