"""The settings as a program gets them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from landline.errors import SettingsError
from landline.settings import DEFAULT_HOST, DEFAULT_PORT, ServeSettings, Settings, bracketed


def test_the_defaults_are_loopback() -> None:
    """Nobody outside this machine gets in unless somebody decides so."""
    settings = Settings()

    assert (DEFAULT_HOST, DEFAULT_PORT) == ("localhost", 12345)
    assert settings.serve.addresses == (settings.chat.address,) == ("tcp://localhost:12345",)


def test_the_data_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    """Its parents too; a second time it is there."""
    settings = Settings(data=tmp_path / "a" / "b")

    assert settings.make_data_folder() == tmp_path / "a" / "b"
    assert settings.make_data_folder().is_dir()
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_data_folder_that_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in its place or above it, and a folder without the right to write."""
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match="cannot be used: it is not a folder; choose another with --data"):
        Settings(data=tmp_path / "file").make_data_folder()
    with pytest.raises(SettingsError, match="cannot be used: not a directory"):
        Settings(data=tmp_path / "file" / "below").make_data_folder()
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(SettingsError, match="it cannot be written to") as caught:
        Settings(data=tmp_path).make_data_folder()
    assert caught.value.key == "data"


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("tcp://localhost:1", False),
        ("tcp://127.0.0.2:1", False),
        ("tcp://[::1]:1", False),
        ("unix:///run/chat.sock", False),
        ("tcp://0.0.0.0:1", True),
        ("tcp://[::]:1", True),
        ("tcp://*:1", True),
        ("tcp://192.0.2.7:1", True),
        ("tcp://some-name:1", True),
    ],
)
def test_what_other_machines_can_reach_is_guarded(address: str, *, is_public: bool) -> None:
    """TLS and an invite, unless somebody says otherwise; a name may mean anything, so it counts as reachable."""
    serve = ServeSettings(addresses=("tcp://localhost:2", address))

    assert (serve.is_public, serve.wants_tls, serve.wants_invite) == (is_public,) * 3


@pytest.mark.parametrize(("said", "wanted"), [("yes", True), ("no", False)])
def test_what_somebody_says_holds_wherever_it_listens(said: str, *, wanted: bool) -> None:
    """On this machine alone, and for all the world."""
    for address in ("tcp://localhost:1", "tcp://*:1"):
        serve = ServeSettings(addresses=(address,), tls=said, invite=said)

        assert (serve.wants_tls, serve.wants_invite) == (wanted, wanted)


@pytest.mark.parametrize(
    ("host", "shown"),
    [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("[::1]", "[::1]")],
)
def test_a_host_stands_before_a_port_in_brackets_where_it_has_colons(host: str, shown: str) -> None:
    """And never in two pairs of them."""
    assert bracketed(host) == shown
