"""Whether others receive into the same folder just now: what is remembered there is theirs, too, and is forgotten by the last of them."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import landline

from .limits import TRANSFER


class Sharing:
    """A folder that we receive into; to be used in a thread, and closed.

    Args:
        folder: which; made where it is not there.

    Raises:
        OSError: it cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._open = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._share()

    def forget(self) -> None:
        """Forget what came, unless somebody else receives here: their senders may begin anew, and are told what came already."""
        try:
            fcntl.flock(self._open, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._share()  # it is not certain that we still hold it
            return
        landline.forget_received(self._folder)
        self._share()

    def close(self) -> None:
        """Others may be alone."""
        os.close(self._open)

    def _share(self) -> None:
        for _ in range(TRANSFER.share_tries):
            try:
                fcntl.flock(self._open, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except (
                BlockingIOError
            ):  # another one forgets at this moment; without our share it would forget what is ours next time
                time.sleep(TRANSFER.share_retry)
            except OSError:
                return  # the disk has no locks
            else:
                return
