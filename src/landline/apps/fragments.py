"""Addresses as a person passes them on: behind the # a secret that lets one in, and what the certificate must be.

``…#invite=…&sha256=…``. No browser sends a fragment to anybody, and no message of ours repeats it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from landline.errors import AddressError

_FINGERPRINT: Final = "sha256"


def read_fragment(text: str, name: str, *, purpose: str = "") -> tuple[str, str, str]:
    """Return the address before the #, the secret of this name and the fingerprint, ``sha256:…``; the latter two are empty where they are not there.

    Args:
        text: the address, with or without a fragment.
        name: of the secret.
        purpose: what the address is for, for the message: `` to send to``.

    Raises:
        AddressError: the fragment is none of ours.
    """
    where, sharp, fragment = text.partition("#")
    fields = dict(parse_qsl(fragment))
    if (sharp and not fields) or fields.keys() - {name, _FINGERPRINT}:
        # Not the fragment itself: what was cut off it may be the secret, and errors are kept in logs.
        raise AddressError(
            f"{f'{where}#…'!r} is not an address{purpose}: behind the # stand {name}=… and {_FINGERPRINT}=…, and nothing else"
        )
    pinned = fields.get(_FINGERPRINT, "")
    return where, fields.get(name, ""), pinned and f"{_FINGERPRINT}:{pinned}"


def fragment_of(name: str, secret: str, fingerprint: str) -> str:
    """Return what stands behind an address, with its #; nothing where there is nothing to say."""
    fields = [f"{name}={secret}"] if secret else []
    if fingerprint:
        fields.append(f"{_FINGERPRINT}={fingerprint.removeprefix(f'{_FINGERPRINT}:')}")
    return f"#{'&'.join(fields)}" if fields else ""
