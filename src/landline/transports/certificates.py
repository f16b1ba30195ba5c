"""Who an end is under TLS, and whom it trusts: what ``tls`` is given.

``ServerTLS`` is a certificate with its key, from files that somebody else keeps; ``ClientTLS`` says how a server is recognised: by
authorities, or by the fingerprint of its very certificate. ``make_certificate`` makes one where there is none. Contexts are built here and
nowhere else, so what no end of ours may do (old versions, renegotiation, compression) stands in one place.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import ipaddress
import logging
import os
import re
import ssl
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os import fspath
from pathlib import Path
from typing import Any, Final, NoReturn

from ..errors import TLSError
from ..limits import TRANSPORT

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("landline.transports")

_SELF_MADE: Final = "self-made.pem"
_LIFE: Final = timedelta(days=TRANSPORT.certificate_life)
_RENEWAL: Final = timedelta(days=TRANSPORT.certificate_renewal)
_CLOCKS: Final = timedelta(hours=1)
"""That a client's clock may be behind ours."""
_AGAIN_AFTER: Final = timedelta(hours=1)

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_FINGERPRINT: Final = re.compile(r"sha256:[0-9a-f]{64}")


def fingerprint_of(certificate: bytes) -> str:
    """Return the fingerprint of a certificate in DER."""
    return f"sha256:{hashlib.sha256(certificate).hexdigest()}"


class ServerTLS:
    """A server's certificate with its key.

    Args:
        certificate: PEM file that begins with the certificate, and goes on with those between it and an authority.
        key: PEM file of its key, without a password; may be the same file.
        clients: PEM file of the authorities that clients' certificates must come from; without it, clients need none.

    Attributes:
        context: for new connections; taken anew for each, so that a ``reload`` reaches it.
        fingerprint: of the certificate, as ``ClientTLS`` takes it: ``sha256:`` and 64 hexadecimal digits.

    Raises:
        TLSError: the files cannot be used; the reason says which, and why.
    """

    def __init__(
        self, certificate: str | Path, key: str | Path, *, clients: str | Path | None = None
    ) -> None:
        self._certificate, self._key, self._clients = certificate, key, clients
        self.reload()

    @property
    def context(self) -> ssl.SSLContext:
        """For new connections."""
        return self._context

    @property
    def fingerprint(self) -> str:
        """Of the certificate, for clients to pin."""
        return self._fingerprint

    def reload(self) -> None:
        """Read the files anew, for connections from now on; those that live keep what they began with.

        Raises:
            TLSError: the files cannot be used. What was read before stays in use.
        """
        context = _bare_context(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        fingerprint = fingerprint_of(_load_own(context, self._certificate, self._key))
        if self._clients is not None:
            _load_authorities(context, self._clients)
            context.verify_mode = ssl.CERT_REQUIRED
        self._context, self._fingerprint = context, fingerprint


@dataclass(frozen=True, kw_only=True)
class ClientTLS:
    """How a client recognises a server, and who it is itself.

    Attributes:
        fingerprint: of the server's certificate, ``sha256:`` and 64 hexadecimal digits (colons and capitals do no harm). It alone counts then:
            not who signed the certificate, nor its names, nor its dates.
        authority: PEM file of the authorities that may have signed it; else those that this machine trusts.
        certificate: PEM file of our own certificate, for servers that ask for one.
        key: PEM file of its key, without a password; where it is not given, it is in the certificate's file.

    Raises:
        TLSError: the fingerprint is none, or there is a key without a certificate.
    """

    fingerprint: str = ""
    authority: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None

    def __post_init__(self) -> None:
        plain = self.fingerprint.strip().lower()
        if plain:
            plain = "sha256:" + plain.removeprefix("sha256:").replace(":", "")
            if not _FINGERPRINT.fullmatch(plain):
                raise TLSError(
                    f"{self.fingerprint!r} is not a fingerprint: that is sha256: and 64 hexadecimal digits"
                )
        object.__setattr__(self, "fingerprint", plain)
        if self.key is not None and self.certificate is None:
            raise TLSError("a key is of no use without its certificate")

    def make_context(self) -> ssl.SSLContext:
        """Return a context for one dial; the files are read anew, so that certificates that were renewed are used.

        Raises:
            TLSError: a file cannot be used; the reason says which, and why.
        """
        if self.fingerprint:
            context = unverified_context()
        elif self.authority is not None:
            context = _bare_context(ssl.PROTOCOL_TLS_CLIENT)
            _load_authorities(context, self.authority)
        elif self.certificate is not None:
            context = _trusting_context()
        else:
            return _shared_context()
        if self.certificate is not None:
            _load_own(context, self.certificate, self.certificate if self.key is None else self.key)
        return context


def unverified_context() -> ssl.SSLContext:
    """Return a client's context that takes any certificate: whoever uses it looks at the fingerprint."""
    context = _bare_context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _bare_context(protocol: int) -> ssl.SSLContext:
    """A client's checks certificates and names; what it trusts is still missing."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A renegotiation costs its asker nothing and us a handshake; compression tells who listens what was compressed.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _trusting_context() -> ssl.SSLContext:
    context = _bare_context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context


@functools.cache
def _shared_context() -> ssl.SSLContext:
    """To read the machine's authorities takes milliseconds; every dial that has nothing else to say shares them."""
    return _trusting_context()


# A certificate of our own making...


def make_certificate(
    folder: str | Path, names: Sequence[str], *, clients: str | Path | None = None
) -> ServerTLS:
    """Return a certificate that nobody vouches for, made once and kept in ``folder`` with its key; clients pin its fingerprint.

    It is what ``Server(tls=…)`` takes.

    When its end is near (``reload`` looks, and whoever asks for its ``context``), or it is not for all of ``names``, another one is made, with
    another fingerprint. Of several programs that come for it at once, one makes it.

    Args:
        folder: made where it is missing, for its owner alone.
        names: hosts that clients dial, IP addresses among them.
        clients: as for ``ServerTLS``.

    Raises:
        TLSError: it cannot be made, read or kept; or the package ``cryptography`` is missing.
    """
    return _SelfMade(Path(folder), names, clients)


class _SelfMade(ServerTLS):
    def __init__(self, folder: Path, names: Sequence[str], clients: str | Path | None) -> None:
        self._folder, self._names = folder, names
        self._renewed_at = datetime.max.replace(tzinfo=UTC)
        path = folder / _SELF_MADE
        super().__init__(path, path, clients=clients)

    @property
    def context(self) -> ssl.SSLContext:
        """For new connections; of another certificate, when it is time for one."""
        if _now() >= self._renewed_at:
            try:
                self.reload()
            except TLSError as error:
                self._renewed_at = _now() + _AGAIN_AFTER
                log.warning("the certificate cannot be renewed: %s", error)
        return super().context

    def reload(self) -> None:
        """Read the file anew; where its end is near, make another one before."""
        self._renewed_at = _keep_valid(self._folder, self._names)
        super().reload()


def _keep_valid(folder: Path, names: Sequence[str]) -> datetime:
    """Have a certificate for ``names`` in ``folder`` that is good for some time; return when it is to be renewed."""
    try:
        from cryptography import x509
    except ImportError as error:
        raise TLSError(
            "to make a certificate, the package cryptography is needed: install landline[tls], or give one that is there"
        ) from error
    wanted = [_subject(x509, name) for name in names]
    if not wanted:
        raise TLSError("a certificate needs at least one name that it is for")
    path = folder / _SELF_MADE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder) as entry:
            if path.exists():
                kept = x509.load_pem_x509_certificate(path.read_bytes())
                found = kept.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
                renewed_at = kept.not_valid_after_utc - _RENEWAL
                if _now() < renewed_at and set(wanted) <= set(found):
                    return renewed_at
            _write_atomically(path, _made(wanted), entry)
            return _now() + _LIFE - _RENEWAL
    except OSError as error:
        raise TLSError(f"no certificate can be kept in {folder} ({error.strerror or error})") from error
    except (ValueError, x509.ExtensionNotFound) as error:
        raise TLSError(f"{path} is damaged; remove it, and another certificate is made") from error


def _subject(x509: Any, name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        pass
    try:
        return x509.DNSName(name if name.isascii() else name.encode("idna").decode("ascii"))
    except ValueError as error:
        raise TLSError(f"{name!r} is no name for a certificate") from error


def _made(subjects: Sequence[Any]) -> bytes:
    """Return a new key and its certificate, in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "landline")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _CLOCKS)
        .not_valid_after(_now() + _LIFE)
        .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Keep others who would make a certificate in this folder waiting; the kernel lets go when the process dies.

    Yields the folder, open; on Windows, where that cannot be, -1: there the last one's certificate stays, and everybody reads that.
    """
    if sys.platform == "win32":
        yield -1
        return
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _write_atomically(path: Path, data: bytes, folder: int) -> None:
    """Have all of ``data`` at ``path`` in the open ``folder``, for its owner alone, or what was there before."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)  # of a life that ended in the middle
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    if folder >= 0:
        os.fsync(folder)


def _now() -> datetime:
    return datetime.now(UTC)


# Reading files, and saying what is wrong with them...


def _load_own(context: ssl.SSLContext, certificate: str | Path, key: str | Path) -> bytes:
    """Load a certificate and its key; return the certificate in DER."""
    first = _PEM.search(_read(certificate))
    if first is None:
        raise TLSError(f"{certificate} holds no certificate in PEM")
    _read(key)

    def ask() -> NoReturn:
        raise TLSError(f"the key in {key} has a password; give it one without")

    try:
        der = ssl.PEM_cert_to_DER_cert(first[0].decode("ascii", "replace"))
        context.load_cert_chain(fspath(certificate), fspath(key), ask)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TLSError(f"the key in {key} does not belong to the certificate in {certificate}") from error
        raise TLSError(f"{certificate} or {key} cannot be used: {_text(error)}") from error
    except ValueError as error:  # not even base64
        raise TLSError(f"{certificate} holds no certificate in PEM") from error
    return der


def _load_authorities(context: ssl.SSLContext, path: str | Path) -> None:
    if not _PEM.search(_read(path)):
        raise TLSError(f"{path} holds no certificate in PEM, so no authority")
    try:
        context.load_verify_locations(fspath(path))
    except ssl.SSLError as error:
        raise TLSError(f"{path} cannot be used: {_text(error)}") from error


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TLSError(f"{path} cannot be read ({error.strerror or error})") from error


def _text(error: ssl.SSLError) -> str:
    return (error.reason or "it is no PEM").lower().replace("_", " ")
