"""Files that come over a session, for blocking code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Self

from ..patterns.files.offers import FileOffer as _FileOffer
from ..patterns.files.offers import Offers as _Offers
from ..patterns.files.progress import ReceivedFile, Watch, watch_nothing
from .bridge import Bridge, Iteration


class FileOffer:
    """As ``landline.FileOffer``, for blocking code."""

    def __init__(self, bridge: Bridge, offer: _FileOffer) -> None:
        self._bridge = bridge
        self._offer = offer
        self.name = offer.name
        self.size = offer.size
        self.files = offer.files
        self.is_folder = offer.is_folder
        self.id = offer.id

    def accept(
        self,
        folder: str | os.PathLike[str],
        *,
        name: str | None = None,
        progress: Watch = watch_nothing,
        remember: bool = False,
    ) -> ReceivedFile:
        """Receive it into a folder. ``progress`` is called in the thread of the loop, and must not wait. Ctrl-C gives it up; what came is kept."""
        accept = partial(self._offer.accept, folder, name=name, progress=progress, remember=remember)
        return self._bridge.run(accept)

    def refuse(self, reason: str = "") -> None:
        """Say no; the sender is told the reason."""
        self._bridge.run(partial(self._offer.refuse, reason))


class Offers(Iterator[FileOffer]):
    """As ``landline.Offers``, for blocking code: an iterator, to be left by ``with`` or ``close``."""

    def __init__(self, bridge: Bridge, open_offers: Callable[[], _Offers]) -> None:
        self._bridge = bridge
        self._offers: Iteration[_FileOffer] = bridge.iterate(open_offers)

    def next(self, timeout: float | None = None) -> FileOffer:
        """Return the next offer.

        Raises:
            StopIteration: the session was closed.
            TimeoutError: none came within so many seconds.
        """
        return FileOffer(self._bridge, self._offers.next(timeout))

    def __next__(self) -> FileOffer:
        return self.next()

    def close(self) -> None:
        """Take no more; what is not answered is refused. Transfers that were accepted go on."""
        self._offers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
