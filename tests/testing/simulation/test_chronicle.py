"""The books of the history: each lie that a server could tell is caught by them, and what is true is not."""

from __future__ import annotations

import pytest

from landline.history import EXPIRED, HISTORY_REPLACED, SUPERSEDED, Gap, Position, Publication
from landline.protocol.frames import FrameType
from landline.protocol.publish import Code, Published, Unpublished
from landline.protocol.subscription import wrap
from landline.storage.base import Append
from landline.storage.names import Pattern
from landline.testing.simulation.chronicle import Chronicle, Reader
from landline.testing.simulation.line import Violation


def stored(*texts: str) -> Chronicle:
    """A history of these, in turn of the topics a and b."""
    chronicle = Chronicle()
    chronicle.began("one", 0)
    store(chronicle, *texts)
    return chronicle


def store(chronicle: Chronicle, *texts: str) -> None:
    for text in texts:
        append = Append("ab"[chronicle.head % 2], wrap(FrameType.BYTES, text.encode()))
        chronicle.committed([append], [Position(chronicle.epoch, chronicle.head + 1)])


def told(offset: int, topic: str, text: str, epoch: str = "one") -> Publication:
    return Publication(topic, Position(epoch, offset), text.encode())


def reader(chronicle: Chronicle, pattern: str = "*") -> Reader:
    """Somebody who reads from the start."""
    return Reader(chronicle, pattern, Pattern(pattern).matches, Position("one", 0))


def gap(topic: str, after: int, to: int, reason: str = SUPERSEDED) -> Gap:
    return Gap(topic, Position("one", after), Position("one", to), reason)


def test_who_is_told_everything_lacks_nothing() -> None:
    """Also what another life of the history added, and what lies in a gap."""
    chronicle = stored("1", "2", "3")
    chronicle.began("two", 3)
    store(chronicle, "4")
    everything = reader(chronicle)
    everything.publication(told(1, "a", "1"))
    assert everything.lacks() == "publication 2 of b is missing for a reader of *"
    everything.gap(gap("b", 1, 2), Position("one", 2))
    everything.publication(told(3, "a", "3"))
    everything.mark(Position("two", 3))
    everything.publication(told(4, "b", "4", "two"))

    assert everything.lacks() == ""


def test_a_gap_of_retention_may_reach_further_than_what_follows() -> None:
    """Each topic has its own."""
    chronicle = stored("1", "2", "3", "4")
    some = reader(chronicle)
    some.gap(gap("a", 0, 3, EXPIRED), None)
    some.publication(told(2, "b", "2"))
    some.publication(told(4, "b", "4"))

    assert some.lacks() == ""


def test_what_is_left_out_is_seen() -> None:
    """By what comes after it, or by a mark that passes it."""
    some = reader(stored("1", "2", "3"))
    with pytest.raises(Violation, match="publication 1 of a is missing"):
        some.publication(told(2, "b", "2"))
    with pytest.raises(Violation, match="publication 1 of a is missing"):
        some.mark(Position("one", 1))
    only = reader(stored("1", "2", "3"), "b")
    only.publication(told(2, "b", "2"))


def test_doubles_and_inventions_are_seen() -> None:
    """Each publication once, as it was stored, to whom its topic was promised, and not before it is stored."""
    some = reader(stored("1", "2"))
    some.publication(told(1, "a", "1"))
    with pytest.raises(Violation, match="told after"):
        some.publication(told(1, "a", "1"))
    with pytest.raises(Violation, match="was told as b: b'3'"):
        some.publication(told(2, "b", "3"))
    with pytest.raises(Violation, match="was told as a"):
        reader(stored("1"), "b").publication(told(1, "a", "1"))
    with pytest.raises(Violation, match="nothing was ever stored at 3"):
        some.publication(told(3, "a", "3"))


def test_a_history_that_was_replaced_must_be_told() -> None:
    """And only then."""
    chronicle = stored("1")
    backup = chronicle.copy()
    store(chronicle, "2")
    some = reader(chronicle)
    some.publication(told(1, "a", "1"))
    some.publication(told(2, "b", "2"))
    replaced = Gap("*", Position("one", 2), Position("one", 1), HISTORY_REPLACED)
    with pytest.raises(Violation, match="and it is not"):
        some.gap(replaced, replaced.to)
    chronicle.put_back(backup)
    chronicle.began("two", 1)
    store(chronicle, "other")
    assert some.lacks() == "it reads another history"
    with pytest.raises(Violation, match="was not told"):
        some.mark(Position("two", 2))
    with pytest.raises(Violation, match="what it had not read"):
        some.gap(Gap("*", Position("one", 2), Position("one", 3), HISTORY_REPLACED), None)
    some.gap(replaced, replaced.to)
    some.publication(told(2, "b", "other", "two"))

    assert some.lacks() == ""


def test_who_never_began_lacks_everything() -> None:
    """From now on begins with a mark that says when that was."""
    chronicle = stored("1")
    some = Reader(chronicle, "*", Pattern("*").matches, None)
    assert some.lacks() == "it never began"
    some.mark(Position("one", 1))

    assert some.lacks() == ""


def test_a_publish_is_stored_once() -> None:
    """In one history: what an old copy does not have may come again."""
    chronicle = Chronicle()
    chronicle.began("one", 0)
    backup = chronicle.copy()
    store(chronicle, "1")
    with pytest.raises(Violation, match="stored twice"):
        store(chronicle, "1")
    chronicle.put_back(backup)
    chronicle.began("two", 0)
    store(chronicle, "1")


def test_a_life_begins_where_the_history_ends() -> None:
    """Neither is anything lost, nor are numbers left out."""
    with pytest.raises(Violation, match="has 2 publications, 1 were stored"):
        stored("1").began("two", 2)
    with pytest.raises(Violation, match="publication 2 is at"):
        stored("1").committed([Append("a", b"!x")], [Position("one", 3)])


def test_answers_are_held_against_the_disk() -> None:
    """Stored means there, not stored means never, and nobody is in doubt without a reason."""
    chronicle = stored("1")
    data, other = wrap(FrameType.BYTES, b"1"), wrap(FrameType.BYTES, b"2")
    chronicle.check_answer("a", data, Published(1, "one", 1))
    with pytest.raises(Violation, match="and is not there"):
        chronicle.check_answer("b", other, Published(2, "one", 2))
    with pytest.raises(Violation, match="and is there"):
        chronicle.check_answer("a", data, Unpublished(1, Code.FULL, "no room"))
    with pytest.raises(Violation, match="answered as unknown"):
        chronicle.check_answer("b", other, Unpublished(2, Code.UNKNOWN, "who knows"))
    chronicle.excuses.add("the disk failed")
    chronicle.check_answer("b", other, Unpublished(2, Code.UNKNOWN, "who knows"))
    chronicle.check_answer("b", other, Unpublished(2, Code.FULL, "no room"))
    with pytest.raises(Violation, match="was told that it is not"):
        store(chronicle, "2")
