"""Parts of files: which one a request asks for."""

from __future__ import annotations

import pytest

from landline.web.ranges import UnsatisfiableRange, parse_range


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"bytes=0-0", range(1)),
        (b"bytes=0-9", range(10)),
        (b"bytes=5-", range(5, 10)),
        (b"bytes=5-99", range(5, 10)),
        (b"bytes=-3", range(7, 10)),
        (b"bytes=-99", range(10)),
        (b"Bytes= 9-9 ", range(9, 10)),
    ],
)
def test_a_part_is_what_is_there_of_it(field: bytes, expected: range) -> None:
    """From, to, both, or the last so many."""
    assert parse_range(field, 10) == expected


@pytest.mark.parametrize(
    "field",
    [
        None,
        b"",
        b"bytes=",
        b"bytes=-",
        b"bytes=5-4",
        b"bytes=0-1,3-4",
        b"bytes=a-b",
        b"bytes=+1-2",
        b"bytes=--1",
        b"lines=0-1",
        b"bytes=0-1;2",
        b"bytes=" + b"9" * 19 + b"-",
        "bytes=٣-".encode(),
    ],
)
def test_what_is_no_single_part_means_all(field: bytes | None) -> None:
    """A server need not give parts; many in one request are an attack."""
    assert parse_range(field, 10) is None


@pytest.mark.parametrize(
    ("field", "size"),
    [(b"bytes=10-", 10), (b"bytes=99-999", 10), (b"bytes=-0", 10), (b"bytes=0-", 0), (b"bytes=-5", 0)],
)
def test_a_part_that_is_not_there_is_said(field: bytes, size: int) -> None:
    """An empty file has none."""
    with pytest.raises(UnsatisfiableRange):
        parse_range(field, size)
