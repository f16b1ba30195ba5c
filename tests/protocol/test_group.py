"""A group at its server: watchers are told what is new to them, each member once, and nothing is kept for them."""

from __future__ import annotations

import msgspec
import pytest

from landline.limits import PROTOCOL
from landline.protocol.group import NOTHING, Group
from landline.protocol.presence import Gone, Here, Member, News, encode_state

MOST = PROTOCOL.presence_batch


def put(group: Group, id: str, state: object = "") -> None:
    group.put(Member(id, "p", encode_state(state), since=1.0))


def news(group: Group, told: int, most: int = MOST) -> tuple[News, int]:
    data, number = group.news(told, most)
    return msgspec.msgpack.decode(data, type=News), number


def said(parts: News) -> list[str]:
    return [("+" if isinstance(entry, Here) else "-") + entry.id for entry in parts.entries]


def test_who_was_told_nothing_is_told_who_is_there() -> None:
    """In the order of their last changes; of those who have left not a word."""
    group = Group()
    assert news(group, NOTHING) == (News(is_first=True, is_complete=True, entries=[]), 0)
    for id in "abc":
        put(group, id)
    group.remove("b", "why")
    put(group, "a", "new")

    parts, told = news(group, NOTHING)

    state = encode_state("new")
    assert parts == News(
        is_first=True,
        is_complete=True,
        entries=[
            Here("c", "p", encode_state(""), is_here=True, since=1.0),
            Here("a", "p", state, is_here=True, since=1.0),
        ],
    )
    assert told == group.number


def test_who_was_told_is_told_what_changed_since_and_each_member_once() -> None:
    """However often somebody changed, the newest counts."""
    group = Group()
    for id in "abc":
        put(group, id)
    _, told = news(group, NOTHING)
    for number in range(100):
        put(group, "b", number)
    group.remove("a", "why")

    parts, told = news(group, told)

    assert not parts.is_first and parts.is_complete
    assert [type(entry) for entry in parts.entries] == [Here, Gone]
    assert [entry.id for entry in parts.entries] == ["b", "a"]
    assert isinstance(parts.entries[0], Here) and parts.entries[0].state == encode_state(99)
    assert isinstance(parts.entries[1], Gone) and parts.entries[1].reason == "why"
    assert told == group.number


@pytest.mark.limit("protocol.presence_batch")
def test_news_come_in_messages_of_a_size() -> None:
    """What fits exactly is one message; a byte less, and the rest is told by the next."""
    group = Group()
    for id in "abcd":
        put(group, id)
    size = len(encode_state("")) + len(msgspec.msgpack.encode(Here("a", "p", b"", is_here=True, since=1.0)))

    whole, _ = news(group, NOTHING, 4 * size)
    begun, told = news(group, NOTHING, 4 * size - 1)
    rest, end = news(group, told, 4 * size - 1)

    assert (said(whole), whole.is_complete) == (["+a", "+b", "+c", "+d"], True)
    assert (said(begun), begun.is_complete) == (["+a", "+b", "+c"], False)
    assert (said(rest), rest.is_first, rest.is_complete) == (["+d"], False, True)
    assert end == group.number
    assert said(news(group, NOTHING, 0)[0]) == ["+a"]


def test_what_many_are_told_is_made_once() -> None:
    """The same bytes for everybody who was told the same, until something changes."""
    group = Group()
    put(group, "a")
    first = group.news(NOTHING, MOST)

    assert group.news(NOTHING, MOST)[0] is first[0]
    put(group, "b")
    assert group.news(NOTHING, MOST)[0] is not first[0]
    for told in range(100):
        group.news(told, MOST)
    assert len(group._batches) <= 16


@pytest.mark.limit("protocol.presence_departed")
def test_of_those_who_left_so_many_are_remembered() -> None:
    """Who missed as many is told of each; who missed one more is told anew who is there."""
    group, most = Group(), PROTOCOL.presence_departed
    put(group, "stays")
    for number in range(most):
        put(group, str(number))
    _, told = news(group, NOTHING, 1 << 20)
    for number in range(most):
        group.remove(str(number))

    parts, _ = news(group, told, 1 << 20)
    assert (len(parts.entries), parts.is_first) == (most, False)

    put(group, "more")
    group.remove("more")
    parts, _ = news(group, told, 1 << 20)
    assert (said(parts), parts.is_first) == (["+stays"], True)
    assert len(group._entries) <= most + 1


def test_who_comes_back_is_no_longer_remembered_as_gone() -> None:
    """Coming and going under the same id leaves one entry."""
    group = Group()
    for _ in range(3 * PROTOCOL.presence_departed):
        put(group, "a")
        group.remove("a")
    assert (len(group._entries), group._departed) == (1, 1)
    put(group, "a")
    assert (len(group._entries), group._departed) == (1, 0)
