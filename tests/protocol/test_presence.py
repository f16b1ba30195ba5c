"""Who is in a group as a program sees it, and the client's half of what is said about it."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from landline.errors import DataError, ProtocolError
from landline.limits import PROTOCOL
from landline.protocol.presence import (
    NOT_BACK,
    Begun,
    Enter,
    Gone,
    Here,
    Joined,
    Left,
    Member,
    News,
    Put,
    Roster,
    Snapshot,
    Updated,
    View,
    decode_asked,
    decode_state,
    encode,
    encode_state,
)

GRACE, SETTLES = 2.0, 300.0


def member(id: str, state: Any = "", *, is_here: bool = True) -> Member:
    return Member(id, "p", encode_state(state), is_here)


def here(id: str, state: Any = "", *, is_here: bool = True) -> Here:
    return Here(id, "p", encode_state(state), is_here, 1.0)


def changes(cursor: Any) -> list[Any]:
    return list(iter(cursor.next, None))


# What a program is told...


def test_changes_are_told_one_at_a_time_after_a_snapshot() -> None:
    """Coming, another state, reconnecting, being back, going."""
    roster = Roster()
    roster.put(member("a"))
    cursor = roster.read()
    assert changes(cursor) == [Snapshot((member("a"),))]

    roster.put(member("b"))
    roster.put(member("a", 2))
    assert changes(cursor) == [Joined(member("b")), Updated(member("a", 2), member("a"))]
    roster.put(member("a", 2, is_here=False))
    assert changes(cursor) == [Updated(member("a", 2, is_here=False), member("a", 2))]
    roster.put(member("a", 2))
    roster.remove("b", "the line was lost")
    assert changes(cursor) == [
        Updated(member("a", 2), member("a", 2, is_here=False)),
        Left(member("b"), "the line was lost"),
    ]


def test_who_asks_seldom_is_told_the_newest_of_each() -> None:
    """Who came and went meanwhile, or is as they were, is not told at all."""
    roster = Roster()
    for id in "ab":
        roster.put(member(id))
    cursor = roster.read()
    assert cursor.next() == Snapshot((member("a"), member("b")))
    for number in range(100):
        roster.put(member("a", number))
        roster.put(member(f"passing-{number}"))
        roster.remove(f"passing-{number}")
    roster.put(member("b", 1))
    roster.put(member("b"))

    assert len(cursor.changed) == 2
    assert changes(cursor) == [Updated(member("a", 99), member("a"))]


def test_only_what_others_see_is_a_change() -> None:
    """That somebody joined again after a restart is none."""
    roster = Roster()
    roster.put(Member("a", "p", encode_state(""), since=1.0))
    cursor = roster.read()
    cursor.next()
    roster.put(Member("a", "p", encode_state(""), since=2.0))

    assert cursor.next() is None
    assert cursor.shown["a"].since == 2.0


def test_who_is_dropped_is_told_no_more() -> None:
    """And one who never was there does not leave."""
    roster = Roster()
    cursor, other = roster.read(), roster.read()
    assert (changes(cursor), changes(other)) == ([Snapshot(())], [Snapshot(())])
    roster.remove("nobody")
    roster.drop(cursor)
    roster.put(member("a"))

    assert (changes(cursor), changes(other)) == ([], [Joined(member("a"))])


# States...


@pytest.mark.parametrize("state", [None, b"\x00", "text", {"typing": True}, [1, 2.5], math.inf])
def test_a_state_is_any_value(state: Any) -> None:
    """As messages are."""
    assert Member("a", "p", encode_state(state)).state == state
    assert repr(Member("a", "p", encode_state(state))) == f"Member('a', 'p', {state!r}, is_here=True)"


@pytest.mark.limit("protocol.presence_state")
def test_a_state_is_small() -> None:
    """What fits exactly can be said; a byte more is refused where it is said, and by who is told."""
    most = PROTOCOL.presence_state
    full = encode_state(b"x" * (most - 1))
    assert len(full) == most
    assert decode_asked(encode(Put(full))) == Put(full)

    with pytest.raises(DataError, match=r"a state of 1,025 bytes is over the limit of 1,024 bytes"):
        encode_state(b"x" * most)
    with pytest.raises(ProtocolError, match="presence that cannot be read"):
        decode_asked(encode(Put(full + b"x")))
    with pytest.raises(ProtocolError, match="presence that cannot be read"):
        decode_asked(encode(Enter("g", 0, full + b"x", watches=True)))


def test_a_state_that_cannot_be_sent_is_refused_where_it_is_said() -> None:
    """Nothing reaches others that they could not read."""
    with pytest.raises(DataError):
        encode_state("\ud800")
    with pytest.raises(ProtocolError):
        decode_state(b"\x21\xff")


@pytest.mark.parametrize(
    "said", [b"", b"\xc1", encode([9]), encode([0, "g", -1, None, True]), encode([1, "text"])]
)
def test_what_a_client_cannot_have_said_is_refused(said: bytes) -> None:
    """As bad data."""
    with pytest.raises(ProtocolError) as caught:
        decode_asked(said)
    assert caught.value.code == "bad-data"


# The client's half...


def view_of(*parts: Here, lives: int = 1, now: float = 0.0) -> View:
    view = View(GRACE)
    for _ in range(lives):
        view.begin()
    view.receive(encode(Begun(SETTLES)), now)
    view.receive(encode(News(True, True, list(parts))), now)
    return view


def test_a_view_is_complete_when_all_were_told() -> None:
    """However many messages that takes."""
    view = View(GRACE)
    view.begin()
    begun = [view.is_begun]
    view.receive(encode(Begun(0.0)), 0.0)
    begun.append(view.is_begun)
    view.receive(encode(News(True, False, [here("a")])), 0.0)
    begun.append(view.is_complete)
    view.receive(encode(News(False, True, [here("b", 2, is_here=False)])), 0.0)

    assert begun == [False, True, False]
    assert view.is_complete and view.timeout_at() is None
    assert list(view.roster.members.values()) == [
        Member("a", "p", encode_state(""), since=1.0),
        Member("b", "p", encode_state(2), is_here=False, since=1.0),
    ]


def test_who_is_told_anew_is_told_who_is_missing() -> None:
    """By not being told of them: in the same life of the server they have left."""
    view = view_of(here("a"), here("b"))
    view.receive(encode(News(True, False, [here("c")])), 1.0)
    assert set(view.roster.members) == {"a", "b", "c"}
    view.receive(encode(News(False, True, [here("b")])), 1.0)

    assert set(view.roster.members) == {"b", "c"}
    assert view.timeout_at() is None


def test_over_a_restart_who_is_missing_is_in_doubt_before_they_are_gone() -> None:
    """Nothing for the grace, then reconnecting, and gone when everybody had the time to come back."""
    view = view_of(here("a"), here("b"), here("c"))
    cursor = view.roster.read()
    cursor.next()
    view.begin()
    view.receive(encode(Begun(SETTLES)), 100.0)
    view.receive(encode(News(True, True, [here("a", "new")])), 100.0)
    assert [type(change) for change in changes(cursor)] == [Updated]
    assert view.timeout_at() == 100.0 + GRACE

    view.receive(encode(News(False, True, [here("b")])), 101.0)
    view.handle_timeout(102.0)
    assert [(change.member.id, change.member.is_here) for change in changes(cursor)] == [("c", False)]

    assert view.timeout_at() == 100.0 + SETTLES
    view.handle_timeout(400.0)
    assert changes(cursor) == [Left(Member("c", "p", encode_state(""), is_here=False, since=1.0), NOT_BACK)]
    assert view.timeout_at() is None


def test_who_comes_back_in_time_is_here_again() -> None:
    """And who left in the new life has left."""
    view = view_of(here("a"), here("b"))
    view.begin()
    view.receive(encode(Begun(SETTLES)), 0.0)
    view.receive(encode(News(True, True, [])), 0.0)
    view.handle_timeout(GRACE)
    assert [member.is_here for member in view.roster.members.values()] == [False, False]

    view.receive(encode(News(False, True, [here("a"), Gone("b", "")])), 50.0)

    assert [(member.id, member.is_here) for member in view.roster.members.values()] == [("a", True)]
    assert view.timeout_at() is None


def test_a_server_that_was_up_for_long_leaves_nobody_in_doubt() -> None:
    """Who was not back by then has left."""
    view = view_of(here("a"))
    view.begin()
    view.receive(encode(Begun(0.0)), 0.0)
    view.receive(encode(News(True, True, [])), 0.0)

    assert (view.roster.members, view.timeout_at()) == ({}, None)


@pytest.mark.limit("protocol.presence_members")
def test_a_client_takes_no_more_members_than_a_group_can_have() -> None:
    """A server that tells of more breaks the rule; one that tells of the same again does not."""
    most = PROTOCOL.presence_members
    view = view_of(*(here(str(number)) for number in range(most)))
    view.receive(encode(News(False, True, [here("0", "new")])), 0.0)
    assert len(view.roster.members) == most

    with pytest.raises(ProtocolError, match="more than 10,000 members") as caught:
        view.receive(encode(News(False, True, [here("one more")])), 0.0)
    assert caught.value.limit == "protocol.presence_members"


@pytest.mark.parametrize(
    "said",
    [b"", b"\xc1", encode([7]), encode(Begun(-1.0)), encode(Begun(math.inf)), encode(Begun(math.nan)), encode([1, True, True, [[5]]]),
     encode(News(True, True, [Here("a", "p", b"\x21\xff", True, 0.0)]))],
)  # fmt: skip
def test_what_a_server_cannot_have_said_is_refused(said: bytes) -> None:
    """As bad data, and not as an error of ours."""
    view = View(GRACE)
    view.begin()
    with pytest.raises(ProtocolError) as caught:
        view.receive(said, 0.0)
    assert caught.value.code == "bad-data"


def test_what_travels_is_what_the_protocol_says() -> None:
    """Other clients are written after docs/protocol.md."""
    decode = msgspec.msgpack.decode
    assert decode(encode(Enter("rooms.a", 3, b"\x21x", watches=True))) == [0, "rooms.a", 3, b"\x21x", True]
    assert decode(encode(Put(b"\x21y"))) == [1, b"\x21y"]
    assert decode(encode(Begun(0.0))) == [0, 0.0]
    entries: list[Here | Gone] = [Here("id", "p", b"\x21x", is_here=True, since=1.5), Gone("id", "why")]
    assert decode(encode(News(is_first=True, is_complete=False, entries=entries))) == [
        1, True, False, [[0, "id", "p", b"\x21x", True, 1.5], [1, "id", "why"]],
    ]  # fmt: skip
