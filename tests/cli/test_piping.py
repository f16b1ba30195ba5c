"""The addresses of the pipe commands, and what ``-v`` shows there."""

from __future__ import annotations

import logging

import pytest

from landline.cli.piping import keep_freed_memory, pipe_address, show_steps
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


@pytest.mark.limit("cli.kept_memory")
def test_memory_is_kept_where_the_c_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """And elsewhere a pipe works as well, only slower."""
    told: list[tuple[int, int]] = []

    class Glibc:
        @staticmethod
        def mallopt(name: int, value: int) -> int:
            told.append((name, value))
            return 1

    monkeypatch.setattr("ctypes.CDLL", lambda _: Glibc)
    keep_freed_memory()
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    keep_freed_memory()

    assert [name for name, _ in told] == [-3, -1]
