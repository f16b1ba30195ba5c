"""The promises of ``conftest.py``: honest skips, the loop that was asked for, and leaks blamed on their module.

Each test runs pytest on a small file, with our conftest as a plug-in and our settings.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

NEEDS = """
import asyncio, os, pytest

@pytest.mark.needs("no-such-program")
def test_marked(): ...

def test_skips_by_itself(): pytest.skip("no-such-program is missing")

def test_skips_for_something_else(): pytest.skip("only for root")

def test_environment(): assert not {"LANDLINE_NAME", "LANDLINE_PORT", "LANDLINE_REQUIRE"} & os.environ.keys()
"""
LEAKS = """
import socket

class Ring: ...

def test_it():
    ring = Ring()
    ring.self, ring.socket = ring, socket.socket()
"""
WHICH_LOOP = """
import asyncio, uvloop

async def test_it(): assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
"""


def run(folder: Path, test: str, **environment: str) -> tuple[int, str]:
    """Run pytest on one file; returns its exit code and what it said."""
    (folder / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)]
    # Only the plug-ins that our settings speak of: the others double the time that pytest takes to start.
    command += [
        "-p",
        "pytest_asyncio.plugin",
        "-p",
        "pytest_timeout",
        "-p",
        "conftest",
        "-o",
        f"cache_dir={folder}/cache",
        str(folder / "test_it.py"),
    ]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    result = subprocess.run(
        command,
        env=inherited
        | {"PYTHONPATH": str(ROOT / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


def test_a_missing_program_skips_with_its_name(tmp_path: Path) -> None:
    """On a bare machine a test that needs a program is skipped, and says which; the machine's settings reach no test."""
    code, said = run(tmp_path, NEEDS, LANDLINE_NAME="ana", LANDLINE_PORT="1")

    assert code == 0, said
    assert "1 passed, 3 skipped" in said
    assert "needs no-such-program, which is not on PATH" in said


def test_a_required_program_may_not_be_missing(tmp_path: Path) -> None:
    """Where ``LANDLINE_REQUIRE`` names the program the same skips are failures, however they came about; others are not."""
    code, said = run(tmp_path, NEEDS, LANDLINE_REQUIRE="nc,no-such-program")

    assert code == 1
    assert "1 failed, 1 passed, 1 skipped, 1 error" in said
    assert "LANDLINE_REQUIRE names no-such-program" in said


def test_a_leak_is_an_error_of_its_own_module(tmp_path: Path) -> None:
    """A socket that nobody closed is found when its module ends, though only the garbage collector knows it."""
    code, said = run(tmp_path, LEAKS)

    assert code == 1
    assert "ResourceWarning: unclosed <socket.socket" in said


def test_the_loop_is_the_one_asked_for(tmp_path: Path) -> None:
    """``LANDLINE_TEST_LOOP`` chooses the loop of every asynchronous test."""
    pytest.importorskip("uvloop")
    code, said = run(tmp_path, WHICH_LOOP, LANDLINE_TEST_LOOP="uvloop")

    assert code == 0, said


def test_a_loop_that_is_not_known_is_a_usage_error(tmp_path: Path) -> None:
    """A typing error does not quietly run on the wrong loop."""
    code, said = run(tmp_path, WHICH_LOOP, LANDLINE_TEST_LOOP="uvlop")

    assert code not in {0, 1}
    assert "asyncio or uvloop" in said
