"""gRPC with ``grpc.aio``: one channel that is used again, as its performance guide asks for, and bytes as they are instead of protobuf."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .peer import Caller, Calls, Peer, Play


@asynccontextmanager
async def serve_calls() -> AsyncIterator[str]:
    import grpc

    async def echo(request: bytes, context: Any) -> bytes:
        return request

    server = grpc.aio.server()
    methods = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Bench", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def connect_calls(place: str) -> AsyncIterator[Caller]:
    import grpc

    async with grpc.aio.insecure_channel(place) as channel:
        await channel.channel_ready()
        yield Calls(channel.unary_unary("/bench.Bench/Echo"))


PEER = Peer("grpcio", {"calls": Play(serve_calls, connect_calls)}, modules=("grpc",))
