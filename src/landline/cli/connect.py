"""``landline connect``: standard input and output, to where somebody listens."""

from __future__ import annotations

import click

from landline.cli.options import Invocation, setting_options
from landline.cli.piping import keep_memory, pipe_address, show_steps
from landline.cli.run import run


@click.command()
@setting_options("connect")
@click.argument("address", metavar="ADDRESS")
@click.option(
    "--plain", is_flag=True, help="Over a bare socket, as nc: no session, nothing survives a dropped line."
)
@click.pass_context
def connect(context: click.Context, /, *, address: str, plain: bool, **params: object) -> int:
    """Pipe standard input and output to where `landline listen` listens.

    ADDRESS is PORT, HOST:PORT, tcp://HOST:PORT or unix:///PATH. Each byte arrives once and in order, however
    often the line drops. It ends when both inputs have ended. -v shows each step of a socket's life.
    """
    invocation = context.ensure_object(Invocation)
    settings = invocation.load(params).settings
    show_steps(invocation.verbose)
    keep_memory()
    from landline.apps.pipe import connect as app
    from landline.apps.pipe.meeting import Pipe, pipe_limits

    pipe = Pipe(
        address=pipe_address(address, settings),
        is_plain=plain,
        is_quiet=invocation.verbose < 0,
        limits=pipe_limits(settings.pipe.resume_window),
    )
    return run(lambda stop: app.run(pipe, stop), loop=settings.loop)
