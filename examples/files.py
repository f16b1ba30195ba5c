"""A server that takes files into a folder, and a client that sends one: whole or not at all, and on from where it stopped.

.venv/bin/python examples/files.py                     a server; it prints its address
.venv/bin/python examples/files.py ADDRESS FILE        sends a file there
"""

from __future__ import annotations

import asyncio
import sys

import landline

INBOX = "inbox"


async def take(session: landline.Session) -> None:
    """Accept what a client offers, one after the other, up to 10 GB of it."""
    async with session.files(quota=landline.Quota(max_bytes=10**10)) as offers:
        async for offer in offers:
            if offer.is_folder:
                await offer.refuse("no folders, please")
                continue
            try:
                received = await offer.accept(INBOX)
            except landline.TransferError as error:
                print(f"{offer.name} did not come through: {error}", flush=True)
            else:
                print(f"{received.path} has come, {received.size:,} bytes", flush=True)


async def serve() -> None:
    async with landline.serve(take, "tcp://localhost:0") as listening:
        print("Taking files at", listening.addresses[0], flush=True)
        await asyncio.Event().wait()


async def send(address: str, path: str) -> None:
    async with landline.connect(address) as session:
        sent = await session.send_file(path)
        print(f"It is there, as {sent.name}")


if __name__ == "__main__":
    try:
        asyncio.run(send(*sys.argv[1:]) if len(sys.argv) > 1 else serve())
    except landline.LandlineError as error:
        sys.exit(str(error))
