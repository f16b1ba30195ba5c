"""The servers that a person has been let into before: what their certificates were, and the invites that were good.

So a fingerprint is compared once, and an invite typed once. Kept in the data folder, for our own user alone. What was good under TLS is shown
to nobody who is dialled without: anybody may stand on that way, and wait for an invite.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import msgspec

from landline.apps.chat.invitations import Invitation
from landline.apps.chat.limits import CLIENT
from landline.apps.written import write
from landline.settings import is_public
from landline.transports import parse_address
from landline.transports.address import SECURE

FILE: Final = "servers.json"
INVITE_FILE: Final = "invite"
"""Where a server that runs with the same data folder keeps its invite."""
MOST: Final = CLIENT.servers


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one server."""

    fingerprint: str = ""
    invite: str = ""


class KnownServers:
    """Those of one data folder. What cannot be read there is not known, and what cannot be written is not kept."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._own_invite = folder / INVITE_FILE

    def complete(self, invitation: Invitation) -> Invitation:
        """Return the invitation with what it leaves out and is known: of the very place that it names."""
        known = self._read().get(_place(invitation), Known())
        invite = invitation.invite or known.invite or self._invite_here(invitation)
        return Invitation(invitation.address, invite, invitation.fingerprint or known.fingerprint)

    def keep(self, invitation: Invitation) -> None:
        """Remember what let us in; but not what our own server keeps, which may draw another one."""
        known = self._read()
        is_here = invitation.invite == self._invite_here(invitation)
        seen = Known(invitation.fingerprint, "" if is_here else invitation.invite)
        if known.get(_place(invitation), Known()) == seen:
            return
        known.pop(_place(invitation), None)
        known[_place(invitation)] = seen
        while len(known) > MOST:
            del known[next(iter(known))]
        with contextlib.suppress(OSError):
            write(self._path, msgspec.json.format(msgspec.json.encode(known)))

    def _read(self) -> dict[str, Known]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Known])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}

    def _invite_here(self, invitation: Invitation) -> str:
        """Whoever may read the data of a server on this machine needs no invite from anybody."""
        if is_public(invitation.address):
            return ""
        try:
            return self._own_invite.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""


def _place(invitation: Invitation) -> str:
    """Return where a server is, whichever way it is reached; but from other machines by TLS and without are two."""
    address = parse_address(invitation.address)
    if not address.host:
        return str(address)
    is_open = address.scheme not in SECURE and is_public(invitation.address)
    return f"{address.authority} without TLS" if is_open else address.authority
