"""Our WebSocket against the cases of the Autobahn test suite: ``python -m benchmarks.websocket.autobahn``; ends with 1 when one failed.

The cases ask for an echo of text and binary messages, which the library has no use for: ``Echo`` is its transport with a reader that takes
text, and with messages made whole. Cases 12 and 13 are about compression, which we never agree on.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import kosoku

from landline.transports import Transport, parse_address
from landline.transports.websocket import WebSocketTransport
from landline.transports.websocket.client import open_transport
from landline.transports.websocket.frames import BINARY, TEXT, Arrival, FrameReader, encode_frame

from .server import listen

EXCLUDED = ["12.*", "13.*"]
AGENT = "landline"


class Echo(WebSocketTransport):
    """Sends each message back as it came."""

    def __init__(self, inner: Transport, *, is_client: bool, first: bytes = b"") -> None:
        self._message = bytearray()
        self.last = b""
        super().__init__(inner, is_client=is_client, first=first)
        self._reader = FrameReader(is_masked=not is_client, takes_text=True)
        self.over = asyncio.get_running_loop().create_future()
        self.start(_Ends(self))

    def _take(self, found: list[Arrival]) -> None:
        """One by one: the cases look at the order of pongs and messages."""
        for arrival in found:
            kind, payload, is_complete = arrival
            if kind not in (TEXT, BINARY):
                super()._take([arrival])
                continue
            self._message += payload
            if is_complete:
                self.last = bytes(self._message)
                self._message.clear()
                if not self._has_said_all:
                    self._inner.write(encode_frame(kind, self.last, self._key()))

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            super().data_received(data)
            return
        self._take(self._reader.feed(data))
        if self._reader.failure is not None:
            self._fail(self._reader.failure)


class _Ends:
    """Closes when the peer does."""

    def __init__(self, transport: Echo) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)

    def data_ended(self) -> None:
        self._transport.close()

    def writable(self) -> None:
        pass

    def lost(self, error: Exception | None) -> None:
        if not self._transport.over.done():
            self._transport.over.set_result(None)


async def judge_server(cases: list[str] | None, excluded: list[str]) -> list[Any]:
    """Return the results of the cases with our end as the server."""
    listener = await listen(
        "ws://127.0.0.1:0",
        lambda transport: None,
        lambda line, first: Echo(line, is_client=False, first=first),
    )
    try:
        return await _results(kosoku.run_fuzzingclient(listener.addresses[0], cases, excluded))
    finally:
        listener.close()


async def judge_client(cases: list[str] | None, excluded: list[str]) -> list[Any]:
    """Return the results of the cases with our end as the client, which asks for one after the other."""
    results: list[Any] = []
    async with kosoku.run_fuzzingserver(cases, excluded, host="127.0.0.1", port=0) as server:
        at = f"ws://127.0.0.1:{server.port}"
        result = asyncio.ensure_future(server.get_result())
        count = int(await _say(f"{at}/getCaseCount"))
        for number in range(1, count + 1):
            await _say(f"{at}/runCase?case={number}&agent={AGENT}")
        await _say(f"{at}/updateReports?agent={AGENT}")
        results += await _results(result)
    return results


async def _results(run: Awaitable[list[Any]]) -> list[Any]:
    try:
        return await run
    except kosoku.FailureError as failure:
        return list(failure.results)


async def _say(url: str) -> bytes:
    """Dial, echo until the other end closes, and return its last message."""
    dialled = await open_transport(parse_address(url))
    assert isinstance(dialled, WebSocketTransport)
    echo = Echo(dialled._inner, is_client=True, first=bytes(dialled._early or b""))
    await echo.over
    return echo.last


def main() -> None:
    """Judge both ends, and print what did not pass."""
    parser = argparse.ArgumentParser(prog="benchmarks.websocket.autobahn", description=__doc__)
    parser.add_argument("--cases", nargs="*", help="cases or patterns of cases; all that apply")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="asyncio")
    options = parser.parse_args()
    is_good = True
    for name, judge in (("server", judge_server), ("client", judge_client)):
        results = run(options.loop, judge(options.cases, EXCLUDED))
        is_good &= bool(results) and all(result.passed for result in results)
        print(f"as {name}: {len(results)} cases, {dict(Counter(verdict(result) for result in results))}")
        for result in results:
            if not result.passed or result.behavior.value != "OK":
                print(f"  {result.case_id}: {verdict(result)}: {result.result} {result.result_close}")
    sys.exit(not is_good)


def verdict(result: Any) -> str:
    """Return both verdicts of a case in one word, where they agree."""
    behaviour, close = result.behavior.value, result.behavior_close.value
    return behaviour if close == behaviour else f"{behaviour}, close {close}"


def run(loop: str, main: Any) -> Any:
    """Run on the loop of that name."""
    if loop == "uvloop":
        import uvloop

        return uvloop.run(main)
    return asyncio.run(main)


if __name__ == "__main__":
    main()
