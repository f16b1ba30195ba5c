"""What ``landline receive`` prints and ``landline send`` is given: an address, the secret that lets one in, and what its certificate must be.

``tcp://localhost:40123#secret=…``, and from other machines ``tls://192.0.2.7:40123#secret=…&sha256=…``.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

import msgspec

from landline.errors import AddressError

_SECRET: Final = "secret"  # noqa: S105 - the name of the field
_FINGERPRINT: Final = "sha256"


class Ticket(msgspec.Struct, frozen=True):
    """An address and what lets one in there.

    Attributes:
        address: where to dial, as the library writes it.
        secret: to be shown; empty where none is wanted.
        fingerprint: ``sha256:…``, or empty where nobody shows a certificate, or authorities vouch for it.
    """

    address: str
    secret: str = ""
    fingerprint: str = ""

    def __str__(self) -> str:
        fields = []
        if self.secret:
            fields.append(f"{_SECRET}={self.secret}")
        if self.fingerprint:
            fields.append(f"{_FINGERPRINT}={self.fingerprint.removeprefix('sha256:')}")
        return self.address + ("#" if fields else "") + "&".join(fields)


def read_ticket(text: str) -> Ticket:
    """Return what a ticket says; an address alone is one as well.

    Raises:
        AddressError: what stands behind the # is none of ours. The message does not repeat it: it may be the secret.
    """
    address, sharp, fragment = text.partition("#")
    fields = dict(parse_qsl(fragment))
    if (sharp and not fields) or fields.keys() - {_SECRET, _FINGERPRINT}:
        raise AddressError(
            f"{f'{address}#…'!r} is not an address to send to: behind the # stand {_SECRET}=… and {_FINGERPRINT}=…, and nothing else"
        )
    pinned = fields.get(_FINGERPRINT, "")
    return Ticket(address, fields.get(_SECRET, ""), pinned and f"sha256:{pinned}")
