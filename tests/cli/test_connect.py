"""``landline connect`` on the command line; whole transfers are in test_listen.py, since it takes two."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from landline.apps.pipe import connect
from landline.apps.pipe.meeting import Pipe
from landline.cli.main import main


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Pipe]:
    """What the app was asked for."""
    pipes: list[Pipe] = []

    async def run(pipe: Pipe, stop: asyncio.Event) -> int:
        assert not stop.is_set()
        pipes.append(pipe)
        return 0

    monkeypatch.setattr(connect, "run", run)
    return pipes


def test_the_app_gets_what_was_asked_for(asked: list[Pipe]) -> None:
    """Address, kind of line, and how much it may say."""
    assert main(["connect", "-q", "--plain", "--loop", "asyncio", "5000"]) == 0

    (pipe,) = asked
    assert (pipe.address, pipe.is_plain, pipe.is_quiet) == ("tcp://localhost:5000", True, True)


def test_without_an_address_nothing_is_dialled(asked: list[Pipe]) -> None:
    """The chat's own port is not a good guess."""
    assert main(["connect"]) == 2
    assert asked == []


def test_nobody_there_has_an_exit_code_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """3, so that a script can wait for the other end."""
    monkeypatch.setattr(connect, "standard_output", lambda: 1)

    assert main(["connect", f"unix://{tmp_path}/none"]) == 3

    assert capsys.readouterr().err.startswith(
        f"landline: cannot connect to unix://{tmp_path}/none: there is no such"
    )
