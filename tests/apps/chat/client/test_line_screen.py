"""The chat as lines in and lines out: what goes where, and how the input is read."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.apps.chat import wire
from landline.apps.chat.client.line_screen import CHUNK, MAX_LINE, LineScreen, lines_of
from landline.apps.chat.client.link import Link
from landline.apps.chat.client.model import Client
from tests.apps.chat.reading import joined, read

NUMBER = 4711
BOUND = 5.0
"""Seconds that anything here may take before a test counts as failed."""


class Echo:
    """Stands where the link and the server are: every line comes back, every question is refused."""

    def __init__(self, client: Client, screen: LineScreen, *, answers: bool = True) -> None:
        self.client, self.screen, self.answers = client, screen, answers
        self.over = asyncio.Event()
        self.said: list[str] = []
        self.heard = asyncio.Event()

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def advance(self) -> None:
        requests = self.client.to_send()
        self.screen.changed()
        for request in requests:
            if isinstance(request, wire.Say):
                self.said.append(request.text)
                self.heard.set()
                if self.answers:
                    self.echo(request)
        if self.client.is_done:
            self.over.set()

    def echo(self, request: wire.Say) -> None:
        line = wire.Line(len(self.said), 0.0, "ana", request.text, request.id)
        read(self.client, request.room, [line], self.now)
        self.advance()

    async def run(self, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(stop.wait()), asyncio.create_task(self.over.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with suppress(OSError):
            os.close(descriptor)


@asynccontextmanager
async def chatting(stdin: int, *, answers: bool = True) -> AsyncIterator[tuple[Echo, asyncio.Task[int]]]:
    client = Client("ana", NUMBER, draw=itertools.count(100).__next__)
    screen = LineScreen(client, stdin=stdin)
    echo = Echo(client, screen, answers=answers)
    client.opened(0.0)
    for told in (
        wire.Entered("ana", "e1"),
        joined("lobby", [wire.Member("ben")]),
    ):
        client.heard(told, 0.0)
    echo.advance()
    stop = asyncio.Event()
    running = asyncio.create_task(screen.run(cast("Link", echo), stop))
    try:
        async with asyncio.timeout(BOUND):
            yield echo, running
    finally:
        stop.set()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_was_heard_is_on_stdout_and_talk_about_the_line_on_stderr(
    pipe: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Our own piped lines are on stdout too: there is no other sign that they are in the room."""
    async with chatting(pipe[0]) as (echo, running):
        echo.client.line_changed("reconnecting", echo.now, why="reset")
        echo.client.line_changed("connected", echo.now)
        echo.client.heard(wire.Whispered("ben", "psst"), echo.now)
        os.write(pipe[1], b"hello\nbye\n")
        assert await running == 0

    out, err = capsys.readouterr()
    assert out == "· You are in #lobby with ben.\nben to you: psst\nana: hello\n"
    assert err.startswith("· You are ana.\n· The line is down (reset);")
    assert "The line is back" in err


async def test_a_line_is_taken_when_the_one_before_is_confirmed(pipe: tuple[int, int]) -> None:
    """A fast pipe waits for the room: nothing piles up here."""
    async with chatting(pipe[0], answers=False) as (echo, running):
        os.write(pipe[1], b"one\ntwo\nthree\n")
        await echo.heard.wait()
        assert echo.said == ["one"]
        echo.heard.clear()

        echo.echo(wire.Say(101, "lobby", "one"))
        await echo.heard.wait()

        assert echo.said == ["one", "two"]
        assert not running.done()


async def test_a_long_pipe_says_how_long_it_takes(
    pipe: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Once, on stderr, and only when more is to be said than goes out at once."""
    os.write(pipe[1], b"short\n" * 5)
    async with chatting(pipe[0]) as (echo, running):
        while len(echo.said) < 5:
            echo.heard.clear()
            await echo.heard.wait()
        assert "to say" not in capsys.readouterr().err

        os.write(pipe[1], b"long\n\n" * 60)
        os.close(pipe[1])
        assert await running == 0

    assert capsys.readouterr().err.count("· 60 lines to say, 2 a second: about 28 s.\n") == 1


async def test_a_failed_line_makes_the_exit_code_one(
    pipe: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """A script learns that not everything was said; the rest is."""
    async with chatting(pipe[0]) as (echo, running):
        os.write(pipe[1], b"\xff\xfe\nsaid\n")
        os.close(pipe[1])
        assert await running == 1

    assert echo.said == ["said"]
    assert "not UTF-8" in capsys.readouterr().err


async def test_who_reads_no_more_is_left(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken stdout ends the chat, with the error that says so."""

    class Broken:
        def write(self, data: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

        def flush(self) -> None:
            raise BrokenPipeError(32, "Broken pipe")

    async with chatting(pipe[0]) as (echo, running):
        monkeypatch.setattr(sys, "stdout", Broken())
        echo.client.heard(wire.Whispered("ben", "anybody there?"), echo.now)
        echo.advance()
        with pytest.raises(BrokenPipeError):
            await running


# Reading lines.


async def read_all(descriptor: int) -> list[bytes]:
    async with asyncio.timeout(BOUND):
        return [line async for line in lines_of(descriptor)]


@given(st.lists(st.binary(max_size=20), max_size=8), st.booleans())
def test_lines_come_out_as_they_went_in(lines: list[bytes], ends: bool) -> None:
    """However they are cut; a last line needs no end."""
    text = b"\n".join(lines) + (b"\n" if ends and lines else b"")
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)

    got = asyncio.run(read_all(reading))
    os.close(reading)

    assert got == text.split(b"\n")[: None if text and not text.endswith(b"\n") else -1]


@pytest.mark.limit("chat.client.input_line")
async def test_a_line_without_end_is_held_up_to_a_bound(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Rubbish without a line end does not fill the memory."""
    path = tmp_path_factory.mktemp("lines") / "long"
    path.write_bytes(b"x" * (MAX_LINE + 10 * CHUNK) + b"\nnext\n")

    descriptor = os.open(path, os.O_RDONLY)
    try:
        first, second = await read_all(descriptor)
    finally:
        os.close(descriptor)

    assert len(first) <= MAX_LINE + CHUNK
    assert second == b"next"


async def test_a_closed_stdin_is_at_its_end() -> None:
    """A program that was started without one still runs."""
    reading, writing = os.pipe()
    os.close(writing)
    os.close(reading)

    assert await read_all(reading) == []
