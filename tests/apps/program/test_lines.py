"""Lines of standard input."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from landline.apps.program import lines
from landline.apps.program.lines import InputError, lines_of, lines_until

from ..conftest import Ends

pytestmark = pytest.mark.timeout(20)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a\n\nb", [(1, b"a"), (2, b""), (3, b"b")]),
        (b"a\r\nb\n", [(1, b"a\r"), (2, b"b")]),
    ],
)
async def test_lines_have_numbers_and_the_last_needs_no_end(
    make_ends: Callable[[], Ends], data: bytes, expected: list[tuple[int, bytes]]
) -> None:
    """What ends a line is no part of it; nothing else is taken away."""
    ends = make_ends()
    await ends.produce(data)
    ends.end_input()

    assert [line async for line in lines_of(ends.source)] == expected


@pytest.mark.limit("program.line")
@pytest.mark.parametrize("end", [b"", b"\n"])
async def test_a_line_has_a_longest(
    make_ends: Callable[[], Ends], monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    """As long as the limit is fine; a byte more is told with the line's number, before more of it is kept."""
    monkeypatch.setattr(lines, "MAX_LINE", 5)
    ends = make_ends()
    await ends.produce(b"12345\n123456" + end)
    ends.end_input()
    found = lines_of(ends.source)

    assert await anext(found) == (1, b"12345")
    with pytest.raises(InputError, match=r"^line 2 of standard input cannot be used: it is over 5 bytes$"):
        await anext(found)


async def test_lines_are_read_until_a_stop(
    make_ends: Callable[[], Ends], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the next one is waited for; what was begun of it is not a line."""
    ends = make_ends()
    monkeypatch.setattr(lines, "standard_input", lambda: None)
    monkeypatch.setattr(lines, "Source", lambda _: ends.source)
    stop, heard = asyncio.Event(), asyncio.Event()
    got: list[tuple[int, bytes]] = []

    async def read() -> None:
        async for line in lines_until(stop):
            got.append(line)
            heard.set()

    reading = asyncio.create_task(read())
    await ends.produce(b"a\nhalf")
    await heard.wait()
    assert not reading.done()
    stop.set()
    await reading

    assert got == [(1, b"a")]
