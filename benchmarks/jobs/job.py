"""What a job is: one figure that a client process finds out about a server process, with any peer that plays this kind of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

Connect = Callable[[str], AbstractAsyncContextManager[Any]]
"""Takes the place of a server; connects a client."""


class Job(NamedTuple):
    """What is measured."""

    name: str
    kind: str
    """Of work: see ``peers.peer``."""
    play: Callable[[Connect, str, int, int], Awaitable[float]]
    """Takes what connects, the server's place, its process and a size; returns the figure."""
    unit: str
    is_more_better: bool
    size: int
    short_size: int
    cores: int = 1
    """For server and client together."""
    is_named_by_size: bool = False
    """Whether the name says the size."""

    def row(self, *, is_short: bool) -> str:
        """Return the name as it stands in a table, with the size that was played."""
        if is_short and self.is_named_by_size:
            return self.name.replace(f"{self.size:,}", f"{self.short_size:,}")
        return self.name
