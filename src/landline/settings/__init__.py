"""Settings of a program made with landline: ``load()`` finds them, ``Settings`` holds them, ``SETTINGS`` is the table of all there are.

No other part of the source holds an address or a port.
"""

from landline.settings.loader import FILE_NAME, Loaded, Rank, Value, load, whole_address
from landline.settings.table import SETTINGS, Setting
from landline.settings.tree import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_ROOM,
    WILDCARDS,
    ChatSettings,
    LogSettings,
    PipeSettings,
    ServeSettings,
    Settings,
)

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "DEFAULT_ROOM",
    "FILE_NAME",
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
    "Value",
    "load",
    "whole_address",
]
