"""The peers: a module each. The first is ours, by what carries our sessions."""

from __future__ import annotations

from . import aiohttp, bare, carrier, grpcio, landline, nats, rpyc, scp, socketio, websockets
from .peer import Peer

OVER: dict[str, list[Peer]] = {
    "tcp": [
        landline.OVER_TCP,
        landline.OVER_TLS,
        bare.BARE,
        bare.RAW,
        websockets.PEER,
        grpcio.PEER,
        rpyc.PEER,
        nats.PEER,
        socketio.PEER,
        scp.PEER,
    ],
    "websocket": [
        landline.OVER_WEBSOCKET,
        carrier.PEER,
        websockets.PEER,
        aiohttp.PEER,
        socketio.PEER,
    ],
}
"""All of them, in the order of the table."""
