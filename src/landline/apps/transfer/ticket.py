"""What ``landline receive`` prints and ``landline send`` is given: an address, the secret that lets one in, and what its certificate must be.

``tcp://localhost:40123#secret=…``, and from other machines ``tls://192.0.2.7:40123#secret=…&sha256=…``.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ..fragments import fragment_of, read_fragment

_SECRET: Final = "secret"  # noqa: S105 - the name of the field


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
        return self.address + fragment_of(_SECRET, self.secret, self.fingerprint)


def read_ticket(text: str) -> Ticket:
    """Return what a ticket says; an address alone is one as well.

    Raises:
        AddressError: what stands behind the # is none of ours. The message does not repeat it: it may be the secret.
    """
    return Ticket(*read_fragment(text, _SECRET, purpose=" to send to"))
