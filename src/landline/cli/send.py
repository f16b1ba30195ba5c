"""``landline send``: files and folders, to where somebody receives."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from landline.cli.options import Invocation, setting_options
from landline.cli.piping import keep_memory, pipe_address, show_steps
from landline.cli.run import run


@click.command()
@setting_options("send")
@click.argument("paths", metavar="FILE...", nargs=-1)
@click.argument("address", metavar="ADDRESS")
@click.pass_context
def send(context: click.Context, /, *, paths: tuple[str, ...], address: str, **params: object) -> int:
    """Send files and folders to where `landline receive` runs.

    ADDRESS is what that prints. Each arrives whole or not at all. When the line drops, or the receiver is started
    again, it goes on where it was; interrupted, the same command does. Links within folders are left out.
    """
    invocation = context.ensure_object(Invocation)
    settings = invocation.load(params).settings
    if not address:
        raise click.UsageError("ADDRESS is empty: `landline receive` prints it", context)
    is_there = "#" not in address and ":" not in address and Path(address).exists()
    if is_there:
        kind = "folder" if Path(address).is_dir() else "file"
        raise click.UsageError(
            f"{address} is a {kind}: ADDRESS stands last, as `landline receive` prints it", context
        )
    if not paths:
        raise click.UsageError("FILE is missing: what to send stands before ADDRESS", context)
    show_steps(invocation.verbose)
    keep_memory()
    from landline.apps.transfer import send as app
    from landline.apps.transfer.bars import Bars
    from landline.apps.transfer.receive import transfer_limits
    from landline.apps.transfer.ticket import Ticket, read_ticket

    ticket = read_ticket(address)
    asked = app.Send(
        paths=paths,
        ticket=Ticket(pipe_address(ticket.address, settings), ticket.secret, ticket.fingerprint),
        limits=transfer_limits(settings.pipe.resume_window),
    )
    bars = Bars(sys.stderr, is_quiet=invocation.verbose < 0)
    return run(lambda stop: app.run(asked, stop, bars), loop=settings.loop)
