"""``landline receive`` on the command line: what it takes, and what it says when it cannot."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from landline.apps.transfer.receive import Receive
from landline.cli.main import main
from landline.cli.receive import Size


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("500", 500), ("20k", 20_000), ("1.5M", 1_500_000), ("3G", 3 * 10**9), ("2TB", 2 * 10**12), (" 7 mb ", 7_000_000)],
)  # fmt: skip
def test_a_size_is_written_as_people_do(text: str, size: int) -> None:
    """In bytes, or with a letter."""
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "k", "-1", "1e9", "1_000", "1.2.3", "½", "9" * 20, "1 2"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(click.BadParameter, match="is no size: write 500"):
        Size().convert(text, None, None)


def test_its_help_says_what_it_keeps_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Not the chat's history alone."""
    assert main(["receive", "--help"]) == 0

    assert "secrets of unfinished transfers" in " ".join(capsys.readouterr().out.split())


def test_an_address_and_all_of_them_are_two_things(capsys: pytest.CaptureFixture[str]) -> None:
    """Which was meant, nobody knows."""
    assert main(["receive", "5000", "--public"]) == 2
    assert "--public chooses the address" in capsys.readouterr().err


def test_an_address_that_cannot_be_served_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what is wrong there."""
    (tmp_path / "file").touch()

    assert (
        main(["receive", f"unix://{tmp_path}/file", "--data", str(tmp_path / "data"), "--to", str(tmp_path)])
        == 1
    )
    assert "it is not a socket" in capsys.readouterr().err


@pytest.mark.parametrize("to", ["file", "file/sub", "nowhere"])
def test_what_is_no_folder_is_not_received_into(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file, what is below one, or a link to nothing: said before anything listens."""
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    monkeypatch.setattr("landline.apps.transfer.receive.run", None)

    assert main(["receive", "--to", f"{tmp_path}/{to}", "--data", str(tmp_path / "data")]) == 2
    assert f"{to.partition('/')[0]}' is not a folder" in capsys.readouterr().err


def test_how_to_go_on_is_the_command_that_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options before its name are part of it, and it can be pasted."""
    asked: list[Receive] = []

    async def run(receive: Receive, *_: object) -> int:
        asked.append(receive)
        return 0

    monkeypatch.setattr("landline.apps.transfer.receive.run", run)
    args = ["-q", "receive", "--to", f"{tmp_path}/a b", "--data", f"{tmp_path}/data"]
    monkeypatch.setattr("sys.argv", ["landline", *args])

    assert main(args) == 0
    assert shlex.split(asked[0].again)[-len(args) - 1 :][1:] == args
    assert asked[0].again.count("receive") == 1
