"""A pipe's two ends without a process: operating system pipes where standard input and output would be."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import landline
from landline.apps.pipe.standard import Sink, Source

LIMITS = landline.Limits(
    window=64 << 10, outbox_bytes=64 << 10, close_timeout=2.0, redial_min=0.01, redial_max=0.05
)
"""Small rooms, so that little data fills them."""


class Ends:
    """A source and a sink, and what the producer and the consumer beyond them hold."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        ours_in, self._producer = self._pipe()
        self._consumer, ours_out = self._pipe()
        self.source = Source(ours_in)
        self.sink = Sink(ours_out)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        for end in ends:
            self._stack.callback(_close, end)
        return ends

    async def produce(self, data: bytes) -> None:
        """Write all of it, as a blocking program does."""
        await _in_thread(_write_all, self._producer, data)

    def end_input(self) -> None:
        """The producer is done."""
        _close(self._producer)

    def stop_reading(self) -> None:
        """The consumer goes."""
        _close(self._consumer)

    async def consume(self, size: int = -1) -> bytes:
        """Read that many bytes, or all until the end."""
        data = b""
        while len(data) != size:
            chunk = await _in_thread(os.read, self._consumer, 1 << 16 if size < 0 else size - len(data))
            if not chunk:
                break
            data += chunk
        return data


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop and the threads go on until it is so."""
    while not is_so():  # noqa: ASYNC110 - what changes it is a thread, or has no event
        await asyncio.sleep(0)


async def _in_thread(function: Callable[..., Any], *arguments: object) -> Any:
    """Call in a thread that nobody waits for at the end: it may be stuck, as a program in a pipe may."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Any] = loop.create_future()

    def settle(value: object, error: OSError | None) -> None:
        if result.done():
            return
        if error is None:
            result.set_result(value)
        else:
            result.set_exception(error)

    def call() -> None:
        value, error = None, None
        try:
            value = function(*arguments)
        except OSError as caught:
            error = caught
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=call, daemon=True).start()
    return await result


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)


@pytest.fixture
def make_ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Ends]]:
    """Make ends of small pipes; everything is closed afterwards, which ends the threads."""
    monkeypatch.setattr("landline.apps.pipe.standard.PIPE_SIZE", 0)
    with ExitStack() as stack:
        yield lambda: Ends(stack)
