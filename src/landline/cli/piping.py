"""What ``landline listen``, ``connect``, ``send`` and ``receive`` have in common on the command line."""

from __future__ import annotations

import logging

from landline.cli.limits import CLI
from landline.settings import Settings, whole_address
from landline.transports.freed_memory import keep_freed_memory

_STEPS = ("landline.transports", "landline.sessions")
"""The loggers that tell each step of a socket's life, and of a session's."""


def pipe_address(text: str, settings: Settings) -> str:
    """Return the address that was meant; a number alone is a port, as for nc.

    Raises:
        SettingsError: the port is none.
    """
    if text.isascii() and text.isdecimal():
        return whole_address(settings.host, int(text), "ADDRESS")
    return whole_address(text, settings.port, "ADDRESS")


def show_steps(verbose: int) -> None:
    """Have ``-v`` show each step of a socket's life: for these commands they are the point."""
    if verbose > 0:
        for name in _STEPS:
            logging.getLogger(name).setLevel(logging.DEBUG)


def keep_memory() -> None:
    """Have what large pieces leave behind kept at hand: who pipes needs as much again a moment later."""
    keep_freed_memory(CLI.kept_memory)
