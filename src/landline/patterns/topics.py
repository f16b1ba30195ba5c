"""Topics, as a client uses them: publishing exactly once, and subscriptions that go on where they were, on whatever line and server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, Literal, Self

from ..errors import (
    FlowEnded,
    FlowReset,
    Full,
    NotAllowed,
    ProtocolError,
    SessionClosed,
    TopicError,
)
from ..history import Gap, Position, Publication
from ..limits import Limits
from ..protocol.frames import ResetCode
from ..protocol.publish import OUTBOX_ID_SIZE, PUBLISH_PURPOSE, Answer, Publisher
from ..protocol.subscription import SUBSCRIBE_PURPOSE, After, Place
from ..sessions.bare import BareSession
from ..storage.base import Storage
from ..storage.names import Pattern, check_topic
from .messages import Messages
from .outbox import PUBLISHES, KeptOutbox, open_outboxes
from .outgoing import Outgoing, chain, is_renewed
from .publications import encode_stored, heard, lenient, position_of, say, unpacked

Beginning = Position | Literal["start", "now", "last"]
"""Where a subscription begins: after a position, with the oldest that is kept, with what comes from now on, or with the newest of each topic."""


def beginning(after: Beginning) -> Position | After:
    """Return where to begin, checked.

    Raises:
        TopicError: it is none of those.
    """
    if isinstance(after, Position):
        return after
    if after not in ("start", "now", "last"):
        raise TopicError(
            f"a subscription begins after a Position, or at 'start', 'now' or 'last', not at {after!r}"
        )
    return After[after.upper()]


class Earlier:
    """Something that an earlier session published, perhaps one of an earlier process, and that was not answered; it goes out by itself.

    Attributes:
        topic: where to.
        data: what.
    """

    def __init__(self, topic: str, data: Any, answer: asyncio.Future[Answer]) -> None:
        self.topic = topic
        self.data = data
        self._answer = answer

    async def position(self) -> Position:
        """Return its position once it is stored.

        Raises:
            PublishFailed, PublishUnknown: as for ``Session.publish``.
        """
        return position_of(await asyncio.shield(self._answer))


class Publishing:
    """What one session publishes.

    Args:
        bare: the session.
        kept: the outboxes, where they are to survive this process.

    Attributes:
        outgoing: the last of them on its way.
        earlier: what was in them at the beginning.
    """

    def __init__(self, bare: BareSession, kept: list[KeptOutbox] | None = None) -> None:
        self._bare = bare
        if kept is None:
            outbox = Publisher(secrets.token_bytes(OUTBOX_ID_SIZE))
            outgoing = [Outgoing(bare, outbox, PUBLISH_PURPOSE)]
        else:
            outgoing = chain(bare, PUBLISH_PURPOSE, kept)
        self.outgoing = outgoing[-1]
        self.earlier = [
            Earlier(topic, lenient(stored), each.answers[number])
            for each in outgoing
            for number, (topic, stored) in each.outbox.unanswered.items()
        ]

    async def publish(self, topic: str, data: Any, on_kept: Callable[[], object] | None = None) -> Position:
        """Publish, and return the position once it is stored; see ``Session.publish``."""
        check_topic(topic)
        stored = encode_stored(data, self._bare.core.max_message)
        number, answer = await self.outgoing.add(topic, stored, on_kept)
        try:
            return position_of(await asyncio.shield(answer))
        finally:
            self.outgoing.no_longer_awaited(number)


async def keep_publish(storage: Storage, topic: str, data: Any, *, limits: Limits | None = None) -> None:
    """Put a publication into the storage of a client that is not connected; it goes out once, with the next ``connect`` that has this storage.

    Args:
        storage: an open one, with no session on it now.
        topic: as for ``Session.publish``.
        data: likewise.
        limits: those of the client to come.

    Raises:
        TopicError: the topic is no good name.
        DataError: the data cannot be sent.
        Full: the storage holds as much already as a client may have unanswered.
        StorageError: it is not kept.
    """
    limits = limits or Limits()
    check_topic(topic)
    stored = encode_stored(data, limits.max_message)
    kept = (await open_outboxes(storage, PUBLISHES, secrets.token_bytes(OUTBOX_ID_SIZE)))[-1]
    if not (kept.publisher.has_room and kept.publisher.size < limits.outbox_bytes):
        raise Full("the storage holds as much already as a client may have unanswered")
    await kept.keep(kept.publisher.publish(topic, stored))


class Subscription:
    """Publications of a pattern, as they come: an asynchronous iterator of ``Publication`` and ``Gap``.

    It goes on by itself over dropped lines, and over a restart of a server that keeps sessions. Leave it by ``async with``, or ``close`` it.

    Raises:
        NotAllowed: the server has no such topic, or does not let this client have it, or no longer; the message says which.
        FlowReset: the server cannot read its storage.
        Full: another life of the server allows fewer flows.
        SessionLost: the session was lost; what arrived was handed out before. One that is closed ends the iteration.
    """

    def __init__(self, bare: BareSession, pattern: str, after: Beginning) -> None:
        Pattern(pattern)
        self._bare = bare
        self._place = Place(pattern, beginning(after))
        self._position = self._place.position
        self._is_closed = False
        self._begin()

    def _begin(self) -> None:
        self._flow = flow = self._bare.open_flow(SUBSCRIBE_PURPOSE)
        self._messages = Messages(self._bare, flow)
        say(flow, self._place.begin())

    @property
    def pattern(self) -> str:
        """What it selects."""
        return self._place.pattern

    @property
    def position(self) -> Position | None:
        """Up to here everything was handed out: ``after=`` for a subscription that goes on from there. None while that is not known."""
        return self._position

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Publication | Gap:
        while not self._is_closed:
            try:
                said = await self._next()
            except SessionClosed:
                raise StopAsyncIteration from None
            except ProtocolError as error:
                self._flow.reset(ResetCode.BAD_DATA, error.reason)
                raise
            self._position = self._place.position
            if isinstance(said, Publication):
                return Publication(said.topic, said.position, unpacked(said.data))
            if isinstance(said, Gap):
                return said
        raise StopAsyncIteration

    async def _next(self) -> Publication | Gap | None:
        """Return what is said next, if the program is to be told; None also where another flow goes on, or it was closed meanwhile."""
        try:
            return self._place.receive(heard(await self._messages.receive()))
        except FlowEnded as error:
            if self._is_closed:
                return None
            if not is_renewed(error):
                raise why_ended(error) from None
        self._begin()
        return None

    async def close(self) -> None:
        """Want no more of it; the iterator ends."""
        self._is_closed = True
        self._flow.reset(ResetCode.CANCELLED, "")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


def why_ended(error: FlowEnded) -> Exception:
    """Return what the end of its flow means for a subscription, or for being in a group."""
    if isinstance(error, FlowReset) and error.code == ResetCode.UNWANTED.text:
        return NotAllowed(error.reason)
    return error
