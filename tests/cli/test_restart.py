"""Starting anew: when it is done and when not, and what becomes of the sockets. With signals and real processes: ``test_run.py``, ``test_serve.py``."""

from __future__ import annotations

import logging
import socket
import sys

import pytest

import landline
from landline.cli.restart import Restart
from landline.errors import SettingsError


class Served:
    """A server with one listening socket."""

    def __init__(self) -> None:
        self.sock = landline.ListeningSocket(socket.create_server(("127.0.0.1", 0)))

    def hand_over(self) -> list[landline.ListeningSocket]:
        return [self.sock.copy()]


def test_it_is_started_as_it_was() -> None:
    """The same interpreter, with the same arguments."""
    restart = Restart(lambda: None)

    assert restart._command == [sys.executable, *sys.orig_argv[1:]]
    assert restart.ask()
    assert restart.is_asked


@pytest.mark.parametrize("why", ["settings", "program"])
def test_what_could_not_start_is_refused(why: str, caplog: pytest.LogCaptureFixture) -> None:
    """With a sentence in the log; nothing is drained for it, and no socket is kept."""

    def check() -> None:
        if why == "settings":
            raise SettingsError("the port is none")

    restart = Restart(check, ["/nowhere/landline"])
    served = Served()

    assert not restart.ask()
    assert not restart.leave(served)  # type: ignore[arg-type]
    said = "the port is none" if why == "settings" else "/nowhere/landline cannot be run any more"
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, f"not restarted: {said}")
    ]
    restart.go()
    served.sock.close()


def test_sockets_are_kept_for_the_next_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are handed to it, together with the command."""
    started: list[tuple[list[str], list[str]]] = []

    def exec_with(sockets: list[landline.ListeningSocket], command: list[str]) -> None:
        started.append(([each.address for each in sockets], command))
        for each in sockets:
            each.close()

    monkeypatch.setattr("landline.cli.restart.exec_with", exec_with)
    restart, served = Restart(lambda: None, [sys.executable, "-V"]), Served()
    address = served.sock.address
    assert restart.ask()
    assert restart.leave(served)  # type: ignore[arg-type]
    served.sock.close()
    restart.go()

    assert started == [([address], [sys.executable, "-V"])]


def test_sockets_that_were_kept_in_vain_are_closed() -> None:
    """Somebody wanted it to end after all."""
    restart, served = Restart(lambda: None), Served()
    assert restart.ask()
    assert restart.leave(served)  # type: ignore[arg-type]
    (kept,) = restart._sockets
    restart.is_asked = False
    restart.go()

    assert kept.sock.fileno() == -1
    served.sock.close()
