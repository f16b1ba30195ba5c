"""The fields that every answer has, so that a browser does nothing with it that was not meant: an application may set each otherwise."""

from __future__ import annotations

from typing import Final

from .types import App, Headers, Message, Receive, Scope, Send

SECURITY: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]


def with_security(headers: Headers) -> Headers:
    """Return the fields of an answer, and those of ours that are not among them."""
    names = {name.lower() for name, _ in headers}
    return [*headers, *(field for field in SECURITY if field[0] not in names)]


def secured(app: App) -> App:
    """Return an application whose answers have these fields, for other servers to run."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": with_security(list(message.get("headers", [])))}
            await send(message)

        await app(scope, receive, send_secured)

    return run
