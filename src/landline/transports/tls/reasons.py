"""Why TLS failed, as a clause that a person understands: tables from what the TLS library says, one for each end.

What it says of a certificate that was shown to us is a number of X.509's; everything else is the name of an alert or of a mistake.
"""

from __future__ import annotations

import ssl
from typing import Final

HUNG_UP: Final = "the peer hung up in the middle of the handshake"
NOT_TAKEN: Final = "the server hung up when it saw our certificate, or that we have none"
CUT_OFF: Final = "the line ended without TLS's farewell: what came may be cut off"
CHATTERED: Final = "the peer keeps TLS busy without sending anything"

_OF_BOTH: Final = {
    "WRONG_VERSION_NUMBER": "what came is not TLS",
    "UNSUPPORTED_PROTOCOL": "the peer speaks only versions of TLS that are too old",
    "UNKNOWN_PROTOCOL": "what came is not TLS",
    "HTTP_REQUEST": "what came is not TLS, but HTTP",
    "HTTPS_PROXY_REQUEST": "what came is not TLS, but HTTP",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "a record arrived damaged",
    "BAD_RECORD_TYPE": "what came is not TLS",
    "PACKET_LENGTH_TOO_LONG": "a record is longer than TLS allows",
    "DATA_LENGTH_TOO_LONG": "a record is longer than TLS allows",
    "ENCRYPTED_LENGTH_TOO_LONG": "a record is longer than TLS allows",
    "NO_SHARED_CIPHER": "there is no cipher that both ends take",
    "NO_PROTOCOLS_AVAILABLE": "there is no version of TLS that both ends take",
    "TLSV1_ALERT_PROTOCOL_VERSION": "there is no version of TLS that both ends take",
    "SSLV3_ALERT_BAD_RECORD_MAC": "the peer says that a record arrived damaged",
    "TLSV1_ALERT_USER_CANCELLED": "the peer gave up the handshake",
    "TLSV1_ALERT_INTERNAL_ERROR": "the peer says that its own TLS failed",
}
_OF_SERVERS: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client showed no certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the client trusts nobody who vouches for our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not take our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not take our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client says that our certificate is out of date",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the client cannot use a certificate like ours",
}
_OTHER_CERTIFICATE: Final = "the server does not take our certificate: show one that its authority signed"
_OF_CLIENTS: Final = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server takes only clients with a certificate: show one that its authority signed",
    "TLSV1_ALERT_UNKNOWN_CA": _OTHER_CERTIFICATE,
    "SSLV3_ALERT_BAD_CERTIFICATE": _OTHER_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _OTHER_CERTIFICATE,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _OTHER_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the server does not take our certificate, which is out of date: renew it",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server broke off the handshake; it may take only clients with a certificate, or other ciphers",
    "TLSV1_UNRECOGNIZED_NAME": "the server knows no such name: dial one that its certificate is for",
    "WRONG_VERSION_NUMBER": "the server answers, but does not speak TLS: dial it without",
    "HTTP_REQUEST": "the server answers, but does not speak TLS: dial it without",
}

_NOTHING_IN_COMMON: Final = frozenset(
    {
        "UNSUPPORTED_PROTOCOL",
        "NO_SHARED_CIPHER",
        "NO_PROTOCOLS_AVAILABLE",
        "PEER_DID_NOT_RETURN_A_CERTIFICATE",
        "CERTIFICATE_VERIFY_FAILED",
    }
)

_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_SELF_SIGNED: Final = 18
_UNVOUCHED: Final = frozenset({2, 19, 20, 21})  # no issuer that is known, by one way or another
_OTHER_NAME: Final = frozenset({62, 63, 64})  # of a host, a mail address, an IP address


def breaks_rules(error: ssl.SSLError) -> bool:
    """Whether what was wrong breaks TLS's rules: not that the peer says what it does not like of us, nor that we have nothing in common."""
    reason = error.reason or ""
    return "_ALERT_" not in reason and reason not in _NOTHING_IN_COMMON


def why_broken(error: ssl.SSLError, *, is_client: bool) -> str:
    """Return why a handshake, or what came after it, failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        whose = "server" if is_client else "client"
        return f"the {whose}'s certificate is not good: {error.verify_message}"
    reason = error.reason or ""
    text = (_OF_CLIENTS if is_client else _OF_SERVERS).get(reason) or _OF_BOTH.get(reason)
    return text or f"TLS failed ({reason.lower().replace('_', ' ') or error})"


def why_not_trusted(code: int, message: str, host: str, shown: str) -> str:
    """Return why a server's certificate was not taken, and what to do.

    Args:
        code: X.509's number for it.
        message: the library's words for it.
        host: the name that was dialled.
        shown: the fingerprint of the certificate, or an empty string where that is not known.
    """
    pin = f"pin {shown}" if shown else "pin its fingerprint"
    pinned = f"if that is what whoever runs the server reads out to you, {pin}"
    if code == _EXPIRED:
        return f"the server's certificate has expired: have it renewed, and see that the clock here is right; or {pinned}"
    if code == _NOT_YET_VALID:
        return f"the server's certificate is not valid yet: see that the clock here and there is right; or {pinned}"
    if code == _SELF_SIGNED:
        return f"the server made its certificate itself, so nobody vouches for it: {pinned}"
    if code in _UNVOUCHED:
        return f"nobody whom this machine trusts vouches for the server's certificate: name its authority; or {pinned}"
    if code in _OTHER_NAME:
        return f"the server's certificate is not for {host}: dial a name that it is for; or {pinned}"
    return f"the server's certificate is not good ({message}); {pinned}"


def why_not_pinned(pinned: str, shown: str) -> str:
    """Return what to do when a server shows another certificate than the one that was pinned."""
    return (
        f"the server's certificate is not the one that was pinned: it has {shown}, and {pinned} was expected; somebody may be in between."
        " If whoever runs the server says that it was renewed, pin the new one"
    )
