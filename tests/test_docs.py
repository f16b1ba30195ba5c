"""The documents tell the truth: their commands exist, their links lead somewhere, their programs run.

Everything is read out of the Markdown files, so a new document is covered the day it is written.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import landline
from landline.cli import main as cli_main

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROSE_PATHS = ("ARCHITECTURE.md", "CONTRIBUTING.md")
"""Documents that name source files in backticks."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as web viewers make them."""
    headings = re.findall(
        r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def targets() -> set[str]:
    return set(
        re.findall(r"^([a-z][a-z -]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )


def commands() -> set[str]:
    """The subcommands of the program."""
    group = cli_main.cli
    return set(group.list_commands(click.Context(group)))


def flags(command: str) -> set[str]:
    group = cli_main.cli
    found = group.get_command(click.Context(group), command)
    assert found is not None
    return {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    """Files, folders and headings that a document links to are there."""
    text = document.read_text(encoding="utf-8")
    broken = []
    for link in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_task_that_is_named_exists(document: Path) -> None:
    """``make X`` in a document is a target of the Makefile."""
    named = set(
        re.findall(
            r"(?:^\$ |`|^[A-Z_]+=\w+ )(?:[A-Z_]+=\S+ )?make ([a-z-]+)",
            document.read_text("utf-8"),
            re.MULTILINE,
        )
    )

    assert named - targets() == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_command_that_is_named_exists(document: Path) -> None:
    """``landline X --flag`` in a document is a command of the program, and takes the flag."""
    text = document.read_text(encoding="utf-8")
    for command, rest in re.findall(r"(?:`|^\$ )landline ([a-z]+)([^`\n]*)", text, re.MULTILINE):
        assert command in commands()
        assert set(re.findall(r"--[a-z-]+", rest)) - flags(command) == set()


def test_every_file_that_a_reader_is_told_to_run_exists() -> None:
    """``python3 examples/x.py`` can be pasted."""
    scripts = [
        script for path in DOCUMENTS for script in re.findall(r"python3 (\S+\.py)", path.read_text("utf-8"))
    ]

    assert scripts
    assert [script for script in scripts if not (ROOT / script).exists()] == []


@pytest.mark.parametrize("document", PROSE_PATHS)
def test_every_source_path_in_prose_exists(document: str) -> None:
    """``protocol/flow`` in backticks is a module or a package of ours, wherever it is named."""
    text = (ROOT / document).read_text(encoding="utf-8")
    packages = "|".join(path.name for path in (ROOT / "src" / "landline").iterdir() if path.is_dir())
    named = re.findall(rf"`((?:{packages})/[\w/]*)", text)
    source = ROOT / "src" / "landline"

    assert named
    assert [
        path for path in named if not (source / path).is_dir() and not (source / f"{path}.py").is_file()
    ] == []


def test_the_program_in_the_readme_runs(tmp_path: Path) -> None:
    """The README's program does what it says, over a socket of its own instead of the well-known port."""
    (program,) = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "python")
    program, replaced = re.subn(r"tcp://localhost:\d+", f"unix://{tmp_path}/readme.sock", program)

    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )

    assert replaced == 2
    assert result.stderr == ""
    assert result.stdout.splitlines()[0] == "hello"
    assert "acked" in result.stdout.splitlines()[1]


def test_what_the_readme_names_is_there_after_one_import() -> None:
    """``landline.X`` is said only of names at the front door; a module below it takes an import of its own."""
    named = set(re.findall(r"\blandline\.(\w+)", (ROOT / "README.md").read_text(encoding="utf-8")))

    assert named
    assert named <= set(landline.__all__)


ANY_ORDER = "(in any order)"


def shown_programs() -> list[tuple[str, str, list[str]]]:
    """Each program of a how-to with what the text says that it prints."""
    found = []
    for document in sorted((ROOT / "docs" / "howto").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        for program, after in re.findall(
            r"^```python\n(.*?)^```\n+([^\n#]*)", text, re.MULTILINE | re.DOTALL
        ):
            if not program.startswith("# pytest"):
                says = [
                    said.strip()
                    for _, said in re.findall(r"(`+)(.+?)\1(?!`)", after.partition(". ")[0])
                    if after.startswith("prints")
                ]
                if says and "in one order or the other" in after:
                    says = [ANY_ORDER, *sorted(says)]
                found.append((f"{document.name}: {program.strip().splitlines()[-1]}", program, says))
    return found


@pytest.mark.parametrize(("program", "says"), [(program, says) for _, program, says in shown_programs()])
@pytest.mark.long
def test_the_programs_of_the_how_tos_run(program: str, says: list[str], tmp_path: Path) -> None:
    """Each as it stands, in a folder of its own, and it prints what the text says it prints."""
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path)

    assert result.stderr == ""
    assert result.stdout
    if says:
        printed = result.stdout.splitlines()
        assert ([ANY_ORDER, *sorted(printed)] if says[0] == ANY_ORDER else printed) == says


def test_make_alone_lists_the_tasks() -> None:
    """`make` explains itself, and starts nothing."""
    said = subprocess.check_output(["make", "--no-print-directory"], cwd=ROOT, text=True)

    assert "make run" in said
    assert "make chat" in said
