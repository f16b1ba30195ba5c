"""Listening sockets, and how one process leaves them to the next: systemd's socket activation, sd_listen_fds(3).

``passed_sockets`` takes those that whoever started this process opened; ``exec_with`` starts the next program in our place with ours. Who
dials meanwhile waits in the kernel's backlog: a socket that is passed on is closed, and never shut down, which would reset all of them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from ..errors import ListenError, SettingsError
from .address import Address

log = logging.getLogger("landline.transports")

FIRST: Final = 3
"""The descriptor of the first socket that is passed; the others follow it."""

OURS: Final = "landline.bound"
"""The name under which we pass on what we bound ourselves, so that a Unix socket's file still goes with its server in the end."""

_PID, _COUNT, _NAMES = VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class ListeningSocket:
    """A listening socket: one that we bound, or one that was passed to us.

    Attributes:
        sock: the socket; reads do not wait, and no child inherits it.
        name: what whoever passed it calls it; may be empty.
        inode: of a Unix socket's file, when that is ours to remove; else None.
    """

    def __init__(self, sock: socket.socket, name: str = "", inode: int | None = None) -> None:
        sock.setblocking(False)
        sock.set_inheritable(False)
        self.sock = sock
        self.name = name
        self.inode = inode

    @property
    def address(self) -> str:
        """Where it listens, as text."""
        return text_of(self.sock)

    def copy(self) -> ListeningSocket:
        """Return another hold on the same socket; its file, if that is ours to remove, goes with the copy from now on."""
        copy = ListeningSocket(self.sock.dup(), self.name, self.inode)
        self.inode = None
        return copy

    def close(self) -> None:
        """Let go of it, and take its file away if it is still ours. Where somebody else holds it too, callers go on waiting in it."""
        name = self.sock.getsockname() if self.inode is not None and self.sock.fileno() >= 0 else ""
        self.sock.close()
        with contextlib.suppress(OSError):
            if name and Path(name).stat().st_ino == self.inode:
                Path(name).unlink()


def text_of(sock: socket.socket) -> str:
    """Return where a socket is bound, as text."""
    name = sock.getsockname()
    if sock.family == getattr(socket, "AF_UNIX", None):
        # An abstract one has no file, and is written with @ for its first byte, as elsewhere.
        path = "@" + name[1:].decode(errors="replace") if isinstance(name, bytes) else name
        return str(Address("unix", path=path))
    return str(Address("tcp", host=name[0], port=name[1]))


# Those that were passed to us...


def passed_sockets(environ: MutableMapping[str, str] = os.environ) -> list[ListeningSocket]:
    """Take the listening sockets that this process was started with; empty when there are none, or none for this process.

    The variables that name them are removed, so that no child takes them too: a second call returns nothing.

    Raises:
        SettingsError: the variables cannot be read.
        ListenError: what was passed is no listening stream socket.
    """
    said = {name: environ.pop(name, "") for name in VARIABLES}
    if not said[_PID] or not said[_COUNT]:
        return []
    if _number(_PID, said[_PID]) != os.getpid():
        log.info("the sockets in %s are for process %s, not for us", _COUNT, said[_PID])
        return []
    count = _number(_COUNT, said[_COUNT])
    names = said[_NAMES].split(":") if said[_NAMES] else [""] * count
    if len(names) != count:
        raise SettingsError(
            f"{_COUNT} passes {count} sockets, and {_NAMES} names {len(names)}", key=_NAMES, source=_NAMES
        )
    return [_take(number, name) for number, name in enumerate(names, FIRST)]


def _number(variable: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise SettingsError(
            f'{variable} is "{text[:80]}", but it must be a whole number above 0',
            key=variable,
            source=variable,
        )
    return int(text)


def _take(number: int, name: str) -> ListeningSocket:
    """Return what lies at a descriptor."""
    shown = f"descriptor {number}" + (f" ({name})" if name else "")
    try:
        sock = socket.socket(fileno=number)
    except OSError as error:
        raise ListenError(shown, "it was passed to us, and is no socket", error.errno) from error
    families = (socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_UNIX", None))
    listens = sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if not listens or sock.family not in families:
        sock.close()
        raise ListenError(
            shown, "it was passed to us, and is no listening TCP or Unix socket (a unit needs Accept=no)"
        )
    taken = ListeningSocket(sock, name)
    if name == OURS and sock.family == getattr(socket, "AF_UNIX", None):
        with contextlib.suppress(OSError):
            taken.inode = Path(sock.getsockname()).stat().st_ino
    log.debug("%s was passed to us and listens on %s", shown, taken.address)
    return taken


def nobody_asked(left: Sequence[ListeningSocket]) -> ListenError:
    """Return the error for sockets that were passed and belong to none of the addresses to listen on."""
    first = left[0]
    named = f", named {first.name}" if first.name else ""
    return ListenError(
        first.address,
        f"that socket was passed to us{named}, and no address asks for it: listen on exactly this, or do not pass it",
    )


# ... and those that we pass on.


def exec_with(
    sockets: Sequence[ListeningSocket], command: Sequence[str], environ: Mapping[str, str] = os.environ
) -> NoReturn:
    """Replace this process by another program, which gets the sockets as ``passed_sockets`` takes them.

    Nothing of this program runs afterwards, not even what it registered for its end. Whatever lies at the descriptors from ``FIRST`` on is lost.

    Args:
        sockets: what it shall listen on.
        command: the path of the program, and its arguments.
        environ: its environment, besides the variables that name the sockets.

    Raises:
        OSError: it cannot be started; nothing is left to go on with.
    """
    passed = {name: text for name, text in environ.items() if name not in VARIABLES}
    if sockets:
        names = ":".join(each.name or OURS for each in sockets)
        passed |= {_PID: str(os.getpid()), _COUNT: str(len(sockets)), _NAMES: names}
        # Out of the way first: one may lie where another shall.
        copies = [_copy_above(each.sock.fileno(), FIRST + len(sockets)) for each in sockets]
        for number, copy in enumerate(copies, FIRST):
            os.dup2(copy, number, inheritable=True)
    os.execve(command[0], list(command), passed)  # noqa: S606 - no shell is wanted


def _copy_above(descriptor: int, least: int) -> int:
    import fcntl  # not on Windows, where no program is replaced by another

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
