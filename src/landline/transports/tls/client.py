"""Dials a server under TLS, and says what to do where it is not whom we trust."""

from __future__ import annotations

import ssl

from ...errors import ConnectError, ConnectTimeout, TLSError, TLSTimeout, Untrusted
from .. import tcp
from ..address import Address
from ..base import Transport
from ..certificates import ClientTLS, fingerprint_of, unverified_context
from .reasons import HUNG_UP, why_not_pinned, why_not_trusted
from .transport import TlsTransport


async def open_transport(address: Address, tls: ClientTLS | None = None) -> Transport:
    """Connect to a server and shake hands with it; without ``tls``, this machine's authorities say who it may be.

    Raises:
        ConnectError: nobody is there, or no TLS.
        Untrusted: it is not whom we trust; the reason says what to do.
        ConnectTimeout: the handshake took too long.
    """
    tls = ClientTLS() if tls is None else tls
    host = address.host.partition("%")[0]
    try:
        transport = await _shake_hands(address, host, tls.make_context())
    except TLSTimeout as error:
        raise ConnectTimeout(str(address), f"{error.reason}; it may not speak TLS") from error
    except TLSError as error:
        raise await _what_to_do(address, host, error) from error
    shown = fingerprint_of(transport.peer_certificate)
    if tls.fingerprint not in ("", shown):
        transport.abort()
        raise Untrusted(str(address), why_not_pinned(tls.fingerprint, shown), shown, tls.fingerprint)
    return transport


async def _shake_hands(address: Address, host: str, context: ssl.SSLContext) -> TlsTransport:
    transport = TlsTransport(await tcp.open_transport(address), context, server_hostname=host)
    await transport.shake_hands()
    return transport


async def _what_to_do(address: Address, host: str, error: TLSError) -> ConnectError:
    """Return, as an error to raise, why a handshake failed; where the server's certificate was not taken, with the fingerprint to compare and pin.

    For that it is asked once more: a certificate that was not taken is not shown to us.
    """
    cause = error.__cause__
    if not isinstance(cause, ssl.SSLCertVerificationError):
        reason = f"{error.reason}; it may not speak TLS" if error.reason == HUNG_UP else error.reason
        return ConnectError(str(address), reason)
    try:
        transport = await _shake_hands(address, host, unverified_context())
    except (ConnectError, TLSError):
        shown = ""
    else:
        shown = fingerprint_of(transport.peer_certificate)
        transport.abort()
    reason = why_not_trusted(cause.verify_code, cause.verify_message, host, shown)
    return Untrusted(str(address), reason, shown)
