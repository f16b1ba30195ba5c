"""The memory transport's own: names belong to a loop, and chunks stay as they were written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from landline.errors import ConnectError
from landline.limits import TRANSPORT
from landline.transports import Transport, memory, open_listener, parse_address

if TYPE_CHECKING:
    from landline.testing.transport_conformance import Recorder

ADDRESS = parse_address("memory://here")


async def test_chunks_arrive_as_they_were_written(line: object) -> None:
    """One write, one chunk: what makes tests of framing exact."""
    ours, hears = line.ours, line.hears  # type: ignore[attr-defined]
    for chunk in (b"a", b"bc", b"", b"def"):
        ours.write(chunk)
    await hears.until(lambda: hears.data == b"abcdef")

    assert hears.chunks == [b"a", b"bc", b"def"]


async def test_nothing_arrives_within_the_call(line: object) -> None:
    """A write never calls back: the next tick does."""
    line.ours.write(b"later")  # type: ignore[attr-defined]

    assert line.hears.chunks == []  # type: ignore[attr-defined]


async def test_an_end_is_told_once_however_often_it_is_looked_for(line: object) -> None:
    """A receiver that holds and lets go again is told of the end once."""
    hears: Recorder = line.hears  # type: ignore[attr-defined]
    theirs: Transport = line.theirs  # type: ignore[attr-defined]
    theirs.hold(True)
    line.ours.write(b"last")  # type: ignore[attr-defined]
    line.ours.close()  # type: ignore[attr-defined]
    for _ in range(5):
        await asyncio.sleep(0)
    theirs.hold(False)
    theirs.hold(False)
    await hears.until_told("lost")

    assert hears.told == ["data", "ended", "lost"]


def test_a_name_belongs_to_its_loop() -> None:
    """Two loops in one process do not meet."""

    async def listen() -> None:
        await open_listener(ADDRESS, lambda transport: None, backlog=1)

    async def dial() -> None:
        with pytest.raises(ConnectError, match="nobody listens there"):
            await memory.open_transport(ADDRESS)

    asyncio.run(listen())
    asyncio.run(dial())


@pytest.mark.limit("transport.backlog")
async def test_what_waits_is_bounded_by_its_writer(line: object) -> None:
    """At the limit more may be written, one byte over it not; nothing of it is lost."""
    ours, theirs, hears = line.ours, line.theirs, line.hears  # type: ignore[attr-defined]
    theirs.hold(True)
    ours.write(bytes(TRANSPORT.backlog))
    assert ours.is_writable
    ours.write(b"x")
    assert not ours.is_writable

    theirs.hold(False)
    await hears.until(lambda: len(hears.data) == TRANSPORT.backlog + 1)
    assert ours.is_writable
