"""Who subscribes to what at a server, so that somebody who may no longer read is told so and reads no further.

``authorize`` is what is true: it is asked when a subscription begins, and asked anew about those that there are when the program says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..errors import NotAllowed
from ..protocol.frames import ResetCode
from ..sessions.flow import BareFlow
from .rules import Rules


class Readers:
    """The subscriptions of clients.

    Args:
        rules: say who may.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._patterns: dict[str, dict[BareFlow, str]] = {}

    @contextlib.contextmanager
    def admitted(self, principal: str, pattern: str, flow: BareFlow) -> Iterator[None]:
        """Let somebody subscribe in this flow, until the block is left.

        Raises:
            NotAllowed: they may not.
        """
        # Nothing may wait between the question and the entry: who may no longer read in between would be missed.
        if not self._may(principal, pattern):
            raise NotAllowed(f"you may not subscribe to {pattern!r}")
        patterns = self._patterns.setdefault(principal, {})
        patterns[flow] = pattern
        try:
            yield
        finally:
            del patterns[flow]
            if not patterns:
                del self._patterns[principal]

    def ask_again(self, principal: str) -> None:
        """Ask about everything that somebody subscribes to, and end what they may no longer read."""
        for flow, pattern in list(self._patterns.get(principal, {}).items()):
            if not self._may(principal, pattern):
                flow.reset(ResetCode.UNWANTED, f"you may no longer subscribe to {pattern!r}")

    def _may(self, principal: str, pattern: str) -> bool:
        return self._rules.may(principal, "subscribe", pattern)
