"""``landline bench persistent``: the same exchange over one session that stays, and over a new connection each time, side by side.

The ways take turns, block by block, so that what disturbs the machine disturbs all of them. Without an address a server of our own is measured, and both
ends' processor time is told; with one, that server, and only ours.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

import landline

from ..stopping import unless_stopped
from . import ways
from .own_server import USED, Places, serving
from .picture import Figures, Progress, picture
from .ways import Once, Way

ROUNDS: Final = 5

Used = Callable[[], Awaitable[float]]
"""Returns the seconds of processor time that the other end has taken."""


class Persistent(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        address: the server to measure; None for one of our own.
        host: where that one listens.
        credentials: what is shown to the server's ``authenticate``.
        tls: whom to trust there, and who we are.
        count: of exchanges in each way.
        is_json: print them for programs.
        is_quiet: say errors only.
    """

    address: str | None = None
    host: str = ""
    credentials: Any = None
    tls: landline.ClientTLS | None = None
    count: int = 500
    is_json: bool = False
    is_quiet: bool = False


async def run(wanted: Persistent, stop: asyncio.Event) -> int:
    """Measure and print; return the exit code.

    Raises:
        AddressError, ConnectError, ConnectTimeout, Refused: as for ``landline.connect``.
        CallNotAllowed, CallFailed, CallTimeout, SessionEnded: as for ``Session.call``.
        OwnServerError: our own server did not start.
        PipeError: we were told to stop.
    """
    progress = Progress(None if wanted.is_quiet else sys.stderr)
    try:
        figures = await unless_stopped(measure(wanted, progress), stop, before="all was measured")
    finally:
        progress.close()
    if wanted.is_json:
        for one in figures:
            print(msgspec.json.encode(one.summary()).decode())
    else:
        for line in picture(figures, _what(wanted)):
            print(line)
    sys.stdout.flush()
    return 0


async def measure(wanted: Persistent, progress: Progress) -> list[Figures]:
    """Return the figures of each way.

    Raises:
        Everything that ``run`` raises, but for the last.
    """
    async with AsyncExitStack() as stack:
        if wanted.address is not None:
            carrier = wanted.address.partition("://")[0].upper()
            dial = partial(landline.connect, wanted.address, credentials=wanted.credentials, tls=wanted.tls)
            return await _in_turn(
                stack, ways.of_sessions(carrier, dial, ways.listing), None, wanted, progress
            )
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="landline-bench-"))
        places = await stack.enter_async_context(serving(wanted.host, Path(folder)))
        if places.tls is None:
            progress.say(f"TLS is left out: {places.why_no_tls}")
        asking = await stack.enter_async_context(landline.connect(places.tcp.address))
        return await _in_turn(stack, own_ways(places), partial(asking.call, USED), wanted, progress)


def own_ways(places: Places) -> list[Way]:
    """Return the ways to our own server."""
    tcp, tls = places.tcp, places.tls
    found = [
        *ways.of_sessions("TCP", partial(landline.connect, tcp.address), ways.echo),
        ways.of_bare_sockets("TCP", tcp.host, tcp.port),
    ]
    if tls is not None:
        trusted = landline.ClientTLS(fingerprint=places.fingerprint)
        found += ways.of_sessions("TLS", partial(landline.connect, tls.address, tls=trusted), ways.echo)
        found.append(ways.of_bare_sockets("TLS", tls.host, tls.port, trusted.make_context()))
    return found


async def _in_turn(
    stack: AsyncExitStack, all_ways: list[Way], used: Used | None, wanted: Persistent, progress: Progress
) -> list[Figures]:
    opened = [(way, await stack.enter_async_context(way.open())) for way in all_ways]
    figures = [Figures(way.carrier, way.how) for way in all_ways]
    progress.begin(wanted.count * len(all_ways))
    for _, once in opened:
        await once()  # what is done at the first time alone is not counted
    for number in range(ROUNDS):
        block = wanted.count * (number + 1) // ROUNDS - wanted.count * number // ROUNDS
        for one, (_, once) in zip(figures, opened, strict=True):
            await _block(one, once, block, used, progress)
    return figures


async def _block(figures: Figures, once: Once, count: int, used: Used | None, progress: Progress) -> None:
    theirs = await used() if used else None
    ours = time.process_time()
    for _ in range(count):
        began = time.perf_counter()
        await once()
        figures.seconds.append(time.perf_counter() - began)
        progress.step(f"{figures.carrier}, {figures.how}")
    figures.client += time.process_time() - ours
    if used and theirs is not None:
        figures.server = (figures.server or 0.0) + await used() - theirs


def _what(wanted: Persistent) -> str:
    if wanted.address is None:
        return f"a call of {len(ways.PAYLOAD)} bytes and its answer, with a server on this machine"
    return f"a call of {ways.LISTING} at {wanted.address}"
