"""The handshake of WebSocket at the web's door: answered, and the connection handed over with all that came behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landline.transports.websocket import accept_key
from landline.transports.websocket.frames import BINARY, encode_frame
from landline.transports.websocket.masking import new_key

if TYPE_CHECKING:
    from .conftest import Apps, Place

VIRTUAL_TIME = True

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def handshake(path: str = "/", method: str = "GET", **fields: str) -> bytes:
    given = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    lines = [
        f"{method} {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in given.items() if value),
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


class Heard:
    """What comes over the WebSocket."""

    def __init__(self) -> None:
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data

    def data_ended(self) -> None: ...

    def writable(self) -> None: ...

    def lost(self, error: Exception | None) -> None: ...


@pytest.mark.parametrize("path", ["/", "/?x=y"])
async def test_a_handshake_ends_http(place: Place, apps: Apps, path: str) -> None:
    """What was sent right behind it is the first of what comes; the application is not asked."""
    await place.serve(apps.hello)
    line = await place.line()
    line.say(handshake(path) + encode_frame(BINARY, b"first", new_key()))
    said = await line.until(b"\r\n\r\n")
    line.raw.clear()
    transport = await place.upgraded.get()
    heard = Heard()
    transport.start(heard)
    await place.empty()
    line.say(encode_frame(BINARY, b" second", new_key()))
    transport.write(b"back")

    assert await line.until(b"back") == encode_frame(BINARY, b"back", b"")
    assert said.startswith(b"HTTP/1.1 101 ") and accept_key(KEY).encode() in said
    assert heard.data == b"first second"
    assert apps.scopes == [] and place.charged == []


async def test_after_a_request_comes_a_handshake(place: Place, apps: Apps, get: bytes) -> None:
    """Browsers use a connection that they have."""
    await place.serve(apps.hello)
    line = await place.line()
    await line.ask(get)
    line.say(handshake())
    await line.until(b"101 ")

    assert place.upgraded.qsize() == 1


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Key": ""}, 426),
        ({"Sec_WebSocket_Key": "short"}, 426),
        ({"Connection": "close"}, 426),
        ({"method": "POST"}, 426),
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_what_is_no_handshake_or_not_from_us_is_refused(
    place: Place, apps: Apps, fields: dict[str, str], status: int
) -> None:
    """With a word on why; nobody is to blame."""
    await place.serve(apps.hello)
    line = await place.line()
    found = await line.ask(handshake(**fields))

    assert (found.status, found.fields.get(b"sec-websocket-version")) == (
        status,
        b"13" if status == 426 else None,
    )
    assert place.upgraded.empty() and apps.scopes == [] and place.charged == []


async def test_our_own_page_may(place: Place, apps: Apps) -> None:
    """And a listed one."""
    await place.serve(apps.hello, origins=["https://example.com"])
    for origin in ("http://localhost", "https://example.com"):
        line = await place.line()
        line.say(handshake(Origin=origin))
        await line.until(b"101 ")


async def test_elsewhere_a_request_is_a_request(place: Place, apps: Apps) -> None:
    """RFC 9110: a server may pass over an offer to upgrade."""
    await place.serve(apps.hello)
    line = await place.line()

    assert (await line.ask(handshake("/other"))).body == b"hello\n"
    assert (await line.ask(handshake(Upgrade="h2c"))).body == b"hello\n"
