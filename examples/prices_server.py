"""A server with topics and a method, to try `landline publish`, `subscribe` and `rpc` on. What is published is kept in prices.db, in the current folder.

LANDLINE_PORT chooses another port than 23456.
"""

import asyncio
import os
import sys

import landline


async def main():
    server = landline.Server(storage="prices.db")
    server.topic("prices.*", history=10_000)

    @server.method
    async def convert(amount: float, rate: float = 1.1) -> float:
        """Return an amount in another currency."""
        return amount * rate

    port = os.environ.get("LANDLINE_PORT", "23456")
    async with server.listen(f"tcp://localhost:{port}") as listening:
        print(f"Topics prices.* are at {listening.addresses[0]}.", flush=True)
        await asyncio.Event().wait()


try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
except landline.LandlineError as error:  # the port is taken, or prices.db
    sys.exit(str(error))
