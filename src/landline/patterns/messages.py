"""Messages: values in order, both ways, each sent with a receipt whose outcome is acked, failed or unknown."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..errors import Full, ProtocolError
from ..protocol.codec import encode_data
from ..protocol.frames import CloseCode
from ..sessions.bare import BareSession


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of something that was sent.

    Attributes:
        status: ``acked``: the peer's program handled it. ``failed``: it certainly never reached the peer's program. ``unknown``: it may have.
        reason: why, where it was not acked.
    """

    status: Literal["acked", "failed", "unknown"]
    reason: str = ""

    @property
    def is_acked(self) -> bool:
        """Whether the peer's program handled it."""
        return self.status == "acked"


ACKED: Final = Outcome("acked")


class Receipt:
    """What ``send`` gives: ``await`` it for the outcome. Not awaiting it costs nothing."""

    __slots__ = ("_index", "_session")

    def __init__(self, session: BareSession, index: int) -> None:
        self._session = session
        self._index = index

    @property
    def outcome(self) -> Outcome | None:
        """What became of the message, or None while that is not known."""
        flow = self._session.core.messages
        if self._index < flow.handled_by_peer:
            return ACKED
        ended = self._session.ended
        if ended is None:
            return None
        return Outcome("unknown" if self._index < flow.reach else "failed", str(ended))

    def __await__(self) -> Generator[Any, None, Outcome]:
        """Wait for the outcome; a session that ends settles every receipt, so this ends too. Never raises."""
        yield from self._session.wait_handled(self._session.core.messages, self._index).__await__()
        outcome = self.outcome
        if outcome is None:
            raise AssertionError("an outcome was announced and is not there")
        return outcome


class Messages:
    """The messages of one session."""

    __slots__ = ("_bare", "_core", "_flow")

    def __init__(self, bare: BareSession) -> None:
        self._bare = bare
        self._core = bare.core
        self._flow = bare.core.messages

    async def send(self, value: Any) -> Receipt:
        """Queue a message, waiting while the outbox is full."""
        bare = self._bare
        if not self._core.has_room:
            encode_data(
                value, self._core.max_message
            )  # what cannot be sent is told at once, not after the wait
            bare.on_limit(self._core.full_limit, "a sender waits for room")
        while (
            not self._core.has_room and not bare.is_closing and bare.ended is None and not bare.is_peer_closed
        ):
            await bare.room.wait()
        return self.send_nowait(value)

    def send_nowait(self, value: Any) -> Receipt:
        """Queue a message now or raise."""
        bare = self._bare
        if bare.ended is not None:
            raise bare.ended
        if bare.is_closing or bare.is_peer_closed:
            raise bare.closing()
        kind, payload = encode_data(value, self._core.max_message)
        if not self._core.has_room:
            bare.on_limit(self._core.full_limit, "a sender was told that there is no room")
            raise Full(
                f"the outbox is full: {self._core.outbox_frames:,} messages, {self._core.outbox_bytes:,} bytes"
            )
        return Receipt(bare, self._core.send(self._flow, kind, payload))

    async def receive(self) -> Any:
        """Return the next message; asking for it says that the one before is handled."""
        bare, flow = self._bare, self._flow
        while not flow.inbox:
            self._core.handle_taken(flow)
            bare.drained()
            if bare.ended is not None:
                raise bare.ended
            if bare.is_closing:
                raise bare.closing()
            await bare.arrived.wait()
        if bare.is_closing:
            raise bare.closing()
        try:
            return self._core.take(flow)
        except ProtocolError as error:
            flow.inbox.clear()  # what came after it would have a hole before it
            bare.lose(CloseCode.BAD_DATA, error.reason)
            raise (bare.ended or error) from error

    def ack(self) -> None:
        """Say that every message received so far is handled."""
        self._core.handle_taken(self._flow)

    async def flush(self) -> None:
        """Wait until the peer's program handled everything sent so far."""
        index = self._flow.queued - 1
        await self._bare.wait_handled(self._flow, index)
        if self._flow.handled_by_peer <= index and self._bare.ended is not None:
            raise self._bare.ended
