"""Plain callers on real sockets, and what a failing chat does to one of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

import landline
from landline.apps.chat.commands import Command, Who
from landline.apps.chat.plain import caller as plain_caller
from landline.apps.chat.plain.caller import PlainLine, Refused


class Desk:
    """A chat of one room, and what happened in it."""

    def __init__(self) -> None:
        self.guests: list[Guest] = []
        self.journal: list[str] = []
        self.left = asyncio.Event()
        self.refuses_entry = ""
        self.hits: list[str] = []
        self.fails = False

    def hit(self, limit: str, what: str) -> None:
        assert what
        self.hits.append(limit)

    async def enter(self, line: PlainLine) -> Guest:
        await asyncio.sleep(0)
        if self.refuses_entry:
            raise Refused(self.refuses_entry)
        guest = Guest(self, line, f"guest-{len(self.journal) + 1}")
        self.journal.append(f"{guest.name} came")
        line.operator_present(False)
        line.welcome(guest.name, "lobby", [other.name for other in self.guests])
        self.guests.append(guest)
        return guest


class Guest:
    def __init__(self, desk: Desk, line: PlainLine, name: str) -> None:
        self.desk, self.line, self.name = desk, line, name

    async def say(self, text: str) -> int:
        await asyncio.sleep(0)
        if self.desk.fails:
            raise RuntimeError("a bug in the chat")
        if text == "forbidden":
            raise Refused("That word is not said here.")
        others = [guest for guest in self.desk.guests if guest is not self]
        for other in others:
            other.line.room_said(self.name, text)
        return len(others)

    async def do(self, command: Command) -> None:
        await asyncio.sleep(0)
        assert command == Who("")
        self.line.told("here: " + ", ".join(guest.name for guest in self.desk.guests))

    async def hang_up(self) -> None:
        self.desk.journal.append(f"{self.name} ended the call")
        self.line.call_ended("ben", "you hung up")

    async def leave(self, reason: str) -> None:
        self.desk.guests.remove(self)
        self.desk.journal.append(f"{self.name} left: {reason}")
        self.desk.left.set()


class Socket:
    """A bare socket of the test's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def sends(self, data: bytes) -> None:
        self.writer.write(data)

    async def hears(self, wanted: str) -> str:
        """Read until ``wanted`` was heard; return everything up to its end."""
        return (await self.reader.readuntil(wanted.encode())).decode()

    async def hears_the_end(self) -> str:
        return (await self.reader.read()).decode()


class Office:
    """A served desk, and callers to it."""

    def __init__(self, desk: Desk, address: str) -> None:
        self.desk = desk
        self.host, _, port = address.removeprefix("tcp://").rpartition(":")
        self.port = int(port)
        self.sockets: list[Socket] = []

    async def dials(self) -> Socket:
        socket = Socket(*await asyncio.open_connection(self.host, self.port))
        self.sockets.append(socket)
        return socket


@asynccontextmanager
async def an_office() -> AsyncIterator[Office]:
    desk = Desk()
    server = landline.Server()

    @server.plain
    async def plain(caller: landline.Caller) -> None:
        await plain_caller.serve(caller, desk)

    async with asyncio.timeout(30), server.listen("tcp://127.0.0.1:0") as listening:
        office = Office(desk, listening.addresses[0])
        try:
            yield office
        finally:
            for socket in office.sockets:
                socket.writer.close()
                await asyncio.gather(socket.writer.wait_closed(), return_exceptions=True)


async def test_two_line_callers_hear_each_other() -> None:
    """Over real sockets, commands and the goodbye included."""
    async with an_office() as office:
        ana, ben = await office.dials(), await office.dials()
        ana.sends(b"\n")
        await ana.hears("bye leaves.\n")
        ben.sends(b"hello\r\n/who\r\n")
        assert await ana.hears("\n") == "guest-2: hello\n"
        assert (await ben.hears("here: guest-1, guest-2\r\n")).startswith(
            "* Welcome to landline. You are guest-2,"
        )
        ben.sends(b"BYE\r\n")

        assert await ben.hears_the_end() == "* Goodbye.\r\n"
        assert office.desk.journal[-1] == "guest-2 left: said bye"


async def test_a_turn_taking_caller_on_a_real_socket() -> None:
    """One message, one recv."""
    async with an_office() as office:
        caller = await office.dials()
        for message, answer in (
            (b"hello", "* You are guest-1"),
            (b"/who", "* here: guest-1"),
            (b"bye", "* Goodbye."),
        ):
            caller.sends(message)
            assert (await caller.reader.read(1024)).decode().startswith(answer)
        assert await caller.hears_the_end() == ""


async def test_who_hangs_up_without_a_word_has_left() -> None:
    """The end of data, once everything was said."""
    async with an_office() as office:
        caller = await office.dials()
        caller.sends(b"one\ntwo")
        caller.writer.write_eof()
        heard = await caller.hears_the_end()

        assert heard.endswith("bye leaves.\n")
        assert office.desk.journal == ["guest-1 came", "guest-1 left: hung up"]


async def test_a_reset_line_is_a_caller_that_left() -> None:
    """Nobody stays in a room because a line broke."""
    async with an_office() as office:
        caller = await office.dials()
        caller.sends(b"hello\n")
        await caller.hears("bye leaves.\n")
        caller.writer.transport.abort()
        await office.desk.left.wait()

        assert office.desk.journal[-1] == "guest-1 left: hung up"


async def test_a_refusal_is_told_and_the_caller_stays() -> None:
    """The chat says no in a sentence."""
    async with an_office() as office:
        caller = await office.dials()
        caller.sends(b"forbidden\nfine\n/who\n")

        assert "* That word is not said here.\n* here:" in await caller.hears("guest-1\n")


async def test_a_caller_may_be_turned_away() -> None:
    """With the reason, and without having been there."""
    async with an_office() as office:
        office.desk.refuses_entry = "The chat is full; please try later."
        caller = await office.dials()
        caller.sends(b"hello\n")

        assert await caller.hears_the_end() == "* The chat is full; please try later.\n"
        assert office.desk.journal == []


async def test_an_error_of_the_chat_ends_one_caller_only(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the caller is told that the fault is here; the others talk on."""
    async with an_office() as office:
        ana, ben = await office.dials(), await office.dials()
        ana.sends(b"\n")
        await ana.hears("bye leaves.\n")
        office.desk.fails = True
        with caplog.at_level(logging.ERROR):
            ben.sends(b"hello\n")
            assert (await ben.hears_the_end()).endswith(
                "* Something went wrong at this end. Please call again.\n"
            )
        office.desk.fails = False
        ana.sends(b"/who\n")

        assert await ana.hears("\n") == "* here: guest-1\n"
        assert "a bug in the chat" in caplog.text
        assert office.desk.journal[-1] == "guest-2 left: hung up"


async def test_the_server_says_why_it_hangs_up() -> None:
    """A drain, for example."""
    async with an_office() as office:
        caller = await office.dials()
        caller.sends(b"\n")
        await caller.hears("bye leaves.\n")
        office.desk.guests[0].line.close("The server is going down.")

        assert await caller.hears_the_end() == "* The server is going down.\n"
        assert office.desk.journal[-1] == "guest-1 left: The server is going down."


async def test_everything_a_line_can_be_told() -> None:
    """Each in its own form, and none harms when the caller has gone."""
    async with an_office() as office:
        caller = await office.dials()
        caller.sends(b"\n")
        await caller.hears("bye leaves.\n")
        line = office.desk.guests[0].line
        tell_everything(line)
        assert await caller.hears("* done\n") == (
            "ben (to you): psst\n* You are in a call with ben: only they hear you. bye ends it.\nben (call): hi\n"
            "* Said before you came:\nben: said before\n* cleo joined\n* done\n"
        )
        caller.sends(b"bye\nbye\n")
        assert await caller.hears_the_end() == "* The call with ben is over: you hung up.\n* Goodbye.\n"
        assert office.desk.journal[1:] == ["guest-1 ended the call", "guest-1 left: said bye"]
        tell_everything(line)


def tell_everything(line: PlainLine) -> None:
    line.called("ana")
    line.moved("garden")
    line.operator_present(True)
    line.whispered("ben", "psst")
    line.call_began("ben")
    line.talked("ben", "hi")
    line.recalled([("ben", "said before")])
    line.noticed("cleo joined")
    line.told("done")


class StuckCaller:
    """A caller that says hello and never reads."""

    peer = "tcp://stuck"

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_closed = False
        self.has_been_written_to = asyncio.Event()
        self._chunks: Sequence[bytes] = [b"hello\n"]

    async def receive(self, timeout: float | None = None) -> bytes:
        if self._chunks:
            chunk, *self._chunks = self._chunks
            return chunk
        await asyncio.Event().wait()
        raise AssertionError

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        self.has_been_written_to.set()

    async def drain(self) -> None:
        if self.sent:
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.limit("chat.plain.unread_timeout")
async def test_who_does_not_read_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while without progress; the chat hears of it."""
    monkeypatch.setattr(plain_caller, "UNREAD_WAIT", 0.01)
    desk, caller = Desk(), StuckCaller()
    async with asyncio.timeout(30):
        await plain_caller.serve(caller, desk)

    assert desk.journal[-1] == "guest-1 left: stopped reading"
    assert desk.hits == ["chat.plain.unread_timeout"]
    assert caller.is_closed


class FloodingCaller(StuckCaller):
    """A caller that always has another line, and reads."""

    def __init__(self) -> None:
        super().__init__()
        self.chunks_taken = 0

    async def receive(self, timeout: float | None = None) -> bytes:
        await asyncio.sleep(0)
        self.chunks_taken += 1
        return b"more\n"

    async def drain(self) -> None:
        pass


async def test_a_flood_waits_in_the_callers_own_socket() -> None:
    """It is not read faster than the chat carries it out."""
    desk, caller = Desk(), FloodingCaller()
    serving = asyncio.create_task(plain_caller.serve(caller, desk))
    for _ in range(500):
        await asyncio.sleep(0)
    serving.cancel()
    await asyncio.wait([serving])

    assert 5 <= caller.chunks_taken <= 7  # the burst, and the one that is being slowed


async def test_cancelling_leaves_and_closes() -> None:
    """Whatever happens, the room is told once and the socket is closed."""
    desk, caller = Desk(), StuckCaller()
    serving = asyncio.create_task(plain_caller.serve(caller, desk))
    async with asyncio.timeout(30):
        await caller.has_been_written_to.wait()
        serving.cancel()
        await asyncio.wait([serving])

    assert serving.cancelled()
    assert desk.journal == ["guest-1 came", "guest-1 left: hung up"]
    assert caller.is_closed
