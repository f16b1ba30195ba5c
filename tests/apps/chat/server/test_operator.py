"""The operator: in the lobby as host, at a terminal that nobody else can write on as they please."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

import landline
from landline.apps.chat import wire
from landline.apps.chat.server.operator import Console, Lines, Operator
from tests.apps.chat.reading import Said
from tests.terminals import end_program


def typing(*lines: str, prompts: list[str] | None = None) -> Lines:
    """Somebody types these lines, and leaves the terminal after the last."""

    async def typed(prompt: Callable[[], str]) -> AsyncGenerator[str, None]:
        for line in lines:
            if prompts is not None:
                prompts.append(prompt())
            yield line

    return typed


class Screen:
    """An operator who has entered, and what stands on their screen."""

    def __init__(self, served: Any) -> None:
        self.written: list[str] = []
        self.operator = Operator(Console(self.written.append), served.chat)

    async def type(self, *lines: str, prompts: list[str] | None = None) -> list[str]:
        """Type lines; return what was written."""
        self.written.clear()
        await self.operator.run(typing(*lines, prompts=prompts))
        return self.written


@pytest.fixture
async def screen(open_one: Any) -> Screen:
    screen = Screen(open_one)
    await screen.operator.enter()
    return screen


async def test_what_the_operator_types_is_said_in_the_lobby_as_host(open_one: Any, screen: Screen) -> None:
    """Their own terminal shows what they typed already."""
    ana = await open_one.enter("ana")

    assert await screen.type("hello") == []
    line = (await ana.hear_until(Said)).line
    assert (line.name, line.text) == ("host", "hello")


async def test_alone_the_operator_is_told_that_nobody_hears(screen: Screen) -> None:
    """The line is kept for those who come."""
    assert await screen.type("hello") == ["* It is kept, but nobody else is in the room to hear it."]


async def test_the_operator_sees_what_is_said_and_who_comes(open_one: Any, screen: Screen) -> None:
    """And what is said to them alone."""
    ana = await open_one.enter("ana")
    await ana.say("hi")
    await ana.hear_until(Said)
    await ana.ask(wire.Whisper(9, "host", "psst"))
    await ana.hear_until(wire.Done)

    assert screen.written[-3:] == ["* ana joined lobby.", "ana: hi", "ana (to you): psst"]


async def test_nothing_that_others_say_moves_the_operators_cursor_or_passes_for_another(
    screen: Screen,
) -> None:
    """Escapes are gone, and further lines are indented."""
    screen.written.clear()
    screen.operator.line.room_said("ana", "one\x1b[2J\r\nhost: send me the key\x07")
    screen.operator.line.told("x\n\x1b[31my")

    assert screen.written == ["ana: one[2J\n    host: send me the key", "* x\n* [31my"]


async def test_commands_work_at_the_operators_terminal(screen: Screen) -> None:
    """The same as everywhere; the name stays."""
    assert await screen.type("/who") == ["* In lobby: host."]
    assert await screen.type("/nick ana") == ["* Whoever sits at the server is called host."]
    assert "no command /whoo" in (await screen.type("/whoo"))[0]
    assert any("/call NAME" in text for text in await screen.type("/help"))
    assert await screen.type("", "  ") == []


async def test_the_operator_stands_in_lists_as_what_they_are(open_one: Any, screen: Screen) -> None:
    """And nobody else gets the name, however spelled."""
    ana = await open_one.visit()
    await ana.ask(wire.Enter("Host", {"lobby": None}))
    entered = await ana.hear()

    assert entered.name != "host"
    assert wire.Member("host", kind="operator") in (await ana.hear_until(wire.Joined)).members


async def test_in_a_call_the_prompt_says_who_hears(open_one: Any, screen: Screen) -> None:
    """And bye ends the call, not the chat."""
    ana, _ben = await open_one.enter("ana"), await open_one.enter("ben")
    await ana.ask(wire.Ring(1, "host"))
    await ana.hear_until(wire.Done)
    prompts: list[str] = []
    written = await screen.type("/call ana", "only you", "bye", "/who", prompts=prompts)

    assert prompts == ["host: ", "host (to ana alone): ", "host (to ana alone): ", "host: "]
    assert written == [
        "* You are in a call with ana: only they hear you. bye ends it.",
        "* The call with ana is over: you hung up.",
        "* In lobby: host, ana, ben.",
    ]
    assert await ana.hear_until(wire.Talked) == wire.Talked("host", "only you")


async def test_bye_ends_the_chat_at_once_when_nobody_else_is_there(screen: Screen) -> None:
    """Nothing after it is read."""
    assert await screen.type("/bye", "never read") == []


async def test_bye_is_asked_for_twice_when_others_are_there(open_one: Any, screen: Screen) -> None:
    """Anything said in between takes it back."""
    await open_one.enter("ana")
    question = "* That ends the chat for everybody, and 1 person is here. /bye again ends it."

    assert await screen.type("bye", "no, wait", "bye") == [question, question]
    assert await screen.type("/bye", "never read") == []


async def test_guests_are_told_that_somebody_sits_at_the_server(
    open_one: Any, screen: Screen, written_line: Any
) -> None:
    """Before they are welcome: it decides how long a caller waits for a word."""
    from landline.apps.chat.server.guest import Guest

    line = written_line()
    await Guest(line, open_one.chat).enter()

    assert line.calls()[0] == ("operator_present", True)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[pexpect.spawn[str]]:
    """A server at a real terminal."""
    environment = {
        **os.environ,
        "LANDLINE_DATA": str(tmp_path),
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    server = pexpect.spawn(
        sys.executable,
        ["-m", "landline", "serve", "--port", "0"],
        env=environment,
        encoding="utf-8",
        dimensions=(30, 100),
        timeout=20,
    )
    yield server
    end_program(server)


async def test_on_a_real_terminal_two_people_talk_and_a_half_typed_line_stays_whole(
    terminal: pexpect.spawn[str],
) -> None:
    """The operator and a plain caller; Ctrl-C drains and ends with 0."""
    stream, screen = terminal, pyte.Screen(100, 30)
    feed = pyte.Stream(screen).feed

    async def see(text: str) -> None:
        while not any(text in line for line in screen.display):
            feed(await asyncio.to_thread(stream.read_nonblocking, 4096, 20))

    await see("You are host")
    address = next(line for line in screen.display if "open at tcp://" in line).split()[5].rstrip(".")
    caller = await landline.dial(address)
    caller.send(b"hello from the other end\n")
    await see("guest-1: hello from the other end")
    stream.send("half a li")
    await see("host: half a li")
    caller.send(b"are you there?\n")
    await see("guest-1: are you there?")
    await see("host: half a li")
    assert not any("half" in line and "guest" in line for line in screen.display)
    stream.send("ne\r")
    received = b""
    while b"host: half a line\n" not in received:
        received += await caller.receive()
    stream.sendcontrol("c")
    while b"closing" not in received:
        received += await caller.receive()
    while await caller.receive():
        pass
    await caller.close()
    await asyncio.to_thread(stream.expect, pexpect.EOF)
    await asyncio.to_thread(stream.wait)

    assert stream.exitstatus == 0


@pytest.mark.parametrize("how", ["</dev/null", "<&-", ">&- </dev/null", "| cat"])
@pytest.mark.long
def test_without_a_terminal_nobody_sits_at_the_server(tmp_path: Path, how: str) -> None:
    """Input from nowhere, closed, output closed or into a pipe: the question is answered, not failed."""
    program = f"{sys.executable} -c 'from landline.apps.chat.server.operator import is_present; import sys; sys.exit(3 * is_present())'"
    done = subprocess.run(
        ["/bin/sh", "-c", f"{program} {how}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
