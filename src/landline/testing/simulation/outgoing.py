"""An outbox of a simulated client on its way: the real ``Publisher`` over one flow after another, as ``patterns.outgoing`` runs it on the loop."""

from __future__ import annotations

from collections.abc import Callable

from ...protocol.flow import Flow
from ...protocol.frames import ResetCode
from ...protocol.publish import Answer, Publisher
from .ends import End
from .flows import abandon, open_flow, say, takes_more


class Outgoing:
    """One outbox; it outlives sessions, and the process where that is durable.

    Args:
        purpose: of its flows.
        new_outbox: makes an empty one.
        answered: told what became of each entry.

    Attributes:
        outbox: what is in it.
    """

    def __init__(
        self, purpose: str, new_outbox: Callable[[], Publisher], answered: Callable[[Answer], None]
    ) -> None:
        self._purpose = purpose
        self._new_outbox = new_outbox
        self._tell = answered
        self._end: End | None = None
        self._flow: Flow | None = None
        self.outbox = new_outbox()

    def die(self, *, is_durable: bool) -> None:
        """The process is killed and started again; one that is durable has its outbox on a disk of its own."""
        self._end = self._flow = None
        before = self.outbox
        if is_durable:
            self.outbox = Publisher(
                before.id, before.unanswered, before._last, was_opened=before.said > 0 or before.is_open
            )
        else:
            self.outbox = self._new_outbox()

    def go_on(self, end: End) -> None:
        """Keep a flow for what is in it, on the session that there is."""
        if self.outbox.unanswered and (self._end is not end or self._flow is None):
            flow = open_flow(end, self._purpose)
            if flow is not None:
                self._end, self._flow = end, flow
                end.serving[flow.number] = self._answered
                end.on_room[flow.number] = self._fill
                say(end, flow, self.outbox.begin())
        self._fill()

    def _fill(self) -> None:
        end, flow = self._end, self._flow
        while end is not None and flow is not None and not end.ended and takes_more(end.core, flow):
            message = self.outbox.next_message()
            if message is None:
                return
            say(end, flow, message)

    def _answered(self) -> None:
        end, flow = self._end, self._flow
        if end is None or flow is None:
            return
        while flow.inbox:
            for answer in self.outbox.receive(end.core.take(flow)):
                self._tell(answer)
        end.core.handle_taken(flow)
        if flow.reset is not None:
            self._flow = None  # the disk failed: what was said is asked about in another flow
        self._fill()

    def close(self) -> None:
        """Leave its flow."""
        if self._end is not None and self._flow is not None:
            abandon(self._end, self._flow, ResetCode.CANCELLED)
