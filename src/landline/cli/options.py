"""The command line's options, made from the table of settings, and what one invocation knows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from landline.cli import logs
from landline.settings import NOTHING, SETTINGS, Loaded, Setting, load
from landline.settings.table import FILE, FOLDER

Function = TypeVar("Function", bound=Callable[..., Any])

_METAVARS: Final = {FILE: "FILE", FOLDER: "FOLDER"}

EVERY_COMMAND: Final = "config"
"""The command that takes every setting's flag, to explain what would come of it."""


@dataclass(slots=True)
class Invocation:
    """What is known of this run while the command line is read; later the errors' sentences depend on it."""

    config: Path | None = None
    verbose: int = 0
    from_make: bool = False
    command: str = ""

    def find(self, params: Mapping[str, object]) -> Loaded:
        """Find the settings as they are now, and do nothing about it.

        Raises:
            SettingsError: a setting cannot be used.
        """
        names = {parameter_name(setting): setting.key for setting in SETTINGS}
        flags = {names[name]: value for name, value in params.items() if name in names}
        return load(flags=flags, config=self.config, verbose=self.verbose)

    def load(self, params: Mapping[str, object]) -> Loaded:
        """Find the settings, tell about those that are probably mistaken, and set up the log.

        Raises:
            SettingsError: a setting cannot be used.
        """
        loaded = self.find(params)
        self.from_make = loaded.settings.from_make
        if self.verbose >= 0:
            for warning in loaded.warnings:
                print(f"landline: warning: {logs.safe_line(warning)}", file=sys.stderr)
        logs.set_up(loaded.settings.log.level, loaded.settings.log.format)
        return loaded


def parameter_name(setting: Setting) -> str:
    """Return the name of the setting's parameter in a command's function."""
    return setting.key.replace(".", "_")


def setting_options(command: str) -> Callable[[Function], Function]:
    """Give a command's function the options of its settings, and those that every command has."""

    def decorate(function: Function) -> Function:
        function = common_options(function)
        for setting in reversed(SETTINGS):
            if not setting.flag or not (command in setting.commands or command == EVERY_COMMAND):
                continue
            if setting.flag.startswith("-"):
                function = _option(setting)(function)
            elif command in setting.commands:
                function = click.argument(
                    parameter_name(setting), metavar=f"[{setting.flag}]", required=False
                )(function)
        return function

    return decorate


def common_options(function: Function) -> Function:
    """Give a function the options that stand before or after the command's name."""
    for option in (
        click.option(
            "--quiet", "-q", count=True, expose_value=False, callback=_quiet, help="Say errors only."
        ),
        click.option(
            "--verbose",
            "-v",
            count=True,
            expose_value=False,
            callback=_verbose,
            help="Say more; -vv says all.",
        ),
        click.option(
            "--config",
            metavar="FILE",
            type=click.Path(),
            expose_value=False,
            callback=_config,
            help="Read settings from this file.  [LANDLINE_CONFIG; default: ./landline.toml, or the user's]",
        ),
    ):
        function = option(function)
    return function


def _option(setting: Setting) -> Callable[[Function], Function]:
    flag, many = setting.flag, setting.kind.toml is list
    if setting.kind.toml is bool:
        return click.option(
            f"{flag}/--no-{flag[2:]}", parameter_name(setting), default=None, help=help_text(setting)
        )
    # The table reads the text, so that a bad value gets the same sentence wherever it comes from.
    kind = setting.kind
    metavar = "|".join(kind.choices) or _METAVARS.get(kind) or ("NUMBER" if kind.toml is int else "TEXT")
    # A shell completes paths and the few values there are.
    return click.option(
        flag,
        parameter_name(setting),
        metavar=metavar,
        multiple=many,
        help=help_text(setting),
        type=click.Path() if kind in (FILE, FOLDER) else None,
        shell_complete=partial(_complete, kind.choices) if kind.choices else None,
    )


def _complete(
    choices: tuple[str, ...], _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[str]:
    return [choice for choice in choices if choice.startswith(begun)]


def help_text(setting: Setting) -> str:
    """Return a line that says what the setting is for, where else it can be set, and its default."""
    default = (
        ""
        if callable(setting.default) or setting.default in ((), *NOTHING)
        else f"; default: {default_text(setting)}"
    )
    many = "  May be given several times." if setting.kind.toml is list else ""
    return f"{setting.meaning[:1].upper()}{setting.meaning[1:]}.{many}  [{setting.variable}{default}]"


def default_text(setting: Setting) -> str:
    """Return the setting's default as a person would write it."""
    if isinstance(setting.default, bool):
        return "yes" if setting.default else "no"
    return " ".join(map(str, setting.default)) if isinstance(setting.default, tuple) else str(setting.default)


def _config(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value:
        context.ensure_object(Invocation).config = Path(value)


def _verbose(context: click.Context, _parameter: click.Parameter, value: int) -> None:
    context.ensure_object(Invocation).verbose += value


def _quiet(context: click.Context, _parameter: click.Parameter, value: int) -> None:
    if value:
        context.ensure_object(Invocation).verbose = -1
