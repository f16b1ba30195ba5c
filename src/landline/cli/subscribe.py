"""``landline subscribe``: the publications of a server's topics, one JSON object a line."""

from __future__ import annotations

from typing import Any

import click

from landline.cli.dialling import SECONDS, Count, server_of, server_options
from landline.cli.options import Invocation
from landline.cli.piping import show_steps
from landline.cli.run import run


@click.command()
@server_options("subscribe")
@click.argument("pattern", metavar="PATTERN")
@click.option(
    "--after",
    metavar="start|last|now|EPOCH:OFFSET",
    default="now",
    help="Begin with all that is kept, with the newest of each topic, with what comes from now on, or after a position.  [default: now]",
)
@click.option("--count", type=Count(min=1), metavar="NUMBER", help="End after so many publications.")
@click.option(
    "--timeout",
    type=SECONDS,
    metavar="SECONDS",
    help="End when none has come for so long; exit code 5 if --count is not reached.",
)
@click.pass_context
def subscribe(
    context: click.Context,
    /,
    *,
    pattern: str,
    after: str,
    count: int | None,
    timeout: float | None,
    **params: Any,
) -> int:
    """Print what is published to the topics that PATTERN selects, at the server at ADDRESS.

    PATTERN is a topic, or has * for one part of its name, or a final ** for one or more. One JSON object a line is
    printed: {"topic": …, "position": …, "data": …}, or {"gap": …} where something is missing. A dropped line costs
    nothing: it is dialled again, and goes on where it was.
    """
    invocation = context.ensure_object(Invocation)
    settings = invocation.load(params).settings
    show_steps(invocation.verbose)
    from landline.apps.program import subscribe as app
    from landline.apps.program.positions import read_beginning

    try:
        beginning = read_beginning(after)
    except ValueError:
        raise click.BadParameter(
            "it is start, last, now or a position, as EPOCH:OFFSET", context, param_hint="--after"
        ) from None
    wanted = app.Subscribe(
        server=server_of(invocation, settings, params),
        pattern=pattern,
        after=beginning,
        count=count,
        timeout=timeout,
    )
    return run(lambda stop: app.run(wanted, stop), loop=settings.loop)
