"""Certificates: files that can be used and files that cannot, and those that are made here."""

from __future__ import annotations

import dataclasses
import os
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from landline.errors import TLSError
from landline.limits import TRANSPORT
from landline.transports import certificates
from landline.transports.certificates import ClientTLS, ServerTLS, fingerprint_of, make_certificate

if TYPE_CHECKING:
    from .conftest import Authority

NAMES = ["chat.example", "127.0.0.1", "::1"]


def made(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "self-made.pem").read_bytes())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves the time on."""
    passed = timedelta()

    def move(by: timedelta) -> None:
        nonlocal passed
        passed += by

    monkeypatch.setattr(certificates, "_now", lambda: datetime.now(UTC) + passed)
    return move


# A server's...


def test_no_end_speaks_what_is_broken(authority: Authority) -> None:
    """TLS 1.2 and newer, without renegotiation and compression; a server offers HTTP/1.1 and nothing newer."""
    for context in (
        authority.server().context,
        authority.client().make_context(),
        ClientTLS().make_context(),
    ):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION
        assert context.options & ssl.OP_NO_COMPRESSION


def test_a_client_checks_whom_it_reached() -> None:
    """Certificate and name, by the authorities of this machine, unless it is told more."""
    context = ClientTLS().make_context()

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_fingerprint_is_that_of_the_certificate(authority: Authority) -> None:
    """SHA-256 over the first certificate of the file, whatever follows it."""
    path = authority.sign("localhost")
    certificate = x509.load_pem_x509_certificate(path.read_bytes())

    assert ServerTLS(path, path).fingerprint == fingerprint_of(
        certificate.public_bytes(serialization.Encoding.DER)
    )


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    """The reason says which file, and why."""
    good, other = authority.sign("localhost"), authority.sign("localhost")
    rubbish, broken, secret = tmp_path / "rubbish", tmp_path / "broken", tmp_path / "secret"
    rubbish.write_text("nothing\n")
    broken.write_text("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n")
    secret.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open"),
        )
    )
    for certificate, key, clients, reason in [
        (tmp_path / "none", good, None, f"{tmp_path}/none cannot be read \\(No such file"),
        (good, tmp_path / "none", None, f"{tmp_path}/none cannot be read"),
        (rubbish, good, None, f"{rubbish} holds no certificate in PEM"),
        (broken, good, None, f"{broken} or {good} cannot be used"),
        (good, rubbish, None, f"{good} or {rubbish} cannot be used"),
        (good, other, None, f"the key in {other} does not belong to the certificate in {good}"),
        (good, secret, None, f"the key in {secret} has a password"),
        (good, good, rubbish, f"{rubbish} holds no certificate in PEM, so no authority"),
        (good, good, broken, f"{broken} cannot be used"),
    ]:
        with pytest.raises(TLSError, match=reason):
            ServerTLS(certificate, key, clients=clients)


def test_a_reload_takes_the_new_files_or_keeps_the_old(authority: Authority, tmp_path: Path) -> None:
    """What cannot be used changes nothing."""
    path = tmp_path / "certificate.pem"
    path.write_bytes(authority.sign("localhost").read_bytes())
    tls = ServerTLS(path, path)
    context, fingerprint = tls.context, tls.fingerprint
    path.write_text("half a fi")
    with pytest.raises(TLSError):
        tls.reload()

    assert (tls.context, tls.fingerprint) == (context, fingerprint)

    path.write_bytes(authority.sign("localhost").read_bytes())
    tls.reload()

    assert tls.context is not context
    assert tls.fingerprint != fingerprint


# A client's...


def test_a_fingerprint_is_read_as_people_copy_it() -> None:
    """With capitals, with colons, without its kind; kept in one form."""
    plain = "sha256:" + "0a" * 32

    assert ClientTLS(fingerprint="SHA256:" + "0A" * 32).fingerprint == plain
    assert ClientTLS(fingerprint=" " + ":".join(["0a"] * 32) + "\n").fingerprint == plain


@pytest.mark.parametrize(
    "text", ["sha256:", "0a", "sha1:" + "0a" * 20, "sha256:" + "0g" * 32, "sha256:" + "0a" * 33]
)
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    """Else it would be a pin that nothing fits, and only the dial would say so."""
    with pytest.raises(TLSError, match="is not a fingerprint"):
        ClientTLS(fingerprint=text)


def test_a_client_cannot_be_changed() -> None:
    """It is shared by every dial of a session."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        ClientTLS().fingerprint = ""  # type: ignore[misc]


def test_a_key_alone_is_refused(authority: Authority) -> None:
    """It would silently be no client certificate at all."""
    with pytest.raises(TLSError, match="without its certificate"):
        ClientTLS(key=authority.sign("me"))


def test_a_clients_files_are_read_for_each_dial(authority: Authority, tmp_path: Path) -> None:
    """So what was renewed is used, and what is missing is said then."""
    path = tmp_path / "me.pem"
    tls = ClientTLS(certificate=path)
    with pytest.raises(TLSError, match=r"me\.pem cannot be read"):
        tls.make_context()
    path.write_bytes(authority.sign("me").read_bytes())

    assert tls.make_context().verify_mode == ssl.CERT_REQUIRED


# Those that are made...


@pytest.mark.limit("transport.certificate_life")
def test_a_certificate_is_made_for_names_and_addresses(tmp_path: Path) -> None:
    """P-256, for hosts and IP addresses, and valid for 825 days from now."""
    before = datetime.now(UTC)
    tls = make_certificate(tmp_path / "folder", [*NAMES, "bücher.example"])
    certificate = made(tmp_path / "folder")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    key = certificate.public_key()

    assert names.get_values_for_type(x509.DNSName) == ["chat.example", "xn--bcher-kva.example"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    assert certificate.not_valid_before_utc < before
    assert timedelta(days=824) < certificate.not_valid_after_utc - before <= timedelta(days=825, minutes=1)
    assert tls.fingerprint == fingerprint_of(certificate.public_bytes(serialization.Encoding.DER))
    assert TRANSPORT.certificate_life == 825


@pytest.mark.skipif(sys.platform == "win32", reason="about the rights of POSIX")
def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """Its file holds the key."""
    before = os.umask(0)
    try:
        make_certificate(tmp_path / "folder", NAMES)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "folder" / "self-made.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700


def test_it_is_made_once(tmp_path: Path) -> None:
    """Clients have pinned it: it stays, also for fewer names."""
    first = make_certificate(tmp_path, NAMES).fingerprint

    assert make_certificate(tmp_path, NAMES[1:]).fingerprint == first
    assert make_certificate(tmp_path, ["other.example"]).fingerprint != first


@pytest.mark.limit("transport.certificate_renewal")
def test_it_is_renewed_thirty_days_before_its_end(tmp_path: Path, clock: Callable[[timedelta], None]) -> None:
    """Also in a process that runs for years, for the connections from then on, and for nobody a moment earlier."""
    tls = make_certificate(tmp_path, NAMES)
    first, context = tls.fingerprint, tls.context
    clock(timedelta(days=825 - 30, minutes=-1))

    assert tls.context is context
    assert make_certificate(tmp_path, NAMES).fingerprint == first

    clock(timedelta(minutes=1))

    assert tls.context is not context
    assert tls.fingerprint == make_certificate(tmp_path, NAMES).fingerprint != first
    assert made(tmp_path).not_valid_after_utc > certificates._now() + timedelta(days=824)


def test_a_renewal_that_fails_changes_nothing_and_is_tried_again(
    tmp_path: Path, clock: Callable[[timedelta], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The disk may be full for a while; connections go on, and the log says it once an hour."""
    folder = tmp_path / "folder"
    tls = make_certificate(folder, NAMES)
    first = tls.fingerprint
    moved = folder.rename(tmp_path / "elsewhere")
    folder.write_text("in the way")
    clock(timedelta(days=800))
    for _ in range(3):
        assert tls.context is not None

    assert tls.fingerprint == first
    assert caplog.text.count("cannot be renewed") == 1

    folder.unlink()
    moved.rename(folder)
    clock(timedelta(hours=1))
    assert tls.context is not None

    assert tls.fingerprint != first


def test_what_a_crash_leaves_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies in the middle of writing: there is no half certificate, and the next life makes a whole one."""

    class Died(BaseException):
        pass

    def die(descriptor: int) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        with pytest.raises(Died):
            make_certificate(tmp_path, NAMES)

    assert [path.name for path in tmp_path.iterdir()] == ["self-made.new"]

    first = make_certificate(tmp_path, NAMES)

    assert [path.name for path in tmp_path.iterdir()] == ["self-made.pem"]
    assert make_certificate(tmp_path, NAMES).fingerprint == first.fingerprint


def test_a_damaged_file_is_not_replaced_in_silence(tmp_path: Path) -> None:
    """Clients have pinned what was in it; whoever runs the server is to know."""
    make_certificate(tmp_path, NAMES)
    path = tmp_path / "self-made.pem"
    path.write_bytes(path.read_bytes()[:200])

    with pytest.raises(TLSError, match="is damaged; remove it"):
        make_certificate(tmp_path, NAMES)


@pytest.mark.parametrize(
    ("names", "reason"),
    [([], "at least one name"), (["a..b.é"], "is no name"), (["x" * 64 + "é"], "is no name")],
)
def test_names_that_are_none(names: list[str], reason: str, tmp_path: Path) -> None:
    """Nothing is made for them."""
    with pytest.raises(TLSError, match=reason):
        make_certificate(tmp_path, names)

    assert list(tmp_path.iterdir()) == []


def test_without_the_package_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is needed for nothing else, and so may be missing."""
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(TLSError, match=r"install landline\[tls\]"):
        make_certificate(tmp_path, NAMES)


@pytest.mark.long
def test_processes_at_once_make_one(tmp_path: Path) -> None:
    """Whoever comes second waits for the first, and takes what that one made."""
    code = (
        "import sys, pathlib, cryptography.x509; from landline.transports.certificates import make_certificate\n"
        "for folder in sys.stdin: print(make_certificate(pathlib.Path(folder.strip()), ['me']).fingerprint, flush=True)"
    )
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for folder in ["warm", *"abcd"]:
        for maker in makers:
            assert maker.stdin is not None
            maker.stdin.write(f"{tmp_path}/{folder}\n")
        for maker in makers:
            assert maker.stdin is not None
            maker.stdin.flush()
        found = {maker.stdout.readline() for maker in makers if maker.stdout is not None}

        assert len(found) == 1 and found.pop().startswith("sha256:")

    for maker in makers:
        maker.communicate(timeout=30)
