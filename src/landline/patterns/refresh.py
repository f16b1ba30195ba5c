"""New credentials over a live session, at both ends: a client shows them before its grant runs out, a server finds out again who it is.

The first message of such a flow is the credentials, the only one that comes back is for how long they are good.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from ..errors import DataError, FlowReset, LandlineError, NotAllowed, ProtocolError, SessionEnded
from ..protocol.frames import ResetCode
from ..protocol.grants import CREDENTIALS_PURPOSE, Granted, refresh_in, retry_in
from ..sessions.bare import BareSession
from ..sessions.credentials import check, current
from ..sessions.driver import log
from ..sessions.flow import BareFlow
from .messages import Messages
from .outgoing import is_renewed
from .serving import Serving, while_open

Check = Callable[[BareSession, Any], Awaitable[float | None]]
"""Finds out what credentials that a session's client shows are good for, in seconds; None for good."""

_NOTHING: Final = object()


class Refreshing:
    """A client's end: shows what it has before its grant runs out, and again while there is time when that fails.

    Args:
        bare: the session.
        credentials: what to show, or a function that is asked for it each time.
        chance: from 0 to 1; spreads when.
    """

    def __init__(
        self, bare: BareSession, credentials: Any, chance: Callable[[], float] = random.random
    ) -> None:
        self._bare = bare
        self._credentials = credentials
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._ends_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._refused: Any = _NOTHING
        self._welcomes = 0

    def welcomed(self, expires_in: float | None) -> None:
        """The session is on a line, for which credentials were shown; so long they are good."""
        self._welcomes += 1
        self._granted(expires_in)

    async def refresh(self) -> None:
        """Show credentials now; return when they are taken.

        Raises:
            NotAllowed: they are not good. The session goes on for as long as those before are.
            DataError, TimeoutError, and what the function raises: they are not to be had.
            FlowReset: the server could not find out.
            Full: the server allows no more flows now.
            SessionClosed, SessionLost: the session is over.
        """
        await self._show(await current(self._credentials, self._bare.limits.connect_timeout))

    def stop(self) -> None:
        """Show nothing any more: the session is over."""
        self._disarm()
        if self._task is not None:
            self._task.cancel()

    async def _show(self, credentials: Any) -> None:
        async with self._turn:
            welcomes = self._welcomes
            flow = self._bare.open_flow(CREDENTIALS_PURPOSE)
            messages = Messages(self._bare, flow)
            try:
                _ = await messages.send(credentials)
                granted = _read(await messages.receive())
            except FlowReset as error:
                if is_renewed(error):
                    return  # another life of the server has been shown what there was when the line came back
                if error.code == ResetCode.UNWANTED.text:
                    self._refused = credentials
                    raise NotAllowed(error.reason) from None
                raise
            except ProtocolError:
                flow.reset(ResetCode.BAD_DATA)
                raise
            except BaseException:
                flow.reset()
                raise
            flow.end()
            messages.ack()
            self._refused = _NOTHING
            ends_at = self._ends_at
            self._granted(granted.expires_in)
            if welcomes != self._welcomes and ends_at is not None:
                # The server may have said so before it said what came with the line: which of them counts there cannot be known.
                left = ends_at - self._loop.time()
                if granted.expires_in is None or left < granted.expires_in:
                    self._granted(left)

    # By itself...

    def _granted(self, expires_in: float | None) -> None:
        self._disarm()
        self._ends_at = None if expires_in is None else self._loop.time() + expires_in
        if expires_in is not None and self._bare.ended is None:
            self._arm(refresh_in(expires_in, self._chance))

    def _arm(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._begin)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._timer = None
        # Without a line nothing is to do: whoever comes back to a session shows credentials anyway.
        if self._bare.driver is not None and self._task is None:
            self._task = self._loop.create_task(self._try(), name="landline refresh")
            self._task.add_done_callback(self._tried)

    async def _try(self) -> None:
        try:
            shown = await current(self._credentials, self._bare.limits.connect_timeout)
            # The server charges for those that are not good.
            if self._refused is _NOTHING or shown != self._refused:
                await self._show(shown)
        except SessionEnded:
            pass
        except NotAllowed as error:
            log.warning("session %s: new credentials were refused: %s", self._bare.id.hex()[:8], error)
        except LandlineError as error:
            log.warning("session %s: no new credentials: %s", self._bare.id.hex()[:8], error)
        except Exception:  # noqa: BLE001 - the program's own code
            log.exception("session %s: there are no new credentials", self._bare.id.hex()[:8])

    def _tried(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if self._timer is None and self._ends_at is not None and self._bare.ended is None:
            pause = retry_in(self._ends_at - self._loop.time(), self._chance)
            if pause is not None:
                self._arm(pause)


def _read(said: Any) -> Granted:
    try:
        return msgspec.convert(said, Granted)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"what was granted cannot be read: {error}", "bad-data") from None


class Refreshes:
    """A server's end: a taker of such flows, one of each session at a time.

    Args:
        check: finds out what credentials are good for.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._serving = Serving()
        self._asked: set[BareSession] = set()

    def takes(self, bare: BareSession, flow: BareFlow) -> bool:
        """Serve a flow that a client opened, if it is for new credentials; return whether it is."""
        if flow.purpose != CREDENTIALS_PURPOSE:
            return False
        self._serving.run(bare, flow, self._serve(bare, flow))
        return True

    async def close(self) -> None:
        """Look at nothing any more."""
        await self._serving.cancel()

    def cancel(self) -> None:
        """As ``close``, without waiting for the end of it."""
        self._serving.cancel_nowait()

    async def _serve(self, bare: BareSession, flow: BareFlow) -> None:
        messages = Messages(bare, flow)
        shown = await messages.receive()
        try:
            check(shown)
        except DataError as error:
            raise ProtocolError(str(error), "bad-data", limit="session.credentials") from None
        if bare in self._asked:
            raise NotAllowed("other credentials are looked at just now")
        try:
            lasts = await while_open(bare, flow, self._ask(bare, shown))
        except TimeoutError:
            flow.reset(ResetCode.FAILED, "authentication took too long")
            return
        _ = await messages.send(msgspec.to_builtins(Granted(expires_in=lasts)))
        flow.end()
        await messages.receive()
        raise ProtocolError("credentials are one message", "bad-data")

    async def _ask(self, bare: BareSession, shown: Any) -> float | None:
        # Until it has really been found out: one that does not heed that its flow went must not be asked once more.
        self._asked.add(bare)
        try:
            return await self._check(bare, shown)
        finally:
            self._asked.discard(bare)
