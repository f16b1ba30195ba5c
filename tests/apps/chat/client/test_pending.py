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
        book.say(f"line {number}")
    book.pending.session_ended(lambda room: False)
    book.told.clear()

    book.pending.appeared(1, "lobby")
    book.pending.appeared(2, "lobby")

    assert book.told == [events.Arrived("line 1", "#lobby", doubted=True)]


@given(
    st.lists(st.sampled_from(["acked", "failed", "unknown", "echoed", "none"]), max_size=12),
    st.sets(st.integers(1, 12)),
    st.booleans(),
)
def test_no_line_is_forgotten_and_none_goes_out_twice(
    fates: list[str], in_history: set[int], in_room: bool
) -> None:
    """Whatever became of the lines of a lost session: each is confirmed, goes out again (only if it never arrived), or is told."""
    book = Book()
    lines = [book.say(f"line {number}") for number, _ in enumerate(fates)]
    for line, fate in zip(lines, fates, strict=True):
        if fate == "echoed":
            book.pending.appeared(line.request.id, "lobby")
        elif fate != "none":
            book.pending.settled(line.request.id, fate)
    book.pending.session_ended(lambda room: in_room)
    confirmed = {line.request.id for line, fate in zip(lines, fates, strict=True) if fate == "echoed"}
    for id in in_history & {line.request.id for line in lines if in_room}:
        if book.pending.take(id):
            confirmed.add(id)

    again = {pending.request.id for pending in book.pending.caught_up("lobby")}

    told = {
        int(event.text.removeprefix("line ")) + 1
        for event in book.told
        if isinstance(event, events.Doubtful | events.NotSent)
    }
    assert confirmed | again | told == {line.request.id for line in lines}
    assert not (confirmed & again or confirmed & told or again & told)
    assert all(fates[id - 1] == "failed" for id in again)
    assert book.pending.failed == len(told)
