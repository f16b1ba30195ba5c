"""Unix sockets: a path on this machine, for those who may open it.

The socket is made with mode 0600. A socket file that a dead server left behind is replaced; one that somebody still answers is not. A file
that came with a socket that was passed to us belongs to whoever made it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

from ..errors import ConnectError, ListenError
from .address import Address
from .base import Transport
from .listener import StreamListener
from .listening import ListeningSocket
from .stream import StreamTransport, log, why


async def open_transport(address: Address) -> Transport:
    """Connect to the server behind a socket file."""
    log.debug("connecting to %s", address)
    try:
        _, transport = await asyncio.get_running_loop().create_unix_connection(
            lambda: StreamTransport(str(address)), address.path
        )
    except FileNotFoundError as error:
        raise ConnectError(str(address), "there is no such socket") from error
    except OSError as error:
        raise ConnectError(str(address), why(error)) from error
    return transport


async def bind_listener(
    address: Address, *, backlog: int, passed: list[ListeningSocket] | None = None
) -> StreamListener:
    """Listen on a path; its callers are exempt from any gate."""
    ours = _take_passed(address, passed or []) or _bind(address, backlog)
    return StreamListener([ours], lambda sock, name, accept: StreamTransport(str(address), accept))


def _take_passed(address: Address, passed: list[ListeningSocket]) -> ListeningSocket | None:
    """Take out of ``passed`` what is bound to the path."""
    for each in passed:
        if each.sock.family == socket.AF_UNIX and each.sock.getsockname() == address.path:
            passed.remove(each)
            return each
    return None


def _bind(address: Address, backlog: int) -> ListeningSocket:
    """Bind to the path, for us alone; its file goes with the socket."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        log.debug("created a socket for %s", address)
        _clear(address)
        mask = os.umask(0o177)  # before bind: permissions set afterwards leave a moment open to everybody
        try:
            sock.bind(address.path)
        finally:
            os.umask(mask)
        bound = ListeningSocket(sock, inode=Path(address.path).stat().st_ino)
        log.debug("bound it to %s", address)
        sock.listen(backlog)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and not isinstance(error, ListenError):
            raise ListenError(str(address), why(error), error.errno) from error
        raise
    log.debug("listening on %s", address)
    return bound


def _clear(address: Address) -> None:
    """Take away what a dead server left at the path."""
    path = Path(address.path)
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ListenError(str(address), "there is a file of that name, and it is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a server too busy to accept would block us
        try:
            probe.connect(address.path)
        except ConnectionRefusedError:
            path.unlink()
        except BlockingIOError:
            raise ListenError(str(address), "another server answers there") from None
        except OSError as error:
            raise ListenError(str(address), why(error), error.errno) from error
        else:
            raise ListenError(str(address), "another server answers there")
