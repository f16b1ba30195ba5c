"""The invite of a data folder: drawn once, kept for our own user, asked for in constant time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from landline.apps.chat.server.invite import FILE, Invite, keep_invite
from landline.errors import SettingsError


def test_it_is_drawn_once(tmp_path: Path) -> None:
    """A restart finds the same; it is long enough to guess nothing, and nobody else may read it."""
    invite = keep_invite(tmp_path)

    assert keep_invite(tmp_path).text == invite.text
    assert len(invite.text) == 22
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


def test_two_that_start_at_once_have_one(tmp_path: Path) -> None:
    """Whoever is first to have it on the disk has drawn it."""
    found: list[str] = []
    barrier = threading.Barrier(8)

    def keep() -> None:
        barrier.wait()
        found.append(keep_invite(tmp_path).text)

    threads = [threading.Thread(target=keep) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1
    assert len(found) == 8


def test_one_that_was_removed_is_taken_back(tmp_path: Path) -> None:
    """The next one is another, and the former opens nothing."""
    former = keep_invite(tmp_path)
    (tmp_path / FILE).unlink()

    assert not keep_invite(tmp_path).admits(former.text)


@pytest.mark.parametrize("text", ["", "\n", "x" * 65, "grün", "a\x1bb", "open sesame", "a&b", "a+b", "a%20"])
def test_a_file_that_holds_none(text: str, tmp_path: Path) -> None:
    """It says which file, and what to do; nobody is let in meanwhile."""
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SettingsError, match=f"{FILE} holds no invite.*: remove it"):
        keep_invite(tmp_path)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """The sentence names the file and the reason."""
    with pytest.raises(SettingsError, match=r"cannot be kept in .*: no such file"):
        keep_invite(tmp_path / "missing")


def test_whom_it_admits() -> None:
    """Who shows it; everybody where none is wanted."""
    assert Invite("secret").admits("secret")
    assert [
        text for text in ("", "Secret", "secret ", "secre", "\ud800") if Invite("secret").admits(text)
    ] == []
    assert Invite().admits("")
    assert not Invite().is_wanted
