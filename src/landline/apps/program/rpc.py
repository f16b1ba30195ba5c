"""``landline rpc``: calls a method of a server and prints what it returns, or lists what is offered there.

One call with the arguments of the command line, or one for each line of standard input, one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec

import landline
from landline.errors import CallFailed, DataError
from landline.patterns.rpc.service import LISTING

from ..standard import Sink, standard_output
from ..stopping import unless_stopped
from . import values
from .lines import InputError, lines_until
from .opening import Server, opened


class Rpc(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        server: where.
        method: which to call; None: list them.
        args: its arguments in order.
        named: and by name.
        has_lines: the arguments of each call are a line of standard input.
        is_json: list them for programs.
        timeout: seconds that a call may take; None for the library's limit.
    """

    server: Server
    method: str | None = None
    args: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    has_lines: bool = False
    is_json: bool = False
    timeout: float | None = None


class Parameter(msgspec.Struct, frozen=True):
    """What a server says of a parameter; texts of its language."""

    name: str
    type: str = ""
    default: str | msgspec.UnsetType = msgspec.UNSET


class Method(msgspec.Struct, frozen=True):
    """What a server says of a method; what else it says is for programs."""

    name: str
    kind: str
    parameters: list[Parameter]
    returns: str = ""
    about: str = ""


async def run(wanted: Rpc, stop: asyncio.Event) -> int:
    """Call or list; return the exit code.

    Raises:
        AddressError, ConnectError, ConnectTimeout, Refused: as for ``landline.connect``.
        DataError, CallFailed, CallTimeout, CallNotAllowed, CallUnknown, SessionEnded: as for ``Session.call``.
        InputError: a line cannot be read; the calls before it were made.
        PipeError, BrokenPipeError: standard input or output failed, or we were told to stop during a call.
    """
    sink = Sink(standard_output())
    async with opened(wanted.server, stop) as session:
        if wanted.method is None:
            listed = await unless_stopped(session.call(LISTING, timeout=wanted.timeout), stop)
            for about, method in zip(listed, _methods(listed), strict=True):
                await sink.write(_line(about) if wanted.is_json else _signature(method))
        elif wanted.has_lines:
            await _each_line(session, wanted, wanted.method, sink, stop)
        else:
            result = await unless_stopped(
                _call(session, wanted, wanted.method, wanted.args, wanted.named), stop
            )
            await sink.write(_line(result))
    return 0


async def _each_line(
    session: landline.Session, wanted: Rpc, method: str, sink: Sink, stop: asyncio.Event
) -> None:
    async with contextlib.aclosing(lines_until(stop)) as lines:
        async for number, line in lines:
            if not line.strip():
                continue
            args, named = _arguments(number, line)
            result = await unless_stopped(_call(session, wanted, method, args, named, number), stop)
            await sink.write(_line(result))


def _arguments(number: int, line: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        given = values.parse(line)
    except ValueError as error:
        raise InputError(number, str(error)) from None
    if isinstance(given, list):
        return tuple(given), {}
    if isinstance(given, dict) and all(isinstance(name, str) for name in given):
        return (), given
    raise InputError(number, "it is neither a list of arguments nor an object of named ones")


async def _call(
    session: landline.Session,
    wanted: Rpc,
    method: str,
    args: tuple[Any, ...],
    named: dict[str, Any],
    number: int = 0,
) -> Any:
    if "timeout" in named:
        raise DataError("an argument that is named timeout must be given in order")
    try:
        return await session.call(method, *args, timeout=wanted.timeout, **named)
    except CallFailed as error:
        raise type(error)(_story(error, number), type=error.type, data=error.data) from None


def _story(error: CallFailed, number: int) -> str:
    """Return what is told of a call that failed: the method's own words, of which kind it is, and what belongs to it."""
    story = str(error)
    if error.type not in ("failed", story):
        story += f" ({error.type})"
    if error.data is not None:
        story += f" {_line(error.data).decode().rstrip()}"
    return f"{story}, at line {number} of standard input" if number else story


def _line(value: Any) -> bytes:
    try:
        return values.line(values.shown(value))
    except ValueError as error:
        raise DataError(f"what it returned cannot be printed: {error}") from None


def _methods(listed: Any) -> list[Method]:
    """Return what a server lists.

    Raises:
        CallFailed: it is no list of methods.
    """
    try:
        return msgspec.convert(listed, list[Method])
    except msgspec.ValidationError as error:
        raise CallFailed(
            f"what the server lists as its methods cannot be read: {error}", type="bad data"
        ) from error


def _signature(method: Method) -> bytes:
    """Return a method as a line for people, as Python has it."""
    parameters = ", ".join(map(_parameter, method.parameters))
    returns = f" -> {method.returns}" if method.returns else ""
    kind = "" if method.kind == "call" else f"  [{method.kind}]"
    told = f"  {method.about}" if method.about else ""
    # As text of JSON: nothing in it that a terminal would obey.
    quoted = values.line(f"{method.name}({parameters}){returns}{kind}{told}").decode().rstrip()
    return quoted[1:-1].replace('\\"', '"').encode() + b"\n"


def _parameter(parameter: Parameter) -> str:
    kind = f": {parameter.type}" if parameter.type else ""
    default = "" if parameter.default is msgspec.UNSET else f" = {parameter.default}"
    return f"{parameter.name}{kind}{default}"
