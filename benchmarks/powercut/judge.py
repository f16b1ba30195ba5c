"""Opens an image with the real storage, and says what is wrong with it: nothing, if every acknowledged write is there, and in order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from landline.errors import LandlineError
from landline.storage import HISTORY_REPLACED, Page, Position, Publication, Storage
from landline.storage.integrity import examine

from .account import Possible, Stored
from .workload import IDLE_LATER, KEPT, STORE, make


class Wrong(Exception):
    """The image breaks a promise; the text says which."""


async def judge(folder: Path, image: Mapping[str, bytes], possible: Possible, *, reopen: bool) -> None:
    """Write the image into the folder, open it, and compare.

    Args:
        folder: an empty folder.
        image: the files.
        possible: what they may hold.
        reopen: open it twice.

    Raises:
        Wrong: they hold something else, or cannot be opened.
    """
    for name, content in image.items():
        (folder / name).write_bytes(content)
    path = folder / STORE
    try:
        async with make(path) as storage:
            head = await _compare(storage, possible)
            position = await storage.append("after", b"after the cut")
            if position != Position(storage.epoch, head + 1):
                raise Wrong(f"the first publication after the cut got {position}, the head was {head}")
            epoch = storage.epoch
        if epoch in {epoch for epoch, _ in possible.epochs}:
            raise Wrong(f"opening began the epoch {epoch} again")
        if reopen:
            async with make(path) as storage:
                page = await storage.last("after", 1)
                if page.publications != [Publication("after", position, b"after the cut")]:
                    raise Wrong(f"what was published after the cut is not there: {page}")
        report = examine(path)
        if not report.is_good:
            raise Wrong(f"after the cut the store is damaged: {'; '.join(report.damages[:5])}")
    except LandlineError as error:
        raise Wrong(f"{type(error).__name__}: {error}") from error


async def _compare(storage: Storage, possible: Possible) -> int:
    """Compare everything that the store holds; return its head."""
    head = (await storage.head()).offset
    values = {
        value.key: (value.data.decode(), value.position.offset)
        for value in await storage.scan("", limit=1000)
    }
    states = possible.opening.states
    if not any(
        states[count].head == head and states[count].values == values
        for count in range(possible.most, possible.least - 1, -1)
    ):
        acked = states[possible.least]
        if head < acked.head:
            raise Wrong(f"{acked.head - head} acknowledged publications are lost: the head is {head}")
        raise Wrong(f"the values and the head {head} are of no moment at which the cut may have come")
    await _compare_publications(storage, possible.opening.publications[:head])
    for epoch, first in possible.epochs:
        page = await storage.read("**", Position(epoch, first), limit=1)
        if any(gap.reason == HISTORY_REPLACED for gap in page.gaps):
            raise Wrong(f"the epoch {epoch} that began after {first} is not known any more")
    return head


async def _compare_publications(storage: Storage, expected: list[Stored]) -> None:
    found: dict[int, Publication] = {}
    trimmed: dict[str, int] = {}
    page = None
    while page is None or page.more:
        page = await storage.read("**", page.end if page else None, limit=1000)
        _note(page, found, trimmed)
    if found.keys() - range(1, len(expected) + 1):
        raise Wrong(f"there are publications beyond the head {len(expected)}: {sorted(found)[-3:]}")
    newer: dict[str, tuple[int, int]] = {}
    for offset in range(len(expected), 0, -1):
        topic, data, epoch = expected[offset - 1]
        one = found.get(offset)
        if one is None:
            if offset > trimmed.get(topic, 0):
                raise Wrong(f"the publication {offset} of {topic} is missing, and no gap says so")
            if not _may_go(topic, len(data), *newer.get(topic, (0, 0))):
                raise Wrong(f"the publication {offset} of {topic} is gone, and retention keeps it")
        elif (one.topic, one.data, one.position.epoch) != (topic, data.encode(), epoch):
            raise Wrong(f"the publication {offset} is another one than was written, or of another epoch")
        count, size = newer.get(topic, (0, 0))
        newer[topic] = count + 1, size + len(data)


def _note(page: Page, found: dict[int, Publication], trimmed: dict[str, int]) -> None:
    for gap in page.gaps:
        if gap.reason != "expired":
            raise Wrong(f"there is a gap: {gap}")
        trimmed[gap.topic] = max(trimmed.get(gap.topic, 0), gap.to.offset)
    for one in page.publications:
        if one.position.offset in found:
            raise Wrong(f"the publication {one.position.offset} comes twice")
        found[one.position.offset] = one


_TIGHTEST: Final = {**KEPT, "idle": IDLE_LATER}


def _may_go(topic: str, size: int, newer: int, newer_size: int) -> bool:
    """Whether retention may have removed a publication, with so many newer ones of its topic."""
    kept = _TIGHTEST.get(topic, KEPT["**"])
    too_many = kept.max_count is not None and newer >= kept.max_count
    too_large = kept.max_bytes is not None and newer and newer_size + size > kept.max_bytes
    return bool(too_many or too_large)
