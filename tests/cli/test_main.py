"""The command as a person or a script meets it: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from landline.apps.chat import client
from landline.cli import main as main_module
from landline.cli.main import GROUPS, cli, main
from landline.errors import ConnectError, Refused, SettingsError


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a landline.toml."""
    monkeypatch.chdir(tmp_path)


def failing_chat(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make ``landline chat`` end with this error."""

    class Terminal:
        @staticmethod
        async def run(*_: object) -> int:
            raise error

    monkeypatch.setattr(client, "terminal", Terminal, raising=False)


def test_help_shows_the_commands_under_what_they_are_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command is in a group, and every group in the help."""
    assert main(["--help"]) == 0

    heads = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [head for head in heads if head in {"Talk:", "serve", "chat", "Look:"}] == [
        "Talk:",
        "serve",
        "chat",
        "Look:",
    ]
    assert {command.name for _, commands in GROUPS for command in commands} == set(cli.commands)


def test_without_a_command_the_help_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a usage error: a script's stdout stays empty."""
    assert main([]) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Talk:" in captured.err


def test_version_is_one_line_or_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for scripts; the options in any order."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("landline ")
    for arguments in (["--version", "--json"], ["--json", "--version"]):
        assert main(arguments) == 0
        assert set(json.loads(capsys.readouterr().out)) == {"landline", "python", "platform"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sevre"], ["landline: No such command 'sevre'", "Did you mean 'serve'?", "`landline --help`"]),
        (["serve", "--prot", "1"], ["'--prot'", "--port", "`landline serve --help`"]),
        (["chat", "a", "b"], ["unexpected extra argument (b)", "`landline chat --help`"]),
        (
            ["serve", "--port", "http"],
            ['landline: --port is "http", but it must be a whole number from 0 to 65535'],
        ),
        (
            ["--config", "/gone.toml", "config"],
            ["landline: there is no file /gone.toml, which --config names"],
        ),
        (
            ["config", "--config", "/gone.toml"],
            ["landline: there is no file /gone.toml, which --config names"],
        ),
        (
            ["chat", "host:http"],
            ['landline: ADDRESS is "host:http", but "http" is no port: an address looks like tcp://'],
        ),
        (
            ["chat", "--plain", "host:http"],
            ['landline: --plain is "host:http", but "http" is no port: an address looks like tcp://'],
        ),
        (["chat", "a", "--plain", "b:1"], ["--plain already says where: leave ADDRESS out"]),
        (["chat", "a", "--port", "1"], ["ADDRESS already says where: leave --port out"]),
        (["chat", "--room", ""], ['landline: --room is "", but it must be a list of texts']),
        (["chat", "--room", "a", "--room", ""], ['landline: --room is "a" and "", but it must be']),
        (["config", "--explain", "--limits"], ["choose one; `landline config --help`"]),
        (["--json", "config"], ["--json stands after the command"]),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_2(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, each line says who speaks; no traceback, no usage page."""
    assert main(arguments) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    for word in words:
        assert word in captured.err
    assert all(line.startswith("landline: ") for line in captured.err.splitlines())


def test_every_bad_setting_has_its_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run tells them all."""
    monkeypatch.setenv("LANDLINE_LOOP", "fast")

    assert main(["config", "--port", "x"]) == 2

    assert [line[:20] for line in capsys.readouterr().err.splitlines()] == [
        "landline: --port is ",
        "landline: LANDLINE_L",
    ]


def test_an_unknown_variable_is_warned_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless one wants quiet."""
    monkeypatch.setenv("LANDLINE_PROT", "1")

    assert main(["config"]) == 0
    sentence = "landline: warning: no setting has the variable LANDLINE_PROT; did you mean LANDLINE_PORT?\n"
    assert capsys.readouterr().err == sentence
    assert main(["config", "-q"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectError("tcp://x:1", "nobody listens"), 3),
        (Refused("tcp://x:1", "not you"), 4),
        (SettingsError("no such name", key="chat.name"), 2),
        (ExceptionGroup("both", [ConnectError("tcp://x:1", "nobody listens")]), 3),
    ],
)
def test_an_apps_error_is_a_sentence_and_its_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback is for those who ask for it."""
    failing_chat(monkeypatch, error)

    assert main(["chat"]) == code
    assert capsys.readouterr().err.startswith("landline: ")
    assert main(["chat", "-v"]) == code
    assert "Traceback" not in capsys.readouterr().err
    assert main(["-vv", "chat"]) == code
    assert "Traceback" in capsys.readouterr().err
    assert main(["chat", "-vv"]) == code
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_shows_its_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be said better; the sentence says what to do."""
    failing_chat(monkeypatch, KeyError("x"))

    assert main(["chat"]) == 1

    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("landline: this is a bug in landline; please report it with the lines above\n")


def test_an_error_cannot_move_the_cursor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reason may come from a stranger's server."""
    failing_chat(monkeypatch, Refused("tcp://x:1", "go \x1b[2Jaway"))

    assert main(["chat"]) == 4

    assert capsys.readouterr().err == "landline: tcp://x:1 refused: go \\x1b[2Jaway\n"


def test_an_interrupt_outside_the_loop_is_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the settings are read, for example."""
    failing_chat(monkeypatch, KeyboardInterrupt())

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("landline.cli.options.load", interrupted)

    assert main(["chat"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def landline_process(
    *arguments: str, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The program as a process of its own, until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "landline", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=os.environ | (environ or {}),
    )


def test_python_m_landline_is_the_same_program() -> None:
    """With the exit code handed on."""
    process = landline_process("config", "--port", "x")

    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.startswith("landline: --port is")


def test_a_reader_who_had_enough_is_no_error() -> None:
    """``landline config --limits | head -1``: nothing on stderr."""
    read, write = os.pipe()
    os.close(read)
    try:
        process = subprocess.run(
            [sys.executable, "-m", "landline", "config"],
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(write)

    assert process.stderr == b""
    assert process.returncode == 1


def test_a_terminal_that_knows_only_ascii_still_shows_something() -> None:
    """Escapes are better than an exception."""
    process = landline_process(
        "config",
        "--explain",
        environ={"PYTHONIOENCODING": "ascii", "LANDLINE_NAME": "Zoë", "PYTHONUTF8": "1"},
    )

    assert (process.returncode, process.stderr) == (0, "")
    assert "Zo\\xeb" in process.stdout


def test_help_does_not_load_the_apps() -> None:
    """The command line answers at once; the chat, the event loop and the terminal come when they are run."""
    code = (
        "import sys; from landline.cli.main import main; main(['--help'])\n"
        "print([name for name in ('prompt_toolkit', 'uvloop', 'landline.apps.chat.server.serve') if name in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )

    assert process.stdout.splitlines()[-1] == "[]"


def test_every_command_says_what_it_does() -> None:
    """A command without help is not finished, nor is an option."""
    for command in cli.commands.values():
        assert command.help
        assert all(option.help for option in command.params if isinstance(option, click.Option))
    assert main_module.__doc__


def test_closed_standard_streams_are_empty_files() -> None:
    """Whoever starts us with everything closed gets an exit code, not a crash."""
    ended = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -m landline chat memory://nobody <&- >&- 2>&-', sys.executable],
        check=False,
        timeout=30,
    )

    assert ended.returncode in {2, 3}
