"""Many deadlines under one timer: a heap of moments, in which what is done already costs nothing until it is a burden."""

from __future__ import annotations

import heapq
from collections.abc import Container, Sized
from typing import Protocol

_SPARE = 64


class Living(Container[int], Sized, Protocol):
    """The numbers that still wait, for example a table with these as its keys."""


class Deadlines:
    """Until when each of many numbered things may take.

    Args:
        living: the numbers of those that are not done; whoever is done is taken out there, and not here.
    """

    def __init__(self, living: Living) -> None:
        self._living = living
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        """How many moments are kept: at most twice as many as things that wait, and a few."""
        return len(self._heap)

    def add(self, at: float, number: int) -> None:
        """It may take until then; it stands among the living already."""
        heap = self._heap
        if len(heap) > 2 * len(self._living) + _SPARE:
            heap[:] = [entry for entry in heap if entry[1] in self._living]
            heapq.heapify(heap)
        heapq.heappush(heap, (at, number))

    def next_at(self) -> float | None:
        """The earliest moment of a thing that waits, or None."""
        heap, living = self._heap, self._living
        while heap and heap[0][1] not in living:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now: float) -> list[int]:
        """Return those that wait and have had their time, earliest first; they are not looked at again."""
        heap, living, late = self._heap, self._living, []
        while heap and heap[0][0] <= now:
            number = heapq.heappop(heap)[1]
            if number in living:
                late.append(number)
        return late
