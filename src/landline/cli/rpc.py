"""``landline rpc``: calls a server's methods, and lists them."""

from __future__ import annotations

from typing import Any

import click

from landline.cli.dialling import SECONDS, server_of, server_options
from landline.cli.options import Invocation
from landline.cli.piping import show_steps
from landline.cli.run import run


@click.command()
@server_options("rpc")
@click.argument("method", metavar="[METHOD]", required=False)
@click.argument("args", metavar="[ARG]...", nargs=-1)
@click.option(
    "--named", metavar="NAME=ARG", multiple=True, help="An argument by its name.  May be given several times."
)
@click.option("--text", "as_text", is_flag=True, help="Every ARG is text, also where it looks like JSON.")
@click.option(
    "--lines",
    "has_lines",
    is_flag=True,
    help="Call once for each line of standard input: a JSON list of arguments, or an object of named ones.",
)
@click.option("--json", "as_json", is_flag=True, help="Without METHOD: one JSON object a line.")
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="That a call may take.  [default: 30]")
@click.pass_context
def rpc(
    context: click.Context,
    /,
    *,
    method: str | None,
    args: tuple[str, ...],
    named: tuple[str, ...],
    as_text: bool,
    has_lines: bool,
    as_json: bool,
    timeout: float | None,
    **params: Any,
) -> int:
    """Call METHOD of the server at ADDRESS, and print what it returns as JSON.

    Without METHOD, what the server offers is listed, with types. ARG is JSON where it can be read as such, else text:
    12 is a number, ana is text, and so is '"12"'. Each call has its effect once, however often the line drops.
    """
    invocation = context.ensure_object(Invocation)
    settings = invocation.load(params).settings
    if method is None and (has_lines or named):
        raise click.UsageError("--lines and --named need a METHOD", context)
    if method is not None and as_json:
        raise click.UsageError("--json is for the list: what METHOD returns is JSON anyway", context)
    if has_lines and (args or named):
        raise click.UsageError("--lines has the arguments in the lines: leave ARG and --named out", context)
    show_steps(invocation.verbose)
    from landline.apps.program import rpc as app

    pairs = [_pair(text, context) for text in named]
    wanted = app.Rpc(
        server=server_of(invocation, settings, params),
        method=method,
        args=tuple(_value(text, context, as_text=as_text) for text in args),
        named={name: _value(text, context, as_text=as_text) for name, text in pairs},
        has_lines=has_lines,
        is_json=as_json,
        timeout=timeout,
    )
    return run(lambda stop: app.run(wanted, stop), loop=settings.loop)


def _pair(text: str, context: click.Context) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.BadParameter(f"{text!r} is not NAME=ARG", context, param_hint="--named")
    return name, value


def _value(text: str, context: click.Context, *, as_text: bool) -> Any:
    from landline.apps.program import values

    if as_text:
        return text
    try:
        return values.guess(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, param_hint="ARG") from None
