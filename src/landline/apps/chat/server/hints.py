"""How to join, as commands that run as they stand: what ``landline serve`` prints when the chat is open."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from landline.apps.chat.invitations import write_invitation
from landline.apps.chat.server.doors import Doors
from landline.settings import DEFAULT_HOST, DEFAULT_PORT, WILDCARDS, Settings, bracketed, is_public
from landline.settings.program import program

from ...own_address import own_address

CLASSIC_CLIENT: Final = "examples/classic_client.py"

PAGE: Final = "the page, in a browser"
CHAT: Final = "the chat client"
PLAIN: Final = "plain text: then type and press Enter"
PLAIN_BY_TLS: Final = "openssl s_client -quiet -connect"
PLAIN_WITH_INVITE: Final = "plain text: the first line is the invite, what stands behind #invite="
CLASSIC: Final = "the ten-line client of every socket tutorial"
_WARNING: Final = (
    "This machine made its certificate itself, so browsers warn about it before they open the page."
    " The certificate's fingerprint is"
)


class Hint(NamedTuple):
    """One way to join."""

    what: str
    command: str


def how_to_join(
    settings: Settings, addresses: Sequence[str], doors: Doors, *, shows_code: bool = False
) -> str:
    """Return what to print.

    Args:
        settings: what the server runs with.
        addresses: where it really listens.
        doors: what is asked of whoever comes.
        shows_code: draw the address to scan with a phone, where there is one for other machines.
    """
    lines = [f"The chat is open at {' and '.join(addresses)}.", "To join it, from another terminal:", ""]
    for hint in hints(settings, addresses, doors):
        lines += [f"    {hint.command}", f"        {hint.what}"]
    if settings.serve.is_public:
        lines += ["", *_for_others(addresses, doors, shows_code=shows_code)]
    return "\n".join([*lines, "", "Ctrl-C ends it; what was said stays."])


def hints(settings: Settings, addresses: Sequence[str], doors: Doors) -> list[Hint]:
    """Return the ways to join on this machine, the best first."""
    plain = PLAIN_WITH_INVITE if doors.invite.is_wanted else PLAIN
    address = _first_tcp(addresses) or addresses[0]
    if not address.startswith("tcp://"):
        quoted = shlex.quote(address)
        chat = f"LANDLINE_ADDRESS={quoted} make chat" if settings.from_make else f"{program()} chat {quoted}"
        if doors.invite.is_wanted:
            plain = f"plain text: the first line is the invite, {doors.invite.text}"
        return [Hint(CHAT, chat), Hint(plain, f"nc -U {shlex.quote(urlsplit(address).path)}")]
    parts = urlsplit(address)
    host, port = _dialled(settings, parts.hostname or ""), parts.port or DEFAULT_PORT
    usual = (("LANDLINE_HOST", host, DEFAULT_HOST), ("LANDLINE_PORT", port, DEFAULT_PORT))
    environment = "".join(f"{name}={value} " for name, value, default in usual if value != default)
    shown = bracketed(host)
    # By an address that other machines reach we are one of them: with TLS, and no invite is read from the data folder.
    is_far = is_public(f"tcp://{shown}:{port}")
    is_secure = is_far and doors.tls is not None
    page = write_invitation(f"{shown}:{port}", doors.invite.text, is_secure=is_secure)
    if is_far and (is_secure or doors.invite.is_wanted):
        link = shlex.quote(_for_client(f"{shown}:{port}", doors))
        chat = f"LANDLINE_ADDRESS={link} make chat" if settings.from_make else f"{program()} chat {link}"
    elif settings.from_make:
        chat = f"{environment}make chat"
    else:
        chat = f"{program()} chat" + (f" tcp://{shown}:{port}" if environment else "")
    call = f"{PLAIN_BY_TLS} {shown}:{port}" if is_secure else f"nc {host} {port}"
    result = [Hint(CHAT, chat), Hint(PAGE, page), Hint(plain, call)]
    is_asked = doors.invite.is_wanted or is_secure
    if settings.from_make and Path(CLASSIC_CLIENT).exists() and not is_asked:
        result.append(Hint(CLASSIC, f"{environment}python3 {CLASSIC_CLIENT}"))
    return result


def _for_others(addresses: Sequence[str], doors: Doors, *, shows_code: bool) -> list[str]:
    """Return how to join from other machines, and what is open to them."""
    address = _first_tcp([each for each in addresses if is_public(each)])
    if not address:
        return []
    parts = urlsplit(address)
    host = parts.hostname or ""
    host = own_address() if host in WILDCARDS else host
    authority = f"{bracketed(host)}:{parts.port}"
    page = write_invitation(authority, doors.invite.text, is_secure=doors.tls is not None)
    lines = ["From other machines, a browser opens this address:", "", f"    {page}", ""]
    if shows_code:
        lines += [*code_lines(page), ""]
    if doors.tls is not None:
        link = shlex.quote(_for_client(authority, doors))
        lines += ["and the chat client takes it so:", "", f"    landline chat {link}", ""]
    if doors.tls is not None and doors.is_self_made:
        lines += [f"{_WARNING} {doors.tls.fingerprint}."]
    if doors.invite.is_wanted:
        lines += ["Whoever has the address gets in: give it to nobody else."]
    else:
        lines += ["WITHOUT AN INVITE: whoever reaches this port may enter."]
    if doors.files is not None:
        lines += [f"Whoever reaches this port may read {doors.files} at /files/, with an invite and without."]
    if doors.tls is None:
        lines += ["WITHOUT TLS: whoever is on the way can read everything, and change it."]
    return lines


def _for_client(authority: str, doors: Doors) -> str:
    """Return the address as the chat client takes it: with what the certificate must be, where nobody vouches for that."""
    fingerprint = doors.tls.fingerprint if doors.tls is not None and doors.is_self_made else ""
    return write_invitation(authority, doors.invite.text, fingerprint, is_secure=doors.tls is not None)


def _first_tcp(addresses: Sequence[str]) -> str:
    return next((address for address in addresses if address.startswith("tcp://")), "")


def code_lines(address: str) -> list[str]:
    """Return an address as a QR code of half blocks, to be shown dark on light whatever the terminal's colours are."""
    import segno  # only who shows one needs it

    rows = [list(row) for row in segno.make(address, error="l").matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    return [
        "    \x1b[30;47m"
        + "".join(" ▄▀█"[2 * bool(upper) + bool(lower)] for upper, lower in zip(*pair, strict=True))
        + "\x1b[0m"
        for pair in zip(rows[::2], rows[1::2], strict=True)
    ]


def _dialled(settings: Settings, host: str) -> str:
    """Return the host to dial to reach what listens on ``host``."""
    asked = [
        urlsplit(address).hostname for address in settings.serve.addresses if address.startswith("tcp://")
    ]
    if host in WILDCARDS or (asked and asked[0] in (DEFAULT_HOST, *WILDCARDS)):
        return DEFAULT_HOST
    return host
