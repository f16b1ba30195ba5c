"""The chat on a terminal: real keys in, a real screen (pyte) out; only the server is the test itself."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pyte
import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from landline.apps.chat import wire
from landline.apps.chat.client.link import Link
from landline.apps.chat.client.model import Client
from landline.apps.chat.client.prompt_screen import PromptScreen
from tests.apps.chat.reading import joined, read

NUMBER = 4711
RUN = 100
ROWS, COLUMNS = 20, 100
BOUND = 5.0
"""Seconds that anything here may take before a test counts as failed."""


class Glass(io.StringIO):
    """What a person sees: takes a terminal's bytes, shows its rows."""

    def __init__(self, *, answers: bool) -> None:
        super().__init__()
        self.answers = answers
        self.screen: Any = pyte.HistoryScreen(COLUMNS, ROWS, history=1000)
        self.stream = pyte.Stream(self.screen)
        self.bells = 0
        self.drawn = asyncio.Event()

    def isatty(self) -> bool:
        return self.answers

    def write(self, data: str) -> int:
        self.bells += data.count("\a")
        self.stream.feed(data)
        self.drawn.set()
        return len(data)

    @property
    def rows(self) -> list[str]:
        """What stands on the screen, and what was scrolled off above it."""
        above = ["".join(row[column].data for column in range(COLUMNS)) for row in self.screen.history.top]
        return [row.rstrip() for row in (*above, *self.screen.display) if row.strip()]

    @property
    def prompt(self) -> str:
        """The row that the cursor is in."""
        return cast("str", self.screen.display[self.screen.cursor.y]).rstrip()

    async def until(self, fact: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(BOUND):
                while not fact():
                    self.drawn.clear()
                    await self.drawn.wait()
        except TimeoutError:
            raise AssertionError("the screen never came to show it:\n" + "\n".join(self.rows)) from None


class DeafLink:
    """Stands where the link is; the test says what the server says."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sent: list[wire.Request | wire.Say] = []
        self.changed: Callable[[], None] = lambda: None
        self.over = asyncio.Event()

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def advance(self) -> None:
        self.sent += self.client.to_send()
        self.changed()
        if self.client.is_done:
            self.over.set()

    async def run(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        over = asyncio.create_task(self.over.wait())
        await asyncio.wait([stopping, over], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        over.cancel()

    def hear(self, *told: wire.Told) -> None:
        for message in told:
            self.client.heard(message, self.now)
        self.advance()


class Seat:
    """A person at a terminal."""

    def __init__(self, keys: PipeInput, *, answers: bool = True) -> None:
        self.glass = Glass(answers=answers)
        self.keys = keys
        if answers:  # where the cursor is, when asked; some terminals never do
            self.glass.screen.write_process_input = keys.send_text
        self.client = Client("ana", NUMBER, draw=itertools.count(RUN).__next__)
        self.link = DeafLink(self.client)
        self.stop = asyncio.Event()
        output = Vt100_Output(self.glass, lambda: Size(ROWS, COLUMNS), term="xterm-256color")
        self.screen = PromptScreen(self.client, keys=keys, output=output)
        self.link.changed = self.screen.changed
        self.offset = 0

    def say(self, name: str, text: str, *, id: int = 0) -> None:
        """Somebody said something in the lobby."""
        self.offset += 1
        read(self.client, "lobby", [wire.Line(self.offset, 0.0, name, text, id)], self.link.now)
        self.link.advance()


@asynccontextmanager
async def seated(*, answers: bool = True) -> AsyncIterator[Seat]:
    """Ana sits in the lobby with ben, and the prompt stands."""
    with create_pipe_input() as keys:
        seat = Seat(keys, answers=answers)
        seat.client.opened(0.0)
        running = asyncio.create_task(seat.screen.run(cast("Link", seat.link), seat.stop))
        seat.link.hear(wire.Entered("ana", "e1"), joined("lobby", [wire.Member("ana"), wire.Member("ben")]))
        await seat.glass.until(lambda: seat.glass.prompt == "#lobby>")
        await seat.glass.until(lambda: not answers or "connected" in seat.glass.rows[-1])
        seat.link.sent.clear()
        try:
            yield seat
        finally:
            seat.stop.set()
            async with asyncio.timeout(BOUND):
                assert await running == 0


async def test_others_never_mix_into_a_half_typed_line() -> None:
    """What ben says goes above; the line being typed, and its cursor, stay."""
    async with seated() as seat:
        seat.keys.send_text("half a li")
        await seat.glass.until(lambda: seat.glass.prompt == "#lobby> half a li")

        for number in range(30):
            seat.say("ben", f"interrupting {number}")
        await seat.glass.until(lambda: any("interrupting 29" in row for row in seat.glass.rows))

        await seat.glass.until(lambda: seat.glass.prompt == "#lobby> half a li")
        assert sum("half a li" in row for row in seat.glass.rows) == 1
        seat.keys.send_text("ne\r")
        await seat.glass.until(lambda: seat.link.sent)
        assert seat.link.sent == [wire.Say(101, "lobby", "half a line", RUN)]


async def test_arrow_keys_edit_and_up_brings_back() -> None:
    """Left goes into the line; up brings the last one back."""
    async with seated() as seat:
        seat.keys.send_text("helo\x1b[D" + "l" + "\r")
        await seat.glass.until(lambda: seat.link.sent)
        assert seat.link.sent == [wire.Say(101, "lobby", "hello", RUN)]

        seat.keys.send_text("\x1b[A")

        await seat.glass.until(lambda: seat.glass.prompt == "#lobby> hello")


async def test_a_paste_of_several_lines_is_one_message() -> None:
    """Bracketed paste: nothing is sent before Enter, then all of it at once."""
    async with seated() as seat:
        seat.keys.send_text("\x1b[200~one\rtwo\rthree\x1b[201~")
        await seat.glass.until(lambda: any("three" in row for row in seat.glass.rows))
        assert seat.link.sent == []

        seat.keys.send_text("\r")

        await seat.glass.until(lambda: seat.link.sent)
        assert seat.link.sent == [wire.Say(101, "lobby", "one\ntwo\nthree", RUN)]


async def test_an_own_line_stands_once_in_the_order_of_the_room() -> None:
    """Typed before ben's line arrived, stored after it: it is shown where it is for everybody."""
    async with seated() as seat:
        seat.keys.send_text("mine\r")
        await seat.glass.until(lambda: seat.link.sent)
        seat.say("ben", "his")
        seat.say("ana", "mine", id=101)

        await seat.glass.until(lambda: any(row.endswith("ana: mine") for row in seat.glass.rows))

        said = [row.rpartition(" ")[2] for row in seat.glass.rows if row.endswith(("mine", "his"))]
        assert said == ["his", "mine"]


async def test_a_waiting_line_is_seen_above_the_cursor_until_it_arrives() -> None:
    """While the line is down: the countdown below, the waiting line above; afterwards the talk alone."""
    async with seated() as seat:
        seat.client.line_changed("reconnecting", seat.link.now, why="dropped", redial_in=30.0)
        seat.link.advance()
        seat.keys.send_text("are you there\r")
        await seat.glass.until(lambda: any("waiting, for #lobby" in row for row in seat.glass.rows))
        await seat.glass.until(
            lambda: "reconnecting in" in seat.glass.rows[-1] and "1 line waiting" in seat.glass.rows[-1]
        )

        seat.client.line_changed("connected", seat.link.now)
        seat.say("ana", "are you there", id=101)

        await seat.glass.until(lambda: "● connected" in seat.glass.rows[-1])
        assert sum("are you there" in row for row in seat.glass.rows) == 1
        assert any("The line is back after" in row for row in seat.glass.rows)


async def test_nothing_that_others_send_moves_the_cursor() -> None:
    """Escapes, carriage returns, bells and tricks with direction in names and text are text or nothing."""
    async with seated() as seat:
        seat.keys.send_text("half")
        await seat.glass.until(lambda: seat.glass.prompt == "#lobby> half")
        evil = "\x1b[2J\x1b[1;1Hgotcha\r\nback\b\b\b\x07\x9b31m\u202eeltit\x1b]0;title\x07"

        seat.say("ev\x1b[Ail", evil)
        seat.link.hear(wire.Notice(evil), wire.Came("lobby", evil), wire.Sorry(99, evil))
        seat.say("ben", "after")
        await seat.glass.until(lambda: any("ben: after" in row for row in seat.glass.rows))

        await seat.glass.until(lambda: seat.glass.prompt == "#lobby> half")
        assert any("You are in #lobby" in row for row in seat.glass.rows)
        assert seat.glass.bells == 0
        assert seat.glass.screen.title == ""


async def test_lines_within_a_message_cannot_pass_for_another_persons() -> None:
    """What follows a line end is indented, so that nobody can speak in ben's name."""
    async with seated() as seat:
        seat.say("mallory", "hi\n12:00 ben: I owe mallory 10 coins")

        await seat.glass.until(lambda: any("coins" in row for row in seat.glass.rows))

        (row,) = [row for row in seat.glass.rows if "coins" in row]
        assert row.startswith("      12:00")


async def test_a_call_is_seen_in_the_prompt_and_private_words_come_back() -> None:
    """The prompt says whom one is talking to; when they hang up while one types, Enter does not tell the room."""
    async with seated() as seat:
        seat.link.hear(wire.Rang("ben"))
        await seat.glass.until(
            lambda: any("ben is calling: /call ben accepts" in row for row in seat.glass.rows)
        )
        await seat.glass.until(lambda: seat.glass.bells == 1)
        seat.link.hear(wire.CallBegan("ben"))
        await seat.glass.until(lambda: seat.glass.prompt == "call with ben>")
        seat.keys.send_text("just for you")
        await seat.glass.until(lambda: seat.glass.prompt == "call with ben> just for you")
        seat.link.hear(wire.CallEnded("ben", "hung up"))
        await seat.glass.until(lambda: any("is over" in row for row in seat.glass.rows))
        await seat.glass.until(lambda: seat.glass.prompt == "call with ben> just for you")

        seat.keys.send_text("\r")

        await seat.glass.until(lambda: seat.glass.prompt == "#lobby> just for you")
        assert seat.link.sent == []


@pytest.mark.parametrize("keys", ["bye\r", "/bye\r", "\x04"])
async def test_leaving_takes_the_prompt_away(keys: str) -> None:
    """After bye, or Ctrl-D in an empty line, the terminal holds the talk and nothing else."""
    async with seated() as seat:
        seat.say("ben", "so long")
        await seat.glass.until(lambda: any("so long" in row for row in seat.glass.rows))

        seat.keys.send_text(keys)
        await seat.glass.until(lambda: not any("#lobby>" in row for row in seat.glass.rows))

        assert any("so long" in row for row in seat.glass.rows)
        assert not any("connected" in row for row in seat.glass.rows)


async def test_a_terminal_that_goes_away_is_left() -> None:
    """The window was closed: nobody types there any more, so the chat is left as politely as with bye."""
    async with seated() as seat:
        seat.keys.close()

        async with asyncio.timeout(BOUND):
            await seat.stop.wait()


async def test_ctrl_c_is_the_signal_it_is_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """In raw mode Ctrl-C is a key: it is handed on as SIGINT, so that the first drains and the second ends at once."""
    kills: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda *args: kills.append(args))
    async with seated() as seat:
        seat.keys.send_text("\x03x")
        await seat.glass.until(lambda: seat.glass.prompt == "#lobby> x")

        assert len(kills) == 1


async def test_many_waiting_lines_leave_room_for_the_prompt() -> None:
    """Of many waiting lines the newest are seen, the others counted; long and wide ones take a row each."""
    async with seated() as seat:
        seat.client.line_changed("reconnecting", seat.link.now, why="dropped")
        for number in range(50):
            seat.client.typed(f"line {number} " + "漢字" * 200, seat.link.now)
        seat.link.advance()

        await seat.glass.until(
            lambda: any("… and 44 earlier ones are waiting" in row for row in seat.glass.rows)
        )

        assert seat.glass.prompt == "#lobby>"
        assert sum("waiting, for #lobby" in row for row in seat.glass.rows) == 6


async def test_a_terminal_that_answers_nothing_shows_the_line_above_the_prompt() -> None:
    """Some terminals cannot say where their cursor is, so there is no bottom row to rely on."""
    async with seated(answers=False) as seat:
        seat.client.line_changed("reconnecting", seat.link.now, why="dropped", redial_in=30.0)
        seat.link.advance()

        await seat.glass.until(lambda: any("○ reconnecting in" in row for row in seat.glass.rows))

        assert seat.glass.prompt == "#lobby>"
