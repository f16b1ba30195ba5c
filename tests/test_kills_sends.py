"""The judge of durable sends in ``make kills``: it must see each kind of breach in books that say so, and excuse the one repeat that is promised."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.kills.durable import ON_DISK
from benchmarks.kills.journal import Fact
from benchmarks.kills.sends import Sends

MEMORY = "sender-in-memory"
Change = Callable[[Sends], None]


def clean_books() -> Sends:
    """Three lives of the server, the second one drained, two of each client: nothing is wrong, and one send was given again."""
    clients: dict[str, list[Fact]] = {
        ON_DISK: [
            ["life", 1], ["session", "a1"], ["post", 1, 1], ["posted", 1], ["settled", 1, "acked", ""],
            ["post", 2, 1], ["posted", 2], ["given", "a1", 10], ["dealt", "a1", 10],
            ["life", 2], ["left", 2], ["session", "a2"], ["post", 3, 2], ["posted", 3], ["settled", 3, "acked", ""],
            ["given", "a2", 20], ["dealt", "a2", 20], ["given", "a2", 31], ["dealt", "a2", 31], ["closed", "a2"],
        ],
        MEMORY: [
            ["life", 1], ["session", "b1"], ["post", 1, 1], ["posted", 1], ["post", 2, 1], ["posted", 2],
            ["life", 2], ["session", "b2"], ["post", 3, 2], ["posted", 3], ["settled", 3, "acked", ""],
            ["given", "b2", 23], ["dealt", "b2", 23], ["closed", "b2"],
        ],
    }  # fmt: skip
    server: list[Fact] = [
        ["life", 1], ["given", ON_DISK, 1], ["dealt", ON_DISK, 1], ["stored", ON_DISK, 1],
        ["reply", "a1", 10, False], ["replied", "a1", 10], ["reply settled", "a1", 10, "acked", ""], ["reply", "a1", 11, False], ["replied", "a1", 11],
        ["given", ON_DISK, 2], ["dealt", ON_DISK, 2],
        ["life", 2], ["given", ON_DISK, 2], ["dealt", ON_DISK, 2], ["stored", ON_DISK, 2],
        ["reply", "a2", 20, False], ["replied", "a2", 20], ["reply", "a2", 21, False],
        ["given", MEMORY, 3], ["dealt", MEMORY, 3], ["reply", "b2", 23, True], ["replied", "b2", 23], ["given", MEMORY, 1], ["dealt", MEMORY, 1],
        ["draining"], ["reply settled", "a2", 20, "unknown", ""], ["reply", "a2", 22, False], ["reply settled", "a2", 22, "failed", ""],
        ["life", 3], ["given", ON_DISK, 3], ["dealt", ON_DISK, 3],
        ["reply", "a2", 31, True], ["replied", "a2", 31],
    ]  # fmt: skip
    return Sends(clients, server)


def drop(name: str, *fact: object) -> Change:
    """Take a fact out of a book."""

    def change(books: Sends) -> None:
        (books.server if name == "server" else books.clients[name]).remove(list(fact))

    return change


def put(name: str, *facts: Fact) -> Change:
    """Add facts to a book."""

    def change(books: Sends) -> None:
        (books.server if name == "server" else books.clients[name]).extend(facts)

    return change


def swap(name: str, one: Fact, other: Fact) -> Change:
    """Have the one in the place of the other, and the other in that of the one."""

    def change(books: Sends) -> None:
        facts = books.server if name == "server" else books.clients[name]
        here, there = facts.index(one), facts.index(other)
        facts[here], facts[there] = other, one

    return change


def test_books_in_order_have_no_breach() -> None:
    """What a program had in hand when it was killed is given again; what was sent to a killed client may be missing at the end."""
    books = clean_books()

    assert list(books.breaches()) == []
    assert books.repeats == 1


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (put("server", ["given", ON_DISK, 3]), "send 3 was given twice in one life of the server"),
        (put("server", ["life", 4], ["given", ON_DISK, 2]), "send 2 was given after 3"),
        (put("server", ["stored", ON_DISK, 3], ["life", 4], ["given", ON_DISK, 3]), "send 3 was given again, after it was stored"),
        (put("server", ["given", ON_DISK, 9]), "send 9 was given, and never sent"),
        (swap("server", ["given", ON_DISK, 1], ["given", ON_DISK, 3]), "send 2 was given after 3"),
        (put("server", ["life", 4], ["given", MEMORY, 2], ["given", MEMORY, 1]), "send 1 was given after 2"),
        (drop("server", "dealt", ON_DISK, 1), "send 1 was called acked, and was not handled"),
        (put(ON_DISK, ["settled", 2, "unknown", "why"]), "send 2 ended unknown, although its outbox is known: why"),
        (put(MEMORY, ["settled", 2, "failed", "why"]), "send 2 ended failed, although its outbox is known: why"),
        (put(ON_DISK, ["post", 4, 2], ["posted", 4]), "send 4 was kept on its disk, and was not handled"),
        (put(ON_DISK, ["left", 5]), "send 5 was kept on its disk, and was not handled"),
        (put(MEMORY, ["post", 2, 2]), "send 2 was not given, and 3 was"),
        (put(ON_DISK, ["given", "a2", 31]), "1 replies were given twice"),
        (swap(ON_DISK, ["given", "a2", 20], ["given", "a2", 31]), "replies were given out of order"),
        (put(ON_DISK, ["given", "a2", 40]), "[40] were given, and never sent"),
        (put(ON_DISK, ["given", "a2", 22]), "reply 22 was called failed, and was given"),
        (drop(ON_DISK, "dealt", "a1", 10), "reply 10 was called acked, and was not handled"),
        (drop(ON_DISK, "given", "a2", 20), "reply 20 was kept, and not given"),
        (drop(ON_DISK, "given", "a2", 31), "reply 31 was kept, and not given"),
        (put("server", ["reply settled", "a1", 11, "unknown", ""]), "reply 11 ended unknown, although the server lives"),
        (put("server", ["reply settled", "a2", 31, "unknown", ""]), "reply 31 ended unknown, although the server lives"),
        (lambda books: books.left.append("an outbox is there"), "an outbox is there"),
    ],
)  # fmt: skip
def test_each_breach_is_found(change: Change, found: str) -> None:
    """One thing is wrong in the books, and the judge says what."""
    books = clean_books()
    change(books)

    breaches = list(books.breaches())

    assert any(found in breach for breach in breaches), breaches


def test_what_dies_with_a_client_in_memory_is_not_missed() -> None:
    """It may end anywhere, and what was on its way of it comes beside what its next life sends; a hole is a breach all the same."""
    books = clean_books()
    put(MEMORY, ["life", 3], ["post", 4, 3], ["posted", 4])(books)
    assert list(books.breaches()) == []

    drop("server", "given", MEMORY, 1)(books)
    put("server", ["given", MEMORY, 2])(books)

    assert any("send 1 was not given, and 2 was" in breach for breach in books.breaches())


def test_an_old_copy_takes_with_it_what_was_kept_since() -> None:
    """What was kept before the copy is owed all the same, and what is sent with it is in an order of its own."""
    books = clean_books()
    put(ON_DISK, ["post", 4, 2], ["posted", 4], ["copied"], ["post", 5, 2], ["posted", 5])(books)
    put(ON_DISK, ["restored", "old.db"], ["left", 4], ["post", 6, 3], ["posted", 6])(books)
    put("server", ["given", ON_DISK, 6], ["dealt", ON_DISK, 6])(books)

    assert [breach.partition(":")[2] for breach in books.breaches()] == [
        " send 4 was kept on its disk, and was not handled"
    ]

    put("server", ["given", ON_DISK, 4], ["dealt", ON_DISK, 4])(books)
    assert list(books.breaches()) == []


def test_nobody_waits_for_a_second_last_reply() -> None:
    """The server was killed when it had kept the first one, said so or not: its client may close before it has the other."""
    books = clean_books()
    drop("server", "replied", "a2", 31)(books)
    put("server", ["life", 4], ["reply", "a2", 40, True], ["replied", "a2", 40])(books)
    put("server", ["reply settled", "a2", 40, "unknown", ""])(books)

    assert list(books.breaches()) == []
