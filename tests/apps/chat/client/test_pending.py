"""What became of every request: the ledger of a client, through answers, lost sessions and doubts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.client.pending import MAX_DOUBTED, Pending, PendingRequests, Stage


class Book:
    """A ledger and what it told."""

    def __init__(self) -> None:
        self.told: list[events.Event] = []
        self.pending = PendingRequests(self.told.append)
        self.ids = iter(range(1, 10_000))

    def say(self, text: str, *, room: str = "lobby", at: float = 0.0) -> Pending:
        pending = Pending(wire.Say(next(self.ids), room, text), at, Stage.SENT)
        self.pending.add(pending)
        return pending


def test_late_lines_are_told_once() -> None:
    """After two seconds, or at once while the line is down."""
    book = Book()
    book.say("one", at=0.0)
    book.say("two", at=1.0)

    book.pending.grow_late(2.0, is_down=False)
    book.pending.grow_late(2.5, is_down=False)
    assert book.told == [events.Waiting("one", "#lobby")]
    assert book.pending.next_at() == 3.0
    book.pending.grow_late(2.6, is_down=True)

    assert book.told[1:] == [events.Waiting("two", "#lobby")]


def test_requests_that_are_no_lines_are_never_told_as_waiting() -> None:
    """A question that waits is the bottom row's business."""
    book = Book()
    book.pending.add(Pending(wire.ListRooms(1), 0.0, Stage.SENT))

    book.pending.grow_late(9.0, is_down=True)

    assert book.told == []
    assert book.pending.next_at() is None


@pytest.mark.limit("chat.client.doubted")
def test_doubts_remembered_are_bounded() -> None:
    """The oldest doubt is forgotten; a newer one is still resolved."""
    book = Book()
    for number in range(MAX_DOUBTED + 1):
        line = book.say(f"line {number}")
        book.pending.unpublished(line.request.id, "", is_doubtful=True)
    book.told.clear()

    book.pending.appeared(1, "lobby")
    book.pending.appeared(2, "lobby")

    assert book.told == [events.Arrived("line 1", "#lobby", doubted=True)]


FATES = ["echoed", "stored", "refused", "unknown", "in the outbox", "not taken"]


@given(st.lists(st.sampled_from(FATES), max_size=12), st.booleans())
def test_no_line_is_forgotten_and_none_goes_out_twice(fates: list[str], is_kept: bool) -> None:
    """Whatever became of the lines of a lost session: each is confirmed, is in the outbox, goes out again (only if it is not), or is told."""
    book = Book()
    lines = [book.say(f"line {number}") for number, _ in enumerate(fates)]
    kept: list[wire.Say] = []
    for line, fate in zip(lines, fates, strict=True):
        id = line.request.id
        if fate == "echoed":
            book.pending.appeared(id, "lobby")
        elif fate == "stored":
            book.pending.stored(id, id, is_awaited=True)
        elif fate in ("refused", "unknown"):
            book.pending.unpublished(id, "why", is_doubtful=fate == "unknown")
        elif fate == "in the outbox":
            assert isinstance(line.request, wire.Say)
            kept.append(line.request)
    book.pending.session_ended()

    assert book.pending.in_outbox(kept, 0.0) == 0
    again = {pending.request.id for pending in book.pending.unsaid()}
    book.pending.passed("lobby", 99)
    told = {
        event.text
        for event in book.told
        if isinstance(event, events.NotSent if is_kept else events.NotSent | events.Doubtful)
    }

    def of(*wanted: str) -> set[int]:
        return {line.request.id for line, fate in zip(lines, fates, strict=True) if fate in wanted}

    assert again == of("not taken")
    assert {pending.request.id for pending in book.pending.texts()} == of("not taken", "in the outbox")
    assert told == {f"line {id - 1}" for id in (of("refused") if is_kept else of("refused", "unknown"))}
    assert book.pending.failed == len(of("refused", "unknown"))

    book.told.clear()
    book.pending.give_up(is_kept=is_kept)
    later = {event.text for event in book.told if isinstance(event, events.NotSent) and event.later}
    assert later == ({f"line {id - 1}" for id in of("in the outbox")} if is_kept else set())
    assert len(book.told) == len(of("in the outbox", "not taken"))
    assert book.pending.texts() == []


def test_what_is_stored_is_waited_for_where_it_will_be_seen() -> None:
    """Until the room has passed its place; a line that waited for long is told to have arrived."""
    book = Book()
    first, second = book.say("first"), book.say("second")
    book.pending.grow_late(9.0, is_down=False)
    book.told.clear()

    book.pending.stored(first.request.id, 5, is_awaited=True)
    book.pending.stored(second.request.id, 6, is_awaited=False)
    assert book.told == [events.Arrived("second", "#lobby")]
    book.pending.passed("lobby", 4)
    assert book.pending.texts() == [first]
    book.pending.passed("lobby", 5)

    assert book.pending.texts() == []
    assert book.told[1:] == [events.Arrived("first", "#lobby")]
