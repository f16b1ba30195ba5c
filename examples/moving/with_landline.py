"""A counter with landline: whoever adds is told the total, and whoever watches is told each new one.

.venv/bin/python examples/moving/with_landline.py serve [PORT]
.venv/bin/python examples/moving/with_landline.py watch PORT
.venv/bin/python examples/moving/with_landline.py add PORT
"""

import asyncio
import sys

import landline

HOST = "localhost"


async def serve(port=0):
    server = landline.Server()
    server.topic("total")
    total = 0

    @server.method
    async def add(number: int) -> int:
        nonlocal total
        total += number
        print("added", number, flush=True)
        await server.publish("total", total)
        return total

    async with server.listen(f"tcp://{HOST}:{port}") as listening:
        print("port", listening.addresses[0].rpartition(":")[2], flush=True)
        await asyncio.Event().wait()


async def watch(port):
    async with landline.connect(f"tcp://{HOST}:{port}") as session:
        subscription = session.subscribe("total", after="start")
        print("ready", flush=True)
        async for item in subscription:
            print("total", item.data, flush=True)


async def add(port):
    async with landline.connect(f"tcp://{HOST}:{port}") as session:
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                print("total", await session.call("add", int(line)), flush=True)
            except landline.CallUnknown as error:
                print("unknown", type(error).__name__, flush=True)


asyncio.run({"serve": serve, "watch": watch, "add": add}[sys.argv[1]](*map(int, sys.argv[2:])))
