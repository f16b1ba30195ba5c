"""A server for the tests of the JavaScript client: its program does what messages say, and its own end comes by a line on standard input.

Prints its address as JSON when it listens. ``stop`` on standard input drains; the end of standard input does so, too, so that none is left.
"""

# A receipt that nobody awaits costs nothing: none of these is looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import sys
from typing import Any

import landline


async def numbers(session: landline.Session, count: int) -> None:
    """Send numbers, in order."""
    for number in range(count):
        await session.send(["number", number])


async def take(session: landline.Session, folder: str) -> None:
    """Receive every file that is offered."""
    with contextlib.suppress(landline.SessionEnded):
        async with session.files() as offers:
            async for offer in offers:
                with contextlib.suppress(landline.TransferError):
                    await offer.accept(folder)


async def give(session: landline.Session, path: str) -> None:
    """Send a file, whatever becomes of it."""
    with contextlib.suppress(landline.TransferError, landline.SessionEnded):
        await session.send_file(path)


async def program(session: landline.Session) -> None:
    """Answer each message; a list that begins with a verb is an order."""
    heard: list[Any] = []
    tasks: list[asyncio.Task[Any]] = []
    while True:
        try:
            message = await session.receive()
        except landline.SessionClosed:
            return
        match message:
            case ["numbers", count]:
                tasks.append(asyncio.create_task(numbers(session, count)))
            case ["number", number]:
                heard.append(number)
            case ["heard"]:
                await session.send(["heard", heard])
            case ["durably", *values]:
                for value in values:
                    await session.send(value, durable=True)
            case ["take-file", folder]:
                tasks.append(asyncio.create_task(take(session, folder)))
            case ["send-file", path]:
                tasks.append(asyncio.create_task(give(session, path)))
            case ["close", reason]:
                await session.close(reason)
                return
            case ["fail"]:
                raise RuntimeError("as it was told")
            case ["flood", size]:
                while True:  # never looks at what comes meanwhile
                    await session.send(b"x" * size)
            case _:
                await session.send(message)


async def authenticate(credentials: Any) -> str | landline.Grant | None:
    """Let in who has no credentials, or good ones; a list ends with the seconds that they are good for."""
    if isinstance(credentials, list):
        return landline.Grant("somebody", expires_in=credentials[-1])
    return "somebody" if credentials in (None, "good") else None


async def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--unix")
    parser.add_argument("--storage")
    parser.add_argument("--retry-in", type=float, default=0.1)
    parser.add_argument("--limits", type=json.loads, default={})
    given = parser.parse_args()
    server = landline.Server(
        program,
        authenticate=authenticate,
        limits=landline.Limits(**given.limits),
        retry_in=given.retry_in,
        storage=given.storage,
    )
    server.topic("talk.**", history=10_000)
    server.topic("short.*", history=2)
    addresses = ["tcp://localhost:0", *([given.unix] if given.unix else [])]
    async with server.listen(*addresses) as listening:
        speaks_websocket = importlib.util.find_spec("landline.transports.websocket") is not None
        print(json.dumps({"address": listening.addresses[0], "websocket": speaks_websocket}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)


asyncio.run(main())
