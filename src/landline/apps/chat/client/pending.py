"""What a chat client has asked for and has no answer to yet: the lines it said, and its other requests, by their numbers.

A request is *held* until it may travel, *sent* while a session has it (which delivers it once, over any number of drops), and *doubtful*
when its session was lost and nobody can say whether it arrived. A line for a room is published: it is *sent* once it is in the outbox,
which outlives sessions, and *stored* when the server has it, until it is seen among what is said. An answer takes a request out, or the
person is told what became of it: no word of theirs is ever forgotten, and none is said twice.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.limits import CLIENT, ChatLimits

WAITING_AFTER: Final = 2.0
"""Seconds without a confirmation after which a line is shown as waiting."""
LIMITS: Final = ChatLimits()
"""What a server takes unless it was told otherwise: enough to say how long things will take."""
MAX_DOUBTED: Final = CLIENT.doubted

Text = wire.Say | wire.Whisper | wire.Talk
"""What a person said, as opposed to what they asked for."""
Command = (
    wire.Join | wire.Rename | wire.ListRooms | wire.ListMembers | wire.Earlier
    | wire.Ring | wire.Accept | wire.OfferFile | wire.TakeFile
)  # fmt: skip
"""What has its effect with the answer; of the other requests a person was told the effect at once."""
Numbered = (
    Text | wire.Join | wire.Leave | wire.Rename | wire.ListRooms | wire.ListMembers | wire.Earlier
    | wire.Ring | wire.Accept | wire.Hangup | wire.OfferFile | wire.TakeFile | wire.DropFile
)  # fmt: skip

N = TypeVar("N")


class Stage(enum.Enum):
    """How far a request has come."""

    HELD = "held"
    SENT = "sent"
    STORED = "stored"
    DOUBTFUL = "doubtful"


@dataclass(slots=True)
class Pending:
    """One request without an answer."""

    request: Numbered
    asked_at: float
    stage: Stage = Stage.HELD
    is_kept: bool = True
    """A line for a room is in the outbox; before that nothing is said of its waiting, which would promise that it goes out."""
    late: bool = False
    """The person was shown that it waits."""
    to: str = ""
    """The person that a line within a call is for."""
    typed: str = ""
    """The command as a person typed it who waits for its answer; empty when it is none, or was asked without them."""
    offset: int = 0
    """Where in the room's history it is stored."""

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
    """The pending requests of one client, oldest first.

    Args:
        tell: takes the events: what waits, what is doubtful, what was not sent.

    Attributes:
        failed: how many lines did not arrive, or nobody knows.
    """

    def __init__(self, tell: Callable[[events.Event], None]) -> None:
        self.failed = 0
        self._tell = tell
        self._by_id: dict[int, Pending] = {}
        self._doubted: dict[int, Pending] = {}
        self._told_flood = False

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, id: int) -> Pending | None:
        """Return the request of this number, if it has no answer yet."""
        return self._by_id.get(id)

    def of(self, kind: type[N]) -> list[N]:
        """Return the requests of one kind."""
        return [pending.request for pending in self._by_id.values() if isinstance(pending.request, kind)]

    def texts(self) -> list[Pending]:
        """Return the lines among them, in the order they were said."""
        return [pending for pending in self._by_id.values() if isinstance(pending.request, Text)]

    def awaited(self) -> list[Pending]:
        """Return what a person waits for: the lines and the commands, in the order they were typed."""
        return [pending for pending in self._by_id.values() if pending.text or pending.typed]

    def held(self) -> list[Pending]:
        """Return the requests that wait for a session; lines for rooms are no requests."""
        requests = self._by_id.values()
        return [
            pending
            for pending in requests
            if pending.stage is Stage.HELD and not isinstance(pending.request, wire.Say)
        ]

    def is_own(self, line: wire.Line) -> bool:
        """Whether a line that is said is one of ours that we have not seen yet."""
        return line.id in self._by_id or line.id in self._doubted

    # While a session lives...

    def add(self, pending: Pending) -> None:
        """Begin to wait for an answer."""
        self._by_id[pending.request.id] = pending

    def take(self, id: int) -> Pending | None:
        """Stop waiting: it was answered, or something else says the same."""
        return self._by_id.pop(id, None)

    def take_all(self, kind: type[Numbered]) -> None:
        """Stop waiting for every request of a kind."""
        for pending in list(self._by_id.values()):
            if isinstance(pending.request, kind):
                self.take(pending.request.id)

    def kept(self, id: int) -> None:
        """A line of ours is in the outbox."""
        if id in self._by_id:
            self._by_id[id].is_kept = True

    def next_at(self) -> float | None:
        """Return when the next line will have waited for too long, or None."""
        waiting = (pending for pending in self.awaited() if pending.is_kept and not pending.late)
        return min((pending.asked_at + WAITING_AFTER for pending in waiting), default=None)

    def grow_late(self, now: float, *, is_down: bool) -> None:
        """Tell of the lines and commands that wait for too long; while the line is down every one does."""
        for pending in self.awaited():
            if pending.is_kept and not pending.late and (is_down or now >= pending.asked_at + WAITING_AFTER):
                pending.late = True
                self._tell(events.Waiting(pending.text or pending.typed, pending.aim))

    @property
    def is_flood(self) -> bool:
        """Whether more was said than the server takes at once, and not all of it is confirmed."""
        return self._told_flood and len(self.texts()) > 1

    def watch_flood(self) -> None:
        """Tell, once for each flood of lines, that the server takes them one after the other; to be called while the line is up."""
        waiting = len(self.texts())
        if waiting <= 1:
            self._told_flood = False
        elif waiting > LIMITS.burst and not self._told_flood:
            self._told_flood = True
            self._tell(events.Paced(LIMITS.rate))

    def appeared(self, id: int, room: str) -> None:
        """A line of ours is in a room's history: it arrived, whatever was thought of it."""
        pending, doubted = self.take(id), self._doubted.pop(id, None)
        if pending and pending.late:
            self._tell(events.Arrived(pending.text, f"#{room}"))
        elif doubted:
            self._tell(events.Arrived(doubted.text, f"#{room}", doubted=True))

    def stored(self, id: int, offset: int, *, is_awaited: bool) -> None:
        """A line of ours is stored; it is ``is_awaited`` where it will be seen among what is said."""
        pending = self._by_id.get(id)
        if pending is not None:
            pending.stage, pending.offset = Stage.STORED, offset
            if not is_awaited:
                self._arrived(pending)

    def passed(self, room: str, offset: int) -> None:
        """Everything of a room up to here was seen: what is stored before it will not be seen any more, and arrived all the same."""
        for pending in self._says(room):
            if pending.stage is Stage.STORED and pending.offset <= offset:
                self._arrived(pending)

    def _arrived(self, pending: Pending) -> None:
        self.take(pending.request.id)
        if pending.late:
            self._tell(events.Arrived(pending.text, pending.aim))

    def unpublished(self, id: int, why: str, *, is_doubtful: bool) -> None:
        """A line of ours is not stored, or nobody knows."""
        pending = self._by_id.get(id)
        if pending is not None:
            pending.stage = Stage.DOUBTFUL if is_doubtful else Stage.HELD
            self._give_up(pending, why)

    def refused(self, pending: Pending, why: str) -> None:
        """The server would not have this line."""
        self._not_sent(pending, why)

    # ... when it is lost...

    def settled(self, id: int, status: str) -> None:
        """The lost session says what became of a request: ``acked``, ``failed`` (it never arrived) or ``unknown``."""
        pending = self._by_id.get(id)
        if pending is not None:
            # Acked says that the server has done with it, not what came of it: that was in the answer, and the answer is lost.
            pending.stage = Stage.HELD if status == "failed" else Stage.DOUBTFUL

    def session_ended(self) -> None:
        """Keep what the next session can still bring about or tell; say of the other lines what became of them."""
        for pending in list(self._by_id.values()):
            if isinstance(pending.request, wire.Say):
                continue  # what is in the outbox goes out by itself
            if pending.stage is Stage.SENT:
                pending.stage = Stage.DOUBTFUL
            match pending.request:
                case wire.Whisper() if pending.stage is Stage.HELD:
                    pass
                case wire.ListRooms() | wire.ListMembers():
                    pending.stage = Stage.HELD  # asking twice does no harm
                case wire.Join() | wire.Leave() | wire.Rename():
                    pending.stage = Stage.HELD  # the next Enter says the same
                case wire.Talk():
                    self._give_up(pending, f"the call with {pending.to} is over")
                case wire.Whisper():
                    self._give_up(pending, "")
                case wire.Earlier():
                    # Where we had looked back to may be of another history.
                    self.take(pending.request.id)
                    self._tell(
                        events.Said("/history got no answer; it can be asked for again.", trouble=True)
                    )
                case _:
                    # The call that it was about is over, or the files are offered again.
                    self.take(pending.request.id)

    # ... and in the next one.

    def in_outbox(self, says: Sequence[wire.Say], now: float) -> int:
        """The outbox holds these lines at the beginning of a session; return how many of them are of an earlier life of this program."""
        found = 0
        for say in says:
            if say.id not in self._by_id:
                self.add(Pending(say, now, late=True))
                found += 1
        held = {say.id for say in says}
        for pending in self.texts():
            if isinstance(pending.request, wire.Say) and pending.stage is not Stage.STORED:
                pending.stage = Stage.SENT if pending.request.id in held else Stage.HELD
        return found

    def unsaid(self) -> list[Pending]:
        """Return the lines for rooms that are not in the outbox."""
        return [
            pending
            for pending in self.texts()
            if pending.stage is Stage.HELD and isinstance(pending.request, wire.Say)
        ]

    def room_left(self, room: str, why: str) -> None:
        """Nothing more goes to this room, but what is in the outbox, and we shall not see it there."""
        for pending in self._says(room):
            if pending.stage is Stage.HELD:
                self._give_up(pending, why)
            elif pending.stage is Stage.STORED:
                self._arrived(pending)

    def give_up(self, *, is_kept: bool) -> None:
        """Nothing more goes out in this life of the program: say of each line what became of it; the outbox may survive it."""
        for pending in self.texts():
            if not isinstance(pending.request, wire.Say):
                self._give_up(pending, "you left before the line was back")
            elif pending.stage is Stage.STORED:
                self._arrived(pending)
            elif pending.stage is Stage.SENT and is_kept:
                self.take(pending.request.id)
                self.failed += 1
                self._tell(events.NotSent(pending.text, pending.aim, "", later=True))
            else:
                self._give_up(pending, "you left before the line was back")

    def _says(self, room: str) -> list[Pending]:
        return [
            pending
            for pending in self.texts()
            if isinstance(pending.request, wire.Say) and pending.request.room == room
        ]

    def _give_up(self, pending: Pending, why: str) -> None:
        if pending.stage is Stage.HELD:
            self._not_sent(pending, why)
            return
        self.take(pending.request.id)
        self.failed += 1
        self._doubted[pending.request.id] = pending
        if len(self._doubted) > MAX_DOUBTED:
            del self._doubted[next(iter(self._doubted))]
        self._tell(events.Doubtful(pending.text, pending.aim))

    def _not_sent(self, pending: Pending, why: str) -> None:
        self.take(pending.request.id)
        self.failed += 1
        self._tell(events.NotSent(pending.text, pending.aim, why))
