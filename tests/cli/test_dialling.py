"""How the commands of programs find their server, and whom they trust."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from landline.apps.program import publish
from landline.apps.program.publish import Publish
from landline.cli.main import main

FINGERPRINT = "sha256:" + "ab" * 32


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Publish]:
    """What the app was asked for."""
    found: list[Publish] = []

    async def run(wanted: Publish, stop: asyncio.Event) -> int:
        found.append(wanted)
        return 0

    monkeypatch.setattr(publish, "run", run)
    return found


def test_whom_to_trust_and_who_we_are_reaches_the_app(
    asked: list[Publish], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flags for what others may see, a variable for the token."""
    monkeypatch.setenv("LANDLINE_TOKEN", "secret")
    pem = str(tmp_path / "a.pem")
    words = ["--fingerprint", FINGERPRINT, "--authority", pem, "--certificate", pem, "--key", pem]
    assert main(["publish", "tls://host:1", "a", "b", *words]) == 0

    server = asked[0].server
    assert (server.address, server.credentials) == ("tls://host:1", "secret")
    assert server.tls is not None
    assert server.tls.fingerprint == FINGERPRINT
    assert {str(server.tls.authority), str(server.tls.certificate), str(server.tls.key)} == {pem}


def test_without_a_token_nothing_is_shown(asked: list[Publish]) -> None:
    """Not an empty text."""
    assert main(["publish", "5000", "a", "b"]) == 0
    assert asked[0].server.credentials is None


def test_a_bad_fingerprint_is_a_usage_error(asked: list[Publish], capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is dialled."""
    assert main(["publish", "tls://host:1", "a", "b", "--fingerprint", "ab"]) == 2
    assert "is not a fingerprint" in capsys.readouterr().err
    assert asked == []
