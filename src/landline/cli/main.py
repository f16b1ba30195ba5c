"""The ``landline`` command: the commands in their groups, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import sys
import traceback
from collections.abc import Sequence
from typing import Final

import click
import msgspec

from landline.cli.bench import bench
from landline.cli.chat import chat
from landline.cli.completion import completion
from landline.cli.config import config
from landline.cli.connect import connect
from landline.cli.exits import Exit, Started, ending
from landline.cli.integrity import integrity
from landline.cli.listen import listen
from landline.cli.logs import StderrHandler, safe_line
from landline.cli.options import Invocation, common_options
from landline.cli.publish import publish
from landline.cli.receive import receive
from landline.cli.rpc import rpc
from landline.cli.send import send
from landline.cli.serve import serve
from landline.cli.subscribe import subscribe

GROUPS: Final[tuple[tuple[str, tuple[click.Command, ...]], ...]] = (
    ("Talk", (serve, chat)),
    ("Pipe", (listen, connect, receive, send)),
    ("Program", (rpc, publish, subscribe)),
    ("Look", (bench, config, integrity, completion)),
)


class Commands(click.Group):
    """A group whose help shows the commands under what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, group by group."""
        for title, commands in GROUPS:
            with formatter.section(title):
                formatter.write_dl(
                    [(str(command.name), command.get_short_help_str(limit=100)) for command in commands]
                )


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=(
        "Settings come from flags, LANDLINE_* variables and landline.toml: `landline config --explain`. "
        "Exit codes: 0 it worked or was drained, 1 failure, 2 usage or settings, 3 nobody to reach, 4 refused, "
        "5 timed out, 6 damaged data, 130 second Ctrl-C."
    ),
)
@common_options
@click.option("--json", "as_json", is_flag=True, help="With --version: one JSON object.")
@click.option("--version", is_flag=True, help="Show the version and exit.")
@click.pass_context
def cli(context: click.Context, /, *, version: bool, as_json: bool) -> None:
    """A connection that stays: chat over one port, and a dropped line costs nothing."""
    if version:
        show_version(as_json=as_json)
        context.exit()
    if as_json:
        raise click.UsageError("--json stands after the command, or goes with --version", context)
    context.find_object(Invocation).command = context.invoked_subcommand or ""  # type: ignore[union-attr]
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(Exit.USAGE)


for _title, _commands in GROUPS:
    for _command in _commands:
        cli.add_command(_command)


def show_version(*, as_json: bool) -> None:
    """Print which landline this is, and what it runs on."""
    try:
        version = importlib.metadata.version("landline")
    except importlib.metadata.PackageNotFoundError:  # run from a source tree that is not installed
        version = "unknown"
    if as_json:
        about = {"landline": version, "python": platform.python_version(), "platform": platform.platform()}
        print(msgspec.json.encode(about).decode())
    else:
        print(f"landline {version}")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; see ``landline.cli.exits``."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows only ASCII still shows something.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    invocation = Invocation()
    try:
        code = cli.main(args, prog_name="landline", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
        return int(code or Exit.OK)
    except (KeyboardInterrupt, click.exceptions.Abort):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _stdout_gone()
    except SystemExit as ended:  # how click ends when it meets the broken pipe first
        return ended.code if isinstance(ended.code, int) else Exit.FAILURE
    except Exception as error:  # noqa: BLE001 - the last one to see it: nothing may pass unsaid
        return _report(error, invocation)
    finally:
        for handler in logging.getLogger().handlers:
            if isinstance(handler, StderrHandler):
                handler.close()


def _report(error: Exception, invocation: Invocation) -> int:
    """Say on stderr what went wrong and what to do; return the exit code."""
    end = ending(error, Started(invocation.from_make, invocation.command))
    if end is None or invocation.verbose > 1:
        traceback.print_exception(error)
    if end is None:
        print("landline: this is a bug in landline; please report it with the lines above", file=sys.stderr)
        return Exit.FAILURE
    for sentence in end.sentences:
        print(f"landline: {safe_line(sentence)}", file=sys.stderr)
    return end.code


def _open_closed_streams() -> None:
    """Give what was closed by whoever started us (``landline chat <&-``) an empty file: else a socket gets its number, and chaos."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - a descriptor, for as long as we live


def _stdout_gone() -> int:
    """Whoever read our output (``| head``) has had enough: end quietly, also when Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.FAILURE
