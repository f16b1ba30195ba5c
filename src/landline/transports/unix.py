"""Unix sockets: a path on this machine, for those who may open it.

The socket is made with mode 0600. A socket file that a dead server left behind is replaced; one that somebody still answers is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from pathlib import Path

from ..errors import ConnectError, ListenError
from .address import Address
from .base import Accept, Gate, Transport
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


async def open_listener(
    address: Address, accept: Accept, *, backlog: int, gate: Gate | None = None
) -> _UnixListener:
    """Listen on a path; its callers are exempt from any gate."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        log.debug("created a socket for %s", address)
        inode = _bind(sock, address)
        log.debug("bound it to %s", address)
        server = await asyncio.get_running_loop().create_unix_server(
            lambda: StreamTransport(str(address), accept), sock=sock, backlog=backlog
        )
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and not isinstance(error, ListenError):
            raise ListenError(str(address), why(error), error.errno) from error
        raise
    log.debug("listening on %s", address)
    return _UnixListener(server, address, inode)


class _UnixListener:
    def __init__(self, server: asyncio.Server, address: Address, inode: int) -> None:
        self._server = server
        self._path = Path(address.path)
        self._inode = inode
        self.addresses = [str(address)]

    def close(self) -> None:
        """Accept no more, and take the socket file away if it is still ours."""
        self._server.close()
        log.debug("closed the listening socket of %s", self.addresses[0])
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()


def _bind(sock: socket.socket, address: Address) -> int:
    """Bind to the path, for us alone; return the inode of the socket file."""
    _clear(address)
    mask = os.umask(0o177)  # before bind: permissions set afterwards leave a moment open to everybody
    try:
        sock.bind(address.path)
    finally:
        os.umask(mask)
    return Path(address.path).stat().st_ino


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
