"""``landline bench``: what the library costs and saves, measured where it runs."""

from __future__ import annotations

from typing import Any, Final

import click

from landline.apps.bench.limits import BENCH
from landline.cli.dialling import Count, server_of, server_options
from landline.cli.options import Invocation
from landline.cli.piping import show_steps
from landline.cli.run import run
from landline.settings import DEFAULT_HOST

_COUNT: Final = 500


@click.group(no_args_is_help=False)
def bench() -> None:
    """Measure what a session that stays saves, here or between two machines."""


@bench.command(short_help="One session that stays, beside a new one each time.")
@server_options("bench", is_address_needed=False)
@click.option(
    "--count",
    type=Count(1, BENCH.exchanges),
    default=_COUNT,
    metavar="NUMBER",
    help=f"Of exchanges in each way.  [default: {_COUNT}]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for each way.")
@click.pass_context
def persistent(
    context: click.Context, /, *, address: str | None, count: int, as_json: bool, **params: Any
) -> int:
    """Do one exchange over a session that stays, and over a new connection each time; show what each costs.

    Without ADDRESS a server is started for this on this machine, and it is done without and with TLS, and with bare sockets
    beside the sessions. With ADDRESS that server is asked for the list of its methods, which every server of a program that
    offers methods has, as that of examples/prices_server.py; the chat has none.
    """
    invocation = context.ensure_object(Invocation)
    settings = invocation.load(params).settings
    show_steps(invocation.verbose)
    from landline.apps.bench import persistent as app

    wanted = app.Persistent(
        host=DEFAULT_HOST,  # whatever is set: what is started here is for nobody else
        count=count,
        is_json=as_json,
        is_quiet=invocation.verbose < 0,
    )
    if address is not None:
        import msgspec

        server = server_of(invocation, settings, {"address": address, **params})
        wanted = msgspec.structs.replace(
            wanted, address=server.address, credentials=server.credentials, tls=server.tls
        )
    return run(lambda stop: app.run(wanted, stop), loop=settings.loop)
