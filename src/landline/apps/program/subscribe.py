"""``landline subscribe``: each publication of a pattern as one JSON object a line, as it comes; and each gap."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

import landline
from landline.patterns.topics import Beginning

from ..standard import Sink, standard_output
from . import values
from .opening import Server, opened
from .positions import position_text


class Subscribe(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        server: where.
        pattern: of the topics.
        after: where to begin.
        count: publications after which it ends; None for no limit.
        timeout: seconds without one after which it ends; None for no limit.
    """

    server: Server
    pattern: str
    after: Beginning = "now"
    count: int | None = None
    timeout: float | None = None


async def run(wanted: Subscribe, stop: asyncio.Event) -> int:
    """Print what comes until there is enough of it or ``stop`` is set; return the exit code.

    Raises:
        AddressError, ConnectError, ConnectTimeout, Refused: as for ``landline.connect``.
        TopicError, NotAllowed, FlowReset, SessionEnded: as for ``Session.subscribe`` and what it returns.
        TimeoutError: less came than was asked for.
        PipeError, BrokenPipeError: standard output failed, or whoever read it went.
    """
    output = standard_output()
    async with (
        opened(wanted.server, stop) as session,
        session.subscribe(wanted.pattern, wanted.after) as items,
        _reader_gone(output) as gone,
    ):
        printing = asyncio.create_task(_print(wanted, items, Sink(output)), name="subscribe output")
        others = [asyncio.create_task(event.wait()) for event in (stop, gone)]
        try:
            await asyncio.wait([printing, *others], return_when=asyncio.FIRST_COMPLETED)
            if printing.done():
                printing.result()
            elif gone.is_set():
                raise BrokenPipeError
        finally:
            for task in (printing, *others):
                task.cancel()
            await asyncio.gather(printing, *others, return_exceptions=True)
    return 0


async def _print(wanted: Subscribe, items: landline.Subscription, sink: Sink) -> None:
    came = 0
    while came != wanted.count:
        try:
            async with asyncio.timeout(wanted.timeout):
                item = await anext(items)
        except TimeoutError:
            if wanted.count is None:
                return
            raise TimeoutError(
                f"{came} of {wanted.count} came, and then nothing for {wanted.timeout:g} s"
            ) from None
        except StopAsyncIteration:
            raise landline.SessionClosed("the server ended it") from None
        await sink.write(values.line(_entry(item)))
        came += isinstance(item, landline.Publication)


def _entry(item: landline.Publication | landline.Gap) -> dict[str, Any]:
    if isinstance(item, landline.Gap):
        gap = {
            "topic": item.topic,
            "after": position_text(item.after),
            "to": position_text(item.to),
            "reason": item.reason,
        }
        return {"gap": gap}
    position = position_text(item.position)
    try:
        data = values.shown(item.data)
    except ValueError as error:
        raise landline.DataError(
            f"the publication at {position} cannot be printed: {error}; `--after {position}` goes on behind it"
        ) from None
    return {"topic": item.topic, "position": position, "data": data}


@asynccontextmanager
async def _reader_gone(output: int) -> AsyncIterator[asyncio.Event]:
    """Within the block, the event is set when whoever reads our output from a pipe or socket has gone: that may be long before the next line."""
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    is_watched = False

    def look() -> None:
        poll = select.poll()
        poll.register(output, 0)
        if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0)):
            gone.set()
        loop.remove_reader(output)  # else somebody talks to our output, which we do not look at

    mode = os.fstat(output).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        with contextlib.suppress(OSError, NotImplementedError):
            # From a pipe nothing ever comes to be read there; but its end is told to whoever waits for that.
            loop.add_reader(output, look)
            is_watched = True
    try:
        yield gone
    finally:
        if is_watched:
            loop.remove_reader(output)
