"""How to reach a pipe that listens, as a command that runs as it stands at the other end."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from landline.settings import DEFAULT_HOST, bracketed
from landline.settings.program import program
from landline.settings.tree import WILDCARDS


def how_to_connect(addresses: Sequence[str], *, asked: str, is_plain: bool) -> str:
    """Return what ``landline listen`` prints.

    Args:
        addresses: where it really listens.
        asked: where it was told to listen: a name of this machine says more than the numbers it stands for.
        is_plain: nc can call as well.
    """
    address = dialled(addresses[0], asked)
    plain = "--plain " if is_plain else ""
    lines = [
        f"Listening at {' and '.join(addresses)}. At the other end:",
        "",
        f"    {program()} connect {plain}{shlex.quote(address)}",
    ]
    if is_plain:
        parts = urlsplit(address)
        lines.append(
            f"    nc -NU {shlex.quote(parts.path)}"
            if parts.scheme == "unix"
            else f"    nc -N {parts.hostname} {parts.port}"
        )
    return "\n".join([*lines, ""])


def dialled(address: str, asked: str) -> str:
    """Return the address that reaches what listens at ``address``."""
    if not address.startswith("tcp://"):
        return address
    host = urlsplit(asked).hostname or ""
    if host in WILDCARDS:  # every address of this machine: its name is the one that others may know
        host = socket.gethostname() or DEFAULT_HOST
    return f"tcp://{bracketed(host)}:{urlsplit(address).port}"
