"""The books of durable sends: each promise that is not kept is told, and what is allowed is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from landline.protocol.publish import Code, Published, Unpublished
from landline.testing.simulation.chronicle import OLD_COPY, Chronicle
from landline.testing.simulation.line import Violation
from landline.testing.simulation.sends import SendBooks


@pytest.fixture
def books() -> SendBooks:
    return SendBooks(Chronicle())


def handled(books: SendBooks, number: int, *, is_stored: bool = True) -> None:
    """One is given and handled."""
    books.give(number)
    books.handle()
    books.write()
    if is_stored:
        books.committed()


def failed(books: SendBooks, number: int) -> None:
    books.give(number)
    books.fail()
    books.write()
    books.committed()


def acked(number: int) -> Published:
    return Published(number, "", 0)


def unknown(number: int) -> Unpublished:
    return Unpublished(number, Code.UNKNOWN, "why")


def test_what_is_promised_is_no_violation(books: SendBooks) -> None:
    """Given in order, again where it is allowed, answered as it was."""
    handled(books, 1)
    books.answered(acked(1))
    books.give(2)
    books.interrupt()
    books.give(2)
    books.server_died()
    handled(books, 2)
    books.answered(acked(2))
    handled(books, 4, is_stored=False)
    books.server_died()
    failed(books, 4)
    books.answered(unknown(4))
    books.answered(Unpublished(3, Code.REFUSED, "why"))
    handled(books, 5)


WRONG: dict[str, Callable[[SendBooks], None]] = {
    "given after": lambda books: books.give(1),
    "while a program had": lambda books: (books.give(3), books.give(4))[1],  # type: ignore[func-returns-value]
    "failed over it": lambda books: (books.server_died(), books.give(2))[1],  # type: ignore[func-returns-value]
    "no program had handled": lambda books: books.answered(acked(2)),
    "as unknown": lambda books: books.answered(unknown(1)),
    "as not given": lambda books: books.answered(Unpublished(1, Code.FULL, "why")),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_kept_is_a_violation(books: SendBooks, what: str) -> None:
    """After one that was handled, and one that a program failed over."""
    handled(books, 1)
    failed(books, 2)
    with pytest.raises(Violation, match=what):
        WRONG[what](books)


def test_an_ack_of_what_a_crash_would_give_again_is_a_violation(books: SendBooks) -> None:
    """It was handled, and that is on no disk; an old copy of the disk excuses it."""
    handled(books, 1, is_stored=False)
    with pytest.raises(Violation, match="a crash would"):
        books.answered(acked(1))
    books._chronicle.excuses.add(OLD_COPY)
    books.answered(acked(1))


def test_no_more_than_the_last_may_be_given_again_after_a_crash(books: SendBooks) -> None:
    """Nor that, where it is stored."""
    handled(books, 1, is_stored=False)
    handled(books, 2, is_stored=False)
    books.server_died()
    with pytest.raises(Violation, match="given after"):
        books.give(1)
    handled(books, 2)
    books.server_died()
    with pytest.raises(Violation, match="given after"):
        books.give(2)
