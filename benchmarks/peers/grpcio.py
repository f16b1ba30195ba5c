"""gRPC with ``grpc.aio``: one channel that is used again, as its performance guide asks for, and bytes as they are instead of protobuf."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .peer import MESSAGE, Caller, Calls, Peer, Play, Reader


@asynccontextmanager
async def serve() -> AsyncIterator[str]:
    import grpc

    async def echo(request: bytes, context: Any) -> bytes:
        return request

    server = grpc.aio.server()

    async def items(request: bytes, context: Any) -> AsyncIterator[bytes]:
        for _ in range(int.from_bytes(request, "big")):
            yield MESSAGE

    methods = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Items": grpc.unary_stream_rpc_method_handler(items),
    }
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


@asynccontextmanager
async def connect_streams(place: str) -> AsyncIterator[Reader]:
    import grpc

    async with grpc.aio.insecure_channel(place) as channel:
        await channel.channel_ready()
        yield _Reading(channel.unary_stream("/bench.Bench/Items"))


class _Reading:
    def __init__(self, method: Any) -> None:
        self._method = method

    async def read(self, count: int) -> None:
        arrived = 0
        async for _ in self._method(count.to_bytes(8, "big")):
            arrived += 1
        if arrived != count:
            raise ValueError("not all of them have come")


PEER = Peer(
    "grpcio",
    {"calls": Play(serve, connect_calls), "streams": Play(serve, connect_streams)},
    modules=("grpc",),
)
