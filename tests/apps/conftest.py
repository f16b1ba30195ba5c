"""A pipe's two ends without a process: operating system pipes where standard input and output would be."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import landline
from landline.apps.standard import Sink, Source

LIMITS = landline.Limits(
    window=64 << 10, outbox_bytes=64 << 10, close_timeout=2.0, redial_min=0.01, redial_max=0.05
)
"""Small rooms, so that little data fills them."""

BOUND = 10.0


class Ends:
    """A source and a sink, and what the producer and the consumer beyond them hold."""

    def __init__(self) -> None:
        self._ours_in, self._producer = os.pipe()
        self._consumer, self._ours_out = os.pipe()
        self._threads: list[threading.Thread] = []
        self.source = Source(self._ours_in)
        self.sink = Sink(self._ours_out)

    async def produce(self, data: bytes) -> None:
        """Write all of it, as a blocking program does."""
        await self._in_thread(_write_all, self._producer, data)

    def end_input(self) -> None:
        """The producer is done."""
        _close(self._producer)
        self._producer = -1

    def stop_reading(self) -> None:
        """The consumer goes."""
        _close(self._consumer)
        self._consumer = -1

    async def consume(self, size: int = -1) -> bytes:
        """Read that many bytes, or all until the end."""
        data = b""
        while len(data) != size:
            wanted = 1 << 16 if size < 0 else size - len(data)
            chunk = await self._in_thread(os.read, self._consumer, wanted)
            if not chunk:
                break
            data += chunk
        return data

    def close(self) -> None:
        """Free whoever is stuck, and only when they are gone the numbers: a late write would land in the next test's pipe."""
        self.source.stop()
        _close(self._consumer)
        for number in (self._ours_in, self._ours_out):
            put_away(number)
        for thread in self._threads:
            thread.join(BOUND)
            assert not thread.is_alive()
        _close(self._producer)

    async def _in_thread(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call in a thread of its own: it may be stuck, as a program in a pipe may."""
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

        thread = threading.Thread(target=call, daemon=True)
        self._threads.append(thread)
        thread.start()
        return await result


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop and the threads go on until it is so."""
    async with asyncio.timeout(BOUND):
        while not is_so():  # noqa: ASYNC110 - what changes it is a thread, or has no event
            await asyncio.sleep(0)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def put_away(descriptor: int) -> None:
    """Let go of what is open there, and keep the number: a thread of the source or the sink may be about to use it once more."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)


@pytest.fixture
def make_ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Ends]]:
    """Make ends of small pipes; everything is closed afterwards, which ends the threads."""
    monkeypatch.setattr("landline.apps.standard.PIPE_SIZE", 0)
    made: list[Ends] = []

    def make() -> Ends:
        made.append(Ends())
        return made[-1]

    yield make
    for ends in made:
        ends.close()
