"""The books of groups: each promise that is not kept is told, and what is allowed is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from landline.protocol.presence import (
    Begun,
    Gone,
    Here,
    Joined,
    Left,
    Member,
    News,
    Snapshot,
    Updated,
    encode,
)
from landline.testing.simulation.line import Violation
from landline.testing.simulation.presence_books import PresenceBooks, Watch, check_member

ID = "a-1"


class Seen:
    """A member that said three states, and somebody who watches."""

    def __init__(self) -> None:
        self.books = PresenceBooks()
        stay = self.books.stays[ID] = self.books.stay()
        self.states = [stay.say(20) for _ in range(3)]
        self.books.joined(ID, self.states[0], 1)
        self.watch = Watch(self.books)

    def member(self, place: int = 0, *, is_here: bool = True) -> Member:
        return Member(ID, "p", self.states[place], is_here, 0.0)

    def told(self, *entries: Here | Gone, life: int = 1, is_first: bool = False) -> Seen:
        self.watch.receive(encode(News(is_first, True, list(entries))), life)
        return self

    def here(self, life: int = 1) -> Seen:
        return self.told(Here(ID, "p", self.states[0], True, 0.0), life=life, is_first=True)

    def snapshot(self, *members: Member) -> Seen:
        self.watch.hear(Snapshot(members))
        return self


def test_what_is_promised_is_no_violation() -> None:
    """Somebody is there, changes, and leaves; comes back in the next life of the server, and leaves with the one after that."""
    seen = Seen().here().snapshot()
    watch, books = seen.watch, seen.books
    watch.hear(Joined(seen.member()))
    watch.hear(Updated(seen.member(2), seen.member()))
    watch.hear(Updated(seen.member(2, is_here=False), seen.member(2)))
    books.left(ID, 1)
    seen.told(Gone(ID, ""))
    watch.hear(Left(seen.member(2, is_here=False)))
    books.joined(ID, seen.states[2], 2)
    watch.receive(encode(Begun(1.0)), 2)
    seen.here(2)
    watch.hear(Joined(seen.member(2)))
    seen.told(life=3, is_first=True)
    watch.hear(Left(seen.member(2)))

    assert watch.picture == {}
    assert books.told == {"snapshots": 1, "joined": 2, "updated": 2, "left": 2}


def test_who_is_not_listed_anew_has_left() -> None:
    """The server has forgotten who left; the books have not."""
    seen = Seen().here().snapshot()
    seen.watch.hear(Joined(seen.member()))
    with pytest.raises(Violation, match="was told to have left, and did not"):
        seen.told(is_first=True)
    seen.books.left(ID, 1)
    seen.told(is_first=True)
    seen.watch.hear(Left(seen.member()))

    assert seen.watch.picture == {}


def joined_without_asking() -> None:
    PresenceBooks().joined("b-1", b"", 1)


def joined_twice() -> None:
    seen = Seen()
    seen.books.joined(ID, seen.states[0], 1)


def told_twice(seen: Seen) -> None:
    seen.books.left(ID, 1)
    seen.told(Gone(ID, ""))
    seen.watch.hear(Left(seen.member()))
    seen.watch.hear(Joined(seen.member()))


def older(seen: Seen) -> None:
    seen.watch.hear(Updated(seen.member(2), seen.member()))
    seen.watch.hear(Updated(seen.member(1), seen.member(2)))


def never_said(seen: Seen) -> None:
    seen.watch.hear(Updated(Member(ID, "p", b"another"), seen.member()))


WRONG: dict[str, Callable[[], object]] = {
    "nobody asked for that": joined_without_asking,
    "joined twice": joined_twice,
    "or began anew": lambda: Seen().here().snapshot().snapshot(),
    "joined, and was there": lambda: Seen().snapshot(Seen().member()).watch.hear(Joined(Seen().member())),
    "was told to join, and did not": lambda: told_twice(Seen().here().snapshot(Seen().member())),
    "that it never had": lambda: never_said(Seen().snapshot(Seen().member())),
    "back to an older state": lambda: older(Seen().snapshot(Seen().member())),
    "as another than before": lambda: (
        Seen().snapshot().watch.hear(Updated(Seen().member(1), Seen().member()))
    ),
    "nothing new": lambda: (
        Seen().snapshot(Seen().member()).watch.hear(Updated(Seen().member(), Seen().member()))
    ),
    "left, and was not there": lambda: Seen().snapshot().watch.hear(Left(Seen().member())),
    "have left, and is there": lambda: (
        Seen().here().snapshot(Seen().member()).watch.hear(Left(Seen().member()))
    ),
    "have left, and did not": lambda: Seen().told(Gone(ID, "")),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_kept_is_a_violation(what: str) -> None:
    """Who joined or left, how often, and with which state."""
    with pytest.raises(Violation, match=what):
        WRONG[what]()


@pytest.mark.parametrize(
    ("is_here", "down_since", "late_at", "what"),
    [
        (True, None, 0.0, ""),
        (True, 9.0, 0.0, ""),
        (False, 7.0, 0.0, ""),
        (True, 7.0, 10.0, ""),
        (False, None, 0.0, "is shown without one$"),
        (False, 9.0, 0.0, "without one already"),
        (True, 7.0, 0.0, "is shown with one"),
    ],
)
def test_a_member_is_shown_as_its_line_is(
    is_here: bool, down_since: float | None, late_at: float, what: str
) -> None:
    """At 10 s, with a grace of two; while the server's loop stands still nobody can be shown anything."""
    member = Member(ID, "p", b"", is_here, 0.0)
    if not what:
        check_member(member, down_since, late_at, 10.0, 2.0)
        return
    with pytest.raises(Violation, match=what):
        check_member(member, down_since, late_at, 10.0, 2.0)
