"""Presence, as a client uses it: being in a group of the server, and seeing who else is, on whatever line and in whichever life of the server."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final, Self

from ..errors import FlowEnded, LandlineError, ProtocolError, SessionClosed
from ..protocol.frames import ResetCode
from ..protocol.presence import (
    PRESENCE_PURPOSE,
    Change,
    Enter,
    Member,
    Put,
    View,
    encode,
    encode_state,
    membership_id,
)
from ..sessions.bare import BareSession
from ..sessions.flow import BareFlow
from ..sessions.signal import Signal
from ..storage.names import check_topic
from .messages import Messages
from .outgoing import is_renewed
from .publications import heard, say
from .topics import why_ended

WATCH_ONLY: Final = object()
"""In place of a state: does not join."""

_numbers = itertools.count()


class Presence:
    """Being in a group, or watching it: ``async with session.presence(…) as here``. It is an asynchronous iterator of changes, a ``Snapshot`` first.

    On entering the block everybody who is there is known, and what changes from then on is told. The changes are for one task; of a member that
    changed several times since it last asked the newest is told. When the session is closed, they end.

    Raises:
        NotAllowed: the server has no such group, does not let us join or watch it, or no longer; or the group is full. The message says which.
        Full: the server allows no more flows of this session now (``max_flows``).
        SessionClosed, SessionLost: the session is over.
    """

    def __init__(self, bare: BareSession, group: str, state: Any, *, watch: bool) -> None:
        self._bare = bare
        self._group = check_topic(group)
        self._state = None if state is WATCH_ONLY else encode_state(state)
        self._watches = watch
        if self._state is None and not watch:
            raise ValueError("presence without a state, and without watching, is nothing")
        self._number = next(_numbers)
        self._view = View(bare.limits.presence_grace)
        self._cursor = self._view.roster.read()
        self._snapshot: Change | None = None
        self._moved = Signal()
        self._is_unsaid = False
        self._error: LandlineError | None = None
        self._flow: BareFlow
        self._messages: Messages
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._begin()
        self._reading = asyncio.get_running_loop().create_task(self._read(), name="landline presence")
        try:
            while self._error is None and not self._is_in:
                await self._moved.wait()
            if self._error is not None:
                raise self._error
        except BaseException:
            await self._leave()
            raise
        self._snapshot = self._cursor.next()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._leave()

    @property
    def _is_in(self) -> bool:
        return self._view.is_complete if self._watches else self._view.is_begun

    async def _leave(self) -> None:
        self._bare.on_room.pop(self._flow, None)
        self._flow.reset(ResetCode.CANCELLED, "")
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        self._over(SessionClosed("its block was left"))

    # Who is here...

    @property
    def id(self) -> str:
        """The id of this membership among ``members``; empty for who only watches."""
        return "" if self._state is None else membership_id(self._bare.id, self._number)

    @property
    def group(self) -> str:
        """Its name."""
        return self._group

    @property
    def members(self) -> dict[str, Member]:
        """Who is there now, by the ids of the memberships; while our own line is down, who was there last."""
        return dict(self._view.roster.members)

    def __aiter__(self) -> Presence:
        return self

    async def __anext__(self) -> Change:
        self._check_entered()
        while True:
            change, self._snapshot = self._snapshot or self._cursor.next(), None
            if change is not None:
                return change
            if isinstance(self._error, SessionClosed):
                raise StopAsyncIteration
            if self._error is not None:
                raise self._error
            await self._moved.wait()

    # ... and how we are.

    async def update(self, state: Any) -> None:
        """Say something else of oneself; return when the server has it. While the line is down that waits, and of several only the newest goes.

        Raises:
            DataError: it cannot be sent, or is too large.
            LandlineError: this end only watches.
            NotAllowed, SessionClosed, SessionLost: it is over.
        """
        if self._state is None:
            raise LandlineError("who only watches has no state")
        self._check_entered()
        self._state = encode_state(state)
        self._is_unsaid = True
        self._fill()
        while True:
            error = self._error or self._bare.ended
            if error is not None:
                raise error
            flow = self._flow
            if not self._is_unsaid:
                index = flow.core.queued - 1
                await flow.wait_handled(index)
                if flow.core.handled_by_peer > index:
                    return
            if flow is self._flow and self._error is None:
                await self._moved.wait()

    def _fill(self) -> None:
        """Say the newest state, where it was not said and there is room."""
        if self._is_unsaid and self._state is not None and self._flow.takes_more:
            self._is_unsaid = False
            say(self._flow, encode(Put(self._state)))
            self._moved.wake()

    def _check_entered(self) -> None:
        if self._reading is None:
            raise LandlineError(
                "nobody is there before it is entered: `async with session.presence(…) as presence:`"
            )

    # The flow...

    def _begin(self) -> None:
        """Open a flow, the first or one to another life of the server, with the newest state."""
        self._flow = flow = self._bare.open_flow(PRESENCE_PURPOSE)
        self._messages = Messages(self._bare, flow)
        self._view.begin()
        self._is_unsaid = False
        self._bare.on_room[flow] = self._fill
        say(flow, encode(Enter(self._group, self._number, self._state, self._watches)))

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    async with asyncio.timeout_at(self._view.timeout_at()):
                        said = heard(await self._messages.receive())
                    self._view.receive(said, loop.time())
                except TimeoutError:
                    self._view.handle_timeout(loop.time())
                except FlowEnded as error:
                    if not is_renewed(error):
                        raise why_ended(error) from None
                    self._bare.on_room.pop(self._flow, None)
                    self._begin()
                self._moved.wake()
        except ProtocolError as error:
            self._flow.reset(ResetCode.BAD_DATA, error.reason)
            self._over(error)
        except LandlineError as error:
            self._over(error)

    def _over(self, error: LandlineError) -> None:
        if self._error is None:
            self._error = error
        self._bare.on_room.pop(self._flow, None)
        self._moved.wake()
