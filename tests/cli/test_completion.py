"""Completion, in the shells themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from landline.cli.main import main
from tests.terminals import end_program

pytestmark = pytest.mark.timeout(60)

BOUND = 50


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """This ``landline`` on the PATH, and a folder with one file."""
    (tmp_path / "one-settings.toml").touch()
    folder = Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


TYPED = [
    ("landline pub", "landline publish "),
    ("landline bench pers", "landline bench persistent "),
    ("landline subscribe --af", "landline subscribe --after "),
    ("landline serve --loop uv", "landline serve --loop uvloop "),
    ("landline config --config one", "landline config --config one-settings.toml "),
]
"""What is typed before the key, and what stands there then: a command, one in a group, an option, one of few values, a file."""


@pytest.mark.needs("bash")
@pytest.mark.parametrize(("typed", "completed"), TYPED)
@pytest.mark.long
def test_bash_completes(tmp_path: Path, environ: dict[str, str], typed: str, completed: str) -> None:
    """With the Tab key, in a terminal."""
    shell = pexpect.spawn(
        "bash", ["--norc", "--noprofile", "-i"], env=environ, cwd=tmp_path, encoding="utf-8", timeout=BOUND
    )
    try:
        shell.sendline("PS1='ready''> '; eval \"$(landline completion bash)\"")
        shell.expect_exact("ready> ")
        shell.send(typed + "\t")
        shell.expect_exact(completed)
    finally:
        end_program(shell)


@pytest.mark.needs("zsh")
@pytest.mark.parametrize(("typed", "completed"), TYPED)
@pytest.mark.long
def test_zsh_completes(tmp_path: Path, environ: dict[str, str], typed: str, completed: str) -> None:
    """With the Tab key, in a terminal; a second one writes the line anew."""
    shell = pexpect.spawn("zsh", ["-f", "-i"], env=environ, cwd=tmp_path, encoding="utf-8", timeout=BOUND)
    try:
        shell.sendline(
            "PS1='ready''> '; unsetopt prompt_cr prompt_sp; autoload -U compinit; compinit -u; eval \"$(landline completion zsh)\""
        )
        shell.expect_exact("ready> ")
        shell.send(typed + "\t")
        shell.expect_exact(completed.removeprefix(typed))
    finally:
        end_program(shell)


@pytest.mark.needs("fish")
@pytest.mark.parametrize(("typed", "completed"), TYPED)
@pytest.mark.long
def test_fish_completes(tmp_path: Path, environ: dict[str, str], typed: str, completed: str) -> None:
    """As it answers itself: what would stand there, with what it means behind a tab."""
    command = f"landline completion fish | source; complete --do-complete {typed!r}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", command],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=True,
    )

    words = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert words == [completed.rsplit(maxsplit=1)[-1]]


def test_another_shell_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """And exit code 2."""
    assert main(["completion", "csh"]) == 2

    assert "'csh' is not one of 'bash', 'zsh', 'fish'" in capsys.readouterr().err
