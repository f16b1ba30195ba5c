"""Virtual time: an event loop whose clock jumps to the next timer when nothing else is to do. Hours cost nothing, every moment is exact.

    landline.testing.clock.run(main())

It works with ``memory://`` addresses. Sockets, processes and threads live in real time, so they are refused here rather than left waiting.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

_REFUSED = "time is virtual here; sockets, processes and threads live in real time: use memory:// addresses"


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own, which begins at 0.

    Attributes:
        now: the time, in seconds; what ``time()`` returns.
    """

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the time that it is here."""
        return self.now

    async def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        del args, kwargs
        raise RuntimeError(_REFUSED)

    def _refuse_at_once(self, *args: Any, **kwargs: Any) -> NoReturn:
        del args, kwargs
        raise RuntimeError(_REFUSED)

    create_connection = create_server = create_unix_connection = create_unix_server = _refuse
    create_datagram_endpoint = subprocess_exec = subprocess_shell = _refuse
    connect_accepted_socket = connect_read_pipe = connect_write_pipe = _refuse
    run_in_executor = add_reader = add_writer = _refuse_at_once  # type: ignore[assignment]


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` to its end in virtual time; return what it returns."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait no time; when nothing is there, it is later."""
        found: list[tuple[selectors.SelectorKey, int]] = super().select(0 if timeout is not None else None)
        if not found and timeout:
            self._loop.now += timeout
        return found
