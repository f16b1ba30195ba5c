"""Names that are ours, and pages that are."""

from __future__ import annotations

import socket

import pytest

from landline.web.origin import Origins
from landline.web.refusal import Refused


def status(
    rule: Origins | None = None,
    *,
    host: str,
    origin: str | None = None,
    method: str = "GET",
    is_secure: bool = False,
    is_upgrade: bool = False,
) -> int:
    """What a request is refused with, or 0."""
    fields = {b"host": host.encode("latin-1")}
    if origin is not None:
        fields[b"origin"] = origin.encode("latin-1")
    try:
        (rule or Origins()).check(method, fields, is_secure=is_secure, is_upgrade=is_upgrade)
    except Refused as refused:
        assert not refused.is_fault
        return refused.status
    return 0


NAME = socket.gethostname()
OURS = [
    "localhost",
    "LOCALHOST:80",
    "a.localhost",
    "127.0.0.1",
    "192.0.2.7:12345",
    "[::1]",
    "[2001:db8::1]:80",
    "localhost.",
    NAME,
]


@pytest.mark.parametrize("host", OURS)
def test_a_server_answers_to_its_own_names(host: str) -> None:
    """No page elsewhere can have an address or these names point at us."""
    assert status(host=host) == 0


def test_a_machine_is_found_in_its_network_by_its_name() -> None:
    """As multicast DNS has it."""
    assert status(host=f"{NAME.partition('.')[0]}.local") == 0


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evillocalhost",
        "127.0.0.1.evil.example",
        "127.1",
        "2130706433",
        "",
        "a b",
        "localhost:x",
        "localhost:123456",
        "user@localhost",
        "localhost/",
        "[::1",
        "::1",
        "[127.0.0.1]:x",
        "*.localhost",
        "\xe4",
    ],
)
def test_a_server_answers_to_no_other_name(host: str) -> None:
    """With the status that says so, and a sentence that says what to do."""
    assert status(host=host) == 421


def test_listed_names_are_ours_too() -> None:
    """In any case, with any port."""
    rule = Origins(hosts=["Chat.Example"])

    assert status(rule, host="chat.example:443") == status(rule, host="CHAT.example.") == 0
    assert status(rule, host="a.chat.example") == 421


HARMLESS = [("GET", False, 0), ("HEAD", False, 0), ("OPTIONS", False, 0)]
HARMFUL = [
    ("GET", True, 403),
    ("POST", False, 403),
    ("PUT", False, 403),
    ("DELETE", False, 403),
    ("get", False, 403),
]


@pytest.mark.parametrize(("method", "is_upgrade", "expected"), HARMLESS + HARMFUL)
def test_what_changes_anything_is_not_taken_from_another_page(
    method: str, is_upgrade: bool, expected: int
) -> None:
    """Reading is: what is read is not shown to that page."""
    found = status(host="localhost", origin="http://evil.example", method=method, is_upgrade=is_upgrade)

    assert found == expected


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("localhost", "http://LOCALHOST:80"),
        ("127.0.0.1:443", "https://127.0.0.1"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_our_own_pages_may_do_everything(host: str, origin: str) -> None:
    """The usual port may be said or not."""
    assert status(method="POST", is_upgrade=True, host=host, origin=origin) == 0


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://localhost:8081",
        "http://127.0.0.1:8080",
        "http://localhost",
        "ftp://localhost:8080",
        "http://localhost:8080/",
        "http://localhost:8080.evil.example",
        "http://localhost:8080@evil.example",
        "http://localhost:8080, http://localhost:8080",
        "localhost:8080",
    ],
)
def test_a_page_of_another_place_is_not_ours(origin: str) -> None:
    """Another port, another name for the same machine, and what is no origin at all."""
    assert status(is_upgrade=True, host="localhost:8080", origin=origin) == 403


def test_programs_say_no_origin() -> None:
    """Only browsers do, and of them each does where it matters."""
    assert status(method="POST", host="localhost") == status(is_upgrade=True, host="localhost") == 0


def test_listed_pages_may_what_ours_may() -> None:
    """With the port they have."""
    rule = Origins(origins=["https://Example.com"])

    assert status(rule, is_upgrade=True, host="localhost", origin="https://example.com") == 0
    assert status(rule, is_upgrade=True, host="localhost", origin="https://example.com:8443") == 403
    assert status(rule, is_upgrade=True, host="localhost", origin="http://example.com") == 403


def test_over_tls_a_page_that_came_without_is_another() -> None:
    """Anybody on the way could have written it. Behind a proxy that speaks TLS both are ours."""
    host, plain, tls = "localhost:8443", "http://localhost:8443", "https://localhost:8443"

    assert status(host=host, origin=plain, is_upgrade=True, is_secure=True) == 403
    assert status(host=host, origin=tls, is_upgrade=True, is_secure=True) == 0
    assert status(host=host, origin=tls, is_upgrade=True) == 0


def test_what_is_listed_and_is_no_origin_is_said() -> None:
    """A mistyped one would never match, and nobody would know why."""
    with pytest.raises(ValueError, match=r"example\.com"):
        Origins(origins=["example.com"])
