"""The books of one session, and what must be true of it after every step.

The books know what both programs said and heard, and why the session may end; they never look at what the protocol believes except to
hold it against that. Directions are named by their sender's side: 0 is what the client says, 1 what the server says.
"""

from __future__ import annotations

from typing import Any, Protocol

from ...protocol.flows import MESSAGES
from ...protocol.frames import FRAME_COST, HEADER, CloseCode, each_of, number_of
from ...protocol.handshake import Refusal
from ...protocol.session import Session
from .line import Node, Port, Violation
from .strands import Strand, check_memory

LONGEST = 200
"""Bytes of the longest payload that a program here sends."""

_EXCUSES = {
    CloseCode.UNKNOWN_SESSION: {"server died", "forgotten", "not kept", "backup", "found no room"},
    CloseCode.EXPIRED: {
        "expired",
        "never confirmed",
        "never welcomed",
        "no room",
        "no memory",
        "no server",
        "closed late",
        "server died",
    },
    CloseCode.REVOKED: {"revoked", "backup"},
    CloseCode.UNAUTHORIZED: {"barred", "not kept", "backup"},
}
"""What must have happened before a session may be lost with a code; it may not be with any other."""


def _messages_in(core: Session) -> tuple[int, int]:
    """Return how many messages the outbox holds, and their bytes: what other flows wrote lies there too, under limits of its own."""
    others = [len(frame) for frame in each_of(core._replay) if number_of(frame) != MESSAGES]
    return core.outbox_frames - len(others), core.outbox_bytes - sum(others)


class Speaker(Protocol):
    """One end of a session, as its books know it (``ends.End``)."""

    node: Node
    core: Session
    talk: Talk
    side: int
    port: Port | None
    ended: str
    code: CloseCode
    reason: str
    is_lazy: bool
    is_closing: bool
    is_peer_closed: bool

    def send(self, value: Any) -> bool:
        """Send a message, if there is room for it."""
        ...

    def take(self) -> bool:
        """Ask for the next message."""
        ...

    def ask(self) -> None:
        """Wait for the outcomes."""
        ...

    def open_flow(self) -> None:
        """Open a flow besides the messages."""
        ...

    def close(self) -> None:
        """Begin an orderly close."""
        ...

    def die(self) -> None:
        """The process of this end is gone."""
        ...


class Witness(Protocol):
    """Who knows what happened beside a session."""

    has_ended: bool

    def explain(self, talk: Talk, refusal: Refusal) -> None:
        """Note in the books what there is to excuse a refusal."""
        ...


class Talk:
    """The books of one session.

    Attributes:
        said, heard, handled: per direction: what was sent, how much of it was handed over, and how much the receiver is done with.
        ends: the client's and the server's, once they exist.
        is_confirmed: the server's program knows of the session.
        was_closed: one of the programs closed it.
        is_stranger: whoever asked for it means no good; it is never confirmed.
        excuses: what happened that may end it otherwise.
        strands: the books of its other flows, by number.
        is_touched: something of it may have changed since it was checked.
    """

    __slots__ = (
        "base", "ends", "excuses", "handled", "heard", "is_confirmed", "is_stranger", "is_touched", "number", "principal",
        "said", "session_id", "strands", "was_closed", "world",
    )  # fmt: skip

    def __init__(self, world: Witness, number: int, session_id: bytes, base: int) -> None:
        self.world = world
        self.number = number
        self.session_id = session_id
        self.base = base
        self.said: tuple[list[Any], list[Any]] = ([], [])
        self.heard = [0, 0]
        self.handled = [0, 0]
        self.ends: list[Speaker | None] = [None, None]
        self.is_confirmed = False
        self.was_closed = False
        self.is_stranger = False
        self.principal = ""
        self.excuses: set[str] = set()
        self.strands: dict[int, Strand] = {}
        self.is_touched = True

    @property
    def is_over(self) -> bool:
        """Whether both ends know that it ended."""
        client, server = self.ends
        return (client is None or bool(client.ended)) and (server is None or bool(server.ended))

    def hear(self, end: Speaker, value: Any) -> None:
        """The program at ``end`` is handed ``value``."""
        direction = 1 - end.side
        if end.side == 1 and not self.is_confirmed:
            raise Violation("a message was delivered before the client was let in")
        place = self.heard[direction]
        said = self.said[direction]
        if place >= len(said):
            raise Violation(f"message {place} was delivered, {len(said)} were sent")
        if said[place] != value:
            raise Violation(f"message {place} should be {said[place]!r:.60}, was {value!r:.60}")
        self.handled[direction] = place
        self.heard[direction] = place + 1

    def idle(self, end: Speaker) -> None:
        """The program at ``end`` came back for more, and there is none: it is done with everything it had."""
        self.handled[1 - end.side] = self.heard[1 - end.side]

    def check(self) -> None:
        """What must be true after every step, of each direction."""
        client, server = self.ends
        if client is not None:
            self._check_direction(0, client, server)
        if server is not None:
            self._check_direction(1, server, client)
            # Who is ended for its memory in the middle of a chunk may have shown its token in it: no program hears of either.
            is_ended_amid = bool(server.ended) and "no memory" in self.excuses
            if not self.is_confirmed and server.core.received != self.base and not is_ended_amid:
                raise Violation("messages were received before the client was let in")
        if self.strands:
            for number, strand in list(self.strands.items()):
                strand.check()
                if strand.is_over:
                    del self.strands[number]

    def _check_direction(self, side: int, end: Speaker, other: Speaker | None) -> None:
        core, base = end.core, self.base
        flow, limits = core.messages, core.limits
        if flow.queued - base != len(self.said[side]):
            raise Violation(f"{len(self.said[side])} were sent, {flow.queued - base} are counted")
        if (
            core.outbox_frames > limits.outbox_messages
            or core.outbox_bytes >= limits.outbox_bytes + LONGEST + HEADER.size
        ):
            self._check_outbox(core)
        if not end.ended:
            if len(core.flows) > 1:
                check_memory(core, LONGEST)
            elif flow.received_cost - flow.taken_cost != core.inbox_bytes:
                raise Violation(f"the inbox is counted as {core.inbox_bytes} bytes")
        if flow.handled_by_peer - base > self.handled[side]:
            raise Violation(f"{flow.handled_by_peer - base} are acked, {self.handled[side]} were handled")
        if other is None:
            return
        theirs, received = other.core.messages, other.core.received
        if theirs.received_cost - theirs.taken_cost >= limits.window + LONGEST + FRAME_COST:
            raise Violation(f"the inbox holds {theirs.received_cost - theirs.taken_cost} bytes")
        if received > core.sent or theirs.received > flow.sent:
            raise Violation(f"{received} were received, {core.sent} were sent")
        if theirs.received > flow.reach:
            raise Violation(
                f"a message that certainly failed was received: {theirs.received} of {flow.reach}"
            )
        if theirs.taken - base != self.heard[side]:
            raise Violation(f"{theirs.taken - base} count as taken, {self.heard[side]} were")
        if flow.credit > theirs.granted:
            raise Violation(f"a credit of {flow.credit} is believed, {theirs.granted} were granted")

    def _check_outbox(self, core: Session) -> None:
        """It holds much: that may be what other flows wrote, which has bounds of its own."""
        count, size = _messages_in(core)
        if count > core.limits.outbox_messages:
            raise Violation(f"the outbox holds {count} messages")
        if size >= core.limits.outbox_bytes + LONGEST + HEADER.size:
            raise Violation(f"the outbox holds {size} bytes")

    def check_outcomes(self, end: Speaker) -> None:
        """Outcomes were announced at ``end``."""
        known = end.core.messages.handled_by_peer - self.base
        if known > self.handled[end.side]:
            raise Violation(f"{known} are acked, {self.handled[end.side]} were handled")

    def check_end(self, end: Speaker) -> None:
        """The session ended at ``end``: there must be a reason."""
        if self.is_stranger:
            return
        who = ("client", "server")[end.side]
        if end.ended == "closed":
            if not self.was_closed:
                raise Violation(f"the {who}'s session closed, and nobody closed it")
            return
        self._excuse(end.code, f"the {who}'s session was lost: {end.code.text}: {end.reason}")

    def check_refusal(self, refusal: Refusal) -> None:
        """The client's RESUME was refused."""
        code = refusal.code
        if code is CloseCode.STALE:
            if refusal.attempt is None:
                raise Violation("STALE does not say the highest attempt")
        elif code is CloseCode.NORMAL:
            if not self.was_closed:
                raise Violation("a session that nobody closed was refused as closed")
        elif not code.resumable:
            self.world.explain(self, refusal)
            self._excuse(code, f"a RESUME was refused: {code.text}: {refusal.reason}")

    def _excuse(self, code: CloseCode, sentence: str) -> None:
        if not _EXCUSES.get(code, set()) & self.excuses:
            raise Violation(f"{sentence} (what happened: {', '.join(sorted(self.excuses)) or 'nothing'})")
