"""A chat's web address, as a person passes it on: where it is, and in its fragment the invite and what the certificate must be.

``https://192.0.2.7:12345/#invite=…&sha256=…``. A browser opens it as it stands, a phone scans it, the terminal client takes it as its address;
no browser sends a fragment to anybody.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from landline.apps.fragments import fragment_of, read_fragment

_SCHEMES: Final = {"http": "ws", "https": "wss"}
_INVITE: Final = "invite"


class Invitation(NamedTuple):
    """What an address says."""

    address: str
    """Where to dial, as the library writes it."""
    invite: str = ""
    fingerprint: str = ""
    """``sha256:…``, or empty where authorities vouch for the server."""


def is_invitation(address: str) -> bool:
    """Whether an address is one of the web's, or has a fragment."""
    return _scheme(address) in _SCHEMES or "#" in address


def read_invitation(address: str) -> Invitation:
    """Return what an address says; one that is no invitation says only where.

    Raises:
        AddressError: its fragment is none of ours.
    """
    if not is_invitation(address):
        return Invitation(address)
    where, invite, fingerprint = read_fragment(address.removesuffix("#"), _INVITE)
    scheme = _scheme(where)
    _, _, rest = where.partition("://")
    return Invitation(f"{_SCHEMES[scheme]}://{rest}" if scheme in _SCHEMES else where, invite, fingerprint)


def _scheme(address: str) -> str:
    return address.partition("://")[0].lower()


def write_invitation(
    authority: str, invite: str = "", fingerprint: str = "", *, is_secure: bool = True
) -> str:
    """Return the web address of a chat at a host and port, with the invite and the fingerprint of its certificate."""
    return f"http{'s' if is_secure else ''}://{authority}/{fragment_of(_INVITE, invite, fingerprint)}"
