"""The Makefile: what a task passes to the program, and how it ends.

Real `make` in a temporary checkout whose set-up does nothing and whose program says how it was started, and drains when told to stop.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = f"""#!{sys.executable}
import os, signal, sys

def parent_waits(number):
    # Make has heard of the signal too: one that reaps us before it has complains that we are gone.
    with open(f"/proc/{{os.getppid()}}/status") as status:
        facts = dict(line.partition(":")[::2] for line in status)
    pending = int(facts["SigPnd"], 16) | int(facts["ShdPnd"], 16)
    return "S (sleeping)" in facts["State"] and not pending >> number - 1 & 1

def drain(number, frame):
    while not parent_waits(number):
        os.sched_yield()
    print("drained after", number, flush=True)
    sys.exit(0)

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, drain)
names = ("LANDLINE_DATA", "LANDLINE_FROM_MAKE", "LANDLINE_PORT")
print("started", *sys.argv[1:], *(f"{{name}}={{os.environ.get(name)}}" for name in names), "ready", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is set up."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "bootstrap.py").touch()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    program = tmp_path / ".venv" / "bin" / "landline"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return tmp_path


def make(folder: Path, *arguments: str, **environment: str) -> pexpect.spawn[str]:
    """Start `make` on a terminal of its own, and wait until the program is ready."""
    child = pexpect.spawn(
        "make",
        [f"PYTHON={sys.executable}", *arguments],
        cwd=folder,
        env=os.environ | environment,
        encoding="utf-8",
        timeout=30,
    )
    child.expect("started (.*) ready\r\n")
    return child


def words(child: pexpect.spawn[str]) -> str:
    """How the program was started."""
    assert isinstance(child.match, re.Match)
    return str(child.match[1])


@pytest.mark.parametrize(("task", "command"), [("run", "serve"), ("chat", "chat")])
def test_a_task_passes_on_arguments_settings_and_the_data_folder(
    checkout: Path, task: str, command: str
) -> None:
    """ARGS reach the program as written, so does the environment; the data stays in the checkout."""
    child = make(checkout, task, "ARGS=--name 'ana b'", LANDLINE_PORT="12346")

    said = words(child)
    child.sendintr()
    child.expect(pexpect.EOF)
    assert said == (
        f"{command} --name ana b LANDLINE_DATA={checkout}/.landline LANDLINE_FROM_MAKE=1 LANDLINE_PORT=12346"
    )


def test_a_data_folder_of_ones_own_is_kept(checkout: Path) -> None:
    """``LANDLINE_DATA=… make run`` is obeyed."""
    child = make(checkout, "run", LANDLINE_DATA="/somewhere/else")

    assert "LANDLINE_DATA=/somewhere/else " in words(child)
    child.sendintr()
    child.expect(pexpect.EOF)


def test_ctrl_c_drains_without_a_word_from_make(checkout: Path) -> None:
    """The program hears Ctrl-C once and ends by itself; make has nothing to complain about."""
    child = make(checkout, "run")
    child.sendintr()
    child.expect(pexpect.EOF)

    said = str(child.before)
    assert said.count("drained after 2") == 1
    assert "make" not in said
    assert "***" not in said


def test_sigterm_to_make_reaches_the_program(checkout: Path) -> None:
    """A supervisor that ends make drains the server."""
    child = make(checkout, "run")
    assert child.pid is not None
    os.kill(child.pid, signal.SIGTERM)
    child.expect("drained after 15")
    child.expect(pexpect.EOF)


@pytest.mark.long
def test_clean_keeps_the_data(checkout: Path) -> None:
    """`make clean` removes what can be made again, and never what people said."""
    (checkout / ".landline").mkdir()
    (checkout / ".cache").mkdir()
    pexpect.run("make clean", cwd=str(checkout))

    assert (checkout / ".landline").exists()
    assert not (checkout / ".venv").exists()
    assert not (checkout / ".cache").exists()
