"""``scp`` to an ``sshd`` of our own: its own keys and configuration, a port of its own on loopback, and files only.

The cipher is the one that is fastest on today's processors. Where we are root, the server runs as ``games``: it needs no account
of its own then, and whoever comes in is nobody else. (``nobody`` is locked on some machines.)
"""

from __future__ import annotations

import asyncio
import getpass
import os
import pwd
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from .brokers import BOUND, free_port, is_up
from .peer import Copier, Peer, Play, environment_of_programs, find_program

UNPRIVILEGED = "games"
CIPHER = "aes128-gcm@openssh.com"

CONFIGURATION = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


@asynccontextmanager
async def serve_files() -> AsyncIterator[str]:
    user = UNPRIVILEGED if os.getuid() == 0 else getpass.getuser()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in ("host", "user"):
            key = await asyncio.create_subprocess_exec(
                str(find_program("ssh-keygen")), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)
            )
            await key.wait()
        port = free_port()
        (folder / "config").write_text(CONFIGURATION.format(port=port, folder=folder))
        (folder / "files").mkdir()
        if os.getuid() == 0:
            _give(user, folder, folder / "files", folder / "host", folder / "user.pub")
        server = subprocess.Popen(  # not by the loop: uvloop starts nothing as another user
            [str(find_program("sshd")), "-D", "-e", "-f", str(folder / "config")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment_of_programs(),
            **_as(user),
        )
        try:
            async with asyncio.timeout(BOUND):
                await is_up(port)
            yield f"{port} {user} {folder}"
        finally:
            server.terminate()
            server.wait()


def _as(user: str) -> dict[str, Any]:
    """What starts a program as somebody else, where we may."""
    if os.getuid():
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _give(user: str, *paths: Path) -> None:
    who = pwd.getpwnam(user)
    for path in paths:
        os.chown(path, who.pw_uid, who.pw_gid)


@asynccontextmanager
async def connect_files(place: str) -> AsyncIterator[Copier]:
    yield _Copying(*place.split(" "))


class _Copying:
    def __init__(self, port: str, user: str, folder: str) -> None:
        self._folder = folder
        self._to = f"{user}@127.0.0.1"
        self._options = ["-q", "-B", "-F", "none", "-c", CIPHER, "-P", port, "-i", f"{folder}/user"]
        for option in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"):
            self._options += ["-o", option]

    async def copy(self, source: Path, name: str) -> None:
        target = f"{self._folder}/files/{name}"
        copying = await asyncio.create_subprocess_exec(
            str(find_program("scp")),
            *self._options,
            str(source),
            f"{self._to}:{target}",
            stdin=asyncio.subprocess.DEVNULL,
        )
        if await copying.wait() or Path(target).stat().st_size != source.stat().st_size:
            raise ValueError("scp did not copy it")


PEER = Peer("scp", {"files": Play(serve_files, connect_files)}, programs=("sshd", "scp", "ssh", "ssh-keygen"))
