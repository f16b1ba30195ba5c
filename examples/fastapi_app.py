"""Sessions inside a FastAPI application: whoever subscribes sees every item that is posted, history first.

    make setup-test     # brings FastAPI and uvicorn, as `pip install fastapi uvicorn` does beside an installed landline
    .venv/bin/uvicorn examples.fastapi_app:app
    curl -X POST "http://127.0.0.1:8000/items?name=first"

Programs and browsers have their sessions below ``/live/``: ``landline.connect("ws://127.0.0.1:8000/live/")``, and then
``session.subscribe("items", after="start")``. Everything else is an ordinary FastAPI application, which publishes to them.
"""

from __future__ import annotations

from fastapi import FastAPI

import landline


def may(principal: str, verb: str, topic: str) -> bool:
    """Everybody may come in and watch; only this application publishes."""
    return verb in ("enter", "subscribe")


server = landline.Server(authorize=may)
server.topic("items", history=100)

app = FastAPI(lifespan=landline.lifespan(server))
app.mount("/live", landline.asgi(server))


@app.post("/items")
async def add(name: str) -> dict[str, int]:
    position = await server.publish("items", name)
    return {"offset": position.offset}
