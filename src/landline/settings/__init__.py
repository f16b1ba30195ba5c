"""Settings of a program made with landline: ``load()`` finds them, ``Settings`` holds them, ``SETTINGS`` is the table of all there are.

No other part of the source holds an address or a port.
"""

from landline.settings.loader import FILE_NAME, NOTHING, Loaded, Rank, Value, load, whole_address
from landline.settings.table import SETTINGS, Setting
from landline.settings.tree import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_ROOM,
    EVERY_ADDRESS,
    FAR_AWAY,
    WILDCARDS,
    ChatSettings,
    LogSettings,
    PipeSettings,
    ServeSettings,
    Settings,
    TlsSettings,
    bracketed,
    is_public,
)

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "DEFAULT_ROOM",
    "EVERY_ADDRESS",
    "FAR_AWAY",
    "FILE_NAME",
    "NOTHING",
    "SETTINGS",
    "WILDCARDS",
    "ChatSettings",
    "Loaded",
    "LogSettings",
    "PipeSettings",
    "Rank",
    "ServeSettings",
    "Setting",
    "Settings",
    "TlsSettings",
    "Value",
    "bracketed",
    "is_public",
    "load",
    "whole_address",
]
