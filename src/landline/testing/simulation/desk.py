"""What a simulated client publishes and subscribes: the real protocol halves over its flows, as ``patterns.topics`` runs them on the loop."""

from __future__ import annotations

from ...history import Gap, Position, Publication
from ...protocol.flow import Flow
from ...protocol.frames import FrameType, ResetCode
from ...protocol.publish import OUTBOX_ID_SIZE, PUBLISH_PURPOSE, Answer, Publisher
from ...protocol.subscription import SUBSCRIBE_PURPOSE, After, Place, wrap
from ...storage.names import Pattern
from .chronicle import Chronicle, Reader
from .ends import End
from .flows import abandon, open_flow, say
from .outgoing import Outgoing
from .sends import SendBooks, Sends

PATTERNS = ("a.x", "a.y", "b.z", "a.*", "**")

_MOST = 3
"""Subscriptions that a client has at once."""


class Desk:
    """The outbox and the subscriptions of a client's process; both outlive its sessions.

    Args:
        number: the client's.
        sends: the books of all outboxes of durable sends.

    Attributes:
        publishes: what it publishes.
        sends: what it sends durably.
        is_closing: nothing is begun any more.
    """

    def __init__(self, chronicle: Chronicle, number: int, sends: dict[bytes, SendBooks]) -> None:
        self.is_closing = False
        self.subscriptions: list[Reading] = []
        self._chronicle = chronicle
        self._number = number
        self._life = 0
        self._published = 0
        self._asked: dict[int, tuple[str, bytes]] = {}
        self.publishes = Outgoing(PUBLISH_PURPOSE, self._new_outbox, self._answered)
        self.sends = Sends(chronicle, number, sends)

    def _new_outbox(self) -> Publisher:
        self._life += 1
        return Publisher((self._number << 64 | self._life).to_bytes(OUTBOX_ID_SIZE, "big"))

    def die(self, *, is_durable: bool) -> None:
        """The process is killed and started again; one that is durable has its outbox on a disk of its own."""
        self.subscriptions.clear()
        self.sends.die(is_durable=is_durable)
        self.publishes.die(is_durable=is_durable)
        if not is_durable:
            self._asked.clear()

    # It publishes...

    def publish(self, end: End, topic: str, size: int) -> None:
        """Publish something, if there is room for it."""
        outbox = self.publishes.outbox
        if outbox.has_room and not self.is_closing:
            self._published += 1
            data = wrap(FrameType.BYTES, f"{self._number}/{self._published}".ljust(size, ".").encode())
            self._asked[outbox.publish(topic, data)] = (topic, data)
        self.go_on(end)

    def go_on(self, end: End) -> None:
        """Keep a flow for what is published, and one for each subscription, on the session that there is."""
        if end.ended or end.is_closing or end.is_peer_closed or not end.talk.is_confirmed or self.is_closing:
            return
        self.publishes.go_on(end)
        self.sends.go_on(end)
        for reading in self.subscriptions:
            reading.go_on(end)

    def _answered(self, answer: Answer) -> None:
        self._chronicle.check_answer(*self._asked.pop(answer.number), answer)

    # ... and subscribes...

    def subscribe(self, end: End, pattern: str, after: Position | After) -> None:
        """Begin another subscription, if there are not too many."""
        if len(self.subscriptions) < _MOST and not self.is_closing:
            self.subscriptions.append(Reading(self._chronicle, pattern, after))
        self.go_on(end)

    def unsubscribe(self, place: int) -> None:
        """Want no more of one."""
        if self.subscriptions:
            self.subscriptions.pop(place % len(self.subscriptions)).close()

    def read(self, place: int, most: int) -> None:
        """A program asks one of its subscriptions for what is next."""
        if self.subscriptions:
            reading = self.subscriptions[place % len(self.subscriptions)]
            for _ in range(most):
                if not reading.hear():
                    break

    # ... until there is nothing to do.

    @property
    def lacks(self) -> str:
        """What is still to come, if anything is."""
        if waiting := self.publishes.outbox.unanswered:
            return f"{len(waiting)} publishes wait for their answers"
        return self.sends.lacks or next(filter(None, (reading.lacks for reading in self.subscriptions)), "")

    def close(self) -> None:
        """Leave every flow."""
        self.is_closing = True
        self.publishes.close()
        self.sends.close()
        for reading in self.subscriptions:
            reading.close()
        self.subscriptions.clear()


class Reading:
    """A subscription, and what its program was told."""

    def __init__(self, chronicle: Chronicle, pattern: str, after: Position | After) -> None:
        covered = Position(chronicle.first, 0) if after is After.START else None
        if isinstance(after, Position):
            covered = after
        self.place = Place(pattern, after)
        self._reader = Reader(chronicle, pattern, Pattern(pattern).matches, covered)
        self._end: End | None = None
        self._flow: Flow | None = None

    @property
    def lacks(self) -> str:
        """What its program was not told yet."""
        return self._reader.lacks()

    def go_on(self, end: End) -> None:
        """Be in a flow of this session: what came in the one before is told first."""
        if self._flow is not None and self._end is end and self._flow.reset is None:
            return
        if self._flow is not None and self._flow.inbox:
            return
        flow = open_flow(end, SUBSCRIBE_PURPOSE)
        if flow is not None:
            self._end, self._flow = end, flow
            say(end, flow, self.place.begin())

    def hear(self) -> bool:
        """Ask for what is next; return whether there was anything."""
        end, flow = self._end, self._flow
        if end is None or flow is None or end.is_gone:
            return False
        if not flow.inbox:
            if not end.ended:
                end.core.handle_taken(flow)
            return False
        told = self.place.receive(end.core.take(flow))
        if isinstance(told, Publication):
            self._reader.publication(told)
        elif isinstance(told, Gap):
            self._reader.gap(told, self.place.position)
        elif self.place.position is not None:
            self._reader.mark(self.place.position)
        return True

    def close(self) -> None:
        """Want no more."""
        if self._end is not None and self._flow is not None:
            abandon(self._end, self._flow, ResetCode.CANCELLED)
