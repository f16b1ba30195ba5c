"""A new name for a file, in one step that takes nobody else's: ``rename`` of Python takes the place of what has the name.

Linux has it as ``renameat2(RENAME_NOREPLACE)``, also on disks that know no hard links (FAT, exFAT, SMB shares).
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

_NO_REPLACE: Final = 1

NOT_HERE: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What is said where the system or the disk has no such step."""


def rename_to_new(name: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
    """Rename a file within open folders; at each moment it has one of the two names, whole.

    Raises:
        FileExistsError: something has the new name.
        OSError: it cannot be; with one of ``NOT_HERE`` where there is no such step.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if renameat2(src_dir_fd, os.fsencode(name), dst_dir_fd, os.fsencode(new), _NO_REPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)
