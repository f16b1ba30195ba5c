"""Floods at the door of TLS: hellos, handshakes and what may follow them.

What no TLS library would send is forged: with the secrets that a handshake leaves in its key log, records are made by hand.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import ssl
import tempfile
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from .crowd import GONE, GUEST, KIB, Crowd, Flood, say

_HANDSHAKE: Final = 22
_DATA: Final = 23
_KEY_UPDATE: Final = b"\x18\x00\x00\x01\x00"


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        _context().wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


def _fall_silent(crowd: Crowd, count: int) -> None:
    """A hello each, the same for all: whoever answers it has much to calculate, and keeps what it calculated."""
    said = _client_hello()
    for _ in range(count):
        if (caller := crowd.comes()) is not None:
            say(caller, said)


def _say_hello_and_go(crowd: Crowd, count: int) -> None:
    """The same, one after the other: each goes when it is answered."""
    said = _client_hello()
    for _ in range(count):
        caller = crowd.comes()
        if caller is not None:
            with contextlib.suppress(OSError):
                say(caller, said)
                caller.recv(1)
            crowd.goes(caller)


def _say_rubbish(crowd: Crowd, count: int) -> None:
    """Behind the head of a record: of a usual one, of the longest, and of a handshake that never ends."""
    said = itertools.cycle(
        [
            b"\x16\x03\x01\x01\x00" + os.urandom(256),
            b"\x16\x03\x01\xff\xff" + os.urandom(16 * KIB),
            b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16 * KIB - 4),
        ]
    )
    for _ in range(count):
        if (caller := crowd.comes()) is not None:
            say(caller, next(said))


def _shake_hands(crowd: Crowd, count: int) -> None:
    """Handshakes to their end, and then silence."""
    context = _context()
    for _ in range(count):
        if (caller := crowd.comes()) is not None:
            _Forger(context, caller).shake_hands()


def _update_keys(crowd: Crowd, count: int) -> None:
    """A hundred thousand new keys, from all of them together."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count):
            keys = Path(folder) / "keys"
            keys.unlink(missing_ok=True)
            context = _context()
            context.keylog_filename = str(keys)
            if (caller := crowd.comes()) is None:
                continue
            forger = _Forger(context, caller)
            if forger.shake_hands():
                forger.take_keys(keys.read_text())
                say(caller, b"".join(forger.key_update() for _ in range(100_000 // count)))


class _Forger:
    """A client under TLS 1.3 that can make its records itself."""

    def __init__(self, context: ssl.SSLContext, sock: socket.socket) -> None:
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        self._secret = b""

    def shake_hands(self) -> bool:
        """Return whether the server went along to the end."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                say(self._sock, self._outgoing.read())
                with contextlib.suppress(OSError):
                    if heard := self._sock.recv(16 * KIB):
                        self._incoming.write(heard)
                        continue
                return False
            return say(self._sock, self._outgoing.read())

    def take_keys(self, log: str) -> None:
        """Go on by hand, with what the key log holds."""
        line = next(line for line in log.splitlines() if line.startswith("CLIENT_TRAFFIC_SECRET_0 "))
        self._secret = bytes.fromhex(line.split()[2])

    def key_update(self) -> bytes:
        """Return the record that says so, in today's key; the next is used from then on."""
        cipher = AESGCM(self._expand("key", 32))
        inside = _KEY_UPDATE + bytes([_HANDSHAKE])
        head = bytes([_DATA, 3, 3]) + (len(inside) + 16).to_bytes(2)
        record = head + cipher.encrypt(self._expand("iv", 12), inside, head)  # the first in this key
        self._secret = self._expand("traffic upd", 48)
        return record

    def _expand(self, label: str, size: int) -> bytes:
        name = b"tls13 " + label.encode()
        info = size.to_bytes(2) + bytes([len(name)]) + name + b"\0"
        return HKDFExpand(hashes.SHA384(), size, info).derive(self._secret)


TLS_FLOODS: Final = {
    "TLS hello, then silence": Flood(_fall_silent, 3000, 300, GUEST),
    "TLS hellos without end": Flood(_say_hello_and_go, 3000, 300, GONE),
    "TLS rubbish": Flood(_say_rubbish, 3000, 300, GONE),
    "TLS handshakes, then silence": Flood(_shake_hands, 1000, 100, GUEST),
    "TLS key updates": Flood(_update_keys, 50, 10, GUEST),
}
"""Each kind by its name."""
