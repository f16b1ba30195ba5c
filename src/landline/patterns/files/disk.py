"""One thread for the disk work of one transfer: done in order, and finished before what it works on is closed, also when its task is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from ..threads import Threads

T = TypeVar("T")
P = ParamSpec("P")


class DiskThread:
    """Runs functions one after the other."""

    def __init__(self) -> None:
        self._threads = Threads("landline file", 1)

    def begin(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Have something done after what was begun before."""
        return asyncio.wrap_future(self._threads.begin("disk", partial(work, *args, **kwargs)))

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what it returns; cancelled, what has begun is done all the same."""
        return await self.begin(work, *args, **kwargs)

    async def close(self, last: Callable[[], None]) -> None:
        """Have one last thing done, and end the thread behind it. A task that is cancelled meanwhile, however often, waits for that all the same."""
        done = self.begin(last)
        self._threads.close()
        cancelled: asyncio.CancelledError | None = None
        while not done.done():
            try:
                await asyncio.wait([done])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled from done.exception()
        done.result()
