"""What ``landline listen`` and ``landline connect`` have in common on the command line."""

from __future__ import annotations

import contextlib
import logging
from typing import Final

from landline.cli.limits import CLI
from landline.settings import Settings, whole_address

_STEPS = ("landline.transports", "landline.sessions")
"""The loggers that tell each step of a socket's life, and of a session's."""

_M_TRIM_THRESHOLD: Final = -1  # of mallopt(3)
_M_MMAP_THRESHOLD: Final = -3
_KEPT: Final = CLI.kept_memory


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


def keep_freed_memory() -> None:
    """Have the C library keep what a pipe frees: it gets and frees large buffers all the time.

    Else glibc gives each of them back to the system and faults it in anew, page by page: measured, 350 faults a mebibyte, and a pipe
    at 0.6 of its speed. What is kept is bounded, as the pipe's own buffers are.
    """
    # Another C library: it has its own ways.
    with contextlib.suppress(ImportError, OSError, AttributeError, TypeError):
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
        mallopt(_M_TRIM_THRESHOLD, 2 * _KEPT)
