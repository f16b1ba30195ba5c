"""``landline serve``: the chat server."""

from __future__ import annotations

import click

from landline.cli.options import Invocation, setting_options
from landline.cli.run import run


@click.command()
@setting_options("serve")
@click.pass_context
def serve(context: click.Context, /, **params: object) -> int:
    """Run the chat server.

    It says how to join. Everything comes in over one port: `landline chat`, nc, telnet and programs made with
    landline. In a terminal, what you type is said in the lobby as host. Ctrl-C lets everybody finish, then ends.
    """
    settings = context.ensure_object(Invocation).load(params).settings
    from landline.apps.chat.server import serve as server

    return run(lambda stop: server.run(settings, stop), loop=settings.loop)
