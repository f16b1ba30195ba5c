"""The books of calls and streams: each promise that is not kept is told, and what is allowed is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from landline.testing.simulation.call_books import (
    CANCELLED,
    FAILURE,
    NEVER,
    RESULT,
    TIMEOUT,
    UNKNOWN,
    CallBooks,
    Streamed,
)
from landline.testing.simulation.line import Violation

HERE, NEXT = object(), object()
"""Two lives of whoever is called."""


def asked(books: CallBooks, *, is_idempotent: bool = False) -> int:
    """A call with ten seconds."""
    return books.ask(is_idempotent=is_idempotent, until=10.0)


def ran(books: CallBooks, ticket: int, how: str = RESULT) -> int:
    books.take(ticket)
    books.run(ticket, HERE)
    books.finish(ticket, how)
    return ticket


def test_what_is_promised_is_no_violation() -> None:
    """One outcome each, and a second run where it may be."""
    books = CallBooks()
    for outcome in (RESULT, FAILURE):
        ticket = asked(books)
        assert books.is_awaited(ticket)
        ran(books, ticket, outcome)
        books.tell(ticket, outcome, 9.0)
        assert not books.is_awaited(ticket)
    twice = ran(books, asked(books, is_idempotent=True))
    books.run(twice, NEXT)
    books.tell(twice, RESULT, 12.0, patience=2.0)
    books.tell(asked(books), NEVER, 1.0)
    books.tell(asked(books), CANCELLED, 1.0)
    books.tell(ran(books, asked(books)), TIMEOUT, 10.0)
    books.doubt(ran(books, asked(books)), 1.0, was_written=False, was_lost=False)
    books.doubt(asked(books), 1.0, was_written=True, was_lost=True)

    assert books.counts == {RESULT: 2, FAILURE: 1, NEVER: 1, CANCELLED: 1, TIMEOUT: 1, UNKNOWN: 2}


def again(books: CallBooks, ticket: int, where: object) -> None:
    ran(books, ticket)
    books.run(ticket, where)


def told_twice(books: CallBooks) -> None:
    ticket = ran(books, asked(books))
    books.tell(ticket, RESULT, 1.0)
    books.tell(ticket, CANCELLED, 1.0)


def never_and_then_it_does(books: CallBooks) -> None:
    ticket = asked(books)
    books.tell(ticket, NEVER, 1.0)
    books.run(ticket, HERE)


WRONG: dict[str, Callable[[CallBooks], None]] = {
    "ran twice$": lambda books: again(books, asked(books), NEXT),
    "twice in one life": lambda books: again(books, asked(books, is_idempotent=True), HERE),
    "cancelled after result": told_twice,
    "was told that it never did": never_and_then_it_does,
    "never ran, and it did": lambda books: books.tell(ran(books, asked(books)), NEVER, 1.0),
    "no run came to that": lambda books: books.tell(ran(books, asked(books)), FAILURE, 1.0),
    "after its time": lambda books: books.tell(asked(books), TIMEOUT, 11.0),
    "before its time": lambda books: books.tell(asked(books), TIMEOUT, 9.0),
    "it cannot have run": lambda books: books.doubt(asked(books), 1.0, was_written=False, was_lost=True),
    "cannot have run$": lambda books: books.doubt(asked(books), 1.0, was_written=True, was_lost=False),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_kept_is_a_violation(what: str) -> None:
    """Whoever ran what, and was told what, too often or too late."""
    with pytest.raises(Violation, match=what):
        WRONG[what](CallBooks())


def streamed(*, ended: str = "") -> Streamed:
    """A stream whose method sent two items."""
    books = CallBooks()
    stream = books.streams[books.open()]
    for _ in range(2):
        stream.say(1, 20)
    stream.ended[1] = ended
    return stream


def heard(stream: Streamed, count: int = 2) -> Streamed:
    for item in stream.said[1][:count]:
        stream.hear(0, item)
    return stream


def test_a_stream_ends_as_it_did_and_after_all_of_it() -> None:
    """Or is left, or lost."""
    for how in ("end", FAILURE):
        heard(streamed(ended=how)).told(0, how)
    left = streamed()
    left.was_left = True
    left.told(0, "left")
    heard(streamed(), 1).told(0, "lost", has_lost=True)


STREAMED: dict[str, Callable[[], object]] = {
    "item 0 was": lambda: streamed().hear(0, streamed().said[1][1]),
    "item 2 was": lambda: heard(streamed()).hear(0, "another"),
    "end was told, and it was failure": lambda: heard(streamed(ended=FAILURE)).told(0, "end"),
    "it was going on": lambda: heard(streamed()).told(0, "end"),
    "after 1 of 2": lambda: heard(streamed(ended="end"), 1).told(0, "end"),
    "nobody did that": lambda: streamed().told(0, "left"),
    "its session goes on": lambda: streamed().told(0, "lost"),
}


@pytest.mark.parametrize("what", STREAMED)
def test_what_a_stream_does_not_keep_is_a_violation(what: str) -> None:
    """Items that are others, and ends that were not."""
    with pytest.raises(Violation, match=what):
        STREAMED[what]()


def test_after_its_end_nothing_is_told_of_a_stream() -> None:
    """Neither an item nor another end."""
    stream = heard(streamed(ended="end"))
    stream.told(0, "end")
    with pytest.raises(Violation, match="after the end"):
        stream.hear(0, stream.said[1][0])
    with pytest.raises(Violation, match="left was told after end"):
        stream.told(0, "left")
