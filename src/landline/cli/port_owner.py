"""Who holds a TCP port on this machine, as far as this user may know; Linux only, read from /proc.

It serves one sentence of an error message: whatever cannot be read is left out, and nothing here raises.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from landline.limits import TRANSPORT

_TRIED: Final = TRANSPORT.port_tries
_LISTENING: Final = "0A"  # TCP_LISTEN in include/net/tcp_states.h
_PROC: Final = Path("/proc")


class Owner(msgspec.Struct, frozen=True):
    """A process, or at least a user, that listens on a port."""

    pid: int | None
    """None when the process belongs to somebody else and cannot be seen."""
    command: str
    """What runs, as one line that is safe to show; empty when not known."""
    user: str

    @property
    def is_landline(self) -> bool:
        """It is one of ours."""
        return bool(re.search(r"\blandline\b.* serve\b", self.command))

    def __str__(self) -> str:
        """A clause, for example ``process 4711 (python3 -m http.server)``."""
        if self.pid is None:
            return f"a process of {self.user}"
        return f"process {self.pid} ({self.command})" if self.command else f"process {self.pid}"


def find(port: int, *, proc: Path = _PROC) -> tuple[Owner, ...]:
    """Return who listens on ``port``, IPv4 and IPv6; empty when nobody does or it cannot be known."""
    sockets = dict(_listening(port, proc))  # inode -> user id
    owners: list[Owner] = []
    for inode, pid in _holders(set(sockets), proc):
        sockets.pop(inode, None)
        owners.append(Owner(pid, _command(pid, proc), ""))
    owners.extend(Owner(None, "", _user(uid)) for uid in sockets.values())
    return tuple(dict.fromkeys(owners))


def free_port(*, near: int) -> int:
    """Return a port above ``near`` on which nobody listens, or one below it where the ports end."""
    step = 1 if near < 65535 else -1
    ports = range(near + step, near + step * _TRIED, step)
    return next((port for port in ports if 0 < port < 65536 and not find(port)), near + step)


def _listening(port: int, proc: Path) -> Iterator[tuple[str, int]]:
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9], int(fields[7])


def _holders(inodes: set[str], proc: Path) -> Iterator[tuple[str, int]]:
    """Each of ``inodes`` with the processes that hold it; a socket inherited by a child has several."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    for process in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)) if links else ():
        with contextlib.suppress(OSError):  # gone meanwhile, or somebody else's
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if inode := links.get(str(descriptor.readlink())):
                        yield inode, int(process.name)


def _command(pid: int, proc: Path) -> str:
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        text = b" ".join(words).decode("utf-8", "replace") or (proc / str(pid) / "comm").read_text()
    except OSError:
        return ""
    # A process names itself as it likes: nothing of it may move the cursor.
    safe = "".join(character if character.isprintable() else "?" for character in text.strip())
    return safe if len(safe) <= 80 else safe[:77] + "..."


def _user(uid: int) -> str:
    try:
        import pwd

        return f"user {pwd.getpwuid(uid).pw_name}"
    except (ImportError, KeyError):
        return f"user number {uid}"
