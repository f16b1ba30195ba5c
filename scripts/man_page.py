"""Makes docs/landline.1 from the program's own commands, settings and exit codes: `python scripts/man_page.py > docs/landline.1`.

It has no date and no version, so that it changes when the program does.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator

import click

from landline.cli.exits import Exit
from landline.cli.main import GROUPS, cli
from landline.settings import FILE_NAME, SETTINGS


def page() -> str:
    """Return the page, as roff."""
    lines = [
        '.TH LANDLINE 1 "" "landline" "User Commands"',
        ".SH NAME",
        "landline \\- connections between programs that survive bad lines, and a chat",
        ".SH SYNOPSIS",
        *(synopsis(*found) for found in every_command()),
        ".SH DESCRIPTION",
        *paragraphs(cli.help or ""),
        "Data goes to standard output, and what a person is told to standard error.",
        ".SH COMMANDS",
    ]
    for found in every_command():
        lines += section(*found)
    return "\n".join([*lines, *environment(), *files(), *exit_status(), ""])


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Yield each command with the words that call it; of a group, what is in it."""
    for _, commands in GROUPS:
        for command in commands:
            inner = command.commands.values() if isinstance(command, click.Group) else ()
            yield from ((f"{command.name} {one.name}", one) for one in inner)
            if not inner:
                yield str(command.name), command


def synopsis(words: str, command: click.Command) -> str:
    """Return one line: the command, and what it takes."""
    pieces = command.collect_usage_pieces(context_of(command))
    return f".B landline {escaped(words)}\n{escaped(' '.join(pieces))}\n.br"


def context_of(command: click.Command) -> click.Context:
    """Return what a command is run in: as the program has it, down to the names of the option that helps."""
    return click.Context(
        command, info_name=command.name, help_option_names=cli.context_settings["help_option_names"]
    )


def section(words: str, command: click.Command) -> Iterator[str]:
    """Yield what a command does, and its options."""
    context = context_of(command)
    yield f".SS landline {escaped(words)}"
    yield from paragraphs(command.help or "")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            names, meaning = record
            yield ".TP"
            yield f".B {escaped(names)}"
            yield escaped(" ".join(meaning.split()))


def environment() -> Iterator[str]:
    """Yield the variables."""
    yield ".SH ENVIRONMENT"
    for setting in SETTINGS:
        names = [*setting.variables, *([f"{setting.variable}_FILE"] if setting.secret else [])]
        yield ".TP"
        yield f".B {escaped(', '.join(names))}"
        suffix = "; the second names a file that holds it" if setting.secret else ""
        yield escaped(f"{setting.meaning[:1].upper()}{setting.meaning[1:]}{suffix}.")


def files() -> Iterator[str]:
    """Yield the files."""
    yield ".SH FILES"
    yield ".TP"
    yield f".B {escaped(FILE_NAME)}"
    yield escaped(
        "Settings, in the current folder or in the user's configuration folder; `landline config` prints one that could be kept."
    )


def exit_status() -> Iterator[str]:
    """Yield what each exit code means: the text below it in the source, or its name."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(Exit))).body
    assert isinstance(body, ast.ClassDef)
    yield ".SH EXIT STATUS"
    for statement, after in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            code = Exit[statement.targets[0].id]
            meaning = f"{code.name.capitalize()}.".replace("_", " ")
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                meaning = str(after.value.value)
            yield ".TP"
            yield f".B {int(code)}"
            yield escaped(meaning)


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a command's help; one behind click's mark keeps its lines."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield ".PP"
        if paragraph.startswith("\b"):
            yield from (".nf", *map(escaped, paragraph.splitlines()[1:]), ".fi")
        else:
            yield escaped(" ".join(paragraph.split()))


def escaped(text: str) -> str:
    """Return a line that roff takes as it stands."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return re.sub(r"^([.'])", r"\\&\1", re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text))


if __name__ == "__main__":
    print(page(), end="")
