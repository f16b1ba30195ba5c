"""Messages: values in order, both ways, each sent with a receipt whose outcome is acked, failed or unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from typing import Any, Final, Literal

import msgspec

from ..errors import FlowReset, Full, LandlineError, ProtocolError, SessionClosed, SessionInterrupted
from ..limits import MOST
from ..protocol.codec import BYTES, encode_data
from ..protocol.flow import Flow
from ..protocol.frames import HEADER, LARGE, CloseCode, DataFrame, encode_data_frame
from ..protocol.session import Session
from ..sessions.bare import BareSession
from ..sessions.flow import RENEWED, RESTARTED, BareFlow
from ..sessions.intake import NOTHING
from ..sessions.queueing import Queueing


class Outcome(msgspec.Struct, frozen=True):
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

    __slots__ = ()

    @property
    def outcome(self) -> Outcome | None:
        """What became of the message, or None while that is not known."""
        raise NotImplementedError

    def __await__(self) -> Generator[Any, None, Outcome]:
        """Wait for the outcome; a session that ends settles every receipt, so this ends too. Never raises."""
        raise NotImplementedError


class MessageReceipt(Receipt, msgspec.Struct, eq=False):
    """The receipt of a message in a flow."""

    _session: BareSession
    _flow: BareFlow
    _index: int

    @property
    def outcome(self) -> Outcome | None:
        """What became of the message, or None while that is not known."""
        flow = self._flow.core
        if self._index < flow.handled_by_peer:
            return ACKED
        ended = self._session.ended if flow.reset is None else self._flow.why_unreadable()
        if ended is None:
            return None
        return Outcome("unknown" if self._index < flow.reach else "failed", str(ended))

    def __await__(self) -> Generator[Any, None, Outcome]:
        if self._session.ended is None:
            yield from self._flow.wait_handled(self._index).__await__()
        outcome = self.outcome
        if outcome is None:
            raise AssertionError("an outcome was announced and is not there")
        return outcome


class _Encoded:
    """What was encoded last: a program that tells many sessions the same bytes has them encoded once, and held once in all their outboxes."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: tuple[bytes, int, bytes] = b"", -1, b""


_encoded: Final = _Encoded()


class Messages:
    """Messages over one flow of a session, by default that of its own."""

    __slots__ = ("_bare", "_before", "_core", "_flow", "_held", "_queue")

    def __init__(self, bare: BareSession, held: BareFlow | None = None) -> None:
        self._bare = bare
        self._queue: Queueing | None = None
        self._core = bare.core
        self._held = bare.messages if held is None else held
        self._flow = self._held.core
        self._before: Sequence[tuple[Session, Flow]] = ()
        if held is None and bare.keeper.may_renew:
            bare.on_renewed = (*bare.on_renewed, self._renew)

    @property
    def _is_own(self) -> bool:
        return self._held is self._bare.messages

    def _renew(self) -> None:
        """The session's own messages begin again, with another life of the server; what arrived before is handed out first."""
        self._before = (*self._before, (self._core, self._flow))
        self._core, self._held = self._bare.core, self._bare.messages
        self._flow = self._held.core

    async def send(self, value: Any) -> Receipt:
        """Queue a message, waiting while there is no room."""
        if (self._queue is not None or not self._core.has_room_in(self._flow)) and self._has_to_wait():
            await self._wait_for_room(value)
        return self._send(value)

    def _has_to_wait(self) -> bool:
        """Whether there is no room, or only for those who wait for some already: who comes now does not overtake them."""
        queue = self._queue
        return queue is None or not queue.has_some_left_of(self._room_for(queue.wanted))

    async def _wait_for_room(self, value: Any) -> None:
        # What cannot be sent is told at once, not after the wait.
        _, payload = encode_data(value, self._core.max_message)
        queue = self._queue
        if queue is None or not self._core.has_room_in(self._flow):  # else it waits for who came before
            self._bare.on_limit(self._core.full_limit(self._flow), "a sender waits for room")
        if queue is None:
            queue = self._queue = Queueing(self._room_for, self._watch)
        try:
            await queue.take(HEADER.size + len(payload))
        finally:
            if queue.is_empty:
                self._queue = None

    def _room_for(self, wanted: int) -> int:
        """Return how many of those who wait for room may go on, each wanting so many bytes: all of them when there is nothing to wait for."""
        core, limits = self._core, self._core.limits
        if self._why_unwritable() is not None:
            return MOST
        if not core.has_room_in(self._flow):
            return 0
        if not self._is_own or core.pressure.is_on:
            return 1
        by_size = (limits.outbox_bytes - core.outbox_bytes - 1) // wanted + 1
        return min(by_size, limits.outbox_messages - core.outbox_frames)

    def _watch(self) -> asyncio.Future[None]:
        self._core.ask(self._flow)  # what the peer has is told without waiting for company
        return self._bare.room.wait()

    def send_nowait(self, value: Any) -> Receipt:
        """Queue a message now or raise."""
        core = self._core
        if not core.has_room_in(self._flow) and self._why_unwritable() is None:
            encode_data(value, core.max_message)
            self._bare.on_limit(core.full_limit(self._flow), "a sender was told that there is no room")
            raise Full(f"the outbox is full: {core.outbox_frames:,} messages, {core.outbox_bytes:,} bytes")
        return self._send(value)

    def _send(self, value: Any) -> Receipt:
        """Queue a message, for which there is room."""
        bare, core, flow = self._bare, self._core, self._flow
        if (  # looked at here, so that each message does not cost the calls that say why
            bare.driver is None
            or bare.is_closing
            or bare.is_peer_closed
            or flow.ours
            or flow.theirs
            or flow.is_ending
            or flow.reset
        ):
            error = self._why_unwritable()
            if error is not None:
                raise error
        frame: DataFrame
        if type(value) is bytes and len(value) < LARGE and len(value) <= core.max_message:
            # By far the commonest.
            last, number, frame = _encoded.last
            if last is not value or number != flow.number:
                frame = HEADER.pack(len(value), BYTES, flow.number) + value
                _encoded.last = value, flow.number, frame
        else:
            kind, payload = encode_data(value, core.max_message)
            frame = encode_data_frame(kind, flow.number, payload)
        return MessageReceipt(bare, self._held, core.send_frame(flow, frame))

    def _why_unwritable(self) -> LandlineError | None:
        bare = self._bare
        if bare.ended is not None:
            return bare.ended
        if bare.is_closing or bare.is_peer_closed:
            return bare.closing()
        return self._held.why_unwritable()

    async def receive(self, *, is_iterated: bool = False) -> Any:
        """Return the next message; asking for it says that the one before is handled. Where it is iterated, a close stops the iteration."""
        bare = self._bare
        while True:
            flow = self._flow
            if bare.intake is not None and self._is_own and not bare.is_closing:
                bare.intake.handle(bare)
                value = bare.intake.take(bare)
                if value is not NOTHING:
                    self._core.handle_taken(flow)
                    return value
            if flow.inbox or self._before:
                break
            self._core.handle_taken(flow)
            if (
                bare.driver is None
                or bare.is_closing
                or bare.is_peer_closed
                or flow.ours
                or flow.theirs
                or flow.reset
            ):
                bare.drained()
                error: LandlineError | None = self._held.why_unreadable()
                if not flow.is_read_out:  # else that was so before the session ended
                    error = bare.ended or error or (bare.closing() if bare.is_closing else None)
                if error is not None:
                    raise _over(error, is_iterated)
            await self._held.arrived.wait()
        if bare.is_closing:
            raise _over(bare.closing(), is_iterated)
        try:
            return self._take_earlier() if self._before else self._core.take(flow)
        except ProtocolError as error:
            raise self.unreadable(error) from error

    def _take_earlier(self) -> Any:
        """Return what arrived before the session was renewed, and say when that was all of it."""
        core, flow = self._before[0]
        if flow.inbox:
            return core.take(flow)
        self._before = self._before[1:]
        raise SessionInterrupted(RESTARTED, flow.queued - flow.handled_by_peer)

    def unreadable(self, error: ProtocolError) -> Exception:
        """End the session, since what came next cannot be read; return what to raise."""
        for flow in (self._flow, *(flow for _, flow in self._before)):
            flow.inbox.clear()  # what came after it would have a hole before it
        self._bare.lose(CloseCode.BAD_DATA, error.reason)
        return self._bare.ended or error

    def ack(self) -> None:
        """Say that every message received so far is handled."""
        if self._bare.intake is not None and self._is_own:
            self._bare.intake.handle(self._bare)
        self._core.handle_taken(self._flow)
        self._bare.drained()

    async def flush(self) -> None:
        """Wait until the peer's program handled everything sent so far."""
        held = self._held
        index = held.core.queued - 1
        if self._bare.ended is None:
            await held.wait_handled(index)
        if held.core.handled_by_peer <= index:
            error = self._bare.ended or held.why_unreadable()
            if isinstance(error, FlowReset) and error.code == RENEWED:
                raise SessionInterrupted(RESTARTED, held.core.queued - held.core.handled_by_peer)
            if error is not None:
                raise error


def _over(error: LandlineError, is_iterated: bool) -> Exception:
    """Return what to raise where nothing more comes."""
    return StopAsyncIteration() if is_iterated and isinstance(error, SessionClosed) else error
