"""The peers: a module each. The first is ours, by what carries our sessions."""

from __future__ import annotations

from . import (
    aiohttp,
    bare,
    brokers,
    carrier,
    disk,
    floor,
    grpcio,
    landline,
    nats,
    picows,
    pyzmq,
    rpyc,
    scp,
    secure,
    socketio,
    websockets,
)
from .peer import Peer

OVER: dict[str, list[Peer]] = {
    "tcp": [
        landline.OVER_TCP,
        landline.SENDS,
        landline.OVER_TLS,
        landline.SEND_FILE_OVER_TLS,
        landline.STREAM_OVER_TLS,
        landline.SEND_FILE,
        landline.STREAM,
        floor.PEER,
        bare.BARE,
        bare.BARE_AWAITED,
        bare.BARE_ON_ASYNCIO,
        bare.RAW,
        secure.RAW,
        secure.STREAMS,
        secure.TRANSPORT,
        disk.PEER,
        websockets.PEER,
        picows.PEER,
        aiohttp.PEER,
        socketio.PEER,
        pyzmq.PEER,
        grpcio.PEER,
        rpyc.PEER,
        nats.PEER,
        nats.SERVER,
        brokers.REDIS,
        brokers.MOSQUITTO,
        scp.PEER,
    ],
    "websocket": [
        landline.OVER_WEBSOCKET,
        landline.SENDS_OVER_WEBSOCKET,
        carrier.PEER,
        websockets.PEER,
        picows.PEER,
        aiohttp.PEER,
        socketio.PEER,
    ],
}
"""All of them, in the order of the table."""
