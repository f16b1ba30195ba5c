"""Many messages at once: the thread that has them runs ahead of the loop that sends them, by a bounded number, and neither waits for the other but for that."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from ..errors import NotAllSent, SendTimeout, SessionEnded
from ..limits import SYNC
from ..session import Session
from .bridge import Bridge, check_timeout


def send_many(bridge: Bridge, session: Session, values: Iterable[Any], timeout: float | None) -> int:
    """Send what an iterable gives; see ``sync.Session.send_many``."""
    ahead = _Ahead(bridge, session, timeout)
    iterator = iter(values)
    while True:
        try:
            value = next(iterator)
        except StopIteration:
            break
        except Exception:
            ahead.finish()  # what it gave before is not to be lost when the session is closed for this
            raise
        ahead.add(value)
    ahead.finish()
    return ahead.sent


class _Ahead:
    """What was taken from the iterable and is not sent yet; the oldest stays in it until it is.

    Attributes:
        sent: how many were sent.
    """

    def __init__(self, bridge: Bridge, session: Session, timeout: float | None) -> None:
        self._bridge = bridge
        self._session = session
        if timeout is not None:
            check_timeout(timeout)
        self._timeout = timeout
        self._until = None if timeout is None else time.monotonic() + timeout
        self._waiting: deque[Any] = deque()
        self._is_told = False
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self.sent = 0

    # In the thread...

    def add(self, value: Any) -> None:
        """Take one more, and wait where it is the last that fits."""
        if self._until is not None and time.monotonic() > self._until:
            self._bridge.run(self._cancelled)
            self._waiting.append(value)  # not before: it came too late, and is among those that are told
            self._see_all_sent()
        else:
            self._waiting.append(value)
            if not self._is_told:  # else the loop is at work, and sees it
                self._is_told = True
                self._bridge.post(self._begin)
        if len(self._waiting) >= SYNC.send_ahead or self._error is not None:
            self.finish()

    def finish(self) -> None:
        """Wait until all is sent."""
        left = None if self._until is None else max(self._until - time.monotonic(), 0.0)
        try:
            self._bridge.run(self._all_sent, left)
        except TimeoutError:
            self._bridge.run(self._cancelled)
            self._see_all_sent()
        if isinstance(self._error, SessionEnded):
            raise self._error
        if self._error is not None:
            raise NotAllSent(
                f"{self.sent:,} sent, then: {self._error}", self.sent, self._rest()
            ) from self._error

    def _see_all_sent(self) -> None:
        """The time is up; the last may have been sent at the last moment."""
        if self._waiting and self._error is None:
            raise SendTimeout(
                f"{self.sent:,} sent, and not all within {self._timeout:g} s", self.sent, self._rest()
            ) from None

    def _rest(self) -> list[Any]:
        rest, self._waiting = list(self._waiting), deque()
        return rest

    # ... and on the loop.

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send(), name="landline blocking sends")

    async def _send(self) -> None:
        waiting, send = self._waiting, self._session.send
        try:
            while True:
                self._is_told = False  # before we look: what is added after that is told anew
                if not waiting:
                    return
                self._is_told = True
                _ = await send(waiting[0])
                waiting.popleft()
                self.sent += 1
        except Exception as error:  # noqa: BLE001 - told to the thread
            self._error = error

    async def _all_sent(self) -> None:
        while self._waiting and self._error is None:
            self._begin()
            if self._task is not None:
                await asyncio.wait([self._task])

    async def _cancelled(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
