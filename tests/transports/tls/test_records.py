"""OpenSSL in memory: both ends in one function, with no line between them but the test's hands."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from landline.limits import TRANSPORT
from landline.transports.tls import records
from landline.transports.tls.records import Records

if TYPE_CHECKING:
    from tests.transports.conftest import Authority

Ends = tuple[Records, Records]


@pytest.fixture
def ends(authority: Authority) -> Ends:
    """A client and a server that have shaken hands."""
    client = Records(authority.client().make_context(), "localhost")
    server = Records(authority.server().context, None)
    client.receive(b"")
    while not (client.is_open and server.is_open):
        server.receive(client.to_send())
        client.receive(server.to_send())
    client.receive(server.to_send())
    return client, server


def encrypted(end: Records, data: bytes) -> list[bytes]:
    written: list[bytes] = []
    end.encrypt(data, written.append)
    return written


def test_whatever_the_pieces_the_words_are_the_same(ends: Ends) -> None:
    """A byte at a time, a record and a half, or all at once."""
    client, server = ends
    words = bytes(range(256)) * 200
    for size in (1, 7, 24_000, 1 << 20):
        line = b"".join(encrypted(client, words))
        heard = b""
        for at in range(0, len(line), size):
            found, broken = server.receive(line[at : at + size])
            assert broken is None
            heard += b"".join(found)

        assert heard == words


def test_what_arrives_at_once_is_one_piece(ends: Ends) -> None:
    """However many records it is, up to what is read at a time."""
    client, server = ends
    line = b"".join(encrypted(client, b"x" * 60_000))

    assert [len(each) for each in server.receive(line)[0]] == [60_000]


@pytest.mark.limit("transport.tls_piece")
def test_openssl_is_given_a_piece_at_a_time(ends: Ends) -> None:
    """What leaves it is no larger either: its memory grows to the largest that it held, and stays so."""
    client, server = ends
    given: list[int] = []

    class Watched:
        pending = 0

        def write(self, data: bytes | memoryview) -> None:
            given.append(len(data))

    line = encrypted(client, b"x" * (1 << 20))
    server._incoming = Watched()  # type: ignore[assignment]
    server.receive(b"".join(line))

    assert TRANSPORT.tls_piece == records.PIECE
    assert TRANSPORT.tls_piece < max(map(len, line)) < TRANSPORT.tls_piece + 256  # and the records' heads
    assert max(given) == TRANSPORT.tls_piece
    assert sum(given) == sum(map(len, line))


def test_farewells_are_independent(ends: Ends) -> None:
    """Who has said it hears on; who has heard it may go on."""
    client, server = ends
    client.say_farewell()
    assert server.receive(client.to_send()) == ([], None)
    assert server.has_ended and not client.has_ended

    assert client.receive(b"".join(encrypted(server, b"still here"))) == ([b"still here"], None)

    server.say_farewell()
    assert client.receive(server.to_send()) == ([], None)
    assert client.has_ended


def test_the_last_words_and_the_farewell_in_one(ends: Ends) -> None:
    """The words count."""
    client, server = ends
    line = b"".join(encrypted(client, b"good bye"))
    client.say_farewell()

    assert server.receive(line + client.to_send()) == ([b"good bye"], None)
    assert server.has_ended


def test_what_comes_after_a_farewell_is_no_word(ends: Ends) -> None:
    """It is not looked at."""
    client, server = ends
    client.say_farewell()
    server.receive(client.to_send())

    assert server.receive(b"rubbish" * 1000) == ([], None)


def test_good_words_before_a_broken_record_count(ends: Ends) -> None:
    """And what is wrong with the rest is said beside them, with an alert for the peer."""
    client, server = ends
    good, bad = b"".join(encrypted(client, b"good")), bytearray(b"".join(encrypted(client, b"bad")))
    bad[-1] ^= 1
    found, broken = server.receive(good + bytes(bad))

    assert found == [b"good"]
    assert broken is not None and broken.reason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    assert client.receive(server.to_send())[1] is not None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("is_asked", [True, False])
@pytest.mark.parametrize("shows", [True, False])
@pytest.mark.parametrize("cipher", ["ECDHE+AES128", "ECDHE+AES256"])
def test_a_client_knows_whether_it_was_asked(
    version: ssl.TLSVersion, is_asked: bool, shows: bool, cipher: str, authority: Authority
) -> None:
    """Under TLS 1.3 the server judges its certificate, or that it has none, when the handshake is over for the client."""
    tls = authority.server(clients=authority.path if is_asked else None)
    tls.context.maximum_version = version
    tls.context.set_ciphers(cipher)
    client = Records(
        authority.client(certificate=authority.sign("me@example.org") if shows else None).make_context(),
        "localhost",
    )
    server = Records(tls.context, None)
    client.receive(b"")
    for _ in range(2):
        server.receive(client.to_send())
        client.receive(server.to_send())

    assert client.is_open or (is_asked and not shows and version is ssl.TLSVersion.TLSv1_2)
    assert client.is_unjudged is (is_asked and version is ssl.TLSVersion.TLSv1_3)
