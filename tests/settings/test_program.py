"""How the program is called from another terminal: what is printed runs as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from landline.settings.program import program


def test_an_installed_program_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short is best."""
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")

    assert program() == "landline"


def test_a_program_that_is_not_installed_is_called_by_its_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From a checkout, and as a module."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    script = tmp_path / "landline"
    script.touch()
    monkeypatch.setattr("sys.argv", [str(script)])
    assert program() == str(script)

    monkeypatch.setattr("sys.argv", ["-m"])
    assert program().endswith(" -m landline")
