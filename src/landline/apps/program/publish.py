"""``landline publish``: publishes one thing, or each line of standard input, and says where each is stored.

Many are under way at once and are answered in their order. The first that fails ends the reading; what was sent by then is still answered.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import msgspec

import landline
from landline.errors import DataError, PublishFailed, PublishUnknown, TopicError
from landline.storage import SQLiteStorage

from ..standard import PipeError, Sink, standard_output
from . import values
from .limits import PROGRAM
from .lines import InputError, lines_until
from .opening import Server, opened
from .positions import position_text

IN_FLIGHT: Final = PROGRAM.in_flight
IN_FLIGHT_BYTES: Final = PROGRAM.in_flight_bytes
DRAIN_TIMEOUT: Final = PROGRAM.drain_timeout
TOLD_ERRORS: Final = PROGRAM.told_errors


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        server: where.
        topic: where to there; None: each line names its own, as ``landline subscribe`` prints them.
        data: the one thing to publish; None: the lines of standard input.
        is_json: data and lines are JSON, not text.
        storage: keeps what is not answered yet.
        timeout: seconds to wait for an answer; None for no limit.
    """

    server: Server
    topic: str | None = None
    data: str | None = None
    is_json: bool = False
    storage: Path | None = None
    timeout: float | None = None

    @property
    def keeps_data(self) -> bool:
        """Whether the one thing is in the storage before anybody is dialled."""
        return self.data is not None and self.storage is not None


class Item(msgspec.Struct, frozen=True):
    """Something to publish."""

    topic: str
    data: Any
    line: int = 0
    """Of standard input; 0 where it is not from there."""
    size: int = 0
    """Bytes of that line."""


async def run(wanted: Publish, stop: asyncio.Event) -> int:
    """Publish all of it, or what was read until ``stop`` is set; return the exit code.

    Raises:
        AddressError, ConnectError, ConnectTimeout, Refused, StorageError: as for ``landline.connect``.
        DataError, TopicError, InputError: it cannot be published, and nothing after it was.
        PublishFailed, PublishUnknown, SessionEnded: as for ``Session.publish``.
        TimeoutError: no answer came in time.
        PipeError, BrokenPipeError: standard input or output failed.
        ExceptionGroup: several of those.
    """
    # What a person typed is looked at before anybody is dialled.
    only = None if wanted.data is None else _only(wanted, wanted.data)
    sink = Sink(standard_output())
    async with contextlib.AsyncExitStack() as stack:
        storage = None
        if wanted.storage is not None:
            storage = await stack.enter_async_context(SQLiteStorage(wanted.storage))
            if (
                only is not None
            ):  # on the disk before anybody is dialled: it goes out one day, whatever happens now
                await landline.keep_publish(storage, only.topic, only.data)
        try:
            session = await stack.enter_async_context(opened(wanted.server, stop, storage=storage))
        except (landline.ConnectError, PipeError):
            if storage is not None:
                wanted.server.say(
                    "Nothing was read from standard input, and nothing of it is kept."
                    if only is None
                    else f"It is kept in {wanted.storage}, and goes out with the next run that reaches a server."
                )
            raise
        await _Publishing(session, wanted, sink).run(_items(wanted, only, stop), stop)
    return 0


class _Publishing:
    """The publications of one run, from the first to the last answer."""

    def __init__(self, session: landline.Session, wanted: Publish, sink: Sink) -> None:
        self._session = session
        self._wanted = wanted
        self._sink = sink
        self._flying: deque[tuple[Item, asyncio.Task[landline.Position]]] = deque()
        self._size = 0
        self._errors: list[Exception] = []
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def run(self, items: AsyncGenerator[Item, None], stop: asyncio.Event) -> None:
        """Publish what comes, and print the answers."""
        feeding = asyncio.create_task(self._feed(items), name="publish input")
        feeding.add_done_callback(lambda _: self._news.set())
        hurrying = asyncio.create_task(self._hurry(stop), name="publish stop")
        try:
            await self._land_earlier()
            while True:
                if self._flying:
                    await self._land()
                elif feeding.done():
                    break
                else:
                    self._news.clear()
                    await self._news.wait()
        finally:
            for task in (feeding, hurrying):
                task.cancel()
            await asyncio.gather(feeding, hurrying, return_exceptions=True)
            await items.aclose()
            if self._flying:
                await self._session.close()
                await asyncio.gather(*(task for _, task in self._flying), return_exceptions=True)
        if not feeding.cancelled() and (error := feeding.exception()) is not None:
            assert isinstance(error, Exception)
            self._errors.append(error)
        if len(self._errors) > 1:
            raise ExceptionGroup("several publications failed", self._errors[:TOLD_ERRORS])
        if self._errors:
            raise self._errors[0]

    # What goes out...

    async def _feed(self, items: AsyncGenerator[Item, None]) -> None:
        async for item in items:
            # Never as much as the session's outbox holds: there none waits for room, and so none overtakes another.
            while self._flying and (
                len(self._flying) >= IN_FLIGHT or self._size + item.size > IN_FLIGHT_BYTES
            ):
                self._room.clear()
                await self._room.wait()
            if self._errors:
                return
            task = asyncio.create_task(self._session.publish(item.topic, item.data), name="publish")
            self._flying.append((item, task))
            self._size += item.size
            self._news.set()

    async def _hurry(self, stop: asyncio.Event) -> None:
        """What is not answered for long after we were told to stop is given up: its outcome says what became of it."""
        await stop.wait()
        await asyncio.sleep(DRAIN_TIMEOUT)
        await self._session.close("interrupted")

    # ... and what comes back.

    async def _land_earlier(self) -> None:
        """Print what is answered now of what the storage held: what earlier runs left, and last what this one put there."""
        left = self._session.earlier
        for number, earlier in enumerate(left, 1):
            is_ours = self._wanted.keeps_data and number == len(left)
            try:
                async with asyncio.timeout(self._wanted.timeout):
                    position = await earlier.position()
            except TimeoutError:
                raise TimeoutError(self._late("it" if is_ours else "what an earlier run left")) from None
            except (PublishFailed, PublishUnknown) as error:
                self._errors.append(error)
            else:
                entry = {"topic": earlier.topic, "position": position_text(position)}
                await self._sink.write(values.line(entry if is_ours else entry | {"earlier": True}))

    async def _land(self) -> None:
        """Wait for the oldest answer, and print it with those that are there as well: one write for all of them."""
        item, task = self._flying[0]
        try:
            async with asyncio.timeout(self._wanted.timeout):
                await asyncio.wait([task])
        except TimeoutError:
            raise TimeoutError(self._late(f"line {item.line}" if item.line else "it")) from None
        lines = bytearray()
        while self._flying and self._flying[0][1].done():
            item, task = self._flying.popleft()
            self._size -= item.size
            try:
                position = task.result()
            except Exception as error:  # noqa: BLE001 - told at the end, with those of what is under way
                self._errors.append(_at(item, error))
            else:
                entry = {"topic": item.topic, "position": position_text(position)}
                lines += values.line(entry | {"line": item.line} if item.line else entry)
        self._room.set()
        if lines:
            await self._sink.write(bytes(lines))

    def _late(self, what: str) -> str:
        return f"no answer came within {self._wanted.timeout:g} s; {what} may have been published, or not"


async def _items(wanted: Publish, only: Item | None, stop: asyncio.Event) -> AsyncGenerator[Item, None]:
    """Yield what is to be published."""
    if only is not None:
        if not wanted.keeps_data:
            yield only
        return
    async with contextlib.aclosing(lines_until(stop)) as lines:
        async for number, line in lines:
            if (item := _from_line(wanted, number, line)) is not None:
                yield item


def _only(wanted: Publish, text: str) -> Item:
    assert wanted.topic is not None
    if not wanted.is_json:
        return Item(wanted.topic, text)
    try:
        return Item(wanted.topic, values.parse(text.encode(errors="surrogateescape")))
    except ValueError as error:
        raise DataError(f"DATA cannot be published: {error}") from None


def _from_line(wanted: Publish, number: int, line: bytes) -> Item | None:
    """Return what a line says; None where that is nothing to publish.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if wanted.topic is not None and not wanted.is_json:
            return Item(wanted.topic, line.decode(), number, len(line))
        if not line.strip():
            return None
        if wanted.topic is not None:
            return Item(wanted.topic, values.parse(line), number, len(line))
        return _told(wanted, number, line)
    except UnicodeDecodeError:
        raise InputError(number, "it is not UTF-8; --json takes bytes as base64") from None
    except ValueError as error:
        raise InputError(number, str(error)) from None


def _told(wanted: Publish, number: int, line: bytes) -> Item | None:
    """Return a publication as ``landline subscribe`` prints it; a gap there is told, and left out."""
    entry = values.parse(line)
    if isinstance(entry, dict) and isinstance(entry.get("topic"), str) and "data" in entry:
        return Item(entry["topic"], entry["data"], number, len(line))
    if isinstance(entry, dict) and isinstance(entry.get("gap"), dict):
        wanted.server.say(f"Line {number} of standard input is a gap: something is missing there.")
        return None
    raise ValueError(
        'without TOPIC each line is {"topic": …, "data": …}, as `landline subscribe` prints them'
    )


def _at(item: Item, error: Exception) -> Exception:
    """Return the error with the line that it is about."""
    if not item.line:
        return error
    where = f"line {item.line} of standard input"
    match error:
        case PublishFailed():
            return PublishFailed(f"{error.reason} ({where})")
        case PublishUnknown():
            return PublishUnknown(f"{error.reason} ({where})", is_kept=error.is_kept)
        case DataError() | TopicError():
            return InputError(item.line, str(error))
    return error
