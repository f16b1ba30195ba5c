"""Two machines with a cable between them: network namespaces of this machine, for tests of what other machines can reach."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.terminals import end_program

HERE = "198.51.100.1"
THERE = "198.51.100.2"
BOUND = 30
LANDLINE = (sys.executable, "-m", "landline")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Cable:
    """The two machines."""

    def __init__(self, folder: Path) -> None:
        self.server, self.other = f"ll-a-{os.getpid()}", f"ll-b-{os.getpid()}"
        self.folder = folder
        self.running: list[pexpect.spawn[str]] = []

    def lay(self) -> None:
        ends = (f"lla{os.getpid()}"[:15], f"llb{os.getpid()}"[:15])
        for space in (self.server, self.other):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        ip(
            "link",
            "add",
            ends[0],
            "netns",
            self.server,
            "type",
            "veth",
            "peer",
            "name",
            ends[1],
            "netns",
            self.other,
        )
        for space, end, address in ((self.server, ends[0], HERE), (self.other, ends[1], THERE)):
            ip("-n", space, "address", "add", f"{address}/24", "dev", end)
            # Without an IPv6 address of its own: it would be good only a second or two later, and a browser then drops what it loads.
            ip("-n", space, "link", "set", end, "addrgenmode", "none")
            ip("-n", space, "link", "set", end, "up")
            ip("-n", space, "route", "add", "default", "dev", end)

    def start(self, space: str, *words: str, data: str = "there") -> pexpect.spawn[str]:
        environ = {
            **os.environ,
            "LANDLINE_DATA": str(self.folder / data),
            "TERM": "dumb",
            "LANDLINE_NAME": "ana",
        }
        program: pexpect.spawn[str] = pexpect.spawn(
            "ip", ["netns", "exec", space, *words], env=environ, encoding="utf-8", timeout=BOUND, echo=False
        )
        self.running.append(program)
        return program

    def run(self, space: str, *words: str, given: str = "", data: str = "there") -> tuple[int, str]:
        environ = {**os.environ, "LANDLINE_DATA": str(self.folder / data), "LANDLINE_NAME": "ana"}
        done = subprocess.run(
            ["ip", "netns", "exec", space, *words],
            check=False,
            input=given,
            capture_output=True,
            text=True,
            timeout=BOUND,
            env=environ,
        )
        return done.returncode, done.stdout + done.stderr

    def cut(self) -> None:
        for program in self.running:
            end_program(program)
        for space in (self.server, self.other):
            subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)

    def serve(self) -> str:
        """Start a chat for other machines on the first; return what it prints."""
        server = self.start(self.server, *LANDLINE, "serve", "--public", "--no-operator", data="here")
        server.expect("Ctrl-C ends it")
        return str(server.before).replace("\r\n", "\n")


def lay_or_skip(cable: Cable) -> None:
    """Lay it; skip where this machine does not let us."""
    try:
        cable.lay()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"needs the right to make network namespaces (ip: {error.stderr.decode().strip()})")


def link(printed: str, *, pinned: bool) -> str:
    """The address that was printed for people; with the certificate's fingerprint, that for the chat client."""
    found = re.search(
        rf"https://{HERE}:12345/#invite=[\w-]+{'&sha256=[0-9a-f]{64}' if pinned else ''}", printed
    )
    assert found, printed
    return found[0]
