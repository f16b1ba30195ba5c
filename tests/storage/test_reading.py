"""Looking things up in the file: by index, by scanning, and past what is damaged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from landline.errors import StorageDamaged
from landline.storage import Append, Gap, Position, Publication, Put, Retention, SQLiteStorage

PATTERNS = ["t.**", "t.*", "*.7", "**", "t.1", "none.*"]


async def forward(storage: SQLiteStorage, pattern: str, limit: int) -> tuple[list[Publication], set[str]]:
    found: list[Publication] = []
    missing: set[str] = set()
    page = await storage.read(pattern, limit=limit)
    while True:
        found += page.publications
        missing |= {gap.topic for gap in page.gaps}
        if not page.more:
            return found, missing
        page = await storage.read(pattern, page.end, limit=limit)


async def backward(storage: SQLiteStorage, pattern: str, limit: int) -> list[Publication]:
    page = await storage.last(pattern, limit)
    found = page.publications
    while page.more:
        page = await storage.last(pattern, limit, to=page.after)
        found[:0] = page.publications
    return found


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("limit", [1, 4, 100])
async def test_a_scan_finds_what_the_index_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, limit: int
) -> None:
    """Many topics are read by scanning the log in steps; pages then end early, and still meet everything once."""
    async with SQLiteStorage(tmp_path / "store.db", retention={"t.3": Retention(max_count=1)}) as storage:
        await storage.write([Append(f"t.{number % 11}", b"%d" % number) for number in range(40)])
        await storage.write([Append(f"other.{number}", b"x") for number in range(12)])
        by_index = await forward(storage, pattern, 100)
        monkeypatch.setattr("landline.storage.reading._MERGED_TOPICS", 1)
        monkeypatch.setattr("landline.storage.reading._SCANNED_ROWS", 5)

        by_scan = await forward(storage, pattern, limit)
        assert by_scan[0] == by_index[0]
        # With more gaps than it looks at one by one, a page tells one gap of the pattern.
        assert by_scan[1] == by_index[1] or by_scan[1] == {pattern}
        assert await backward(storage, pattern, limit) == by_index[0]


@pytest.mark.limit("storage.scanned")
async def test_a_scan_stops_where_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page may be empty and go on: others got their turn."""
    monkeypatch.setattr("landline.storage.reading._MERGED_TOPICS", 0)
    monkeypatch.setattr("landline.storage.reading._SCANNED_ROWS", 5)
    async with SQLiteStorage(tmp_path / "store.db") as storage:
        await storage.write([Append(f"t.{number}", b"") for number in range(12)])

        page = await storage.read("*.11")
        assert (page.publications, page.more, page.end) == ([], True, Position(storage.epoch, 5))
        page = await storage.last("*.0")
        assert (page.publications, page.more, page.after) == ([], True, Position(storage.epoch, 7))


def flip(path: Path, marker: bytes) -> None:
    """Change one bit of the file, right behind the marker."""
    content = bytearray(path.read_bytes())
    assert content.count(marker) == 1
    content[content.index(marker) + len(marker)] ^= 1
    path.write_bytes(content)


async def test_a_rotten_publication_is_a_gap(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is named and never handed out; the rest is served, nothing is renumbered, and the log says once where to look."""
    storage = SQLiteStorage(tmp_path / "store.db")
    async with storage:
        await storage.write([Append("a", b"first!"), Append("a", b"second!"), Append("a", b"third!")])
        epoch = storage.epoch
    await asyncio.to_thread(flip, storage.path, b"seco")

    async with storage:
        page = await storage.read("a")
        assert [one.data for one in page.publications] == [b"first!", b"third!"]
        assert page.gaps == [Gap("a", Position(epoch, 1), Position(epoch, 2), "damaged")]
        assert (await storage.append("a", b"fourth")).offset == 4
        await storage.read("a")
    (record,) = caplog.records
    assert record.getMessage().endswith(f"landline integrity {storage.path}")


async def test_a_rotten_value_is_an_error_for_who_needs_it(tmp_path: Path) -> None:
    """Neither is it handed out nor compared with; everybody else goes on."""
    storage = SQLiteStorage(tmp_path / "store.db")
    async with storage:
        await storage.write([Put("bad", b"value-of-bad"), Put("good", b"1")])
    await asyncio.to_thread(flip, storage.path, b"value-of")

    async with storage:
        with pytest.raises(StorageDamaged, match="'bad'"):
            await storage.get("bad")
        refused, made = await asyncio.gather(
            storage.write([Append("a", b"no")], expect={"bad": b"value-of-bad"}),
            storage.write([Append("a", b"yes")], expect={"good": b"1"}),
            return_exceptions=True,
        )
        assert isinstance(refused, StorageDamaged)
        assert made == [Position(storage.epoch, 1)]
        await storage.put("bad", b"mended")
        assert (await storage.scan("bad"))[0].data == b"mended"
