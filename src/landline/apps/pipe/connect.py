"""The side that dials: ``landline connect ADDRESS``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import landline

from .limits import PIPE
from .line import PlainLine, SessionLine
from .meeting import Pipe, told_of_drops
from .pump import Pump
from .standard import PipeError, Sink, Source, is_terminal, standard_input, standard_output

T = TypeVar("T")

FAREWELL: Final = PIPE.farewell


async def run(pipe: Pipe, stop: asyncio.Event) -> int:
    """Connect, and pump until both directions have ended; return the exit code.

    Raises:
        AddressError, ConnectError, ConnectTimeout, Refused: nobody is there, or not for us.
        CutShort, PipeError, BrokenPipeError: see ``Pump.run``.
    """
    output = standard_output()
    if pipe.is_plain:
        caller = await _unless_stopped(landline.dial(pipe.address), stop)
        try:
            await _pump(PlainLine(caller), output, stop)
        finally:
            await caller.close()
        return 0
    session = await _unless_stopped(_open(pipe), stop)
    try:
        async with told_of_drops(pipe, session):
            line = SessionLine(session)
            await _unless_stopped(line.open(), stop)
            await _pump(line, output, stop)
    finally:
        with contextlib.suppress(
            TimeoutError
        ):  # a pump has closed it; who never got that far has nothing to deliver
            async with asyncio.timeout(FAREWELL):
                await session.close()
    return 0


async def _open(pipe: Pipe) -> landline.Session:
    return await landline.connect(pipe.address, limits=pipe.limits)


async def _pump(line: SessionLine | PlainLine, output: int, stop: asyncio.Event) -> None:
    # Nothing is read before somebody is there to take it.
    descriptor = standard_input()
    source, sink = Source(descriptor), Sink(output)
    await Pump(line, source, sink, is_attended=is_terminal(descriptor)).run(stop)


async def _unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T:
    """Return what ``work`` returns; when we are asked to stop before, nothing was piped, and that is no success."""
    task, asked = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise PipeError("interrupted before anybody had answered")
    finally:
        for one in (task, asked):
            one.cancel()
        await asyncio.gather(task, asked, return_exceptions=True)
