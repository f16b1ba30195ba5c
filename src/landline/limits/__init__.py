"""Every limit of the library: tables with name, default, unit and reason.

Those that can be set are fields of ``Limits``; the fixed ones stand in ``fixed``, a class for each layer, and the code reads them from there.
What is not here is not limited, and nothing is unlimited. ``GROUPS`` is all of it for reading: ``landline config --limits`` prints it
together with those of the programs, and tests walk it.
"""

from __future__ import annotations

from typing import Final

from .fixed import (
    FILES,
    HITS,
    LONGEST,
    PROTOCOL,
    SESSION,
    SETTING,
    STORAGE,
    SYNC,
    TRANSPORT,
    WEB,
    FileLimits,
    HitLimits,
    ProtocolLimits,
    SessionLimits,
    SettingLimits,
    StorageLimits,
    SyncLimits,
    TransportLimits,
    WebLimits,
)
from .sessions import Limits
from .table import FIXED, MOST, Limit, LimitGroup, as_seconds, limit, rows

__all__ = [
    "FILES",
    "FIXED",
    "GROUPS",
    "HITS",
    "LIMITS",
    "LONGEST",
    "MOST",
    "PROTOCOL",
    "SESSION",
    "SETTING",
    "STORAGE",
    "SYNC",
    "TRANSPORT",
    "WEB",
    "FileLimits",
    "HitLimits",
    "Limit",
    "LimitGroup",
    "Limits",
    "ProtocolLimits",
    "SessionLimits",
    "SettingLimits",
    "StorageLimits",
    "SyncLimits",
    "TransportLimits",
    "WebLimits",
    "as_seconds",
    "limit",
    "rows",
]

LIMITS: Final[tuple[Limit, ...]] = rows(Limits)

GROUPS: Final[tuple[LimitGroup, ...]] = (
    LimitGroup("Sessions", "set with landline.Limits", LIMITS),
    LimitGroup("Around a session", FIXED, rows(SessionLimits, "session.")),
    LimitGroup("The protocol", FIXED, rows(ProtocolLimits, "protocol.")),
    LimitGroup("Transports", FIXED, rows(TransportLimits, "transport.")),
    LimitGroup("HTTP", FIXED, rows(WebLimits, "web.")),
    LimitGroup("Storage", FIXED, rows(StorageLimits, "storage.")),
    LimitGroup("Files", FIXED, rows(FileLimits, "files.")),
    LimitGroup("Blocking sessions", FIXED, rows(SyncLimits, "sync.")),
    LimitGroup("The log of hits", FIXED, rows(HitLimits, "hits.")),
    LimitGroup("Settings", FIXED, rows(SettingLimits, "setting.")),
)
"""Every limit of the library."""
