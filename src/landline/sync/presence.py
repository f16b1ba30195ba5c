"""Who is in a group, for blocking code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from ..patterns.presence import Presence as _Presence
from ..protocol.presence import Change, Member
from .bridge import Bridge, Iteration


class Presence(Iterator[Change]):
    """As ``landline.Presence``, for blocking code: a membership that lasts for a ``with`` block, and an iterator of what changes in the group."""

    def __init__(self, bridge: Bridge, open_presence: Callable[[], _Presence]) -> None:
        self._bridge = bridge
        self._presence = bridge.call(open_presence)
        self._held = bridge.hold(self._presence)
        self._changes: Iteration[Change] | None = None

    @property
    def id(self) -> str:
        """The id of this membership among ``members``; empty for who only watches."""
        return self._presence.id

    @property
    def group(self) -> str:
        """Its name."""
        return self._presence.group

    @property
    def members(self) -> dict[str, Member]:
        """Who is there now, by the ids of the memberships; while our own line is down, who was there last."""
        return self._bridge.call(lambda: self._presence.members)

    def update(self, state: Any, timeout: float | None = None) -> None:
        """Say something else of oneself; return when the server has it. After a time-out it may be said all the same."""
        self._bridge.run(lambda: self._presence.update(state), timeout)

    def next(self, timeout: float | None = None) -> Change:
        """Return the next change; the first is a ``Snapshot``.

        Raises:
            StopIteration: the session was closed.
            TimeoutError: none came within so many seconds.
        """
        if self._changes is None:
            self._changes = self._bridge.iterate(lambda: self._presence)
        return self._changes.next(timeout)

    def __next__(self) -> Change:
        return self.next()

    def __enter__(self) -> Self:
        self._held.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._changes is not None:
                self._changes.close()
        finally:
            self._held.__exit__(kind, error, trace)
