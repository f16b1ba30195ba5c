"""How a page is put together from rows: the rules about limits, ends and gaps, the same for every storage.

A storage answers two questions, which rows match and what retention removed; what a reader is told follows from these alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..history import DAMAGED, EXPIRED, Gap, Position, Publication
from .base import MAX_PAGE, MAX_PAGE_BYTES, Page
from .epochs import Epochs


class Row(NamedTuple):
    """A stored publication."""

    offset: int
    topic: str
    data: bytes | None
    """None: it is damaged."""


@dataclass(slots=True)
class Span:
    """The offsets a reading is about, (``start``, ``stop``], with the gaps that finding them brought up."""

    epochs: Epochs
    pattern: str
    head: int
    start: int
    stop: int
    gaps: list[Gap] = field(default_factory=list)
    is_cut: bool = False

    @classmethod
    def between(
        cls, epochs: Epochs, pattern: str, head: int, *, after: Position | None, to: Position | None
    ) -> Span:
        """Translate the reader's positions into offsets of this store."""
        span = cls(epochs, pattern, head, 0, head)
        if after is not None:
            span.start = span._locate(after)
        if to is not None:
            span.stop = min(head, span._locate(to))
        return span

    def _locate(self, position: Position) -> int:
        offset, gap = self.epochs.locate(position, self.head, self.pattern)
        if gap is not None:
            self.gaps.append(gap)
        return offset

    def cut(self, offset: int, *, backward: bool) -> None:
        """End the span at this offset, the last that was looked at: there may be more behind it."""
        if backward:
            self.start = offset - 1
        else:
            self.stop = offset
        self.is_cut = True

    def place(self, offset: int) -> Position:
        """Return the position of an offset; the head is seen from the present life."""
        return self.epochs.head(offset) if offset == self.head else self.epochs.at(offset)


def page_forward(
    span: Span,
    rows: Iterable[Row],
    trimmed: Iterable[tuple[str, int]],
    limit: int,
    max_bytes: int = MAX_PAGE_BYTES,
) -> Page:
    """Make the page of the oldest rows.

    Args:
        span: what is read.
        rows: the matching rows of the span, by rising offset; consumed only as far as the page goes.
        trimmed: for each matching topic the last offset that retention removed.
        limit: the most publications.
        max_bytes: the most bytes of data, one publication in any case.
    """
    taken, more = _take(rows, limit, max_bytes)
    end = taken[-1].offset if more else max(span.start, span.stop)
    return _page(span, taken, trimmed, limit, start=span.start, end=end, more=more or span.is_cut)


def page_backward(span: Span, rows: Iterable[Row], trimmed: Iterable[tuple[str, int]], limit: int) -> Page:
    """Make the page of the newest rows; as ``page_forward``, but the rows come by falling offset."""
    taken, more = _take(rows, limit, MAX_PAGE_BYTES)
    start = taken[-1].offset - 1 if more else min(span.start, span.stop)
    return _page(span, taken[::-1], trimmed, limit, start=start, end=span.stop, more=more or span.is_cut)


def _take(rows: Iterable[Row], limit: int, max_bytes: int) -> tuple[list[Row], bool]:
    """Return the rows that fit one page, and whether there were others."""
    limit = max(1, min(limit, MAX_PAGE))
    taken: list[Row] = []
    size = 0
    for row in rows:
        size += len(row.data or b"")
        if taken and (len(taken) == limit or size > min(max_bytes, MAX_PAGE_BYTES)):
            return taken, True
        taken.append(row)
    return taken, False


def _page(
    span: Span,
    rows: list[Row],
    trimmed: Iterable[tuple[str, int]],
    limit: int,
    *,
    start: int,
    end: int,
    more: bool,
) -> Page:
    after, place = span.epochs.at(start), span.epochs.at
    # A gap is cut at the page's end and goes on in the next page: neighbours touch, so a reader may merge them.
    gaps = [
        Gap(topic, after, place(min(last, end)), EXPIRED)
        for topic, last in trimmed
        if start < last and start < end
    ]
    if len(gaps) > max(1, min(limit, MAX_PAGE)):
        gaps = [Gap(span.pattern, after, max((gap.to for gap in gaps), key=lambda to: to.offset), EXPIRED)]
    gaps += [
        Gap(row.topic, place(row.offset - 1), place(row.offset), DAMAGED) for row in rows if row.data is None
    ]
    publications = [
        Publication(row.topic, place(row.offset), row.data) for row in rows if row.data is not None
    ]
    return Page(publications, span.gaps + gaps, after, span.place(end), more)
