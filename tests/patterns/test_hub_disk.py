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
