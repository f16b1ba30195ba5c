"""The addresses of the pipe commands, and what ``-v`` shows there."""

from __future__ import annotations

import logging

import pytest

from landline.cli import piping
from landline.cli.limits import CLI
from landline.cli.piping import keep_memory, pipe_address, show_steps
from landline.settings import Settings


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("5000", "tcp://localhost:5000"),
        ("example.org:5000", "tcp://example.org:5000"),
        ("[::1]:5000", "tcp://[::1]:5000"),
        ("example.org", "tcp://example.org:12345"),
        ("unix:///run/x.sock", "unix:///run/x.sock"),
    ],
)
def test_an_address_is_what_a_person_writes(text: str, address: str) -> None:
    """A number alone is a port, as for nc."""
    assert pipe_address(text, Settings()) == address


def test_a_port_alone_is_at_the_host_of_the_settings() -> None:
    assert pipe_address("5000", Settings(host="::1")) == "tcp://[::1]:5000"


def test_verbose_shows_sockets_and_sessions() -> None:
    """And nothing without it."""
    loggers = [logging.getLogger(name) for name in ("landline.transports", "landline.sessions")]
    before = [logger.level for logger in loggers]
    try:
        show_steps(0)
        assert [logger.level for logger in loggers] == before
        show_steps(1)
        assert all(logger.isEnabledFor(logging.DEBUG) for logger in loggers)
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def test_a_pipe_keeps_as_much_freed_memory_as_its_limit_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """What that does is tested where it is done."""
    kept: list[int] = []
    monkeypatch.setattr(piping, "keep_freed_memory", kept.append)

    keep_memory()

    assert kept == [CLI.kept_memory]
