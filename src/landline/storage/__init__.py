"""Where history, sessions and small values are kept: one small interface, two storages that come with the package.

``SQLiteStorage`` keeps everything in one file and acknowledges a write when it is on the disk; ``MemoryStorage`` keeps it as long as the
object lives. ``landline.testing.storage_conformance`` is the suite for a storage of your own.
"""

from ..history import DAMAGED, EXPIRED, HISTORY_REPLACED, Gap, Position, Publication
from .base import (
    Append,
    Change,
    Delete,
    Page,
    Put,
    Retention,
    Storage,
    Value,
)
from .memory import MemoryStorage
from .names import Pattern, check_topic
from .sqlite import SQLiteStorage

__all__ = [
    "DAMAGED",
    "EXPIRED",
    "HISTORY_REPLACED",
    "Append",
    "Change",
    "Delete",
    "Gap",
    "MemoryStorage",
    "Page",
    "Pattern",
    "Position",
    "Publication",
    "Put",
    "Retention",
    "SQLiteStorage",
    "Storage",
    "Value",
    "check_topic",
]
