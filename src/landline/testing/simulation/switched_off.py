"""A safeguard switched off: what ``safeguards`` and ``flow_safeguards`` list, and ``ablations`` tries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from .schedule import Shape

Patch = tuple[Any, str, Any]
"""An object, the name of an attribute of it, and what stands there instead."""

Need = Literal["", "disk", "topics", "calls", "presence", "files"]
"""What a world must have."""


class Ablation(msgspec.Struct, frozen=True):
    """A safeguard switched off.

    Attributes:
        name: what is missing.
        patches: how.
        needs: what a world must have for anything to be missing in it.
        masked_by: what else stops the harm, when the simulator cannot see it; then ``tested_in`` tries it alone.
    """

    name: str
    patches: tuple[Patch, ...]
    masked_by: str = ""
    tested_in: str = ""
    needs: Need = ""

    def can_harm(self, shape: Shape) -> bool:
        """Whether anything is missing in such a world."""
        has = {
            "": True,
            "disk": shape.commit_pause is not None,
            "topics": shape.has_topics,
            "calls": shape.has_calls,
            "presence": shape.has_presence,
            "files": shape.has_files,
        }
        return has[self.needs]


def needing(what: Need, *rows: Ablation) -> tuple[Ablation, ...]:
    """Return rows that take away nothing but from worlds that have this."""
    return tuple(msgspec.structs.replace(row, needs=what) for row in rows)


@contextlib.contextmanager
def patched(patches: Sequence[Patch]) -> Iterator[None]:
    """Run with these in place."""
    before = [(target, name, getattr(target, name)) for target, name, _ in patches]
    try:
        for target, name, value in patches:
            setattr(target, name, value)
        yield
    finally:
        for target, name, value in before:
            setattr(target, name, value)
