"""The main job at once: three chats, nc, telnet, the classic scripts and an operator, real processes on real terminals, one port."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.terminals import end_program

ROOT = Path(__file__).resolve().parents[1]
LANDLINE = (sys.executable, "-m", "landline")
BOUND = 30
"""Seconds that anything here may take before it counts as failed."""


@contextmanager
def on_a_terminal(*command: str, **environment: str) -> Iterator[pexpect.spawn[str]]:
    """Run a command on a terminal of its own; end it in every case."""
    settings = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **environment}
    child = pexpect.spawn(
        command[0],
        list(command[1:]),
        env=settings,
        encoding="utf-8",
        timeout=BOUND,
        dimensions=(40, 160),
        cwd=str(ROOT),
    )
    try:
        yield child
    finally:
        end_program(child)


@pytest.mark.needs("nc", "telnet")
@pytest.mark.long
def test_everybody_in_one_room_sees_everybody(tmp_path: Path) -> None:
    """Each says a line, each of the others is shown it; then all leave, and the server drains with 0."""
    with ExitStack() as stack:
        serve = (*LANDLINE, "serve", "--port", "0", "--data", str(tmp_path))
        server = stack.enter_context(on_a_terminal(*serve))
        server.expect(r"tcp://127\.0\.0\.1:(\d+)")
        assert isinstance(server.match, re.Match)
        port = server.match[1]
        server.expect_exact("Ctrl-C ends it")

        seats = {"host": server}
        for name in ("ana", "ben", "cleo"):
            chat = (*LANDLINE, "chat", f"tcp://localhost:{port}", "--name", name)
            seats[name] = stack.enter_context(on_a_terminal(*chat))
            seats[name].expect_exact(f"You are {name}")
        seats["nc"] = stack.enter_context(on_a_terminal("nc", "localhost", port))
        seats["telnet"] = stack.enter_context(on_a_terminal("telnet", "127.0.0.1", port))
        seats["telnet"].expect_exact("Escape character")
        for name in ("nc", "telnet"):
            seats[name].sendline(f"/nick {name}")
            seats[name].expect_exact("bye leaves")
            seats["ana"].expect_exact(f"{name}")

        for speaker, seat in seats.items():
            seat.send(f"this is {speaker} speaking\r")
            for name, other in seats.items():
                if name != speaker:
                    other.expect(rf"{speaker}\S*:.*this is {speaker} speaking")

        # The ten-line client takes turns: it is answered with what somebody says next.
        classic = (sys.executable, "examples/classic_client.py")
        script = stack.enter_context(on_a_terminal(*classic, LANDLINE_HOST="localhost", LANDLINE_PORT=port))
        script.expect_exact("you: ")
        script.sendline("this is the script speaking")
        for seat in seats.values():
            seat.expect_exact("this is the script speaking")
        seats["ben"].send("ben answers the script\r")
        script.expect_exact("ben answers the script")
        script.sendline("bye")
        script.expect(pexpect.EOF)
        seats["ana"].expect(r"guest-\d+ left")

        # The ten-line server is called by a chat of ours, beside all this.
        other = stack.enter_context(
            on_a_terminal(sys.executable, "examples/classic_server.py", LANDLINE_PORT="0")
        )
        other.expect(r"port (\d+)")
        assert isinstance(other.match, re.Match)
        call = stack.enter_context(on_a_terminal(*LANDLINE, "chat", "--plain", f"localhost:{other.match[1]}"))
        call.send("is anybody there\r")
        other.expect_exact("is anybody there")
        other.sendline("I am")
        call.expect_exact("I am")
        call.send("bye\r")
        other.expect(pexpect.EOF)

        for name in ("ana", "ben", "cleo", "nc", "telnet"):
            seats.pop(name).send("bye\r")
            seats["host"].expect_exact(f"{name} left")
        server.sendintr()
        server.expect(pexpect.EOF)
        server.close()
        assert server.exitstatus == 0
