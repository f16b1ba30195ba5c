"""Which life of the history an offset belongs to, and what a reader's position means in this store.

Pure bookkeeping, shared by the storages: epochs are only ever added, each with the first offset it gives, so an epoch's end is the
next one's first offset less one, and the last one's end is the head.
"""

from __future__ import annotations

from bisect import bisect_right

from ..history import HISTORY_REPLACED, Gap, Position


class Epochs:
    """The lives of one store, oldest first."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._firsts: list[int] = []
        self._places: dict[str, int] = {}

    def add(self, epoch: str, first: int) -> None:
        """Begin a life whose first publication will have this offset.

        Raises:
            ValueError: the id is known already, or the offset is before the last epoch's.
        """
        if epoch in self._places or first < 1 or (self._firsts and first < self._firsts[-1]):
            raise ValueError(f"epoch {epoch!r} cannot begin at offset {first}")
        self._places[epoch] = len(self._ids)
        self._ids.append(epoch)
        self._firsts.append(first)

    @property
    def current(self) -> str:
        """The id of the present life."""
        return self._ids[-1]

    @property
    def origin(self) -> Position:
        """The place before the first publication."""
        return Position(self._ids[0], 0)

    def at(self, offset: int) -> Position:
        """Return the position of an offset of this store; the place before everything belongs to the first life."""
        return Position(self._ids[max(0, bisect_right(self._firsts, offset) - 1)], offset)

    def head(self, offset: int) -> Position:
        """Return the position of the last publication, as seen from the present life."""
        return Position(self._ids[-1], offset)

    def locate(self, position: Position, head: int, pattern: str) -> tuple[int, Gap | None]:
        """Return the offset in this store to read on from, and a gap if the position is of another history.

        Args:
            position: where a reader says it has read to.
            head: the store's last offset.
            pattern: what it reads, for the gap.
        """
        place = self._places.get(position.epoch)
        if place is None:
            # Nothing is known to be common with that life: it starts over.
            return 0, Gap(pattern, position, self.origin, HISTORY_REPLACED)
        end = head if place == len(self._ids) - 1 else self._firsts[place + 1] - 1
        if position.offset > end:
            # A backup from within that life was put back: the two histories are the same up to its end here.
            return end, Gap(pattern, position, Position(position.epoch, end), HISTORY_REPLACED)
        return max(0, position.offset), None
