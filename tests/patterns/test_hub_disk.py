"""What those who publish are told when the disk does not take it: enough to act on, and nothing about the server's files."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import landline
from landline.storage import Append, Change, MemoryStorage


class Troubled(MemoryStorage):
    """A storage that takes no publications, because of this."""

    def __init__(self, trouble: landline.StorageError) -> None:
        super().__init__()
        self._trouble = trouble

    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[landline.Position]:
        if any(isinstance(change, Append) for change in changes):
            raise self._trouble
        return await super().write(changes, expect=expect)


@pytest.mark.parametrize(
    ("trouble", "told", "clause"),
    [
        (landline.StorageFull("the disk that holds /srv/secret is full"), landline.PublishFailed, "is full"),
        (landline.StorageFailed("the disk that holds /srv/secret failed"), landline.PublishUnknown, "failed"),
        (
            landline.StorageClosed("the store /srv/secret is not open"),
            landline.PublishFailed,
            "not to be had",
        ),
    ],
    ids=["full", "failed", "closed"],
)
async def test_a_publisher_is_told_why_and_not_where(
    trouble: landline.StorageError,
    told: type[landline.PublishFailed | landline.PublishUnknown],
    clause: str,
    tmp_path: Path,
) -> None:
    """Full is certain, and passes; after a failure nobody knows. Paths stay in the server's log."""
    server = landline.Server(storage=Troubled(trouble))
    server.topic("prices.*")
    address = f"unix://{tmp_path}/socket"

    async with asyncio.timeout(20), server.listen(address), landline.connect(address) as session:
        with pytest.raises(told, match=clause) as caught:
            await session.publish("prices.acme", 1)

    assert "/srv" not in str(caught.value)


@pytest.mark.parametrize(
    ("trouble", "said"), [(landline.StorageFailed("broken"), 1), (landline.StorageFull("no room"), 3)]
)
async def test_a_disk_that_failed_is_said_once(
    trouble: landline.StorageError, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays so until the server is started again, and clients go on publishing. One that is full may have room again."""
    server = landline.Server(storage=Troubled(trouble))
    server.topic("t")
    async with server.listen("memory://failed"), landline.connect("memory://failed") as session:
        for _ in range(3):
            with pytest.raises((landline.PublishFailed, landline.PublishUnknown)):
                await session.publish("t", 1)

    assert len([record for record in caplog.records if "could not be stored" in record.message]) == said
