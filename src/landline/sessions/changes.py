"""Changes of a session's state, as they are told to whoever watches it."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from ..limits import SESSION
from ..protocol.states import State
from .signal import Signal

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
