"""Where this machine is for others: what a program that listens on every address tells people to dial."""

from __future__ import annotations

import contextlib
import socket

from landline.settings import DEFAULT_PORT, FAR_AWAY


def own_address() -> str:
    """Return the address by which other machines of the network reach this one, or its name where it has none."""
    for family, far in zip((socket.AF_INET, socket.AF_INET6), FAR_AWAY, strict=True):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, DEFAULT_PORT))  # of a datagram socket: chooses a way, and sends nothing
            return str(probe.getsockname()[0])
    return socket.gethostname()
