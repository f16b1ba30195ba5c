"""The chat without a cursor: lines in, lines out, for pipes and for terminals that can do no more.

What was heard goes to stdout, talk about the line to stderr. From a pipe each line waits until the one before it is answered, the end of
the input leaves the chat when everything is confirmed, and what was not confirmed makes the exit code 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncGenerator
from typing import Final

from landline.apps.chat.client import Client
from landline.apps.chat.client_events import Arrived
from landline.apps.chat.link import Link
from landline.apps.chat.show import show

CHUNK: Final = 1 << 16
MAX_LINE: Final = 1 << 20
"""Bytes of one input line; more than any line that may be said, and little enough to hold."""


class LineScreen:
    """Reads lines from stdin and prints what happens."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._is_typed = sys.stdin.isatty()
        self._changed = asyncio.Event()
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="replace")

    def changed(self) -> None:
        """Print the client's events."""
        for event in self._client.events():
            shown = show(event, self._client, times=False)
            # Who types sees their own line already; from a pipe it is the only sign that the line is in the room.
            if (
                shown is None
                or (shown.own and self._is_typed)
                or (isinstance(event, Arrived) and not event.doubted and not self._is_typed)
            ):
                continue
            print(shown.text, end="", file=sys.stderr if shown.aside else sys.stdout, flush=True)
        self._changed.set()

    async def run(self, link: Link, stop: asyncio.Event) -> int:
        """Chat until the input ends, the person leaves, or ``stop`` is set; return 1 if a line of theirs was not confirmed."""
        linking = asyncio.create_task(link.run(stop))
        typing = asyncio.create_task(self._type(link))
        try:
            await asyncio.wait([linking, typing], return_when=asyncio.FIRST_COMPLETED)
            if typing.done():
                typing.result()
            await linking
        finally:
            for task in (typing, linking):
                task.cancel()
            await asyncio.gather(typing, linking, return_exceptions=True)
        return 1 if self._client.pending.failed and not self._is_typed else 0

    async def _type(self, link: Link) -> None:
        async with contextlib.aclosing(stdin_lines()) as lines:
            async for line in lines:
                self._client.typed(line, link.now)
                link.advance()
                while not self._is_typed and len(self._client.pending) and not self._client.is_done:
                    self._changed.clear()
                    await self._changed.wait()
                if self._client.leaving:
                    return
        self._client.leave(link.now)
        link.advance()


async def stdin_lines() -> AsyncGenerator[str, None]:
    """Yield the lines of stdin without their ends, each read only when the one before was taken.

    A thread reads, because the loop cannot wait for every kind of stdin (a plain file, say). It reads the descriptor itself: a thread
    that is blocked inside ``sys.stdin`` when the program ends would hold its lock.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    wanted = threading.Semaphore(0)

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            while wanted.acquire():
                try:
                    chunk = os.read(0, CHUNK)
                except OSError:
                    chunk = b""
                loop.call_soon_threadsafe(arrived.put_nowait, chunk)
                if not chunk:
                    return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    held = b""
    while True:
        *lines, held = held.split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
        if len(held) > MAX_LINE:
            held = held[:MAX_LINE]
        wanted.release()
        chunk = await arrived.get()
        if not chunk:
            break
        held += chunk
    if held:
        yield held.decode(errors="replace")
