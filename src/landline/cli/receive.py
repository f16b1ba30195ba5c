"""``landline receive``: files from whoever is given the command that it prints."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Final

import click

from landline.cli.options import Invocation, setting_options
from landline.cli.piping import keep_memory, pipe_address, show_steps
from landline.cli.run import run
from landline.settings import EVERY_ADDRESS, whole_address
from landline.settings.program import program

_UNITS: Final = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Size(click.ParamType[int]):
    """A number of bytes, as people write it: 500, 20k, 1.5G."""

    name = "SIZE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return it as a number."""
        if isinstance(value, int):
            return value
        text = str(value).strip().upper().removesuffix("B").strip()
        unit = _UNITS.get(text[-1:], 1)
        number = text[:-1] if unit > 1 else text
        digits, _, fraction = number.strip().partition(".")
        if not (f"{digits}{fraction}".isascii() and f"{digits}{fraction}".isdecimal() and len(number) <= 15):
            self.fail(f"{str(value)!r} is no size: write 500, 20k, 1.5M or 3G", param, ctx)
        return int(float(number.strip()) * unit)


@click.command()
@setting_options("receive")
@click.argument("address", metavar="[ADDRESS]", required=False)
@click.option("--to", metavar="FOLDER", default=".", help="Where files go.  [default: this folder]")
@click.option("--keep", is_flag=True, help="Take from one sender after the other, until Ctrl-C.")
@click.option("--quota", type=Size(), metavar="SIZE", help="Take no more than this, as 500M or 3G.")
@click.option(
    "--public", is_flag=True, help="Listen on every address of this machine, for other machines: with TLS."
)
@click.pass_context
def receive(
    context: click.Context,
    /,
    *,
    address: str | None,
    to: str,
    keep: bool,
    quota: int | None,
    public: bool,
    **params: object,
) -> int:
    """Receive files, from whoever runs the command that this prints.

    The command holds a secret, which is good for this once. Files come whole or not at all, verified by SHA-256;
    nothing is overwritten. What is unfinished, when either end stops or dies, goes on when both are started again.
    ADDRESS is PORT, HOST:PORT, tcp://HOST:PORT or unix:///PATH; without one it is any free port of this machine alone.
    """
    invocation = context.ensure_object(Invocation)
    settings = invocation.load(params).settings
    if public and address is not None:
        raise click.UsageError("--public chooses the address; give one of the two", context)
    folder = Path(to)
    _see_folder(folder, context)
    show_steps(invocation.verbose)
    keep_memory()
    from landline.apps.transfer import receive as app
    from landline.apps.transfer.bars import Bars

    any_port = whole_address(EVERY_ADDRESS if public else settings.host, 0, "ADDRESS")
    asked = app.Receive(
        address=any_port if address is None else pipe_address(address, settings),
        to=folder,
        data=settings.make_data_folder(),
        quota=quota,
        is_kept=keep,
        limits=app.transfer_limits(settings.pipe.resume_window),
        again=f"{program()} {shlex.join(sys.argv[1:])}",
    )
    bars = Bars(sys.stderr, is_quiet=invocation.verbose < 0)
    return run(lambda stop: app.run(asked, stop, bars), loop=settings.loop)


def _see_folder(folder: Path, context: click.Context) -> None:
    """See that it is a folder, or can become one; whoever sends would be told much later."""
    for path in (folder, *folder.absolute().parents):
        if os.path.lexists(path):
            if not path.is_dir():
                raise click.BadParameter(f"{str(path)!r} is not a folder", context, param_hint="--to")
            return
