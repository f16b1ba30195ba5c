"""A counter with bare websockets: whoever adds is told the total, and whoever watches is told each new one.

.venv/bin/python examples/moving/with_websockets.py serve [PORT]
.venv/bin/python examples/moving/with_websockets.py watch PORT
.venv/bin/python examples/moving/with_websockets.py add PORT
"""

import asyncio
import json
import sys

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import broadcast
from websockets.asyncio.server import serve as listen

HOST = "localhost"


async def serve(port=0):
    watchers = set()
    total = 0

    async def handle(websocket):
        nonlocal total
        watchers.add(websocket)
        try:
            async for text in websocket:
                request = json.loads(text)
                total += request["add"]
                print("added", request["add"], flush=True)
                broadcast(watchers, json.dumps({"total": total}))
                await websocket.send(json.dumps({"answer": request["id"], "total": total}))
        except websockets.ConnectionClosed:
            pass
        finally:
            watchers.discard(websocket)

    async with listen(handle, HOST, port) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


async def watch(port):
    async for websocket in connect(f"ws://{HOST}:{port}"):  # dials again when the line is lost
        print("ready", flush=True)
        try:
            async for text in websocket:
                print("total", json.loads(text)["total"], flush=True)
        except websockets.ConnectionClosed:
            continue


async def add(port):
    number = 0
    async for websocket in connect(f"ws://{HOST}:{port}"):
        if number == 0:
            print("ready", flush=True)
        try:
            while line := await asyncio.to_thread(sys.stdin.readline):
                number += 1
                await websocket.send(json.dumps({"add": int(line), "id": number}))
                async for text in websocket:
                    message = json.loads(text)
                    if message.get("answer") == number:
                        print("total", message["total"], flush=True)
                        break
            return
        except websockets.ConnectionClosed as error:
            print("unknown", type(error).__name__, flush=True)


asyncio.run({"serve": serve, "watch": watch, "add": add}[sys.argv[1]](*map(int, sys.argv[2:])))
