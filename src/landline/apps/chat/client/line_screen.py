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
from collections.abc import AsyncGenerator, Callable
from typing import Final

from landline.apps.chat.client.events import Arrived, Event
from landline.apps.chat.client.link import Link
from landline.apps.chat.client.model import Client
from landline.apps.chat.client.pending import LIMITS
from landline.apps.chat.client.show import Shown, show, to_say
from landline.apps.chat.limits import CLIENT

CHUNK: Final = 1 << 16
MAX_LINE: Final = CLIENT.input_line


class LineScreen:
    """Reads lines and prints what happens.

    Args:
        client: whose screen it is.
        stdin: the descriptor to read from.
    """

    def __init__(self, client: Client, *, stdin: int = 0) -> None:
        self._client = client
        self._stdin = stdin
        self._is_typed = _is_terminal(stdin)
        self._broken: BrokenPipeError | None = None
        self._changed = asyncio.Event()
        self._has_told_pace = self._is_typed
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="replace")

    def changed(self) -> None:
        """Print the client's events."""
        for event in self._client.events():
            shown = show(event, self._client, times=False)
            if shown is None or self._is_seen(event, shown):
                continue
            try:
                print(shown.text, end="", file=sys.stderr if shown.aside else sys.stdout, flush=True)
            except BrokenPipeError as error:  # nobody reads on: leave when what was said is confirmed
                self._broken = self._broken or error
                self._client.leave(0.0, quietly=True)
        self._changed.set()

    def _is_seen(self, event: Event, shown: Shown) -> bool:
        """Whether the person knows: who types sees their own line; from a pipe the line itself is the sign that it arrived."""
        if self._is_typed:
            return shown.own
        return isinstance(event, Arrived) and not event.doubted

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
        if self._broken is not None:
            raise self._broken
        return 1 if self._client.pending.failed and not self._is_typed else 0

    async def _type(self, link: Link) -> None:
        async with contextlib.aclosing(lines_of(self._stdin, self._tell_pace)) as lines:
            async for line in lines:
                try:
                    self._client.typed(line.decode(), link.now)
                except UnicodeDecodeError:
                    self._client.not_said("That line is not UTF-8 text, so it was not said.")
                link.advance()
                while not self._is_typed and len(self._client.pending) and not self._client.is_done:
                    self._changed.clear()
                    await self._changed.wait()
                if self._client.leaving:
                    return
        self._client.leave(link.now)
        link.advance()

    def _tell_pace(self, chunk: bytes) -> None:
        """Say once how long a long pipe will take: what is slow on purpose must not look as if it hung."""
        count = sum(1 for line in chunk.split(b"\n") if line.strip())
        if count > LIMITS.burst and not self._has_told_pace:
            self._has_told_pace = True
            print(to_say(count, more=len(chunk) == CHUNK), file=sys.stderr, flush=True)


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False  # closed: as good as at its end


async def lines_of(
    descriptor: int, look: Callable[[bytes], None] = lambda _: None
) -> AsyncGenerator[bytes, None]:
    """Yield the lines of an open file without their ends; nothing is read before what was read is taken.

    ``look`` is shown each chunk before its lines come.

    A thread reads, because the loop cannot wait for every kind of stdin (a plain file, say). It reads the descriptor itself: a thread
    that is blocked inside ``sys.stdin`` when the program ends would hold its lock.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    wanted = threading.Semaphore(0)
    closed = threading.Event()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            while wanted.acquire() and not closed.is_set():
                try:
                    chunk = os.read(descriptor, CHUNK)
                except OSError:
                    chunk = b""
                loop.call_soon_threadsafe(arrived.put_nowait, chunk)
                if not chunk:
                    return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    held = b""
    try:
        while True:
            *lines, held = held.split(b"\n")
            for line in lines:
                yield line
            held = held[:MAX_LINE]
            wanted.release()
            chunk = await arrived.get()
            if not chunk:
                break
            look(chunk)
            held += chunk
        if held:
            yield held
    finally:
        closed.set()
        wanted.release()
