"""The work with messages, as every server of it plays: an echo, until a message is ``b"more"``.

Then it sends a round of 64 messages to everybody connected; for ``b"once"``, one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from .peer import MESSAGE

ROUND = 64
MORE = b"more"
ONCE = b"once"
COUNTS = {MORE: ROUND, ONCE: 1}


class Line(Protocol):
    """One client's connection, whatever it is made of."""

    async def send(self, data: bytes) -> Any: ...
    async def receive(self) -> Any: ...


class Hall:
    """Everybody connected to a server, and how all of them are told something."""

    def __init__(self, broadcast: Callable[[list[Any], bytes], Any]) -> None:
        self.everybody: list[Any] = []
        self._broadcast = broadcast

    async def tell(self, order: bytes) -> None:
        """Send everybody what was ordered: a message, or a round."""
        for _ in range(COUNTS[order]):
            sent = self._broadcast(self.everybody, MESSAGE)
            if isinstance(sent, Awaitable):
                await sent
