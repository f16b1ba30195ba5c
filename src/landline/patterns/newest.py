"""The newest publication of each topic: what a subscription that asks for the last begins with."""

from __future__ import annotations

from ..history import DAMAGED, NOT_ALL, Gap, Position, Publication
from ..limits import STORAGE
from ..storage.base import Storage
from ..storage.names import Pattern


async def newest_of_each(
    storage: Storage, selects: Pattern, to: Position
) -> tuple[list[Publication], list[Gap]]:
    """Return the newest publication of each topic up to a position, oldest first, and what is missing among them.

    After ``storage.page`` topics, or ``storage.page_bytes``, there is a gap in place of those that were published to longest ago.
    """
    newest: dict[str, Publication] = {}
    gaps: list[Gap] = []
    size, more = 0, True
    while more and not (newest and selects.is_exact):
        if len(newest) >= STORAGE.page or size >= STORAGE.page_bytes:
            gaps.append(Gap(selects.text, Position(to.epoch, 0), to, NOT_ALL))
            break
        page = await storage.last(selects.text, 1 if selects.is_exact else STORAGE.page, to=to)
        for publication in reversed(page.publications):
            if publication.topic not in newest:
                newest[publication.topic] = publication
                size += len(publication.data)
        gaps += [gap for gap in page.gaps if gap.reason == DAMAGED]
        more, to = page.more, page.after
    return sorted(newest.values(), key=lambda publication: publication.position.offset), gaps
