"""``landline config``: every setting with its value and where it came from, and every limit."""

from __future__ import annotations

import dataclasses
import json
import re
import textwrap
from collections.abc import Sequence
from typing import Final

import click
import msgspec

from landline.cli.limits import GROUPS as CLI_GROUPS
from landline.cli.logs import safe_line
from landline.cli.options import Invocation, default_text, setting_options
from landline.limits import FIXED, GROUPS, LimitGroup
from landline.settings import FILE_NAME, NOTHING, SETTINGS, Loaded, Rank, Setting

_INVITE: Final = re.compile(r"(?<=[#&]invite=)[^&]+")
"""In an address: as secret as a setting that is one."""


@click.command()
@click.option("--explain", is_flag=True, help="Show each value and where it came from.")
@click.option("--limits", is_flag=True, help="Show every limit, its default and its reason.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--markdown", is_flag=True, hidden=True, help="The reference page.")
@setting_options("config")
@click.pass_context
def config(
    context: click.Context, /, *, explain: bool, limits: bool, as_json: bool, markdown: bool, **params: object
) -> None:
    """Show the settings, as a landline.toml that could be kept.

    Takes the flags of all commands, and shows what would come of them.
    """
    if explain and limits:
        raise click.UsageError(
            "--explain is about the settings, --limits about the limits: choose one", context
        )
    if markdown:
        print(reference_page(), end="")
    elif limits:
        _print_limits(as_json=as_json)
    else:
        loaded = context.ensure_object(Invocation).load(params)
        if as_json:
            for setting in SETTINGS:
                value = loaded.values[setting.key]
                shown = "set" if setting.secret and value.value else _without_invites(value.value)
                print_json({"key": setting.key, "value": shown, "source": value.source})
        elif explain:
            _print_explained(loaded)
        else:
            print(toml(loaded), end="")


def toml(loaded: Loaded) -> str:
    """Return the values as TOML; those that nobody set are comments, so that the file sets nothing by chance."""
    file = loaded.settings.config_file
    lines = [
        f"# {FILE_NAME}: what is not set here has the value shown behind the #.",
        f"# Read: {file or 'no file'}",
    ]
    table = ""
    for setting in sorted(SETTINGS, key=lambda setting: "." in setting.key):
        head, dot, key = setting.key.rpartition(".")
        if dot and head != table:
            table = head
            lines += ["", f"[{table}]"]
        value = loaded.values[setting.key]
        if not setting.secret:
            comment = "# " if value.rank is Rank.DEFAULT else ""
            lines += ["", f"# {setting.meaning[:1].upper()}{setting.meaning[1:]}. ({_ways(setting)})"]
            lines.append(f"{comment}{key} = {_toml_value(value.value)}")
    return "\n".join(lines) + "\n"


def reference_page() -> str:
    """Return ``docs/reference/settings.md``."""
    rows = [
        (
            f"`{setting.key}`",
            f"`{_flag_text(setting)}`" if setting.flag else "none: it is a secret",
            ", ".join(f"`{variable}`" for variable in _variables(setting)),
            f"{setting.meaning[:1].upper()}{setting.meaning[1:]}.",
            setting.kind.expects.replace("|", "\\|"),
            _reference_default(setting),
        )
        for setting in SETTINGS
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "Made from the table in `src/landline/settings/table.py` by `landline config --markdown`; a test keeps it current.",
            "",
            "A flag wins over an environment variable, that over `landline.toml`, that over the default. A variable set to nothing",
            f"counts as not set. The file is the one that `--config` or `LANDLINE_CONFIG` names, else `./{FILE_NAME}`, else `{FILE_NAME}`",
            "in the user's configuration folder. `landline config --explain` shows each value and where it came from.",
            "",
            *_markdown_table(
                ("key in the file", "flag", "variable", "what it is", "must be", "default"), rows
            ),
            "",
            "Host and port from a stronger place beat an address from a weaker one: `--port` counts although `LANDLINE_ADDRESS` is set.",
            "A path in the file counts from the file's own place. `NO_COLOR` and `TERM=dumb` turn colours off while `colour` is `auto`.",
            "",
            "## Limits",
            "",
            "Nothing is unlimited. `landline config --limits` shows these tables.",
            "",
            *(line for group in limit_groups() for line in _markdown_limits(group)),
        ]
    )


def limit_groups() -> list[LimitGroup]:
    """Return every limit of the library and of its programs, part by part."""
    # Here, so that a program is loaded only where it is looked at.
    from landline.apps.bench.limits import GROUPS as BENCH_GROUPS
    from landline.apps.chat.limits import GROUPS as CHAT_GROUPS
    from landline.apps.limits import GROUPS as APP_GROUPS
    from landline.apps.pipe.limits import GROUPS as PIPE_GROUPS
    from landline.apps.program.limits import GROUPS as PROGRAM_GROUPS
    from landline.apps.transfer.limits import GROUPS as TRANSFER_GROUPS

    return [
        *GROUPS,
        *CHAT_GROUPS,
        *APP_GROUPS,
        *PIPE_GROUPS,
        *PROGRAM_GROUPS,
        *TRANSFER_GROUPS,
        *BENCH_GROUPS,
        *CLI_GROUPS,
    ]


def print_json(entry: object) -> None:
    """Print one JSON object as one line."""
    print(msgspec.json.encode(entry, enc_hook=str).decode())


def _print_limits(*, as_json: bool) -> None:
    if as_json:
        for group in limit_groups():
            for limit in group.limits:
                print_json({**dataclasses.asdict(limit), "group": group.title, "fixed": group.how == FIXED})
    else:
        print("\n".join(_limit_lines()))


def _limit_lines() -> list[str]:
    """Return the tables for a terminal of 80 columns: a line for each limit, and its reason below it."""
    lines = []
    for group in limit_groups():
        lines += ["", f"{group.title} ({group.how})"]
        for limit in group.limits:
            lines.append(f"  {limit.name:<34}{_number(limit.default):>13} {limit.unit}")
            lines += textwrap.wrap(limit.reason, width=78, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return lines[1:]


def _markdown_limits(group: LimitGroup) -> list[str]:
    rows = [(f"`{limit.name}`", _number(limit.default), limit.unit, limit.reason) for limit in group.limits]
    table = _markdown_table(("limit", "default", "unit", "reason"), rows)
    return [f"### {group.title} ({group.how})", "", *table, ""]


def _print_explained(loaded: Loaded) -> None:
    rows = []
    for setting in SETTINGS:
        value = loaded.values[setting.key]
        shown = "(secret)" if setting.secret and value.value else _toml_value(value.value)
        rows.append((setting.key, shown, value.source))
    _print_table(rows)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(safe_line("  ".join(cells).rstrip()))


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _toml_value(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, bool | int):
        return json.dumps(value)
    return json.dumps("" if value is None else str(_without_invites(value)), ensure_ascii=False)


def _without_invites(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(map(_without_invites, value))
    return _INVITE.sub("secret", value) if isinstance(value, str) else value


def _ways(setting: Setting) -> str:
    return ", ".join(filter(None, (_flag_text(setting), *_variables(setting))))


def _flag_text(setting: Setting) -> str:
    return f"{setting.flag}/--no-{setting.flag[2:]}" if setting.kind.toml is bool else setting.flag


def _variables(setting: Setting) -> tuple[str, ...]:
    return (*setting.variables, *((f"{setting.variable}_FILE",) if setting.secret else ()))


def _reference_default(setting: Setting) -> str:
    if setting.default in ((), *NOTHING):
        return "from host and port" if setting.key.endswith(".address") else "none"
    if callable(setting.default):
        return {
            "data": "the platform's folder for a user's data",
            "chat.name": "the login name",
            "chat.downloads": "the user's folder for downloads",
        }[setting.key]
    return f"`{default_text(setting)}`"


def _number(default: float) -> str:
    return f"{default:g}" if default < 1e6 and default != int(default) else f"{int(default):,}"
