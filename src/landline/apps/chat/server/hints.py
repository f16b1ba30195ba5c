"""How to join, as commands that run as they stand: what ``landline serve`` prints when the chat is open."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from landline.settings import DEFAULT_HOST, DEFAULT_PORT, WILDCARDS, Settings
from landline.settings.program import program

CLASSIC_CLIENT: Final = "examples/classic_client.py"

CHAT: Final = "the chat client"
PLAIN: Final = "plain text: then type and press Enter"
CLASSIC: Final = "the ten-line client of every socket tutorial"


class Hint(NamedTuple):
    """One way to join."""

    what: str
    command: str


def how_to_join(settings: Settings, addresses: Sequence[str]) -> str:
    """Return what to print.

    Args:
        settings: what the server runs with.
        addresses: where it really listens.
    """
    lines = [f"The chat is open at {' and '.join(addresses)}.", "To join it, from another terminal:", ""]
    for hint in hints(settings, addresses):
        lines += [f"    {hint.command}", f"        {hint.what}"]
    return "\n".join([*lines, "", "Ctrl-C ends it; what was said stays."])


def hints(settings: Settings, addresses: Sequence[str]) -> list[Hint]:
    """Return the ways to join, the best first."""
    address = next((address for address in addresses if address.startswith("tcp://")), addresses[0])
    if not address.startswith("tcp://"):
        quoted = shlex.quote(address)
        chat = f"LANDLINE_ADDRESS={quoted} make chat" if settings.from_make else f"{program()} chat {quoted}"
        return [Hint(CHAT, chat), Hint(PLAIN, f"nc -U {shlex.quote(urlsplit(address).path)}")]
    parts = urlsplit(address)
    host, port = _dialled(settings, parts.hostname or ""), parts.port or DEFAULT_PORT
    usual = (("LANDLINE_HOST", host, DEFAULT_HOST), ("LANDLINE_PORT", port, DEFAULT_PORT))
    environment = "".join(f"{name}={value} " for name, value, default in usual if value != default)
    shown = f"[{host}]" if ":" in host else host
    if settings.from_make:
        chat = f"{environment}make chat"
    else:
        chat = f"{program()} chat" + (f" tcp://{shown}:{port}" if environment else "")
    result = [Hint(CHAT, chat), Hint(PLAIN, f"nc {host} {port}")]
    if settings.from_make and Path(CLASSIC_CLIENT).exists():
        result.append(Hint(CLASSIC, f"{environment}python3 {CLASSIC_CLIENT}"))
    return result


def _dialled(settings: Settings, host: str) -> str:
    """Return the host to dial to reach what listens on ``host``."""
    asked = [
        urlsplit(address).hostname for address in settings.serve.addresses if address.startswith("tcp://")
    ]
    if host in WILDCARDS or (asked and asked[0] in (DEFAULT_HOST, *WILDCARDS)):
        return DEFAULT_HOST
    return host
