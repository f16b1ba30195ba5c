"""What the program's exit code means, and which error ends in which: one table, from the error tree to a code and advice."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import click

from landline import errors
from landline.cli import port_owner
from landline.settings import DEFAULT_PORT


class Exit(IntEnum):
    """The exit codes; scripts rely on them."""

    OK = 0
    """It worked, or the program was asked to stop and drained."""
    FAILURE = 1
    USAGE = 2
    """The command line or a setting is wrong."""
    UNREACHABLE = 3
    """The peer could not be reached."""
    REFUSED = 4
    """The peer answered, and refused."""
    TIMED_OUT = 5
    INTEGRITY = 6
    """Data is not what it should be."""
    INTERRUPTED = 130
    """A second Ctrl-C: nothing was drained."""


class Row(NamedTuple):
    """Errors of this type end with this code; the advice, or what finds it, follows the error's own sentence."""

    error: type[BaseException]
    code: Exit
    advice: str | Callable[[Any, bool], str] = ""
    """A function is given the error, and whether ``make`` started us."""


class Ending(NamedTuple):
    """How the program ends: its code, and the sentences that say why."""

    code: Exit
    sentences: tuple[str, ...]


def ending(error: BaseException, *, from_make: bool = False) -> Ending | None:
    """Return how ``error`` ends the program, or None when it is none of those expected: a bug.

    A group is as expected as the least expected error in it; the first one decides the code, and each has its sentence.

    Args:
        error: what was raised.
        from_make: started by ``make``: advice names make's tasks.
    """
    if isinstance(error, BaseExceptionGroup):
        endings = [ending(inner, from_make=from_make) for inner in error.exceptions]
        known = [one for one in endings if one is not None]
        if len(known) < len(endings):
            return None
        sentences = dict.fromkeys(sentence for one in known for sentence in one.sentences)
        return Ending(known[0].code, tuple(sentences))
    row = next((row for row in TABLE if isinstance(error, row.error)), None)
    if row is None:
        return None
    story = error.format_message() if isinstance(error, click.ClickException) else str(error)
    advice = row.advice(error, from_make) if callable(row.advice) else row.advice
    lines = [line.rstrip(".") for line in (story or type(error).__name__).splitlines() if line]
    if advice:
        lines[-1] += (" " if lines[-1].endswith("?") else "; ") + advice
    return Ending(row.code, tuple(lines))


def _usage_advice(error: click.UsageError, _from_make: bool) -> str:
    return f"`{error.ctx.command_path} --help` shows what there is" if error.ctx else ""


def _connect_advice(error: errors.ConnectError, from_make: bool) -> str:
    cause: BaseException | None = error
    while isinstance(cause, errors.LandlineError):
        cause = cause.__cause__
    if isinstance(cause, ConnectionRefusedError | FileNotFoundError):
        return f"is a server running there? `{_serve(error.address, from_make)}` starts one"
    if isinstance(cause, socket.gaierror):
        return "check the name of the host"
    if cause is None:  # no socket failed: somebody is there, and does not speak as we do
        call = 'make chat ARGS="--plain HOST:PORT"' if from_make else "landline chat --plain HOST:PORT"
        return f"a server that speaks plain text is called with `{call}`"
    return ""


def _serve(address: str, from_make: bool) -> str:
    if not from_make:
        return "landline serve"
    port = _port(address)
    return "make run" if port in (None, DEFAULT_PORT) else f"LANDLINE_PORT={port} make run"


def _listen_advice(error: errors.ListenError, from_make: bool) -> str:
    reason = error.errno
    if reason == errno.EADDRINUSE:
        return _taken(error.address, from_make)
    if reason in (errno.EACCES, errno.EPERM):
        return "ports below 1024 and other people's folders need rights: choose another address"
    if reason == errno.EADDRNOTAVAIL:
        return "this machine has no such address: choose one of its own"
    return ""


def _taken(address: str, from_make: bool) -> str:
    port = _port(address)
    if port is None:
        return "is a server running there already?"
    owners = port_owner.find(port)
    other = port + 1 if port < 65535 else port - 1
    run = f"LANDLINE_PORT={other} make run" if from_make else f"landline serve --port {other}"
    held = f"port {port} is held by {' and '.join(map(str, owners))}; " if owners else ""
    if any(owner.is_landline for owner in owners):
        join = f"LANDLINE_PORT={port} make chat" if from_make else f"landline chat --port {port}"
        return f"{held}`{join}` joins what runs there, `{run}` takes another port"
    return f"{held}try `{run}`"


def _port(address: str) -> int | None:
    try:
        return urlsplit(address).port
    except ValueError:
        return None


# The first row that fits counts: subclasses stand above their bases.
TABLE: Final[tuple[Row, ...]] = (
    Row(click.UsageError, Exit.USAGE, _usage_advice),
    Row(click.ClickException, Exit.FAILURE),
    Row(errors.SettingsError, Exit.USAGE),
    Row(errors.AddressError, Exit.USAGE),
    Row(errors.ConnectTimeout, Exit.TIMED_OUT, "check the address, and any firewall on the way"),
    Row(errors.Refused, Exit.REFUSED),
    Row(errors.ConnectError, Exit.UNREACHABLE, _connect_advice),
    Row(errors.ListenError, Exit.FAILURE, _listen_advice),
    Row(errors.SessionEnded, Exit.FAILURE),
    Row(errors.StorageDamaged, Exit.INTEGRITY),
    Row(errors.StorageError, Exit.FAILURE, "check the data folder, which `landline config --explain` names"),
    Row(errors.LandlineError, Exit.FAILURE),
    Row(TimeoutError, Exit.TIMED_OUT),
)
