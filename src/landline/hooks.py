"""What a server's program wants to be told of its sessions: that one begins, and that one is over. A hook that fails disturbs nobody."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from .errors import SessionEnded
from .hits import Failures
from .patterns.failures import is_cancelled
from .session import Session

OnOpen = Callable[[Session], "Awaitable[object] | object"]
"""Takes a session that begins; may be async, then its program waits for it."""

OnClose = Callable[[Session, SessionEnded], "Awaitable[object] | object"]
"""Takes a session that is over, and why: ``SessionClosed``, or ``SessionLost``."""


class Hooks:
    """The hooks of one server, called in the order in which they were added.

    Args:
        failures: hears of those that fail.
    """

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self.on_open: list[OnOpen] = []
        self.on_close: list[OnClose] = []

    async def opened(self, session: Session) -> None:
        """Tell that a session begins."""
        for hook in self.on_open:
            await self._run(hook, session)

    async def closed(self, session: Session, why: SessionEnded) -> None:
        """Tell that a session is over."""
        for hook in self.on_close:
            await self._run(hook, session, why)

    async def _run(self, hook: Callable[..., Any], *facts: object) -> None:
        try:
            said = hook(*facts)
            if inspect.isawaitable(said):
                await said
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if is_cancelled(error):
                raise
            self._failures.log("a hook of the server failed", error)
