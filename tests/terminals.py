"""The end of a program on a terminal of its own, for tests that start one with pexpect."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import pexpect


def end_program(program: pexpect.spawn[Any]) -> None:
    """End it, by force where it does not go, and wait until it has: pexpect gives one that was killed a tenth of a second."""
    try:
        program.close(force=True)
    except pexpect.ExceptionPexpect:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(int(program.pid or 0), 0)
