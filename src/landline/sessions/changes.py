"""A session's state, which changes by a table (``protocol.states``), and who watches it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

import msgspec

from ..errors import SessionEnded
from ..limits import SESSION
from ..protocol.states import TRANSITIONS, State
from .signal import Signal

log = logging.getLogger("landline.sessions")

KEPT: Final = SESSION.changes


class StateChange(msgspec.Struct, frozen=True):
    """A session came into another state, or there is news of the same one: another dial is planned, or it is stalled.

    Attributes:
        state, previous: where it is, and where it was.
        reason: why, as a clause; often empty. While reconnecting also why the last dial failed, where it was not whom we trust, or there were no credentials to show.
        retry_in: seconds until the next dial, while reconnecting.
        lasted: seconds that it had been in ``previous``.
    """

    state: State
    previous: State
    reason: str = ""
    retry_in: float | None = None
    lasted: float = 0.0


class StateWatcher:
    """Who watches a session, and what they were not told yet: the newest changes."""

    def __init__(self) -> None:
        self.changes: deque[StateChange] = deque(maxlen=KEPT)
        self.signal = Signal()


class Stateful:
    """A session as far as its state goes. ``BareSession`` adds the rest.

    Attributes:
        id: its public id.
        state, state_since: where it is, and when it came there.
        on_state: called when it came into another state.
        ended: the error that ended it, once it has.
    """

    __slots__ = ("_loop", "_watchers", "ended", "id", "on_state", "state", "state_since")

    def __init__(self, session_id: bytes) -> None:
        self.id = session_id
        self.ended: SessionEnded | None = None
        self.on_state: Sequence[Callable[[], None]] = ()
        self._loop = asyncio.get_running_loop()
        self.state = State.CONNECTING
        self.state_since = self._loop.time()
        self._watchers: Sequence[StateWatcher] = ()

    def set_state(self, state: State, reason: str = "", retry_in: float | None = None) -> None:
        """Go to another state, or tell news of the same one (the next dial)."""
        if state is self.state and retry_in is None:
            return
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise AssertionError(f"a session cannot go from {self.state} to {state}")
        now = self._loop.time()
        if self._watchers:
            self.tell(StateChange(state, self.state, reason, retry_in, now - self.state_since))
        if state is not self.state:
            if log.isEnabledFor(logging.DEBUG):  # its words cost more than the rest
                why = reason and f" ({reason})"
                log.debug("session %s: %s after %s%s", self.id.hex()[:8], state.value, self.state.value, why)
            self.state, self.state_since = state, now
            for told in self.on_state:
                told()
        elif retry_in is not None:
            log.debug("session %s: dials again in %.1f s", self.id.hex()[:8], retry_in)

    def tell(self, change: StateChange) -> None:
        """Tell whoever watches."""
        for watcher in self._watchers:
            watcher.changes.append(change)
            watcher.signal.wake()

    async def states(self) -> AsyncGenerator[StateChange, None]:
        """Yield every change from now on; ends with the session."""
        watcher = StateWatcher()
        self._watchers = (*self._watchers, watcher)
        try:
            while True:
                while watcher.changes:
                    yield watcher.changes.popleft()
                if self.ended is not None:
                    return
                await watcher.signal.wait()
        finally:
            self._watchers = tuple(each for each in self._watchers if each is not watcher)
