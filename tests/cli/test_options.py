"""Options come from the table: none is missing, none has a rule of its own."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from landline.cli.main import cli
from landline.cli.options import EVERY_COMMAND, Invocation, parameter_name
from landline.settings import SETTINGS, Setting


def flags(command: str) -> set[str]:
    """What can be written after a command."""
    return {word for option in cli.commands[command].params for word in option.opts}


@pytest.mark.parametrize("command", ["serve", "chat"])
def test_a_command_takes_the_flags_of_its_settings(command: str) -> None:
    """And of no others."""
    ours = {
        setting.flag for setting in SETTINGS if command in setting.commands and setting.flag.startswith("-")
    }
    others = {setting.flag for setting in SETTINGS} - ours

    assert ours <= flags(command)
    assert not others & flags(command)
    assert {"--config", "--verbose", "--quiet"} <= flags(command)


def test_config_takes_every_flag() -> None:
    """To explain what would come of it."""
    assert {setting.flag for setting in SETTINGS if setting.flag.startswith("-")} <= flags(EVERY_COMMAND)


def test_an_option_says_its_variable_and_default() -> None:
    """A person finds the other ways in the help."""
    (option,) = [param for param in cli.commands["serve"].params if param.name == "port"]

    assert isinstance(option, click.Option)
    assert (option.help or "").endswith("[LANDLINE_PORT; default: 12345]")


@pytest.mark.parametrize(
    "setting", [setting for setting in SETTINGS if setting.kind.choices], ids=lambda one: one.key
)
def test_an_option_with_few_values_shows_them(setting: Setting) -> None:
    """Nobody has to try."""
    (option,) = [
        param for param in cli.commands[EVERY_COMMAND].params if param.name == parameter_name(setting)
    ]

    assert option.metavar == "|".join(setting.kind.choices)
    assert all(setting.kind.read(choice) == choice for choice in setting.kind.choices)


def test_the_common_options_count_before_and_after_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``landline -v serve`` and ``landline serve -v`` are the same."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.toml").touch()
    for arguments in (["-v", "--config", "x.toml", "config", "-v"], ["config", "-vv", "--config", "x.toml"]):
        invocation = Invocation()

        cli.main(arguments, standalone_mode=False, obj=invocation)

        assert (invocation.verbose, invocation.config) == (2, Path("x.toml"))


def test_parameters_have_names_of_their_own() -> None:
    """Two settings of one name would hide each other."""
    names = [parameter_name(setting) for setting in SETTINGS]

    assert len(set(names)) == len(names)
