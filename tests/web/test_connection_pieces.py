"""However the bytes of requests are cut into pieces, the answers are the same."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from landline.limits import Limits
from landline.testing.clock import run
from landline.transports import open_listener, open_transport, parse_address
from landline.web.answers import answer
from landline.web.door import WebDoor

HOST = b"Host: localhost\r\n"
REQUESTS = [
    b"GET /get HTTP/1.1\r\n" + HOST + b"\r\n",
    b"POST /sized HTTP/1.1\r\n" + HOST + b"Content-Length: 7\r\n\r\n1234\r\n7",
    b"POST /chunks HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n",
    b"\r\nPOST /asks HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\nx",
    b"GET /bad HTTP/1.1\r\nHost : x\r\n\r\n",
    b"GET /last HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body, is_more = b"", True
    while is_more:
        message = await receive()
        body += message["body"]
        is_more = message["more_body"]
    await answer(send, 200, scope["path"].encode() + b" " + body)


class Caller:
    """Writes pieces, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard = b""

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def data_ended(self) -> None: ...

    def writable(self) -> None: ...

    def lost(self, error: Exception | None) -> None: ...


async def heard(pieces: list[bytes]) -> list[tuple[int, bytes]]:
    """What a caller is answered who says these pieces and no more."""
    door = WebDoor(echo, Limits(), upgrade=lambda transport: None)
    listener = await open_listener(
        parse_address("memory://pieces"), lambda each: door.serve(each, b""), backlog=1
    )
    transport = await open_transport(parse_address("memory://pieces"))
    caller = Caller()
    transport.start(caller)
    for piece in pieces:
        transport.write(piece)
        await asyncio.sleep(0.001)
    transport.end()
    await asyncio.sleep(1.0)
    await door.close()
    listener.close()
    transport.abort()
    return read(caller.heard)


def read(data: bytes) -> list[tuple[int, bytes]]:
    """The answers in what was heard, those that only encourage left out."""
    found: list[tuple[int, bytes]] = []
    while data:
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(data)
        reader.receive_data(b"")
        status, body = 0, b""
        while not isinstance(event := reader.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
        found.append((status, body))
        data = reader.trailing_data[0]
    return found


@settings(max_examples=50)
@given(st.lists(st.sampled_from(REQUESTS), max_size=6), st.data())
def test_pieces_change_nothing(requests: list[bytes], data: st.DataObject) -> None:
    """Requests one behind the other, cut anywhere: each is answered once, in order, until the first mistake or farewell."""
    said = b"".join(requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=10)))
    pieces = [said[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    expected: list[tuple[int, bytes]] = []
    for request in requests:
        path = request.strip().split(b" ")[1]
        body = {b"/sized": b"1234\r\n7", b"/chunks": b"abcde", b"/asks": b"x"}.get(path, b"")
        is_bad = path == b"/bad"
        expected.append((400, b"") if is_bad else (200, path + b" " + body))
        if path in {b"/bad", b"/last"}:
            break

    found = [(status, b"" if status == 400 else body) for status, body in run(heard(pieces))]

    assert found == expected
