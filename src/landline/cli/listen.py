"""``landline listen``: standard input and output, for whoever connects."""

from __future__ import annotations

import click

from landline import passed_sockets
from landline.cli.options import Invocation, setting_options
from landline.cli.piping import keep_memory, pipe_address, show_steps
from landline.cli.run import run


@click.command()
@setting_options("listen")
@click.argument("address", metavar="ADDRESS")
@click.option("--keep", is_flag=True, help="Serve one caller after the other, until Ctrl-C.")
@click.option(
    "--plain", is_flag=True, help="Over a bare socket, as nc: no session, nothing survives a dropped line."
)
@click.pass_context
def listen(context: click.Context, /, *, address: str, keep: bool, plain: bool, **params: object) -> int:
    """Pipe standard input and output to whoever connects to ADDRESS.

    ADDRESS is PORT, HOST:PORT, tcp://HOST:PORT or unix:///PATH. The other end runs `landline connect`. Each
    byte arrives once and in order, however often the line drops. It ends when both inputs have ended; a second
    caller meanwhile is refused. -v shows each step of a socket's life. A socket that systemd opened is used if it
    is the one of ADDRESS.
    """
    invocation = context.ensure_object(Invocation)
    settings = invocation.load(params).settings
    show_steps(invocation.verbose)
    keep_memory()
    from landline.apps.pipe import listen as app
    from landline.apps.pipe.meeting import Pipe, pipe_limits

    pipe = Pipe(
        address=pipe_address(address, settings),
        is_plain=plain,
        is_kept=keep,
        is_quiet=invocation.verbose < 0,
        limits=pipe_limits(settings.pipe.resume_window),
        sockets=tuple(passed_sockets()),
    )
    return run(lambda stop: app.run(pipe, stop), loop=settings.loop)
