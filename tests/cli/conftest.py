"""The command line as an installed program: commands in its sentences are named as where it is on the PATH."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.settings.program.shutil.which", lambda name: f"/usr/bin/{name}")
