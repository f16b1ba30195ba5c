"""The command line as an installed program: commands in its sentences are named as where it is on the PATH."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.settings.program.shutil.which", lambda name: f"/usr/bin/{name}")


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """What a command line sets the log to ends with its test: ``-q`` would hush those that come after it."""
    loggers = [logging.getLogger(), logging.getLogger("landline")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)
