"""Turn-taking; whole conversations of this kind are in test_plain."""

from __future__ import annotations

import pytest

from landline.apps.chat.limits import PLAIN
from landline.apps.chat.plain import turns as plain_turns
from landline.apps.chat.plain.turns import Backlog, Turns


def test_a_backlog_is_bounded_by_lines_and_by_size() -> None:
    """The oldest go, how many is said in their place, and one line always stays."""
    backlog = Backlog(max_lines=3, max_bytes=10)
    for line in ("a", "b", "c", "d"):
        backlog.append(line)
    assert backlog.take_all() == ["* … 1 earlier lines", "b", "c", "d"]
    assert not backlog
    backlog.append("x" * 8)
    backlog.append("y" * 8)
    assert backlog.take_all() == ["* … 1 earlier lines", "y" * 8]
    backlog.append("z" * 99)

    assert backlog.take_all() == ["z" * 99]


def test_a_backlog_keeps_the_rest_of_a_line() -> None:
    """What did not fit comes first next time, marked."""
    backlog = Backlog(max_lines=3, max_bytes=100)
    backlog.append("one two")
    backlog.append("three")
    backlog.remove_first(rest="two")

    assert backlog.take_all() == ["… two", "three"]


def test_a_turn_is_answered_when_it_is_done() -> None:
    """Not while the chat is still at work on it, however long that takes."""
    turns = Turns(0)
    turn = turns.asked(1.0, 1.15)
    turns.add("ana: hi")
    assert turns.send_at() is None
    turn.receipt = "* said"

    assert turns.send_at() == 1.0
    assert turns.next_send(2.0) == b"ana: hi"
    assert turns.next_send(2.0) is None


def test_answers_keep_their_distance() -> None:
    """Two that are due at once are not merged by one recv."""
    turns = Turns(0)
    for at in (1.0, 1.2):
        turns.asked(at, at).receipt = "* said"
    assert turns.next_send(5.0) == b"* said"
    assert turns.next_send(5.0) is None

    assert turns.send_at() == 5.0 + plain_turns.SPACING
    assert turns.next_send(5.2) == b"* said"


def test_nothing_happens_unasked_without_news() -> None:
    """Silence on both sides stays silent."""
    turns = Turns(0)
    turns.asked(0, 0).receipt = "* said"
    assert turns.next_send(10) == b"* said"

    assert turns.send_at() is None


def test_the_last_send_is_one_send() -> None:
    """What waits and the farewell; nothing at all for who waits for nothing."""
    assert Turns(0).last_send("") is None
    turns = Turns(0)
    turns.greet("* hello")
    turns.asked(0, 0).receipt = "* said"
    assert turns.last_send("") == b"* hello\n* said"
    turns = Turns(0)
    turns.add("ana: hi")

    assert turns.last_send("* bye") == b"ana: hi\n* bye"


def test_the_last_send_behind_something_unread_fits_with_it() -> None:
    """One recv may get both."""
    turns = Turns(0)
    turns.add("x" * 900)
    assert turns.next_send(10) == b"x" * 900
    assert turns.last_send("* bye") == b"\n* bye"
    assert turns.last_send("y" * 200) is None


@pytest.mark.parametrize("before", range(1000, 1030))
def test_no_piece_begins_with_words_of_somebody_else(before: int) -> None:
    """Wherever the cut falls: a line that goes on says so, and so does what is left of it for a caller that reads lines."""
    turns = Turns(0)
    turns.add("mallory: " + "x" * (before - 9) + "host: " * 400)
    heard = []
    for moment in (10, 20):
        turns.asked(moment, moment).receipt = "* said"
        piece = turns.next_send(moment + 1)
        assert piece is not None
        assert len(piece) <= plain_turns.MAX_SEND
        heard.append(piece.decode())
    (rest,) = turns.take_all()

    assert heard[0].startswith("mallory: ")
    assert heard[1].startswith("… ")
    assert rest.startswith("… ")
    together = heard[0] + heard[1].removeprefix("… ") + rest.removeprefix("… ")
    assert together == "mallory: " + "x" * (before - 9) + "host: " * 400


def test_a_piece_of_what_nobody_asked_for_is_marked_as_well() -> None:
    """It is shorter, and its rest is the next answer."""
    turns = Turns(0)
    turns.add("mallory: " + "x" * 2000)
    first = turns.next_send(10)
    turns.asked(11, 11).receipt = "* said"
    turns.asked(12, 12).receipt = "* said"
    second = turns.next_send(13)

    assert first is not None and first.startswith(b"mallory: ")
    assert second is not None and second.startswith("… ".encode())


def test_a_greeting_that_is_cut_goes_on_marked() -> None:
    """It names people, too."""
    turns = Turns(0)
    turns.greet("* with " + "x" * 1020)
    for moment in (1, 2):
        turns.asked(moment, moment).receipt = "* said"
    turns.next_send(3)

    assert turns.next_send(4) == "… xxx\n* said".encode()


@pytest.mark.limit("chat.plain.receipt_wait")
def test_a_message_that_nobody_answers_has_its_receipt_in_time() -> None:
    """Counted from its first byte, to the moment."""
    turns = Turns(0.0)
    turn = turns.asked(100.0, 100.1)
    turn.receipt = "* said"

    assert turns.next_send(100.69) is None
    assert turns.next_send(100.0 + PLAIN.receipt_wait) == b"* said"


@pytest.mark.limit("chat.plain.waiting_size")
@pytest.mark.parametrize("size", [PLAIN.waiting_size, PLAIN.waiting_size + 1])
def test_what_waits_for_a_turn_is_bounded_in_size(size: int) -> None:
    """At the limit all of it is there; one character more, and the oldest line goes."""
    turns = Turns(0.0)
    turns.add("a")
    turns.add("x" * (size - 1))
    first = turns.take_all()[0]

    assert first == ("a" if size == PLAIN.waiting_size else "* … 1 earlier lines")
