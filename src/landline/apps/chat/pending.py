"""What a chat client has asked for and has no answer to yet: the lines it said, and its other requests, by their numbers.

A request is *held* until it may travel, *sent* while a session has it (which delivers it once, over any number of drops), and *doubtful*
when its session was lost and nobody can say whether it arrived. An answer takes it out; nothing else does, so nothing is forgotten.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from landline.apps.chat import wire

Text = wire.Say | wire.Whisper | wire.Talk
"""What a person said, as opposed to what they asked for: a word of theirs must never be lost in silence."""
Numbered = (
    Text | wire.Join | wire.Leave | wire.Rename | wire.ListRooms | wire.ListMembers | wire.Ring | wire.Accept | wire.Hangup
)  # fmt: skip

N = TypeVar("N")


class Stage(enum.Enum):
    """How far a request has come."""

    HELD = "held"
    SENT = "sent"
    DOUBTFUL = "doubtful"


@dataclass(slots=True)
class Pending:
    """One request without an answer."""

    request: Numbered
    asked_at: float
    stage: Stage = Stage.HELD
    late: bool = False
    """The person was shown that it waits."""
    to: str = ""
    """The person that a line within a call is for."""

    @property
    def text(self) -> str:
        """What was said; empty when the request is no line."""
        return self.request.text if isinstance(self.request, Text) else ""

    @property
    def aim(self) -> str:
        """Where the line goes, as a person writes it: ``#lobby`` for a room, else somebody's name."""
        match self.request:
            case wire.Say(room=room):
                return f"#{room}"
            case wire.Whisper(to=to):
                return to
        return self.to


class PendingRequests:
    """The pending requests of one client, oldest first."""

    def __init__(self) -> None:
        self._by_id: dict[int, Pending] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Pending]:
        return iter(list(self._by_id.values()))

    def add(self, pending: Pending) -> None:
        """Begin to wait for its answer."""
        self._by_id[pending.request.id] = pending

    def get(self, id: int) -> Pending | None:
        """Return the request of this number, if it has no answer yet."""
        return self._by_id.get(id)

    def take(self, id: int) -> Pending | None:
        """Stop waiting for it: it was answered, or given up."""
        return self._by_id.pop(id, None)

    def texts(self) -> list[Pending]:
        """Return the lines among them, in the order they were said."""
        return [pending for pending in self._by_id.values() if isinstance(pending.request, Text)]

    def of(self, kind: type[N]) -> list[tuple[Pending, N]]:
        """Return those of one kind, each with its request."""
        return [(pending, pending.request) for pending in self._by_id.values() if isinstance(pending.request, kind)]
