"""Who subscribes to what at a server, and who is in which group, so that somebody who may no longer be is told so and hears no more.

``authorize`` is what is true: it is asked when a flow begins, and asked anew about those that there are when the program says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from ..errors import NotAllowed
from ..protocol.frames import ResetCode
from ..sessions.flow import BareFlow
from .rules import Authorize

_WORDS: Final = {"subscribe": "subscribe to"}
"""How refusals say a verb, where not by itself."""


class Readers:
    """What flows of clients are let in to.

    Args:
        authorize: says who may.
    """

    def __init__(self, authorize: Authorize) -> None:
        self._authorize = authorize
        self._flows: dict[str, dict[BareFlow, tuple[str, tuple[str, ...]]]] = {}

    @contextlib.contextmanager
    def admitted(
        self, principal: str, name: str, flow: BareFlow, verbs: tuple[str, ...] = ("subscribe",)
    ) -> Iterator[None]:
        """Let somebody do this with what has that name, in this flow, until the block is left.

        Raises:
            NotAllowed: they may not.
        """
        # Nothing may wait between the question and the entry: who may no longer in between would be missed.
        refused = self._refused(principal, name, verbs)
        if refused:
            raise NotAllowed(f"you may not {refused} {name!r}")
        flows = self._flows.setdefault(principal, {})
        flows[flow] = name, verbs
        try:
            yield
        finally:
            del flows[flow]
            if not flows:
                del self._flows[principal]

    def ask_again(self, principal: str) -> None:
        """Ask about everything that somebody was let in to, and end what they may no longer do."""
        for flow, (name, verbs) in list(self._flows.get(principal, {}).items()):
            refused = self._refused(principal, name, verbs)
            if refused:
                flow.reset(ResetCode.UNWANTED, f"you may no longer {refused} {name!r}")

    def _refused(self, principal: str, name: str, verbs: tuple[str, ...]) -> str:
        """Return what somebody may not do, in words; empty where they may do all of it."""
        refused = next((verb for verb in verbs if not self._authorize(principal, verb, name)), "")
        return _WORDS.get(refused, refused)
