"""What a reader is told: the ends of a page, and its gaps, from rows alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from landline.history import Gap, Position
from landline.storage import pages
from landline.storage.epochs import Epochs
from landline.storage.pages import Row, Span, page_backward, page_forward


def place(offset: int) -> Position:
    return Position("e", offset)


def span(head: int, *, after: int | None = None, to: int | None = None) -> Span:
    epochs = Epochs()
    epochs.add("e", 1)
    positions = (None if offset is None else place(offset) for offset in (after, to))
    return Span.between(epochs, "a.*", head, after=next(positions), to=next(positions))


def rows(*offsets: int) -> Iterator[Row]:
    return iter([Row(offset, "a.b", b"%d" % offset) for offset in offsets])


def test_a_whole_page_covers_the_whole_span() -> None:
    """Its end is the end of what was asked, not the last that was found, so that the reader gets on."""
    page = page_forward(span(20, after=2, to=10), rows(3, 7), [], 5)

    assert (page.after, page.end, page.more) == (place(2), place(10), False)
    assert [one.position for one in page.publications] == [place(3), place(7)]


def test_a_full_page_ends_with_its_last_publication() -> None:
    """What comes after it is for the next page."""
    page = page_forward(span(20, after=2), rows(3, 7, 9), [], 2)

    assert (page.after, page.end, page.more) == (place(2), place(7), True)


def test_a_full_page_backward_begins_before_its_first_publication() -> None:
    """So ``page.after`` is where reading backward goes on, included."""
    page = page_backward(span(20, to=15), rows(9, 7, 3), [], 2)

    assert (page.after, page.end, page.more) == (place(6), place(15), True)
    assert [one.position for one in page.publications] == [place(7), place(9)]


def test_rows_are_taken_only_as_far_as_needed() -> None:
    """One more than the page, to know whether there is more."""
    source = rows(1, 2, 3, 4, 5)
    page_forward(span(20), source, [], 2)

    assert [row.offset for row in source] == [4, 5]


@pytest.mark.limit("storage.page_bytes")
def test_a_page_ends_after_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """But one publication always fits."""
    monkeypatch.setattr(pages, "MAX_PAGE_BYTES", 3)

    assert page_forward(span(20), rows(10, 11, 12), [], 9).end == place(10)
    assert len(page_forward(span(20), rows(1, 2, 3, 4), [], 9).publications) == 3


@pytest.mark.limit("storage.page")
def test_a_limit_is_held_within_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """None at all would never get on; more than a page may have is a page."""
    monkeypatch.setattr(pages, "MAX_PAGE", 2)

    assert len(page_forward(span(20), rows(1, 2, 3), [], 0).publications) == 1
    assert len(page_forward(span(20), rows(1, 2, 3), [], 10**9).publications) == 2


def test_a_gap_is_cut_at_the_page_and_goes_on_in_the_next() -> None:
    """The two touch: nothing between them is silent, and nothing is told twice."""
    trimmed = [("a.x", 8), ("a.y", 2)]
    first = page_forward(span(20, after=2), rows(3, 5, 9), trimmed, 2)
    second = page_forward(span(20, after=5), rows(9), trimmed, 2)

    assert first.gaps == [Gap("a.x", place(2), place(5), "expired")]
    assert second.gaps == [Gap("a.x", place(5), place(8), "expired")]


def test_a_damaged_row_is_a_gap_of_its_own() -> None:
    """The others of its page are handed out."""
    page = page_forward(span(20), iter([*rows(1), Row(2, "a.b", None), *rows(3)]), [], 9)

    assert page.gaps == [Gap("a.b", place(1), place(2), "damaged")]
    assert [one.data for one in page.publications] == [b"1", b"3"]


@pytest.mark.parametrize("backward", [False, True])
def test_a_span_that_was_cut_has_more(backward: bool) -> None:
    """A storage that could not look at all of it says how far it came; even an empty page then goes on."""
    looked = span(20, after=2)
    looked.cut(9, backward=backward)
    page = page_backward(looked, rows(), [], 5) if backward else page_forward(looked, rows(), [], 5)

    assert page.more
    assert (page.after, page.end) == ((place(8), place(20)) if backward else (place(2), place(9)))
