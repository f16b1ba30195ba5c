"""OpenSSL in memory: bytes of the line in, bytes of ours out, and the other way round. Knows no transport and no time.

What it must keep to: nothing that arrived is left in OpenSSL, which takes data after our farewell for a fault if it has to look for the peer's
farewell before it; and no more is given to it at a time than may stay with it, since its memory never shrinks.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable
from typing import Any, Final, cast

from ...limits import TRANSPORT

PIECE: Final = TRANSPORT.tls_piece

_RECORD: Final = 16 << 10
"""Bytes of ours in one record at the most (RFC 8446, section 5.1)."""

_ENCRYPTED: Final = 23
"""The type of an encrypted record, in its first byte; its length is in the fourth and fifth."""


class _Plain(threading.local):
    """What a thread's loop decrypts into, as it reads into one buffer: what one read brings, and a record whose beginning was there before."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(TRANSPORT.session_read + _RECORD))


_plain = _Plain()


class Records:
    """One end's TLS.

    Args:
        context: of this end.
        server_hostname: the name that the server's certificate must be for, at a client; None at a server.

    Attributes:
        is_open: the handshake is over.
        is_unjudged: ... for us, at a client that was asked for a certificate: the server has still to judge it.
        has_ended: the peer said its farewell.
    """

    def __init__(self, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
        )
        # Into a buffer, for which typeshed has no type.
        self._read: Callable[[int, memoryview], int] = cast(Any, self._tls.read)
        self.is_client = server_hostname is not None
        self._last_flight = b""
        self._certificate = b""
        self._is_let_go = False
        self.is_open = self.is_unjudged = self.has_ended = False

    @property
    def peer_certificate(self) -> bytes:
        """The other end's certificate in DER; empty where it showed none, or not yet."""
        return self._certificate

    def receive(self, data: bytes | memoryview) -> tuple[list[bytes | memoryview], ssl.SSLError | None]:
        """Take bytes of the line; return what they decrypt to, in one piece or few, and what was wrong with the rest.

        A ``memoryview`` among them is good until anything else is received. To begin, a client receives nothing.
        """
        found: list[bytes | memoryview] = []
        broken: ssl.SSLError | None = None
        at = size = 0
        while broken is None and not self.has_ended:
            self._incoming.write(data if len(data) <= PIECE else memoryview(data)[at : at + PIECE])
            at += PIECE
            if not self.is_open:
                broken = self._shake()
            if self.is_open:
                size, broken = self._decrypt(found, size)
            if at >= len(data):
                break
        if size:
            found.append(_plain.buffer[:size])
        return found, broken

    def to_send(self) -> bytes:
        """Return, once, what the line has to carry."""
        flight, self._last_flight = self._last_flight, b""
        return flight + self._outgoing.read() if self._outgoing.pending else flight

    def encrypt(self, data: bytes, write: Callable[[bytes], None]) -> None:
        """Encrypt ``data`` and ``write`` it, a piece at a time.

        Raises:
            ssl.SSLError: this end is broken.
        """
        rest = data if len(data) <= PIECE else memoryview(data)
        while rest and not self._is_let_go:
            done = self._tls.write(rest[:PIECE])
            write(self._outgoing.read())
            rest = rest[done:]

    def say_farewell(self) -> None:
        """Tell the peer that no more comes from us."""
        if self._is_let_go:
            return
        # Almost always: that the peer's own farewell has not come yet.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()

    def let_go(self) -> None:
        """Give OpenSSL's memory back: nothing comes and goes here any more."""
        if not self._is_let_go:
            self._is_let_go = True
            del self._tls, self._read
            self._incoming = self._outgoing = ssl.MemoryBIO()

    def _shake(self) -> ssl.SSLError | None:
        """Go on with the handshake as far as what arrived allows."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError as error:
            return error.with_traceback(None)  # which would keep OpenSSL's memory for as long as the error
        self.is_open = True
        self._certificate = self._tls.getpeercert(True) or b""
        if self.is_client and self._tls.version() == "TLSv1.3":
            self._last_flight = self._outgoing.read()
            self.is_unjudged = _has_certificate(self._last_flight)
        return None

    def _decrypt(self, found: list[bytes | memoryview], size: int) -> tuple[int, ssl.SSLError | None]:
        """Decrypt all that arrived into the buffer, which holds ``size`` bytes, and when that is full into ``found``; return its size then."""
        buffer = _plain.buffer
        try:
            while count := self._read(len(buffer), buffer[size:]):
                size += count
                if size == len(buffer):
                    found.append(bytes(buffer))
                    size = 0
                if not self._incoming.pending and not self._tls.pending():
                    return size, None  # asking once more would only raise
            self.has_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        except ssl.SSLError as error:
            return size, error.with_traceback(None)
        return size, None


def _has_certificate(flight: bytes) -> bool:
    """Whether the last words of a client's handshake under TLS 1.3 are more than that it is finished: it was asked who it is.

    Then the server has still to judge that, and the handshake is over for us before it does.
    """
    records = at = 0
    while at + 5 <= len(flight):
        records += flight[at] == _ENCRYPTED
        at += 5 + int.from_bytes(flight[at + 3 : at + 5])
    return records > 1
