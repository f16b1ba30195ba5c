"""``landline publish``: to a topic of a server, from an argument or from standard input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from landline.cli.dialling import SECONDS, server_of, server_options
from landline.cli.options import Invocation
from landline.cli.piping import show_steps
from landline.cli.run import run


@click.command()
@server_options("publish")
@click.argument("topic", metavar="[TOPIC]", required=False)
@click.argument("data", metavar="[DATA]", required=False)
@click.option("--json", "as_json", is_flag=True, help="DATA, or each line, is JSON. Otherwise it is text.")
@click.option(
    "--storage",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keep what is not answered in this file; what an earlier run left there goes out first.",
)
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Give up when an answer takes longer.")
@click.pass_context
def publish(
    context: click.Context,
    /,
    *,
    topic: str | None,
    data: str | None,
    as_json: bool,
    storage: Path | None,
    timeout: float | None,
    **params: Any,
) -> int:
    """Publish to a topic of the server at ADDRESS.

    DATA is published as text. Without DATA, each line of standard input is one publication. Without TOPIC, each line
    is {"topic": …, "data": …}, as `landline subscribe` prints them. What is stored is printed, one JSON object a line,
    with its position.
    """
    invocation = context.ensure_object(Invocation)
    settings = invocation.load(params).settings
    if as_json and topic is None:
        raise click.UsageError("--json goes with TOPIC: without it, each line is JSON anyway", context)
    if storage is not None and not storage.absolute().parent.is_dir():
        raise click.UsageError(f"--storage {storage}: there is no folder {storage.parent}", context)
    show_steps(invocation.verbose)
    from landline.apps.program import publish as app

    wanted = app.Publish(
        server=server_of(invocation, settings, params),
        topic=topic,
        data=data,
        is_json=as_json,
        storage=storage,
        timeout=timeout,
    )
    return run(lambda stop: app.run(wanted, stop), loop=settings.loop)
