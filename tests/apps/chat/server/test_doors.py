"""What a chat server asks for at its doors, by its settings: what is missing is made, and what cannot be used is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.chat.server.doors import CERTIFICATE, find_doors
from landline.apps.chat.server.invite import FILE
from landline.errors import SettingsError
from landline.settings import ServeSettings, Settings, TlsSettings

EVERYWHERE = ("tcp://*:0",)


def settings(folder: Path, *, tls: TlsSettings | None = None, **serve: Any) -> Settings:
    return Settings(data=folder / "data", tls=tls or TlsSettings(), serve=ServeSettings(**serve))


def test_on_this_machine_alone_nothing_is_asked(tmp_path: Path) -> None:
    """And nothing is made."""
    doors = find_doors(settings(tmp_path))

    assert (doors.invite.is_wanted, doors.tls) == (False, None)
    assert list(tmp_path.iterdir()) == []


def test_for_other_machines_there_are_an_invite_and_a_certificate(tmp_path: Path) -> None:
    """Made once, and the same at the next start."""
    doors = find_doors(settings(tmp_path, addresses=EVERYWHERE))
    again = find_doors(settings(tmp_path, addresses=EVERYWHERE))

    assert doors.tls is not None
    assert again.tls is not None
    assert doors.is_self_made
    assert (doors.invite.text, doors.tls.fingerprint) == (again.invite.text, again.tls.fingerprint)
    assert sorted(each.name for each in (tmp_path / "data").iterdir()) == sorted([CERTIFICATE, FILE])


@pytest.mark.parametrize("addresses", [EVERYWHERE, ("tcp://localhost:0",)])
def test_a_certificate_that_is_there_is_shown(addresses: tuple[str, ...], tmp_path: Path) -> None:
    """On this machine alone, too: whoever names it means that. An authority may vouch for it: no fingerprint is read out."""
    made = landline.make_certificate(tmp_path, ["localhost"])
    (path,) = [each for each in tmp_path.iterdir() if each.suffix == ".pem"]
    doors = find_doors(settings(tmp_path, tls=TlsSettings(certificate=path), addresses=addresses))

    assert doors.tls is not None
    assert doors.tls.fingerprint == made.fingerprint
    assert not doors.is_self_made


@pytest.mark.parametrize("what", ["certificate", "files"])
def test_a_file_that_cannot_be_used_is_named(what: str, tmp_path: Path) -> None:
    """With the setting that names it; nothing is served then."""
    missing = tmp_path / "missing"
    with pytest.raises(SettingsError, match="missing") as caught:
        find_doors(
            settings(tmp_path, tls=TlsSettings(certificate=missing), addresses=EVERYWHERE)
            if what == "certificate"
            else settings(tmp_path, files=missing)
        )

    assert caught.value.key.endswith(what)


def test_who_wants_it_otherwise_says_so(tmp_path: Path) -> None:
    """TLS without an invite, an invite without TLS; on this machine, too."""
    doors = find_doors(Settings(data=tmp_path / "a", serve=ServeSettings(tls="yes")))
    assert (doors.tls is not None, doors.invite.is_wanted) == (True, False)

    doors = find_doors(Settings(data=tmp_path / "b", serve=ServeSettings(addresses=EVERYWHERE, tls="no")))
    assert (doors.tls is not None, doors.invite.is_wanted) == (False, True)
