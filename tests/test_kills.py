"""Real kills: a short run of them with no breach, and the judge, who must see each kind of breach in books that say so.

``make kills`` plays hundreds, and with ``--breaks`` it breaks the product itself and sees that this is found.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.kills import points
from benchmarks.kills.books import Books
from benchmarks.kills.clients import PATTERNS
from benchmarks.kills.journal import Fact, Journal, read
from landline.history import EXPIRED, SUPERSEDED
from landline.storage import Pattern

ROOT = Path(__file__).resolve().parents[1]

HISTORY = (
    ("k.a", "publisher-1", 1),
    ("k.b", "durable", 1),
    ("k.b", "durable", 2),
    ("latest.a", "publisher-1", 2),
)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="signals and files as Linux has them")
def test_kills_leave_every_book_in_order() -> None:
    """Server and clients are killed three times under load; nothing acked is missing, doubled or out of order."""
    command = (sys.executable, "-m", "benchmarks.kills", "--kills", "3", "--few", "--seed", "5")

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)

    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.endswith("\n0 breaches\n")


# The judge...


def clean_books() -> Books:
    """Two publishers, a sender, all subscribers, two lives of the durable one: nothing is wrong."""
    clients: dict[str, list[Fact]] = {
        "publisher-1": [
            ["life", 1], ["say", 1, "k.a", 1], ["answer", "0a", 1, "e", 1], ["at", 1, "k.a", "e", 1],
            ["say", 2, "latest.a", 1], ["answer", "0a", 2, "e", 4], ["at", 2, "latest.a", "e", 4], ["finished"],
        ],
        "durable": [
            ["life", 1], ["say", 1, "k.b", 1], ["life", 2], ["kept", 1, "k.b"], ["answer", "0b", 1, "e", 2],
            ["say", 2, "k.b", 2], ["answer", "0b", 2, "e", 3], ["at", 2, "k.b", "e", 3], ["finished"],
        ],
        "sender": [
            ["life", 1], ["send", 1], ["outcome", 1, "acked"], ["took", 1, 1], ["handled", 1, 1],
            ["send", 2], ["outcome", 2, "unknown"], ["send", 3], ["outcome", 3, "failed"],
            ["interrupted"], ["send", 4], ["outcome", 4, "acked"], ["took", 4, 3], ["handled", 4, 3], ["finished"],
        ],
    }  # fmt: skip
    server: list[Fact] = [
        ["life", 1], ["got", "sender", 1], ["done", "sender", 1], ["echo", "sender", 1, 1, "acked"],
        ["got", "sender", 2], ["life", 2], ["life", 3], ["got", "sender", 4], ["done", "sender", 4],
    ]  # fmt: skip
    books = Books(clients, server)
    for offset, (topic, who, number) in enumerate(HISTORY, 1):
        books.add(offset, topic, "e", [who, number])
    for name, patterns in PATTERNS.items():
        facts: list[Fact] = [["life", 1]]
        for pattern in patterns:
            for offset, (topic, who, number) in enumerate(HISTORY, 1):
                if Pattern(pattern).matches(topic):
                    facts.append(["pub", pattern, "e", offset, topic, [who, number], "e", offset])
        clients[name] = [*facts, ["finished"]]
    return books


def drop(name: str, what: str, at: int = 0) -> Callable[[Books], None]:
    """Take a fact out of a book."""

    def change(books: Books) -> None:
        facts = books.server if name == "server" else books.clients[name]
        facts.remove([fact for fact in facts if fact[0] == what][at])

    return change


def put(name: str, *facts: Fact) -> Callable[[Books], None]:
    """Add facts to a book."""

    def change(books: Books) -> None:
        (books.server if name == "server" else books.clients[name]).extend(facts)

    return change


def store_again(books: Books) -> None:
    books.add(5, "k.a", "e", ["publisher-1", 1])


def swap(books: Books) -> None:
    books.history[2], books.history[3] = books.history[3], books.history[2]


def lose(offset: int) -> Callable[[Books], None]:
    """Take a publication out of the store."""

    def change(books: Books) -> None:
        del books.history[offset]
        books.stored.remove(offset)

    return change


def swap_told(books: Books) -> None:
    facts = books.clients["wild"]
    facts[1], facts[2] = facts[2], facts[1]


def test_books_in_order_have_no_breach() -> None:
    """What is unknown may be handled or not, and several lives of the server may pass between two messages."""
    assert clean_books().breaches() == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lose(1), "publish 1 to k.a was acked at 1 of e, and there is None"),
        (lose(2), "publish 1 was kept on its disk, and is not stored"),
        (store_again, "publish 1 is stored twice, at 1 and 5"),
        (swap, "publish 2 is stored at 2, before"),
        (drop("durable", "say"), "publish 1 to k.b is stored and was never said"),
        (put("durable", ["answer", "0b", 1, "e", 9]), "number 1 of outbox 0b was answered with"),
        (put("durable", ["answer", "0b", 7, "e", 3]), "were all answered with ('e', 3)"),
        (put("durable", ["answer", "0b", 7, "no room"]), "number 7 of outbox 0b was answered: no room"),
        (put("durable", ["failed", 3, "why"]), "publish 3 failed, although there is room"),
        (put("durable", ["unknown", 3, "why"]), "publish 3 ended unknown"),
        (put("sender", ["lost", "why"]), "a session was lost"),
        (drop("exact", "finished"), "exact: did not finish"),
        (drop("wild", "pub"), "wild, **: offset 1 of k.a is missing, and no gap says so"),
        (put("wild", ["pub", "**", "e", 4, "latest.a", ["publisher-1", 2], "e", 4]), "offset 4 was told twice"),
        (swap_told, "offset 1 was told after 2"),
        (put("wild", ["pub", "k.*", "e", 1, "k.b", ["durable", 1], "f", 2]), "offset 2 was told as k.b f"),
        (put("wild", ["gap", "k.*", "e", 3, "k.*", "history replaced", "e", 0, "e", 3]), "a gap k.* (0, 3]"),
        (drop("server", "done"), "sender: 1 was called acked, and was not handled"),
        (put("server", ["got", "sender", 3]), "sender: 3 was called failed, and was received"),
        (put("server", ["got", "sender", 4]), "the server's program got 1 messages twice"),
        (put("server", ["got", "sender", 9]), "[9] were received, and never sent"),
        (put("server", ["echo", "sender", 2, 1, "acked"]), "echo (2, 1) was called acked, and was not handled"),
        (put("server", ["echo", "sender", 4, 3, "failed"]), "echo (4, 3) was called failed, and was received"),
        (put("sender", ["took", 4, 3]), "sender: got 1 echoes twice"),
        (drop("sender", "interrupted"), "0 interruptions between lives 1 and 3"),
        (put("sender", ["interrupted"], ["took", 5, 3]), "1 interruptions between lives 3 and 3"),
        (put("sender", ["took", 2, 3]), "sender: echo 2 after 4"),
    ],
)  # fmt: skip
def test_each_breach_is_found(change: Callable[[Books], None], found: str) -> None:
    """One thing is wrong in the books, and the judge says what."""
    books = clean_books()
    change(books)

    breaches = books.breaches()

    assert any(found in breach for breach in breaches), breaches


def test_a_new_session_is_not_interrupted_by_the_lives_before_it() -> None:
    """Nothing of it was under way in them."""
    books = clean_books()
    put("server", ["echo", "sender", 5, 4, "unknown"])(books)
    put("sender", ["session", "another"], ["took", 5, 4], ["handled", 5, 4])(books)

    assert books.breaches() == []


def test_only_topics_that_may_lose_something_are_excused_by_a_gap() -> None:
    """A gap covers what its own topic may lose, for a reason of that topic's policy."""
    for reason, offset, is_excused in ((SUPERSEDED, 4, True), (EXPIRED, 4, False), (SUPERSEDED, 1, False)):
        books = clean_books()
        topic = HISTORY[offset - 1][0]
        facts = books.clients["wild"]
        told = next(fact for fact in facts if fact[:2] == ["pub", "**"] and fact[3] == offset)
        facts[facts.index(told)] = ["gap", "**", "e", offset, topic, reason, "e", offset - 1, "e", offset]

        assert (books.breaches() == []) is is_excused, (reason, offset)


@pytest.mark.parametrize("name", points.BY_NAME)
def test_every_point_is_there(name: str) -> None:
    """A process that is to die at a function which is gone would die of that."""
    function = points.BY_NAME[name].function

    assert function is None or callable(getattr(*function, None))


def test_a_line_that_a_killed_process_did_not_finish_is_passed_over(tmp_path: Path) -> None:
    """The next process begins a line of its own, and knows which life of that book it is."""
    book = tmp_path / "a.book"
    Journal(book).note("say", 1)
    with book.open("a") as file:
        file.write('["say",')
    journal = Journal(book)
    journal.note("say", 2)

    assert journal.life == 2
    assert list(read(book)) == [["life", 1], ["say", 1], ["life", 2], ["say", 2]]
