"""Finding out who callers are: the program's ``authenticate``, which may take its time, fail, or be asked about more than it can answer.

What to do with who was found is the acceptor's business.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ..errors import NotAllowed
from ..hits import Failures
from ..limits import Limits
from ..protocol.frames import CloseCode
from ..protocol.handshake import Refusal, clean_reason
from .auth import Answer, Authenticate, Grant, granted
from .driver import Driver
from .penalties import Fault

_TOO_MANY = Refusal(code=CloseCode.BUSY, reason="too many are being decided about", retry_in=1.0)
_CHANGED = Refusal(code=CloseCode.BUSY, reason="what is known of you has just changed", retry_in=0.1)

_NOT_GOOD = "the credentials are not good"
_MAY_NOT_ENTER = "you may not enter"


def door_of(peer: str) -> str:
    """Return of which kind an address is, for example ``"wss"``: by which door somebody comes; empty where that is not known."""
    return peer.partition("://")[0] if "://" in peer else ""


class Identifying:
    """Who is being decided about.

    Args:
        authenticate: the program's.
        may_enter: says of a principal that was found whether it may come in here.
        limits: see there.
        admit: called with who was found, None for nobody.
        refuse: called with why somebody is not let in, and because of which limit.
        charge: called with what somebody has to answer for.
        failures: hears where ``authenticate`` fails.
    """

    def __init__(
        self,
        authenticate: Authenticate,
        may_enter: Callable[[str, Driver], bool],
        limits: Limits,
        *,
        admit: Callable[[Driver, Grant | None], None],
        refuse: Callable[[Driver, Refusal, str], None],
        charge: Callable[[Driver, Fault], None],
        failures: Failures,
    ) -> None:
        self._authenticate = authenticate
        self._may_enter = may_enter
        self._limits = limits
        self._admit = admit
        self._refuse = refuse
        self._charge = charge
        self._failures = failures
        self._loop = asyncio.get_running_loop()
        self._deciding: dict[Driver, asyncio.Task[None]] = {}
        self._asked = 0
        self._revoked: dict[str, int] = {}
        """How many had been asked about when a principal was revoked; while there are any of them."""

    # Who comes...

    def begin(self, driver: Driver, credentials: Any) -> None:
        """Find out who a caller is."""
        self._asked += 1
        try:
            answer = self._authenticate(credentials)
            if answer is None or isinstance(answer, (str, Grant)) or not inspect.isawaitable(answer):
                answer = granted(answer)
        except NotAllowed as error:
            self._turn_down(driver, str(error))
            return
        except Exception as error:  # noqa: BLE001 - the application's own code: its bug refuses this caller and no other
            self._find_nobody(driver, error)
            return
        if answer is not None and not isinstance(answer, Grant):
            if len(self._deciding) >= 2 * self._limits.max_handshakes:
                # As many again as may be greeted have left, and what decides about them does not heed that it is cancelled.
                self._refuse(driver, _TOO_MANY, "max_handshakes")
                _close(answer)
                return
            self._deciding[driver] = task = self._loop.create_task(self._wait(driver, answer, self._asked))
            task.add_done_callback(partial(self._decided, driver, answer))
        else:
            self._found(driver, answer)

    async def _wait(self, driver: Driver, answer: Awaitable[Answer], number: int) -> None:
        # Not by cancelling it, which it may ignore: its caller must not wait for that.
        too_late = self._loop.call_later(self._limits.handshake_timeout, self._decides_too_long, driver)
        try:
            grant = granted(await answer)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._find_nobody(driver, error)  # what it waited for was cancelled, and not we
        except TimeoutError:
            self._decides_too_long(driver)
        except NotAllowed as error:
            self._turn_down(driver, str(error))
        except Exception as error:  # noqa: BLE001 - as above
            self._find_nobody(driver, error)
        else:
            if grant is not None and number <= self._revoked.get(grant.principal, 0):
                self._refuse(driver, _CHANGED, "")  # it was looked up before, perhaps
            else:
                self._found(driver, grant)
        finally:
            too_late.cancel()

    def _decides_too_long(self, driver: Driver) -> None:
        """The end of the connection cancels what decides."""
        refusal = Refusal(code=CloseCode.BUSY, reason="authentication took too long", retry_in=1.0)
        self._refuse(driver, refusal, "handshake_timeout")

    def _decided(self, driver: Driver, answer: Awaitable[Answer], task: asyncio.Task[None]) -> None:
        del self._deciding[driver]
        _close(answer)  # of a caller that left before its first step
        if not self._deciding:
            self._revoked.clear()

    def _found(self, driver: Driver, grant: Grant | None) -> None:
        if grant is None or self._may_enter(grant.principal, driver):
            self._admit(driver, grant)
        else:
            self._turn_down(driver, _MAY_NOT_ENTER)

    def _turn_down(self, driver: Driver, why: str) -> None:
        """Somebody may not come in, for these words."""
        self._refuse(driver, Refusal(code=CloseCode.UNAUTHORIZED, reason=clean_reason(why)), "")

    def _find_nobody(self, driver: Driver, error: BaseException) -> None:
        """``authenticate`` failed. Its database may be away: that is not the caller's fault, and yet may not be had for nothing."""
        self._failures.log("authentication failed", error)
        self._refuse(driver, Refusal(code=CloseCode.FAILED, reason="internal error"), "")
        self._charge(driver, Fault.LEFT)

    # ... who is there, and shows new credentials ...

    async def ask(self, driver: Driver | None, principal: str, credentials: Any) -> Grant:
        """Return what somebody is granted who came in as this principal, over this line if there still is one.

        Raises:
            NotAllowed: nothing.
            TimeoutError: it took too long to find out.
            Exception: ``authenticate`` failed; nobody has logged that yet.
        """
        try:
            answer = self._authenticate(credentials)
            if inspect.isawaitable(answer):
                async with asyncio.timeout(self._limits.handshake_timeout):
                    answer = await answer
            grant = granted(answer)
            if grant is None:
                raise NotAllowed(_NOT_GOOD)
            if grant.principal != principal:
                raise NotAllowed("the session belongs to somebody else")
            if driver is not None and not self._may_enter(principal, driver):
                raise NotAllowed(_MAY_NOT_ENTER)
        except TimeoutError:
            raise
        except Exception as error:
            if driver is not None:  # for a failure of the application's own a little, as at the door
                self._charge(driver, Fault.UNAUTHORIZED if isinstance(error, NotAllowed) else Fault.LEFT)
            raise
        return grant

    # ... and who goes.

    def gone(self, driver: Driver) -> None:
        """Nobody waits for this answer any more."""
        if driver in self._deciding:
            self._deciding[driver].cancel()

    def revoke(self, principal: str) -> None:
        """Who is found to be this principal, and was asked about before now, has to come again."""
        if self._deciding:
            self._revoked[principal] = self._asked

    def stop(self) -> None:
        """Decide about nobody any more."""
        for task in list(self._deciding.values()):
            task.cancel()


def _close(answer: Awaitable[Answer]) -> None:
    """Python would warn of a coroutine that never ran."""
    if inspect.iscoroutine(answer):
        answer.close()
