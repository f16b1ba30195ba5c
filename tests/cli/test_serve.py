"""``landline serve`` hands the settings to the chat server and its exit code back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import landline.apps.chat
from landline.cli.main import main
from landline.settings import Settings


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that the server was run with."""
    calls: list[Settings] = []

    class Server:
        @staticmethod
        async def run(settings: Settings, stop: asyncio.Event) -> int:
            assert not stop.is_set()
            calls.append(settings)
            return 0

    monkeypatch.setattr(landline.apps.chat, "server", Server, raising=False)
    monkeypatch.chdir(tmp_path)
    return calls


def test_flags_become_settings(served: list[Settings], tmp_path: Path) -> None:
    """Each where the server looks for it."""
    arguments = [
        "--address",
        "tcp://a:1",
        "--address",
        "b",
        "--data",
        str(tmp_path / "d"),
        "--no-operator",
        "--history",
        "9",
    ]

    assert main(["serve", *arguments]) == 0

    (settings,) = served
    assert settings.serve.addresses == ("tcp://a:1", "tcp://b:12345")
    assert settings.data == tmp_path / "d"
    assert settings.serve.operator is False
    assert settings.serve.history == 9


def test_host_and_port_become_an_address(served: list[Settings]) -> None:
    """The everyday way."""
    assert main(["serve", "--host", "::1", "--port", "0"]) == 0

    assert served[0].serve.addresses == ("tcp://[::1]:0",)


def test_a_bad_setting_starts_nothing(served: list[Settings]) -> None:
    """No server, no folder."""
    assert main(["serve", "--port", "x"]) == 2

    assert served == []
