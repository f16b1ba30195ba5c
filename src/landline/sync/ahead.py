"""Between the loop, where messages arrive, and the threads that receive: what is there for them, and stays there until one of them has it.

Besides the message that was asked for it holds those that wait behind it in the inbox, so that not each needs a way to the loop. They stay in the
inbox, too, until the loop hears how many were handed out, and takes these. So every count that the peer is told is what it is without this, a little
later at the most: a message is handled when the next one was asked for, and credit is given for what the program has.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from ..errors import ProtocolError
from ..protocol.codec import Packed
from ..session import Session
from .bridge import Bridge

NOTHING: Final = object()


class Ahead:
    """The messages of one session that are there for the threads that receive from it.

    Args:
        bridge: the way to its loop.
        session: the session.
        is_alone: whether nobody else receives from it; else nothing is looked at before it is asked for.
    """

    def __init__(self, bridge: Bridge, session: Session, *, is_alone: bool) -> None:
        self._bridge = bridge
        self._session = session
        self._bare = session._bare
        self._messages = session._messages
        self._core, self._flow = self._messages._core, self._messages._flow
        self._is_alone = is_alone
        self._filling = asyncio.Lock()
        self._values: deque[Any] = deque()
        self._popping = iter(self._values.popleft, NOTHING)
        self._held = 0
        self._taken = 0
        self._is_told = False
        self._unreadable: ProtocolError | None = None

    # In the thread that receives...

    def next(self) -> Any:
        """Return the next message, or ``NOTHING`` where the loop must be asked for it (``fill``)."""
        if self._bare.is_closing:
            return NOTHING
        try:
            for value in self._popping:  # not by a call, after which Ctrl-C could come before we have it
                try:
                    if not self._is_told:
                        self._is_told = True
                        self._bridge.post(self.catch_up)
                    return _unpacked(value)
                except ProtocolError as error:
                    self._unreadable = error  # it is not put back: the loop may have counted it meanwhile
                    raise
                except BaseException:
                    self._values.appendleft(value)
                    raise
        except (IndexError, ProtocolError):
            pass
        return NOTHING

    # ... and on the loop.

    async def fill(self) -> None:
        """Wait until there is a message.

        Raises:
            SessionClosed, SessionLost, SessionInterrupted: there will be none, or some are missing.
        """
        async with self._filling:
            if self._unreadable is not None:
                raise self._messages.unreadable(self._unreadable) from self._unreadable
            self.catch_up()
            if self._is_readable:
                return
            self.catch_up()  # another thread may have had the last one meanwhile
            self._values.clear()  # whoever takes that from the inbox is told, and the peer
            self._held = self._taken = 0
            value = await self._session.receive()
            # And so it is there for the next one, if who asked for it asks no more.
            self._values.append(value)
            self._held = self._taken = 1
            if self._is_alone:
                self._look()

    @property
    def _is_readable(self) -> bool:
        if not self._values or self._bare.is_closing:
            return False
        try:
            _unpacked(self._values[0])
        except ProtocolError:
            return False
        except IndexError:  # another thread has it now
            return False
        return True

    def _look(self) -> None:
        """Hold what else is there; where the inbox is that of an earlier life of the server, it is left to ``Messages``."""
        messages = self._messages
        if not messages._before and not self._bare.is_closing:
            self._core, self._flow = messages._core, messages._flow
            self._values.extend(value for value, _ in self._flow.inbox)
            self._held += len(self._flow.inbox)

    def catch_up(self) -> None:
        """Take what was handed out."""
        self._is_told = False  # before we count: what is handed out after that is told anew
        inbox = self._flow.inbox
        due = self._held - len(self._values) - self._taken
        if due > 0 and self._bare.intake is not None:
            self._bare.intake.handle(self._bare)  # a durable one was handed out before these
        for _ in range(min(due, len(inbox))):
            self._taken += 1
            inbox[0] = (None, inbox[0][1])  # it was read already
            self._core.take(self._flow)


def _unpacked(value: Any) -> Any:
    return value.unpack() if type(value) is Packed else value
