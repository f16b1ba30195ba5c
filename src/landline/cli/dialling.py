"""What the commands have in common that talk with a program's server: whom to trust, who we are, and what is waited for."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from landline.cli.options import Invocation, setting_options
from landline.cli.piping import pipe_address
from landline.errors import SettingsError, TLSError
from landline.settings import Settings
from landline.transports import ClientTLS

if TYPE_CHECKING:
    from landline.apps.program.opening import Server

Function = TypeVar("Function", bound=Callable[..., Any])


class Count(click.IntRange):
    """How many."""

    name = "whole number"


class Seconds(click.FloatRange):
    """A time to wait: more than nothing, and an end to it."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it as a number."""
        found = super().convert(value, param, ctx)
        if math.isnan(found):  # in no order with anything, so in every range
            self.fail(f"{value!r} is no number.", param, ctx)
        return found


SECONDS: Final = Seconds(min=0, min_open=True, max=10_000_000)


def server_options(command: str, *, is_address_needed: bool = True) -> Callable[[Function], Function]:
    """Give a command's function ``address`` and the options that say how it is dialled; ``server_of`` reads them."""

    def decorate(function: Function) -> Function:
        function = click.option(
            "--authority",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="PEM file of an authority to trust instead of the system's.",
        )(function)
        function = click.option(
            "--fingerprint", metavar="TEXT", default="", help="What the server's certificate must be."
        )(function)
        metavar = "ADDRESS" if is_address_needed else "[ADDRESS]"
        argument = click.argument("address", metavar=metavar, required=is_address_needed)
        return argument(setting_options(command)(function))

    return decorate


def server_of(invocation: Invocation, settings: Settings, params: dict[str, Any]) -> Server:
    """Return whom to dial.

    Raises:
        SettingsError: the port is none, or a file for TLS cannot be used.
    """
    from landline.apps.program.opening import Server

    try:
        tls = ClientTLS(
            fingerprint=params["fingerprint"],
            authority=params["authority"],
            certificate=settings.tls.certificate,
            key=settings.tls.key,
        )
    except TLSError as error:
        raise SettingsError(str(error), key="tls.certificate") from error
    return Server(
        address=pipe_address(params["address"], settings),
        credentials=settings.token or None,
        tls=tls,
        is_quiet=invocation.verbose < 0,
    )
