"""The books of the history."""

from __future__ import annotations

from collections.abc import Sequence

from ...history import Position
from ...storage.base import Append


class Chronicle:
    """What was published."""

    def committed(self, appends: Sequence[Append], positions: list[Position]) -> None:
        """These are stored."""

    def began(self, epoch: str, head: int) -> None:
        """A life of the history began."""

    def copy(self) -> int:
        """Return what ``put_back`` needs."""
        return 0

    def put_back(self, length: int) -> None:
        """An old copy is in its place."""
