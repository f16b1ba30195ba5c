"""The side that dials: ``landline connect ADDRESS``."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import landline

from ..drops import told_of_drops
from ..standard import Sink, Source, is_terminal, standard_input, standard_output
from ..stopping import unless_stopped
from .limits import PIPE
from .line import PlainLine, SessionLine
from .meeting import Pipe
from .pump import Pump

FAREWELL: Final = PIPE.farewell


async def run(pipe: Pipe, stop: asyncio.Event) -> int:
    """Connect, and pump until both directions have ended; return the exit code.

    Raises:
        AddressError, ConnectError, ConnectTimeout, Refused: nobody is there, or not for us.
        CutShort, PipeError, BrokenPipeError: see ``Pump.run``.
    """
    output = standard_output()
    if pipe.is_plain:
        caller = await unless_stopped(landline.dial(pipe.address), stop)
        try:
            await _pump(PlainLine(caller), output, stop)
        finally:
            await caller.close()
        return 0
    session = await unless_stopped(_open(pipe), stop)
    try:
        async with told_of_drops(pipe.say, session):
            line = SessionLine(session)
            await unless_stopped(line.open(), stop)
            await _pump(line, output, stop)
    finally:
        # A pump has closed it; who never got that far has nothing to deliver.
        with contextlib.suppress(TimeoutError):
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
