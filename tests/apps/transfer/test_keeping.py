"""What a receiver keeps until everything has come."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from landline.apps.transfer.keeping import Keeping, Kept
from landline.errors import SettingsError


def test_a_secret_stays_until_it_is_forgotten(tmp_path: Path) -> None:
    """For the same address and folder; then there is another one."""
    keeping = Keeping(tmp_path, "tcp://h:0", tmp_path / "to")
    new = keeping.read()
    assert len(new.secret) >= 22
    assert keeping.read() != new  # until it is kept

    assert keeping.claim(Kept(new.secret, "tcp://h:5"))
    assert Keeping(tmp_path, "tcp://h:0", tmp_path / "to").read() == Kept(new.secret, "tcp://h:5")
    assert Keeping(tmp_path, "tcp://h:0", tmp_path / "other").read().secret != new.secret
    assert Keeping(tmp_path, "tcp://h:1", tmp_path / "to").read().secret != new.secret

    keeping.forget()
    keeping.forget()
    assert keeping.read().secret != new.secret


def test_it_is_for_our_own_user_alone(tmp_path: Path) -> None:
    """Whoever reads it may send."""
    keeping = Keeping(tmp_path / "data", "tcp://h:0", tmp_path)
    assert keeping.claim(keeping.read())

    (file,) = (tmp_path / "data" / "receive").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("content", [b"", b"{", b'{"secret": ""}', b"[]"])
def test_what_cannot_be_read_is_as_nothing(tmp_path: Path, content: bytes) -> None:
    """There is a new secret, and never an empty one."""
    keeping = Keeping(tmp_path, "tcp://h:0", tmp_path)
    assert keeping.claim(Kept("s"))
    next((tmp_path / "receive").iterdir()).write_bytes(content)

    assert len(keeping.read().secret) >= 22


def test_a_folder_that_cannot_be_written_to_is_a_setting_that_cannot_be_used(tmp_path: Path) -> None:
    """It says which."""
    (tmp_path / "receive").touch()

    with pytest.raises(SettingsError, match="cannot be written to") as raised:
        Keeping(tmp_path, "tcp://h:0", tmp_path).claim(Kept("s"))
    assert raised.value.key == "data"


@pytest.mark.parametrize("has_links", [True, False])
def test_what_another_one_keeps_is_not_taken_from_it(
    tmp_path: Path, has_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was told the same and is another one has a number of its own, and so what it keeps."""
    if not has_links:

        def link(*_: object) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", link)
    first, second = (Keeping(tmp_path, "tcp://h:0", tmp_path / "to", number) for number in (1, 2))
    assert first.claim(Kept("a", "tcp://h:5"))
    if has_links:
        assert not first.claim(Kept("b", "tcp://h:6"))
    assert second.claim(Kept("b", "tcp://h:6"))

    assert (first.read().secret, second.read().secret) == ("a", "b")
    assert len(list((tmp_path / "receive").iterdir())) == 2
