"""Places: so many may be inside at once, and who comes first is let in first."""

from __future__ import annotations

import asyncio
from collections import deque


class Places:
    """Each who is let in leaves once.

    Attributes:
        most: how many may be inside; may be changed, and then counts for those who come.
        taken: how many are.
    """

    __slots__ = ("_waiting", "most", "taken")

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take_nowait(self) -> bool:
        """Take a place if there is one and nobody waits for it."""
        if self.taken < self.most and not self._waiting:
            self.taken += 1
            return True
        return False

    async def take(self) -> None:
        """Take a place as soon as it is our turn."""
        if self.take_nowait():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
            else:
                self.leave()  # it was given us in the same breath
            raise

    def leave(self) -> None:
        """Leave; the next who waits comes in."""
        self.taken -= 1
        while self._waiting and self.taken < self.most:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self.taken += 1
                waiter.set_result(None)
