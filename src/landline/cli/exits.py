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
from landline.settings.program import program
from landline.settings.table import PROGRAM_COMMANDS


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


class Started(NamedTuple):
    """How the program was started: advice speaks of what the person has before them."""

    from_make: bool = False
    command: str = ""
    """The command, as ``connect``."""


DIRECTLY: Final = Started()


class Row(NamedTuple):
    """Errors of this type end with this code; the advice, or what finds it, follows the error's own sentence."""

    error: type[BaseException]
    code: Exit
    advice: str | Callable[[Any, Started], str] = ""
    """A function is given the error, and how we were started."""


class Ending(NamedTuple):
    """How the program ends: its code, and the sentences that say why."""

    code: Exit
    sentences: tuple[str, ...]


def ending(error: BaseException, started: Started = DIRECTLY) -> Ending | None:
    """Return how ``error`` ends the program, or None when it is none of those expected: a bug.

    A group is as expected as the least expected error in it; the first one decides the code, and each has its sentence.

    Args:
        error: what was raised.
        started: by ``make``, for example: then advice names make's tasks.
    """
    if isinstance(error, BaseExceptionGroup):
        endings = [ending(inner, started) for inner in error.exceptions]
        known = [one for one in endings if one is not None]
        if len(known) < len(endings):
            return None
        sentences = dict.fromkeys(sentence for one in known for sentence in one.sentences)
        return Ending(known[0].code, tuple(sentences))
    row = next((row for row in TABLE if isinstance(error, row.error)), None)
    if row is None:
        return None
    story = str(error)
    if isinstance(error, click.ClickException):
        story = " ".join(error.format_message().split())  # click lists choices one a line, with tabs
    advice = row.advice(error, started) if callable(row.advice) else row.advice
    lines = [line.rstrip(".") for line in (story or type(error).__name__).splitlines() if line]
    if advice:
        lines[-1] += (" " if lines[-1].endswith("?") else "; ") + advice
    return Ending(row.code, tuple(lines))


def _usage_advice(error: click.UsageError, _started: Started) -> str:
    if error.ctx is None:
        return ""
    _, _, command = error.ctx.command_path.partition(" ")
    return f"`{' '.join(filter(None, (program(), command)))} --help` shows what there is"


def _connect_advice(error: errors.ConnectError, started: Started) -> str:
    cause: BaseException | None = error
    while isinstance(cause, errors.LandlineError):
        cause = cause.__cause__
    if isinstance(cause, ConnectionRefusedError | FileNotFoundError):
        if started.command == "connect":
            return f"`{program()} listen {_port(error.address) or error.address}` is what has to run there"
        if started.command == "send":
            return f"`{program()} receive` is what has to run there; it prints the address"
        if started.command in PROGRAM_COMMANDS:
            return "is the program running whose server you mean?"
        if started.command == "chat --plain":
            return "is a program running there that speaks plain text?"
        return f"is a server running there? `{_serve(error.address, started)}` starts one"
    if isinstance(cause, socket.gaierror):
        return "check the name of the host"
    if cause is None and urlsplit(error.address).scheme in ("tcp", "unix"):
        # No socket failed: somebody is there, and does not speak as we do.
        call = (
            'make chat ARGS="--plain HOST:PORT"'
            if started.from_make
            else f"{program()} chat --plain HOST:PORT"
        )
        return f"a server that speaks plain text is called with `{call}`"
    return ""


def _refused_advice(error: errors.Refused, started: Started) -> str:
    from landline.apps.chat.credentials import NO_CLIENT

    if error.code != "unauthorized" or NO_CLIENT in error.reason:
        return ""
    if started.command == "send":
        return (
            f"the whole address that `{program()} receive` prints lets one in, with what stands behind its #"
        )
    if started.command not in PROGRAM_COMMANDS:
        return ""
    return "who we are is the token in LANDLINE_TOKEN, or in the file that LANDLINE_TOKEN_FILE names"


def _foreign_advice(_error: errors.StorageForeign, started: Started) -> str:
    if started.command not in ("serve", "chat"):
        return ""
    return (
        "`LANDLINE_DATA=FOLDER make "
        + ("run" if started.command == "serve" else "chat")
        + "` keeps everything in another folder"
        if started.from_make
        else "--data FOLDER keeps everything in another folder"
    )


def _trust_advice(error: errors.Untrusted, started: Started) -> str:
    if not error.fingerprint or error.pinned or started.command != "chat":
        return ""  # what may be somebody in between is not to be trusted by pasting a line
    flag = f"--fingerprint {error.fingerprint}"
    return f"""`{f'make chat ARGS="{flag}"' if started.from_make else flag}` does that, and is remembered"""


def _serve(address: str, started: Started) -> str:
    if not started.from_make:
        return f"{program()} serve"
    port = _port(address)
    return "make run" if port in (None, DEFAULT_PORT) else f"LANDLINE_PORT={port} make run"


def _listen_advice(error: errors.ListenError, started: Started) -> str:
    reason = error.errno
    if reason == errno.EADDRINUSE:
        return _taken(error.address, started)
    if reason in (errno.EACCES, errno.EPERM):
        return "ports below 1024 and other people's folders need rights: choose another address"
    if reason == errno.EADDRNOTAVAIL:
        return "this machine has no such address: choose one of its own"
    return ""


def _taken(address: str, started: Started) -> str:
    port = _port(address)
    if port is None:
        return "is a server running there already?"
    owners = port_owner.find(port)
    other = port_owner.free_port(near=port)
    if started.command in ("listen", "receive"):  # nobody joins what runs there, whatever it is
        held = f"port {port} is held by {' and '.join(map(str, owners))}; " if owners else ""
        return f"{held}try `{program()} {started.command} {other}`, with the options that you gave"
    run = f"LANDLINE_PORT={other} make run" if started.from_make else f"{program()} serve --port {other}"
    held = f"port {port} is held by {' and '.join(map(str, owners))}; " if owners else ""
    if any(owner.is_landline for owner in owners):
        usual = port == DEFAULT_PORT
        join = f"{program()} chat" + ("" if usual else f" --port {port}")
        if started.from_make:
            join = "make chat" if usual else f"LANDLINE_PORT={port} make chat"
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
    Row(errors.TopicError, Exit.USAGE),
    Row(errors.NotAllowed, Exit.REFUSED),
    Row(errors.PublishFailed, Exit.REFUSED),
    Row(errors.CallTimeout, Exit.TIMED_OUT),
    Row(errors.Refused, Exit.REFUSED, _refused_advice),
    Row(errors.Untrusted, Exit.REFUSED, _trust_advice),
    Row(errors.ConnectError, Exit.UNREACHABLE, _connect_advice),
    Row(errors.ListenError, Exit.FAILURE, _listen_advice),
    Row(errors.SessionEnded, Exit.FAILURE),
    Row(errors.TransferRefused, Exit.REFUSED),
    Row(errors.TransferDamaged, Exit.INTEGRITY, "nothing of it is kept: send it again"),
    Row(errors.TransferError, Exit.FAILURE),
    Row(errors.StorageDamaged, Exit.INTEGRITY),
    Row(errors.StorageLocked, Exit.FAILURE),
    Row(errors.StorageForeign, Exit.FAILURE, _foreign_advice),
    Row(errors.StorageError, Exit.FAILURE, "check the folder that it is in"),
    Row(errors.LandlineError, Exit.FAILURE),
    Row(TimeoutError, Exit.TIMED_OUT),
)
