"""Starting anew in our own place: SIGUSR2 has the program drain, and then become itself again, with the same listening sockets.

Same process, same arguments, same environment; what may have changed is the program and its settings. Who dials meanwhile waits in the
sockets' backlog. What could not start is not started: then the program goes on as it is, and says why.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

import click

from landline import Listening, ListeningSocket, exec_with
from landline.errors import SettingsError

log = logging.getLogger("landline.cli")

SIGNAL: Final[signal.Signals | None] = getattr(signal, "SIGUSR2", None)
"""SIGHUP stays free for those who reload without a restart; Windows has neither."""


class Restart:
    """Whether the program shall start anew when it has drained, and with which sockets.

    Args:
        check: raises SettingsError where the program could not start as its settings are now.
        command: the program's path and arguments; by default how this process was started.

    Attributes:
        is_asked: it shall.
    """

    def __init__(self, check: Callable[[], object], command: list[str] | None = None) -> None:
        self.is_asked = False
        self._check = check
        self._command = command or [sys.executable, *sys.orig_argv[1:]]
        self._sockets: list[ListeningSocket] = []

    def ask(self) -> bool:
        """Return whether to drain for it; if not, the log says why."""
        try:
            self._check()
            if not os.access(self._command[0], os.X_OK):
                raise SettingsError(f"{self._command[0] or 'the program'} cannot be run any more")
        except SettingsError as error:
            log.error("not restarted: %s", error)  # noqa: TRY400 - the sentence is for people, and says it all
            return False
        self.is_asked = True
        return True

    def leave(self, listening: Listening) -> bool:
        """Keep the sockets of a server that is about to close, if the program starts anew; return whether it does."""
        if self.is_asked:
            self._sockets = listening.hand_over()
        return self.is_asked

    def go(self) -> None:
        """Become the next program; returns only where nobody asked for that.

        Raises:
            click.ClickException: it could not be started after all.
        """
        if not self.is_asked:
            for each in self._sockets:
                each.close()
            return
        logging.shutdown()  # nothing else of us runs afterwards
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        try:
            exec_with(self._sockets, self._command)
        except OSError as error:
            raise click.ClickException(
                f"it has drained, and cannot start {self._command[0]} anew: {os.strerror(error.errno or 0)}"
            ) from error
