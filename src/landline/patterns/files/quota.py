"""How much a receiver takes: one account for as many transfers and sessions as share it."""

from __future__ import annotations

from ...errors import TransferRefused
from ...limits import FILES


class Quota:
    """What may come in, of all transfers that share it: what they hold on the disk, unfinished ones included.

    Args:
        max_bytes: in all files together.
        max_files: how many files.

    Attributes:
        used_bytes, used_files: what was taken of it so far.

    Raises:
        ValueError: a measure is below 0.
    """

    def __init__(self, max_bytes: int = FILES.quota, max_files: int = FILES.files) -> None:
        if max_bytes < 0 or max_files < 0:
            raise ValueError("a quota is not below 0")
        self.max_bytes = max_bytes
        self.max_files = max_files
        self.used_bytes = 0
        self.used_files = 0
        self._unfinished: dict[object, tuple[int, int]] = {}

    def take(self, size: int, files: int) -> None:
        """Set so much aside.

        Raises:
            TransferRefused: it is more than is left.
        """
        if self.used_bytes + size > self.max_bytes:
            left = max(0, self.max_bytes - self.used_bytes)
            raise TransferRefused(
                f"{size:,} bytes are more than the quota of the receiver: {left:,} are left"
            )
        if self.used_files + files > self.max_files:
            left = max(0, self.max_files - self.used_files)
            raise TransferRefused(
                f"{files:,} files are more than the quota of the receiver: {left:,} are left"
            )
        self.used_bytes += size
        self.used_files += files

    def give_back(self, size: int, files: int) -> None:
        """So much of it did not come."""
        self.used_bytes = max(0, self.used_bytes - size)
        self.used_files = max(0, self.used_files - files)

    def recall(self, transfer: object) -> tuple[int, int]:
        """Return how many bytes and files are counted here of an unfinished transfer; what of it came otherwise, is counted elsewhere or not at all."""
        return self._unfinished.pop(transfer, (0, 0))

    def remember(self, transfer: object, size: int, files: int) -> None:
        """A transfer is left unfinished, of which so much is counted."""
        if (size or files) and len(self._unfinished) < FILES.counted:
            self._unfinished[transfer] = size, files
