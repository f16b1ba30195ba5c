"""Virtual time: an event loop whose clock jumps to the next timer when nothing else is to do, so that hours cost nothing.

Every moment is exact: what sleeps for a second wakes one second later by the loop's clock, whatever the machine does. It needs programs
that talk in memory: on a socket, bytes under way would look like nothing to do. So sockets are refused. While a thread of
``asyncio.to_thread`` works, time passes no faster than it really does.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, TypeVar

Result = TypeVar("Result")
Ready = list[tuple[selectors.SelectorKey, int]]

_REFUSED = (
    "a loop on virtual time takes no sockets, pipes or processes: its clock would jump ahead while bytes are under way. "
    "Talk over memory://, or run on a loop with real time"
)


_REAL_THINGS = (
    "create_connection", "create_server", "create_unix_connection", "create_unix_server", "create_datagram_endpoint",
    "connect_accepted_socket", "connect_read_pipe", "connect_write_pipe", "subprocess_exec", "subprocess_shell",
)  # fmt: skip


class Clock:
    """The time of one loop.

    Attributes:
        now: in seconds, as ``loop.time()`` tells it.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self._threads = 0

    def _put_on(self, loop: asyncio.AbstractEventLoop) -> tuple[str, ...]:
        """Make this the clock of ``loop``; return the names of what was put over the loop's own."""
        selector = getattr(loop, "_selector", None)
        if not isinstance(selector, selectors.BaseSelector):
            kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
            raise TypeError(f"only asyncio's own selector loops can have virtual time, not a {kind}")
        if len(selector.get_map()) > 1:  # one is the loop's own, to wake itself
            raise RuntimeError(_REFUSED)
        run_in_executor = loop.run_in_executor

        def work(*arguments: Any) -> asyncio.Future[Any]:
            self._threads += 1
            future = run_in_executor(*arguments)
            future.add_done_callback(self._worked)
            return future

        put_over = dict.fromkeys(_REAL_THINGS, _refuse) | {
            "time": lambda: self.now,
            "run_in_executor": work,
            "_selector": _Jumping(selector, self),
        }
        vars(loop).update(put_over)
        return tuple(put_over)

    def _worked(self, future: asyncio.Future[Any]) -> None:
        self._threads -= 1

    def _select(self, selector: selectors.BaseSelector, timeout: float | None) -> Ready:
        """Wait for no more than it needs to see that nothing is there; then it is later."""
        at_once = timeout is not None and not self._threads
        found = selector.select(0 if at_once else timeout)
        if not found and timeout:
            self.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own, which begins at 0: a ``loop_factory`` for ``asyncio.Runner``."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(0.0)
        self.clock._put_on(self)


def run(program: Coroutine[Any, Any, Result]) -> Result:
    """Run ``program`` to its end on virtual time, as ``asyncio.run`` does on real time.

    Raises:
        RuntimeError: the program opened a socket.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(program)


@contextlib.contextmanager
def virtual_time() -> Iterator[Clock]:
    """Give the running loop virtual time until the block is left; its clock then goes on from where it is.

    For tests whose loop somebody else made, as pytest's plugins do.

    Raises:
        RuntimeError: the loop has a socket open.
        TypeError: the loop is none of asyncio's own selector loops; uvloop for example.
    """
    loop = asyncio.get_running_loop()
    before, real_time = dict(vars(loop)), loop.time
    clock = Clock(real_time())
    put_over = clock._put_on(loop)
    try:
        yield clock
    finally:
        ahead = clock.now - real_time()
        for name in put_over:
            del vars(loop)[name]
            if name in before:
                vars(loop)[name] = before[name]
        if ahead > 0:  # a clock never goes back: timers that were set meanwhile still wait for it
            vars(loop)["time"] = lambda: real_time() + ahead


def _refuse(*arguments: Any, **options: Any) -> Any:
    raise RuntimeError(_REFUSED)


class _Jumping(selectors.BaseSelector):
    """A loop's selector, asked by the loop how long to wait."""

    def __init__(self, selector: selectors.BaseSelector, clock: Clock) -> None:
        self._real = selector
        self._clock = clock

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Refuse what is watched in any other way: ``add_reader``, ``sock_recv`` and their like."""
        raise RuntimeError(_REFUSED)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Forget the loop's own, when it closes."""
        return self._real.unregister(fileobj)

    def select(self, timeout: float | None = None) -> Ready:
        """Look, and let time pass."""
        return self._clock._select(self._real, timeout)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """What is registered."""
        return self._real.get_map()

    def close(self) -> None:
        """Let go."""
        self._real.close()
