"""The words of the history, retention rules, and the checks that every storage makes."""

from __future__ import annotations

import pytest

from landline.errors import DataError
from landline.limits import STORAGE
from landline.storage.base import Append, Change, Delete, Put, Retention, Write, check_key
from landline.storage.memory import MemoryStorage


@pytest.mark.parametrize("name", ["max_count", "max_bytes", "max_age"])
@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_a_retention_keeps_something(name: str, limit: float) -> None:
    """None at all is said by not appending; 0 was perhaps meant as no limit, so it is refused."""
    with pytest.raises(ValueError, match=name):
        Retention(**{name: limit})  # type: ignore[arg-type]


def test_the_defaults_are_finite() -> None:
    """A topic that nobody thought about does not fill the disk."""
    assert Retention() == Retention(max_count=10_000, max_bytes=64 << 20, max_age=30 * 86_400.0)


def test_the_latest_rule_that_matches_counts() -> None:
    """And saying a rule again makes it the latest."""
    storage = MemoryStorage(retention={"a.*": Retention(max_count=1), "a.b": Retention(max_count=2)})
    assert [storage.retention(topic).max_count for topic in ("a.b", "a.c", "b")] == [2, 1, 10_000]

    storage.retain("a.*", Retention(max_count=3))
    assert [storage.retention(topic).max_count for topic in ("a.b", "a.c")] == [3, 3]


def test_a_write_is_a_copy_with_its_size() -> None:
    """Whoever asked may go on using their lists."""
    changes: list[Change] = [Append("a", b"123"), Put("key", b"45"), Delete("k")]
    expect: dict[str, bytes | None] = {"k": None}
    write = Write.of(changes, expect)
    changes.clear()
    expect.clear()

    assert len(write.changes) == 3
    assert write.expect == {"k": None}
    assert write.size == len("a123") + len("key45") + len("k")


def test_only_bytes_are_kept() -> None:
    """Text is encoded by who knows how; a bytearray could change after the check."""
    for data in ("text", bytearray(b"x"), memoryview(b"x"), None):
        with pytest.raises(DataError, match=type(data).__name__):
            Write.of([Append("a", data)], None)  # type: ignore[arg-type]


def test_what_is_no_change_is_a_mistake() -> None:
    """Of the program, not of its data."""
    with pytest.raises(TypeError, match="not str"):
        Write.of(["a"], None)  # type: ignore[list-item]


@pytest.mark.limit("storage.key")
def test_the_longest_key_and_one_byte_more() -> None:
    """In bytes of UTF-8, not in characters."""
    assert check_key("ä" * 256) == "ä" * 256
    with pytest.raises(DataError, match="1 to 512 bytes"):
        check_key("ä" * 256 + "x")


@pytest.mark.limit("storage.write_changes")
def test_the_most_changes_and_one_more() -> None:
    """Expectations count like changes."""
    most = [Delete("k")] * STORAGE.write_changes
    assert len(Write.of(most, None).changes) == STORAGE.write_changes
    with pytest.raises(DataError, match="a write of 1025 changes is too large"):
        Write.of([*most, Delete("k")], None)
    with pytest.raises(DataError, match="too large"):
        Write.of(most, {"k": None})


@pytest.mark.limit("storage.write_bytes")
def test_the_largest_write_and_one_byte_more() -> None:
    """Names count like data, and all changes together."""
    half = bytes(STORAGE.write_bytes // 2 - 1)
    assert Write.of([Append("a", half), Put("k", half)], None).size == STORAGE.write_bytes
    with pytest.raises(DataError, match="a write of 16,777,217 bytes is too large"):
        Write.of([Append("a", half), Put("kk", half)], None)
