"""The way from blocking code to a loop in another thread: a coroutine becomes a call with a time-out, an async iterator an iterator, an async context manager a context manager.

Who stops waiting (a time-out, Ctrl-C) has the coroutine cancelled. What it came to have all the same is never dropped here: after a time-out it is
returned, after Ctrl-C it goes to ``unclaimed``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final, Generic, Self, TypeVar

from ..errors import LandlineError
from ..limits import as_seconds

T = TypeVar("T")

_LOOK: Final = 1.0
"""Seconds after which who waits looks whether the loop is still there: one that is closed forgets what it was asked."""

_TURNS: Final = 5
"""Turns of the loop that a coroutine has which may not wait: what is there is handed on by a task or two."""


_inherited: Final[list[object]] = []
"""What a process that was forked has left of its parent's: held, so that nothing of it is finalized here."""


def check_timeout(timeout: float) -> None:
    """See that a time-out is one; it may be over already.

    Raises:
        ValueError, TypeError: it is no number.
    """
    if not (as_seconds(timeout) > 0 or timeout <= 0):
        raise ValueError(f"a timeout is a number of seconds, and not {timeout!r}")


class Bridge:
    """Runs in a loop of another thread what this thread waits for.

    Args:
        loop: the loop; nothing is asked of it before it runs.
    """

    __slots__ = ("_loop", "_process")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._process = os.getpid()

    @property
    def is_inherited(self) -> bool:
        """Whether the loop runs in the process that this one was forked from, and not here."""
        return os.getpid() != self._process

    def run(
        self,
        work: Callable[[], Coroutine[Any, Any, T]],
        timeout: float | None = None,
        unclaimed: Callable[[T], object] | None = None,
    ) -> T:
        """Wait for a coroutine and return its result.

        Args:
            work: makes the coroutine, on the loop.
            timeout: seconds after which it is cancelled; with 0 it has the turns that it takes to return what is there.
            unclaimed: called on the loop with the result where Ctrl-C keeps this from returning it.

        Raises:
            TimeoutError: it was cancelled for that; what else it raises is raised here too.
            LandlineError: this would wait for ever: the loop is the one that calls, is closed, or runs in another process.
            ValueError, TypeError: the time-out is no number.
        """
        if timeout is not None:  # found here: what is no number would upset all timers of the loop
            check_timeout(timeout)
        hop = _Hop(self._loop, work, timeout, unclaimed)
        try:
            self._begin(hop)
            while not hop.done.acquire(timeout=_LOOK):
                if self._loop.is_closed():
                    raise _ended()
        except BaseException:
            hop.is_left = True  # before all else: whoever is in a hurry may interrupt what follows, too
            self.post(hop.leave)
            raise
        # From here to the caller's next call nothing is called: Ctrl-C cannot come between a message and whoever takes it.
        error = hop.error
        if error is not None:
            try:
                raise error
            finally:
                del error, hop  # it holds this frame
        return hop.value

    def call(self, what: Callable[..., T], *args: Any) -> T:
        """Call a plain function on the loop."""

        async def called() -> T:
            return what(*args)

        return self.run(called)

    def iterate(self, open_iterator: Callable[[], AsyncIterator[T]]) -> Iteration[T]:
        """Iterate over an asynchronous iterator, which is made on the loop."""
        return Iteration(self, open_iterator)

    @contextlib.contextmanager
    def hold(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Enter an asynchronous context manager, and leave it, both in one task; who is interrupted in leaving it has that task cancelled."""
        held = _Held(manager)
        value = self.run(held.enter, None, held.cancel)
        try:
            yield value
        except BaseException as error:
            if not self._leave(held, error):
                raise
        else:
            self._leave(held, None)

    def _leave(self, held: _Held[T], error: BaseException | None) -> bool:
        """Return whether the manager suppressed the error."""
        if self.is_inherited:
            _inherited.append(held)
            return False
        return self.run(partial(held.leave, error))

    def post(self, what: Callable[[], object]) -> bool:
        """Have something done on the loop without waiting for it; return False where that cannot be any more."""
        if self.is_inherited:
            return False
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:  # it is closed
            return False
        return True

    def _begin(self, hop: _Hop[T]) -> None:
        if self.is_inherited:
            raise LandlineError(
                "this was opened before the process was forked, and is its parent's: open another one here"
            )
        if asyncio._get_running_loop() is self._loop:
            raise LandlineError(
                "this would make the loop of the session wait for itself: await the session itself there, or call from another thread"
            )
        if not self.post(hop.begin):
            raise _ended()


class _Hop(Generic[T]):
    """One coroutine's way to the loop and back. What begins with an underscore is the loop's."""

    __slots__ = (
        "_is_late",
        "_loop",
        "_task",
        "_timeout",
        "_timer",
        "_unclaimed",
        "_work",
        "done",
        "error",
        "is_left",
        "value",
    )

    value: T

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Callable[[], Coroutine[Any, Any, T]],
        timeout: float | None,
        unclaimed: Callable[[T], object] | None,
    ) -> None:
        self.done = threading.Lock()
        self.done.acquire()
        self.error: BaseException | None = None
        self._loop = loop
        self._work = work
        self._timeout = timeout
        self._unclaimed = unclaimed
        self._task: asyncio.Task[T] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_late = False
        self.is_left = False

    def begin(self) -> None:
        """Run the coroutine."""
        self._task = self._loop.create_task(self._work(), name="landline blocking call")
        if self._timeout is not None:
            self._timer = self._loop.call_later(self._timeout, self._ring, 0 if self._timeout > 0 else _TURNS)
        self._task.add_done_callback(self._finish)

    def leave(self) -> None:
        """Nobody waits for it any more."""
        if self._task is None:
            return
        if self._task.done():
            self._give_back(self._task)
        else:
            # In its turn: cancelled before its first step it would do nothing, and what it is to close would stay open.
            self._loop.call_soon(self._task.cancel)

    def _ring(self, turns: int) -> None:
        if turns:
            self._timer = self._loop.call_later(0, self._ring, turns - 1)
        elif self._task is not None:
            self._is_late = True
            self._task.cancel()

    def _finish(self, task: asyncio.Task[T]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.is_left:
            self._give_back(task)
            return
        if not task.cancelled():
            self.error = task.exception()
            if self.error is None:
                self.value = task.result()
        elif self._is_late:
            self.error = TimeoutError(f"not within {round(self._timeout or 0, 3):g} s")
        else:
            self.error = LandlineError("the loop of this session was stopped")
        self.done.release()

    def _give_back(self, task: asyncio.Task[T]) -> None:
        unclaimed, self._unclaimed = self._unclaimed, None
        if not task.cancelled() and task.exception() is None and unclaimed is not None:
            unclaimed(task.result())


class Iteration(Iterator[T]):
    """An iterator for blocking code. Leave it by ``with``, or ``close`` it; it is closed too when nobody holds it any more.

    A time-out leaves it as it was. Nothing that came is lost by it, nor by Ctrl-C.
    """

    def __init__(self, bridge: Bridge, open_iterator: Callable[[], AsyncIterator[T]]) -> None:
        self._bridge = bridge
        self._items: _Items[T] | None = None

        async def opened() -> _Items[T]:
            return _Items(open_iterator())

        self._items = bridge.run(opened, None, _Items.close_soon)

    def next(self, timeout: float | None = None) -> T:
        """Return the next item.

        Raises:
            StopIteration: there are no more.
            TimeoutError: none came within so many seconds.
        """
        if self._items is None:
            raise StopIteration
        item = self._bridge.run(self._items.next, timeout, self._items.put_back)
        if isinstance(item, _Over):
            raise StopIteration
        return item

    def __next__(self) -> T:
        return self.next()

    def __iter__(self) -> Self:
        return self

    def close(self) -> None:
        """Want no more of it."""
        items, self._items = self._items, None
        if items is not None and not self._bridge.is_inherited:
            self._bridge.run(items.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._items is not None:
            self._bridge.post(self._items.close_soon)


class _Over:
    """There are no more items."""


class _Items(Generic[T]):
    """An asynchronous iterator, on its loop: what it was asked for goes on when nobody waits, since a generator that is cancelled is over."""

    def __init__(self, iterator: AsyncIterator[T]) -> None:
        self._iterator = iterator
        self._back: list[T | _Over] = []
        self._asked: asyncio.Task[T | _Over] | None = None
        self._turn = asyncio.Lock()
        self._is_closed = False
        _ = self._ask()  # at once: a generator looks at nothing before it is asked

    def _ask(self) -> asyncio.Task[T | _Over]:
        if self._asked is None:
            self._asked = asyncio.create_task(_next(self._iterator), name="landline blocking iterator")
        return self._asked

    async def next(self) -> T | _Over:
        async with self._turn:  # of several threads each is given an item of its own
            if self._back:
                return self._back.pop()
            if self._is_closed:
                return _Over()
            asked = self._ask()
            await asyncio.wait([asked])
            self._asked = None
            return _Over() if asked.cancelled() else asked.result()

    def put_back(self, item: T | _Over) -> None:
        self._back.append(item)

    async def close(self) -> None:
        self.close_soon()
        await asyncio.shield(
            self._closing
        )  # who is interrupted in waiting for it wants it closed all the same

    async def _close(self) -> None:
        self._is_closed = True
        asked = self._asked  # whoever waits for it in another thread is told that it is over
        if asked is not None:
            asked.cancel()
            await asyncio.wait([asked])
            if not asked.cancelled():
                asked.exception()  # nobody asks for it any more
        for name in ("close", "aclose"):
            if (close := getattr(self._iterator, name, None)) is not None:
                await close()
                break

    def close_soon(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(
            self._close(), name="landline blocking iterator"
        )


async def _next(iterator: AsyncIterator[T]) -> T | _Over:
    try:
        return await anext(iterator)
    except StopAsyncIteration:
        return _Over()


class _Held(Generic[T]):
    """An asynchronous context manager, entered and left by one task."""

    def __init__(self, manager: AbstractAsyncContextManager[T]) -> None:
        self._manager = manager

    async def enter(self) -> T:
        loop = asyncio.get_running_loop()
        self._entered: asyncio.Future[T] = loop.create_future()
        self._left: asyncio.Future[BaseException | None] = loop.create_future()
        self._task = loop.create_task(self._hold(), name="landline blocking block")
        try:
            either: list[asyncio.Future[Any]] = [self._entered, self._task]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if not self._entered.done():
            await self._task  # it failed
        return await self._entered

    async def leave(self, error: BaseException | None) -> bool:
        """Return whether it suppressed the error."""
        self._left.set_result(error)
        return await self._task

    def cancel(self, value: T) -> None:
        self._task.cancel()

    async def _hold(self) -> bool:
        """Return whether the manager suppressed what the block ended with. That is handed to it, not raised: an interrupt would end the loop's thread."""
        manager = self._manager
        self._entered.set_result(await manager.__aenter__())
        try:
            error = await self._left
        except asyncio.CancelledError as cancelled:
            await manager.__aexit__(type(cancelled), cancelled, cancelled.__traceback__)
            raise
        kind = None if error is None else type(error)
        return bool(await manager.__aexit__(kind, error, None if error is None else error.__traceback__))


def _ended() -> LandlineError:
    return LandlineError("the loop of this session has ended")
