"""The manual page is what the program is, and ``man`` takes it."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
from pathlib import Path

import click
import pytest

from landline.cli.exits import Exit
from landline.cli.main import cli

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "landline.1"


def test_the_page_is_current() -> None:
    """Else run ``.venv/bin/python scripts/man_page.py > docs/landline.1``."""
    made = runpy.run_path(str(ROOT / "scripts" / "man_page.py"))["page"]()

    assert PAGE.read_text("utf-8") == made


@pytest.mark.needs("man")
def test_man_shows_it_without_a_warning() -> None:
    """Each command, option and exit code stands there as it is typed."""
    done = subprocess.run(
        ["man", "--warnings", "-l", str(PAGE)],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
        env={**os.environ, "MANPAGER": "cat", "MANWIDTH": "300", "LC_ALL": "C.UTF-8", "MANROFFOPT": "-c"},
    )
    shown = re.sub(".\b", "", done.stdout)

    assert done.stderr == ""
    inner = {
        f"{name} {one}": command
        for name, group in cli.commands.items()
        if isinstance(group, click.Group)
        for one, command in group.commands.items()
    }
    assert inner
    for name, command in {**cli.commands, **inner}.items():
        assert f"landline {name}" in shown
        for parameter in command.params:
            if not getattr(parameter, "hidden", False) and parameter.opts[0].startswith("-"):
                assert re.search(rf"(?<![\w-]){re.escape(parameter.opts[0])}(?![\w-])", shown)
    assert all(re.search(rf"^ +{int(code)} ", shown, re.MULTILINE) for code in Exit)


def test_the_wheel_installs_it() -> None:
    """Where ``man`` looks for it, beside the program."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert project["tool"]["setuptools"]["data-files"] == {"share/man/man1": ["docs/landline.1"]}
