"""Who is here: a server with one group, and clients that join it, say how they are, and watch each other.

    .venv/bin/python examples/presence.py serve
    .venv/bin/python examples/presence.py join ana
    .venv/bin/python examples/presence.py join ben

What you type becomes your state; an end of input leaves. Kill one of them (``kill -9``): the others see that it is reconnecting, and after
ten seconds that it has left. ``LANDLINE_PORT`` chooses another port.
"""

from __future__ import annotations

import asyncio
import os
import sys

import landline

ADDRESS = f"tcp://localhost:{os.environ.get('LANDLINE_PORT', '12345')}"


async def serve() -> None:
    server = landline.Server(authenticate=lambda name: name, limits=landline.Limits(resume_window=10.0))
    server.presence("lobby")
    async with server.listen(ADDRESS) as listening:
        print(f"Waiting at {listening.addresses[0]}.", flush=True)
        async for change in server.watch("lobby"):
            tell(change)


async def join(name: str) -> None:
    async with landline.connect(ADDRESS, credentials=name) as session:
        async with session.presence("lobby", state="is here") as here:
            watching = asyncio.create_task(watch(here))
            loop = asyncio.get_running_loop()
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                await here.update(line.strip())
        await watching


async def watch(here: landline.Presence) -> None:
    async for change in here:
        tell(change)


def tell(change: landline.Change) -> None:
    match change:
        case landline.Snapshot(members):
            print(f"{len(members)} there: {', '.join(member.principal for member in members)}", flush=True)
        case landline.Joined(member):
            print(f"{member.principal} joined", flush=True)
        case landline.Left(member, reason):
            print(f"{member.principal} left" + (f": {reason}" if reason else ""), flush=True)
        case landline.Updated(member, before) if member.is_here and before.is_here:
            print(f"{member.principal}: {member.state}", flush=True)
        case landline.Updated(member):
            print(f"{member.principal} is {'back' if member.is_here else 'reconnecting'}", flush=True)


if __name__ == "__main__":
    try:
        match sys.argv[1:]:
            case ["serve"]:
                asyncio.run(serve())
            case ["join", name]:
                asyncio.run(join(name))
            case _:
                sys.exit(__doc__)
    except landline.LandlineError as error:
        sys.exit(str(error))
