"""Standard input and output: in order, bounded, and never in the loop's way."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from landline.apps import standard
from landline.apps.standard import CHUNK, PIPE_SIZE, READ_AHEAD, PipeError, Sink, Source

from .conftest import Ends, until

pytestmark = pytest.mark.timeout(30)


async def read_all(source: Source) -> bytes:
    data = b""
    while chunk := await source.read():
        assert len(chunk) <= CHUNK
        data += chunk
    return data


async def test_everything_is_read_in_order_until_the_end(make_ends: Callable[[], Ends]) -> None:
    """In pieces that a message can hold; and the end is told for ever."""
    ends = make_ends()
    data = os.urandom(3 * READ_AHEAD)

    async def produce() -> None:
        await ends.produce(data)
        ends.end_input()

    _, heard = await asyncio.gather(produce(), read_all(ends.source))

    assert heard == data
    assert await ends.source.read() == b""


@pytest.mark.limit("standard.read_ahead")
async def test_a_producer_waits_while_nothing_is_taken(make_ends: Callable[[], Ends]) -> None:
    """Memory is bounded: no more is read than READ_AHEAD, the piece that passes it, and one that waits for room."""
    ends = make_ends()
    producing = asyncio.ensure_future(ends.produce(bytes(READ_AHEAD + 2 * CHUNK + (1 << 20))))
    first = await ends.source.read()
    await until(lambda: ends.source.held >= READ_AHEAD)

    assert not producing.done()
    assert ends.source.held <= READ_AHEAD + 2 * CHUNK

    taken = len(first)
    while taken < READ_AHEAD + 2 * CHUNK + (1 << 20):
        taken += len(await ends.source.read())
    await producing


async def test_small_pieces_are_joined(make_ends: Callable[[], Ends]) -> None:
    """What came meanwhile is one message, not a hundred."""
    ends = make_ends()
    for _ in range(20):
        await ends.produce(b"line\n")
    await until(lambda: ends.source.held >= 100)

    assert await ends.source.read() == b"line\n" * 20


async def test_a_stopped_source_gives_what_it_has_and_goes_on_for_the_next(
    make_ends: Callable[[], Ends],
) -> None:
    """Nothing that was read is lost between two callers."""
    ends = make_ends()
    await ends.produce(b"for the first")
    await until(lambda: bool(ends.source.held))
    ends.source.stop()

    assert [await ends.source.read(), await ends.source.read()] == [b"for the first", b""]

    await ends.produce(b"for the second")
    await until(lambda: bool(ends.source.held))  # the thread has it: if nobody comes for it, it is lost
    assert await ends.source.read() == b""
    ends.source.go_on()
    assert await ends.source.read() == b"for the second"


async def test_stopping_wakes_who_waits_for_input(make_ends: Callable[[], Ends]) -> None:
    """A terminal's user need not press Enter once more."""
    ends = make_ends()
    reading = asyncio.ensure_future(ends.source.read())
    await asyncio.sleep(0)
    ends.source.stop()

    assert await reading == b""


async def test_an_input_that_fails_is_no_end(tmp_path: Path) -> None:
    """A folder cannot be read, and that is said."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(PipeError, match="standard input cannot be read: is a directory"):
            await Source(descriptor).read()
    finally:
        os.close(descriptor)


async def test_no_input_has_ended() -> None:
    """A closed standard input is an empty one."""
    assert await Source(None).read() == b""


async def test_everything_is_written_and_the_end_is_seen(make_ends: Callable[[], Ends]) -> None:
    """Although the process lives on; and the descriptor's number is not free for a socket."""
    ends = make_ends()
    data = os.urandom(1 << 20)

    async def write() -> None:
        await ends.sink.write(data)
        ends.sink.close()

    _, heard = await asyncio.gather(write(), ends.consume())

    assert heard == data


async def test_a_slow_consumer_makes_the_writer_wait(make_ends: Callable[[], Ends]) -> None:
    """``write`` returns when the system has it all, not before."""
    ends = make_ends()
    writing = asyncio.ensure_future(ends.sink.write(bytes(1 << 20)))
    assert len(await ends.consume(1000)) == 1000

    assert not writing.done()

    await ends.consume((1 << 20) - 1000)
    await writing


async def test_a_consumer_that_went_is_a_broken_pipe(make_ends: Callable[[], Ends]) -> None:
    """As for every program in a pipe."""
    ends = make_ends()
    ends.stop_reading()

    with pytest.raises(BrokenPipeError):
        await ends.sink.write(b"x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
async def test_a_full_disk_is_told() -> None:
    """In a sentence, not in a traceback."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    sink = Sink(descriptor)
    try:
        with pytest.raises(PipeError, match="standard output cannot be written: no space left on device"):
            await sink.write(b"x")
    finally:
        sink.close()
        os.close(descriptor)


async def test_descriptors_that_somebody_made_non_blocking_work(make_ends: Callable[[], Ends]) -> None:
    """A shell's next program may have done that to the terminal we share."""
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    os.set_blocking(theirs, False)
    source, sink = Source(ours), Sink(theirs)
    data = os.urandom(4 * READ_AHEAD)

    async def write() -> None:
        await sink.write(data)
        sink.close()
        os.close(theirs)

    _, heard = await asyncio.gather(write(), read_all(source))
    os.close(ours)

    assert heard == data


def test_a_terminal_that_another_program_uses_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """``landline listen > file &``: reading would stop the whole process."""
    leader, terminal = pty.openpty()
    with open(leader, "rb"), open(terminal, "rb", buffering=0) as file:  # noqa: PTH123 - descriptors
        monkeypatch.setattr("sys.stdin", file)

        assert standard.is_terminal(terminal)
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
        assert standard.standard_input() == terminal
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
        assert standard.standard_input() is None


def test_streams_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No input is an empty one; no output is a mistake."""
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setattr("sys.stdout", None)

    assert standard.standard_input() is None
    assert not standard.is_terminal(None)
    with pytest.raises(PipeError, match="standard output is closed"):
        standard.standard_output()


@pytest.mark.limit("standard.chunk")
@pytest.mark.parametrize("size", [CHUNK, CHUNK + 1])
async def test_a_chunk_has_an_upper_size(make_ends: Callable[[], Ends], size: int) -> None:
    """What fits one is one message; a byte more is another."""
    ends = make_ends()
    await ends.produce(bytes(size))
    await until(lambda: ends.source.held == size)
    first = await ends.source.read()

    assert len(first) <= CHUNK
    assert len(first) + ends.source.held == size
    if size == CHUNK:
        assert len(first) == CHUNK


@pytest.mark.limit("standard.pipe")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe's size cannot be chosen")
@pytest.mark.parametrize("before", [4096, PIPE_SIZE])
def test_a_pipe_of_ours_holds_so_much(before: int) -> None:
    """A smaller one is made larger, one that is large enough is left as it is."""
    ends = os.pipe()
    try:
        fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, before)
        standard._widen(ends[0])

        assert fcntl.fcntl(ends[0], fcntl.F_GETPIPE_SZ) == PIPE_SIZE
    finally:
        for end in ends:
            os.close(end)
