"""The words of the history: a place in it, one item of a topic, and what is missing.

Storages keep it, the protocol carries it, and programs are told of it in the same words.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

HISTORY_REPLACED: Final = "history replaced"
"""The position is of another life of the history: what was read after ``Gap.to`` did not happen in this one."""
EXPIRED: Final = "expired"
"""Retention removed it before it was read."""
BEHIND: Final = "the reader was behind"
"""It was passed over, because the reader was slower than its topic, and that topic's policy is to drop what is oldest."""
TOO_LARGE: Final = "too large for the reader"
"""It does not fit the largest message that the reader takes."""
SUPERSEDED: Final = "superseded"
"""Something newer of the same topic came before it could be handed over, and that topic's policy is the latest alone."""
NOT_ALL: Final = "more topics than a subscription can begin with"
"""A subscription to the newest publication of each topic got those of the topics that were published to last."""
DAMAGED: Final = "damaged"
"""It is on the disk, but not as it was written; it is withheld."""


class Position(msgspec.Struct, frozen=True):
    """A place in the history, and which life of that history. Compare offsets only within one store."""

    epoch: str
    """The life: each opening for writing begins one, with an id of its own."""
    offset: int
    """Rises by one with each publication over the whole store, from 1; 0 is the place before the first."""


class Publication(msgspec.Struct, frozen=True):
    """One item of a topic."""

    topic: str
    position: Position
    data: Any
    """In a storage bytes, as they were appended; from a session what was published."""


class Gap(msgspec.Struct, frozen=True):
    """From here to there something is missing, and why.

    With the reason ``history replaced`` the reader's position is of a life this store does not know or of a part it no longer has
    (a backup was put back). Then ``to`` is the last place both have in common, it lies before ``after``, and reading goes on from it:
    forget what you hold after it.
    """

    topic: str
    """The topic: all its publications within are missing. Or the pattern that was read, when more topics are concerned than a page
    may have gaps: then some are missing, and others within may still be read."""
    after: Position
    """Excluded."""
    to: Position
    """Included."""
    reason: str
    """``HISTORY_REPLACED``, ``EXPIRED``, ``DAMAGED``; storages and later versions may have others, all readable clauses."""
