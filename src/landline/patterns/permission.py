"""Whether a client may publish or subscribe: what a server's ``authorize`` says, and nobody where it says nothing that counts."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable

log = logging.getLogger("landline.topics")

Authorize = Callable[[str, str, str], bool]
"""Takes a principal, ``"publish"`` or ``"subscribe"``, and the topic or pattern; returns whether they may."""


def allow_all(principal: str, verb: str, topic: str) -> bool:
    """Let everybody publish and subscribe: the default."""
    del principal, verb, topic
    return True


def may(authorize: Authorize, principal: str, verb: str, topic: str) -> bool:
    """Return whether they may; where ``authorize`` fails, or cannot say at once, they may not."""
    try:
        verdict: object = authorize(principal, verb, topic)
    except Exception:
        log.exception("authorize failed")
        return False
    if inspect.isawaitable(verdict):  # taken for a yes it would let everybody in
        log.error("authorize must say at once what may be, and not later")
        if inspect.iscoroutine(verdict):
            verdict.close()
        return False
    return bool(verdict)
