"""``landline chat``: the chat client, and with ``--plain`` a call to any plain-text server."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from landline.cli.options import Invocation, setting_options
from landline.cli.run import Main, run
from landline.errors import SettingsError
from landline.settings import DEFAULT_HOST, WILDCARDS, whole_address


@click.command()
@setting_options("chat")
@click.option(
    "--plain",
    metavar="[HOST:PORT]",
    is_flag=False,
    flag_value="",
    help="Call a server that speaks plain text, one message at a time; without an address, at the host and port of the settings.",
)
@click.pass_context
def chat(context: click.Context, /, *, plain: str | None, **params: object) -> int:
    """Join the chat at ADDRESS.

    ADDRESS is HOST, HOST:PORT, tcp://HOST:PORT or unix:///PATH; without it, the host and port of the settings.
    In a pipe, each line of stdin is said, and what is heard goes to stdout.
    """
    settings = context.ensure_object(Invocation).load(params).settings
    if plain is None:
        _check_folder(settings.chat.downloads)
        from landline.apps.chat.client import terminal

        main: Main = lambda stop: terminal.run(settings, stop)  # noqa: E731 - one of two
    else:
        if params["chat_address"]:
            raise click.UsageError("--plain already says where: leave ADDRESS out", context)
        context.ensure_object(Invocation).command = "chat --plain"
        host = DEFAULT_HOST if settings.host in WILDCARDS else settings.host
        address = whole_address(plain or host, settings.port, "--plain")
        settings = msgspec.structs.replace(
            settings, chat=msgspec.structs.replace(settings.chat, plain=address)
        )
        from landline.apps.chat.plain import call as plain_call

        main = lambda stop: plain_call.run(settings, stop)  # noqa: E731
    return run(main, loop=settings.loop)


def _check_folder(folder: Path) -> None:
    """See that files can be put there once some come: it is made then, where it is missing."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise SettingsError(f"--downloads {folder}: {there} is no folder", key="chat.downloads")
