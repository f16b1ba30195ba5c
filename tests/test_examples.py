"""The examples, run as a newcomer runs them: real processes on real terminals."""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.terminals import end_program

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "examples" / "classic_client.py"
SERVER = ROOT / "examples" / "classic_server.py"


@contextmanager
def on_a_terminal(*command: str | Path, port: int = 0) -> Iterator[pexpect.spawn[str]]:
    """Run a command on a terminal of its own, told the port by the environment; end it in every case."""
    environment = {**os.environ, "LANDLINE_PORT": str(port), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    program, *arguments = map(str, command)
    child = pexpect.spawn(
        program, arguments, env=environment, encoding="utf-8", timeout=30, dimensions=(24, 200), cwd=str(ROOT)
    )
    try:
        yield child
    finally:
        end_program(child)


def port_of(server: pexpect.spawn[str]) -> int:
    """Return the port that a classic server waits at."""
    server.expect(r"Waiting at localhost port (\d+)\.")
    assert server.match is not None
    assert not isinstance(server.match, (type, str))
    return int(server.match[1])


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert isinstance(port, int)
        return port


def test_the_classic_pair() -> None:
    """They take turns until one says bye; both end well."""
    with (
        on_a_terminal(sys.executable, SERVER) as server,
        on_a_terminal(sys.executable, CLIENT, port=port_of(server)) as client,
    ):
        client.expect_exact("you: ")
        client.sendline("hello")
        server.expect_exact("hello")
        server.sendline("hi, caller")
        client.expect_exact("hi, caller")
        client.sendline("Bye")
        server.expect_exact("The other side said goodbye.")
        for end in (client, server):
            end.expect(pexpect.EOF)
            end.close()
            assert end.exitstatus == 0


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_either_end_may_be_interrupted(key: str) -> None:
    """Ctrl-C or Ctrl-D in the client ends both without a traceback, and the socket is closed."""
    with (
        on_a_terminal(sys.executable, SERVER) as server,
        on_a_terminal(sys.executable, CLIENT, port=port_of(server)) as client,
    ):
        client.expect_exact("you: ")
        client.send(key)
        server.expect_exact("The other side said goodbye.")
        for end in (client, server):
            end.expect(pexpect.EOF)
            end.close()
            assert end.exitstatus == 0
            assert "Traceback" not in str(end.before)


def test_the_server_hangs_up() -> None:
    """The client says so."""
    with (
        on_a_terminal(sys.executable, SERVER) as server,
        on_a_terminal(sys.executable, CLIENT, port=port_of(server)) as client,
    ):
        client.expect_exact("you: ")
        client.sendline("hello")
        server.expect_exact("you: ")
        server.send("\x04")
        client.expect_exact("The other side hung up.")
        client.expect(pexpect.EOF)


def test_nobody_there() -> None:
    """A sentence, not a traceback."""
    done = subprocess.run(
        [sys.executable, CLIENT],
        env={**os.environ, "LANDLINE_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("No chat at localhost port ")
    assert "Traceback" not in done.stderr


def test_the_port_is_taken() -> None:
    """The server says so in a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            [sys.executable, SERVER],
            env={**os.environ, "LANDLINE_PORT": str(taken.getsockname()[1])},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.startswith("The server cannot wait at localhost port ")
    assert done.stderr.endswith(": the port is taken.\n")


def test_what_is_not_text_ends_the_server_with_a_sentence() -> None:
    """Such as the greeting of a client of ours."""
    with on_a_terminal(sys.executable, SERVER) as server:
        with socket.create_connection(("localhost", port_of(server))) as caller:
            caller.sendall(b"\xff\xfe")
            server.expect_exact("The other side sent what is not text")
            server.expect(pexpect.EOF)
        assert "Traceback" not in str(server.before)


@pytest.mark.parametrize(
    ("example", "printed"),
    [
        (
            "calls",
            """9.0
buy tea for 4.50? yes
sold
buy tea for 4.50? yes
sold
refused | too dear | {'most': 100}
invalid arguments | item: Object missing required field `price` | None
""",
        ),
        (
            "streams",
            """left at 999998
the countdown is over
a film: 1,000,000 bytes
GOOD DAY
GOOD NIGHT
""",
        ),
    ],
)
def test_an_example_prints_what_it_shows(example: str, printed: str) -> None:
    """Both ends in one program."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{example}.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr, done.returncode) == (printed, "", 0)


@pytest.mark.long
def test_landline_calls_the_classic_server() -> None:
    """``landline chat --plain``: what waits is seen, an empty reply is explained, and nobody is stuck."""
    with on_a_terminal(sys.executable, SERVER) as server:
        address = f"localhost:{port_of(server)}"
        with on_a_terminal(sys.executable, "-m", "landline", "chat", "--plain", address) as caller:
            caller.expect_exact("Connected to")
            caller.send("hello\r")
            server.expect_exact("hello")
            caller.send("are you there?\r")
            caller.expect_exact("That waits until they have answered (1 waiting).")
            server.sendline("hi, caller")
            caller.expect_exact("hi, caller")
            server.expect_exact("are you there?")
            server.sendline("")  # sends nothing, and blocks in recv
            caller.expect_exact("they are waiting for you")
            caller.send("so I go on\r")
            server.expect_exact("so I go on")
            server.sendline("good")
            caller.expect_exact("good")
            caller.send("bye\r")
            server.expect_exact("The other side said goodbye.")
            for end in (server, caller):
                end.expect(pexpect.EOF)
                end.close()
                assert end.exitstatus == 0


def test_the_blocking_client() -> None:
    """It prints what it says, and leaves no thread that holds up its exit."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "blocking_client.py"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == [
        "{'text': 'the line drops now, and comes back by itself', 'words': 9}",
        "nothing more, and the session is as good as before",
        "1000 sent, 499500 words",
        "30 words in 20 sessions of 8 threads",
    ]


@pytest.mark.parametrize("args", [[], ["join"], ["serf"]])
def test_presence_says_how_it_is_started(args: list[str]) -> None:
    """Where it was started otherwise."""
    program = ROOT / "examples" / "presence.py"
    done = subprocess.run(
        [sys.executable, program, *args], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 1
    assert "examples/presence.py join ana" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_who_is_here_between_processes() -> None:
    """Two join, one says how it is, and is killed: it is reconnecting, and then gone."""
    program, port = ROOT / "examples" / "presence.py", free_port()
    with on_a_terminal(sys.executable, program, "serve", port=port) as server:
        server.expect_exact("Waiting at")
        with on_a_terminal(sys.executable, program, "join", "ana", port=port) as ana:
            ana.expect_exact("1 there: ana")
            with on_a_terminal(sys.executable, program, "join", "ben", port=port) as ben:
                ben.expect_exact("2 there:")
                ana.expect_exact("ben joined")
                ben.sendline("is busy")
                ana.expect_exact("ben: is busy")
                ben.kill(9)
                ana.expect_exact("ben is reconnecting")
                ana.expect_exact("ben left: the line was lost")
                server.expect_exact("ben left: the line was lost")
            ana.sendeof()
            server.expect_exact("ana left")
            ana.expect(pexpect.EOF)


def test_a_file_is_sent_to_a_server_that_takes_files(tmp_path: Path) -> None:
    """Under its own name the first time, and nothing is overwritten the second."""
    (tmp_path / "hello.txt").write_text("hello")
    program = ROOT / "examples" / "files.py"
    server = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        for name in ("hello.txt", "hello (1).txt"):
            sent = subprocess.run(
                [sys.executable, program, address, "hello.txt"],
                cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True,
            )  # fmt: skip
            assert sent.stdout == f"It is there, as {name}\n"
            assert server.stdout.readline() == f"inbox/{name} has come, 5 bytes\n"
        (tmp_path / "folder").mkdir()
        refused = subprocess.run(
            [sys.executable, program, address, "folder"],
            cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert refused.stderr == "no folders, please\n"
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


@pytest.mark.long
def test_tokens_that_run_out() -> None:
    """A client stays for longer than its token is good, and goes when its access is taken back."""
    result = subprocess.run(
        [sys.executable, "examples/tokens.py"],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip

    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].endswith("refused: that is no token of ours")
    assert lines[1:4] == ["ana came", "after three tokens: connected", "revoked: 1"]
    went, told = sorted(lines[4:])  # each end says so when it knows
    assert went.startswith("ana went: the session was lost")
    assert told == "told: revoked: you were rude"


@pytest.mark.long
def test_the_server_of_topics_is_there_to_try_the_commands_on(tmp_path: Path) -> None:
    """As docs/howto/commands.md has it: what is published is printed, and kept over a restart of the server; what is offered is listed and called."""
    environment = {**os.environ, "LANDLINE_PORT": "0"}
    landline = [sys.executable, "-m", "landline"]
    for offset in (1, 2):
        server = subprocess.Popen(
            [sys.executable, ROOT / "examples" / "prices_server.py"],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1].rstrip(".")
            subprocess.run(
                [*landline, "publish", address, "prices.acme", "10.5"],
                check=True,
                timeout=30,
                stdout=subprocess.DEVNULL,
            )
            words = ["subscribe", address, "prices.*", "--after", "start", "--count", str(offset)]
            printed = subprocess.check_output([*landline, *words], timeout=30, text=True)
            listed = subprocess.check_output([*landline, "rpc", address], timeout=30, text=True)
            words = ["rpc", address, "convert", "10", "--named", "rate=1.5"]
            result = subprocess.check_output([*landline, *words], timeout=30, text=True)
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=30)

        assert server.returncode == 0
        assert printed.count('"data":"10.5"') == offset
        assert listed.startswith("convert(amount: float, rate: float = 1.1) -> float  Return an amount")
        assert result == "15.0\n"


MOVING = sorted((ROOT / "examples" / "moving").glob("with_*.py"))


@pytest.mark.parametrize(
    ("name", "arrives", "answer"),
    [
        ("socketio", "[]", "unknown TimeoutError"),
        ("websockets", "[]", "unknown ConnectionClosedError"),
        ("landline", "{away}", "total 6"),
    ],
)
@pytest.mark.long
def test_what_arrives_of_the_same_program_when_lines_drop(name: str, arrives: str, answer: str) -> None:
    """What docs/howto/moving.md shows, of each of the three: its watcher is away for three, its adder's answer is cut off."""
    said = subprocess.check_output(
        [sys.executable, ROOT / "examples" / "moving" / "cut.py", name], text=True, timeout=50
    )
    found = re.fullmatch(
        r"(\w+) +while the watcher was away: (.+)  it was told: (.+)  the adder was told: (.+)\n", said
    )

    assert found is not None
    assert found[1] == name
    assert found[2] == "[2, 3, 4]"
    assert found[3] == arrives.format(away=found[2])
    assert found[4] == answer


def test_what_a_comparison_needs_is_said() -> None:
    """Without the packages of the others there is a line for each of them, and no traceback."""
    said = subprocess.check_output(
        [sys.executable, "-S", ROOT / "examples" / "moving" / "cut.py"],
        text=True,
        timeout=50,
        env={"PYTHONPATH": ""},
    )

    assert re.findall(r"^(\w+) +needs (.+): `make setup-test`", said, re.MULTILINE) == [
        ("socketio", "socketio and aiohttp"),
        ("websockets", "websockets"),
        ("landline", "landline"),
    ]


def test_the_programs_to_move_from_are_shown_as_they_are() -> None:
    """docs/howto/moving.md has each whole, and the versions with which they were tried."""
    page = (ROOT / "docs" / "howto" / "moving.md").read_text(encoding="utf-8")
    versions = re.findall(r"(python-socketio|websockets) (\d+\.\d+\S*\d)", page)

    assert len(MOVING) == 3
    assert sorted(re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)) == sorted(
        path.read_text(encoding="utf-8") for path in MOVING
    )
    assert {name: importlib.metadata.version(name) for name, _ in versions} == dict(versions)


@pytest.mark.parametrize(
    "words", [["prices_server.py"], ["presence.py", "serve"], ["files.py", "nowhere", "x"]]
)
def test_what_keeps_an_example_from_its_work_is_one_sentence(words: list[str], tmp_path: Path) -> None:
    """No traceback: the port is taken by another example, say, or the address is none."""
    with socket.create_server(("localhost", 0)) as taken:
        ended = subprocess.run(
            [sys.executable, ROOT / "examples" / words[0], *words[1:]],
            env=os.environ | {"LANDLINE_PORT": str(taken.getsockname()[1])},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    assert ended.returncode == 1
    assert re.fullmatch(r"(cannot listen|'nowhere' is not an address).*\n", ended.stderr)
