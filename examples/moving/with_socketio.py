"""A counter with python-socketio: whoever adds is told the total, and whoever watches is told each new one.

.venv/bin/python examples/moving/with_socketio.py serve [PORT]
.venv/bin/python examples/moving/with_socketio.py watch PORT
.venv/bin/python examples/moving/with_socketio.py add PORT
"""

import asyncio
import sys

import socketio
from aiohttp import web

HOST = "localhost"


async def serve(port=0):
    server = socketio.AsyncServer(async_mode="aiohttp")
    total = 0

    @server.event
    async def connect(sid, environ):
        await server.enter_room(sid, "watchers")

    @server.event
    async def add(sid, number):
        nonlocal total
        total += number
        print("added", number, flush=True)
        await server.emit("total", total, room="watchers")
        return total

    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    print("port", runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def watch(port):
    client = socketio.AsyncClient()

    @client.event
    async def total(value):
        print("total", value, flush=True)

    await client.connect(f"http://{HOST}:{port}", transports=["websocket"])
    print("ready", flush=True)
    await client.wait()


async def add(port):
    client = socketio.AsyncClient()
    await client.connect(f"http://{HOST}:{port}", transports=["websocket"])
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            print("total", await client.call("add", int(line), timeout=5), flush=True)
        except socketio.exceptions.SocketIOError as error:
            print("unknown", type(error).__name__, flush=True)
    await client.disconnect()


asyncio.run({"serve": serve, "watch": watch, "add": add}[sys.argv[1]](*map(int, sys.argv[2:])))
