"""``landline serve``: the chat server."""

from __future__ import annotations

import logging

import click

from landline import passed_sockets
from landline.cli.options import Invocation, setting_options
from landline.cli.restart import Restart
from landline.cli.run import run
from landline.errors import SettingsError, TLSError

log = logging.getLogger("landline.cli")


@click.command()
@setting_options("serve")
@click.pass_context
def serve(context: click.Context, /, **params: object) -> int:
    """Run the chat server.

    It says how to join. Everything comes in over one port: `landline chat`, nc, telnet and programs made with
    landline. In a terminal, what you type is said in the lobby as host. Ctrl-C lets everybody finish, then ends.
    SIGUSR2 lets everybody finish, then starts anew; whoever dials meanwhile waits. SIGHUP reads the certificate and the
    log's level anew. It listens on sockets that systemd opened, if they are those of its addresses.
    """
    invocation = context.ensure_object(Invocation)
    settings = invocation.load(params).settings
    sockets = passed_sockets()
    from landline.apps.chat.server import serve as server
    from landline.apps.chat.server.doors import find_doors

    def check() -> None:
        anew = invocation.find(params).settings
        served, wanted = settings.serve.addresses, anew.serve.addresses
        if gone := [address for address in served if address not in wanted]:
            raise SettingsError(
                f"{' and '.join(gone)} would not be served any more; to change that, stop it and start it again",
                key="serve.address",
            )
        find_doors(anew)

    def reload() -> None:
        try:
            invocation.load(params)
            if doors.tls is not None:
                doors.tls.reload()
        except (SettingsError, TLSError) as error:
            log.error("not read anew, and everything stays as it was: %s", error)  # noqa: TRY400 - the sentence says it all
        else:
            log.info("read the settings of the log, and the certificate, anew")

    restart = Restart(check)
    doors = find_doors(settings)
    return run(
        lambda stop: server.run(settings, stop, doors, sockets=sockets, leave=restart.leave),
        loop=settings.loop,
        restart=restart,
        reload=reload,
    )
