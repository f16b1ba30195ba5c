"""The lines of standard input, numbered, each of a bounded length."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from landline.errors import LandlineError

from ..standard import Source, standard_input
from .limits import PROGRAM

MAX_LINE: Final = PROGRAM.line


class InputError(LandlineError):
    """A line of standard input cannot be used; the message says which, and why."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number} of standard input cannot be used: {reason}")


async def lines_of(source: Source) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yield each line with its number, from 1, and without its end; nothing is read before what was read is taken.

    The last line may have no end.

    Raises:
        InputError: a line is too long.
        PipeError: it cannot be read; the lines before were yielded.
    """
    number, held = 1, bytearray()
    while chunk := await source.read():
        held += chunk
        if b"\n" not in chunk:
            _check(number, len(held))
            continue
        *lines, rest = bytes(held).split(b"\n")
        held = bytearray(rest)
        for line in lines:
            _check(number, len(line))
            yield number, line
            number += 1
        _check(number, len(held))
    if held:
        yield number, bytes(held)


async def lines_until(stop: asyncio.Event) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yield the lines of standard input likewise, until ``stop`` is set; also while nothing comes.

    Raises:
        InputError, PipeError: likewise.
    """
    source = Source(standard_input())
    asked = asyncio.create_task(stop.wait(), name="lines stop")
    asked.add_done_callback(lambda _: source.stop())  # cancelled, too
    try:
        async with contextlib.aclosing(lines_of(source)) as lines:
            async for line in lines:
                if stop.is_set():
                    return
                yield line
    finally:
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)


def _check(number: int, size: int) -> None:
    if size > MAX_LINE:
        raise InputError(number, f"it is over {MAX_LINE:,} bytes")
