"""A session record that no storage takes: it shuts nobody out."""

from __future__ import annotations

from landline.limits import STORAGE
from landline.sessions.records import Records
from landline.storage import MemoryStorage


async def test_a_record_that_is_too_large_keeps_nobody_waiting() -> None:
    """Its session goes on and ends with the server; those that come later are stored."""
    told: list[str] = []
    async with MemoryStorage() as storage:
        records = Records(storage)
        records.store(b"a" * 16, bytes(STORAGE.write_bytes + 1), lambda now: told.append("too large"))
        await records.close()
        records.store(b"b" * 16, b"b", lambda now: told.append("stored"))
        await records.close()
        kept = await storage.scan("")

    assert told == ["too large", "stored"]
    assert [value.data for value in kept] == [b"b"]
