"""What went wrong, in words: every reason that OpenSSL knows becomes a clause, and what a person can act on becomes advice."""

from __future__ import annotations

import ssl

import pytest

from landline.transports.tls.reasons import why_broken, why_not_trusted


def failure(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] in its own words (_ssl.c:1)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("reason", "at_a_server", "at_a_client"),
    [
        (
            "WRONG_VERSION_NUMBER",
            "what came is not TLS",
            "the server answers, but does not speak TLS: dial it without",
        ),
        (
            "HTTP_REQUEST",
            "what came is not TLS, but HTTP",
            "the server answers, but does not speak TLS: dial it without",
        ),
        (
            "NO_SHARED_CIPHER",
            "there is no cipher that both ends take",
            "there is no cipher that both ends take",
        ),
        ("SOMETHING_NEW", "TLS failed (something new)", "TLS failed (something new)"),
    ],
)
def test_each_end_has_its_own_words(reason: str, at_a_server: str, at_a_client: str) -> None:
    """What one end can do about it is nothing that the other one has to be told."""
    assert why_broken(failure(reason), is_client=False) == at_a_server
    assert why_broken(failure(reason), is_client=True) == at_a_client


def test_advice_without_a_fingerprint() -> None:
    """The server may be gone when it is asked for what it showed."""
    assert why_not_trusted(18, "self-signed certificate", "example.org", "").endswith(
        "reads out to you, pin its fingerprint"
    )


def test_a_verdict_that_has_no_advice_of_its_own() -> None:
    """The library's words for it then, such as for a certificate that is not for servers."""
    text = why_not_trusted(26, "unsuitable certificate purpose", "example.org", "sha256:00")

    assert text.startswith(
        "the server's certificate is not good (unsuitable certificate purpose); if that is what"
    )
