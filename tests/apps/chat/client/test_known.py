"""What a client remembers of servers: what let it in goes before nothing, and never to another place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landline.apps.chat.client.known import FILE, MOST, KnownServers
from landline.apps.chat.invitations import Invitation

PIN = f"sha256:{'ab' * 32}"
DEEP = b'{"there:1": {"x": ' + b"[" * 100_000
OTHER_PIN = f"sha256:{'cd' * 32}"


@pytest.fixture
def known(tmp_path: Path) -> KnownServers:
    return KnownServers(tmp_path)


def test_what_let_us_in_is_known_the_next_time(known: KnownServers, tmp_path: Path) -> None:
    """Whichever way the same host and port are reached, and for our own user alone."""
    known.keep(Invitation("wss://there:1/", "secret", PIN))

    assert KnownServers(tmp_path).complete(Invitation("tls://there:1")) == Invitation(
        "tls://there:1", "secret", PIN
    )
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("address", ["tls://there:2", "tls://elsewhere:1", "unix:///there:1"])
def test_another_place_is_shown_nothing(address: str, known: KnownServers) -> None:
    """An invite is for the server that gave it."""
    known.keep(Invitation("tls://there:1", "secret", PIN))

    assert known.complete(Invitation(address)) == Invitation(address)


def test_what_is_said_now_goes_before(known: KnownServers) -> None:
    """And is what is known from then on."""
    known.keep(Invitation("tls://there:1", "secret", PIN))
    said = Invitation("tls://there:1", "new", OTHER_PIN)

    assert known.complete(said) == said
    known.keep(said)
    assert known.complete(Invitation("tls://there:1")) == said


@pytest.mark.parametrize("address", ["tcp://there:1", "ws://there:1/"])
def test_what_was_good_under_tls_is_not_shown_without(address: str, known: KnownServers) -> None:
    """Whoever is on the way would have the invite; what was good there is known apart from it."""
    known.keep(Invitation("wss://there:1/", "secret", PIN))

    assert known.complete(Invitation(address)) == Invitation(address)
    known.keep(Invitation(address, "open"))
    assert known.complete(Invitation(address)).invite == "open"
    assert known.complete(Invitation("tls://there:1")).invite == "secret"


def test_nothing_is_written_of_a_server_that_asks_for_nothing(known: KnownServers, tmp_path: Path) -> None:
    """No list grows of where somebody has been."""
    known.keep(Invitation("tcp://localhost:1"))

    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"there:1": 7}', b"\xff", b'{"\xff": {}}', DEEP])
def test_a_file_that_cannot_be_read_is_nothing_known(
    content: bytes, known: KnownServers, tmp_path: Path
) -> None:
    """It is made anew when there is something to keep."""
    (tmp_path / FILE).write_bytes(content)

    assert known.complete(Invitation("tls://there:1")) == Invitation("tls://there:1")
    known.keep(Invitation("tls://there:1", "secret"))
    assert known.complete(Invitation("tls://there:1")).invite == "secret"


def test_a_folder_that_is_not_there_keeps_nothing(tmp_path: Path) -> None:
    """The chat goes on all the same."""
    known = KnownServers(tmp_path / "missing")
    known.keep(Invitation("tls://there:1", "secret"))

    assert known.complete(Invitation("tls://there:1")).invite == ""


@pytest.mark.parametrize(
    ("address", "invite"),
    [
        ("tcp://localhost:1", "ours"),
        ("ws://127.0.0.1:1/", "ours"),
        ("unix:///a", "ours"),
        ("tls://there:1", ""),
    ],
)
def test_who_may_read_the_servers_data_needs_no_invite(
    address: str, invite: str, known: KnownServers, tmp_path: Path
) -> None:
    """On this machine; to another one our own server's secret is never shown."""
    (tmp_path / "invite").write_text("ours\n")

    assert known.complete(Invitation(address)).invite == invite


def test_our_own_servers_invite_is_read_each_time(known: KnownServers, tmp_path: Path) -> None:
    """It was taken back and another one drawn: the former is remembered nowhere."""
    (tmp_path / "invite").write_text("former\n")
    known.keep(known.complete(Invitation("tcp://localhost:1")))
    (tmp_path / "invite").write_text("present\n")

    assert known.complete(Invitation("tcp://localhost:1")).invite == "present"
    assert not (tmp_path / FILE).exists()


@pytest.mark.limit("chat.client.servers")
def test_not_more_are_known_than_that(known: KnownServers, tmp_path: Path) -> None:
    """Who was new the longest ago goes."""
    many = {f"there:{port}": {"invite": "secret"} for port in range(1, MOST + 1)}
    (tmp_path / FILE).write_text(json.dumps(many))
    assert known.complete(Invitation("tls://there:1")).invite == "secret"

    known.keep(Invitation(f"tls://there:{MOST + 1}", "secret"))

    assert known.complete(Invitation("tls://there:1")).invite == ""
    assert known.complete(Invitation("tls://there:2")).invite == "secret"
