"""One request and its answer: an application is run for it and told what it asks for, and its mistakes stay here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import unquote

import h11

from ..errors import AddressError
from ..hits import Failures
from ..transports.address import parse_address
from .body import RequestBody
from .bytestream import ByteStream
from .refusal import Refused
from .response import Response
from .types import App, Message, Scope


class Exchange:
    """Runs an application for one request.

    Args:
        is_last: asked when the answer begins: whether the connection takes no further request.
        blame: told of a body that is refused, when it is.
        failures: hears where the application fails.

    Raises:
        Refused: the request announces a body that is too large.
    """

    def __init__(
        self,
        connection: h11.Connection,
        request: h11.Request,
        stream: ByteStream,
        *,
        is_last: Callable[[], bool],
        blame: Callable[[Refused], None],
        failures: Failures,
    ) -> None:
        self._connection = connection
        self._request = request
        self._stream = stream
        self._is_last = is_last
        self._blame = blame
        self._failures = failures
        self._body = RequestBody(connection, request, stream)
        self._response = Response(connection, request, stream)
        self._refused: Refused | None = None
        self._is_body_told = False
        self._over = asyncio.Event()

    async def run(self, app: App, *, is_secure: bool) -> bool:
        """Have the request answered; return whether another may follow on its connection.

        Raises:
            Refused: nothing was answered, so this is to be.
            ConnectionAbortedError: the answer is not whole, and only the end of the connection can say so.
        """
        self._stream.on_gone = self._over.set
        if self._stream.has_ended:
            self._over.set()
        try:
            await app(
                scope_of(self._request, self._stream.transport.peer, is_secure=is_secure),
                self._receive,
                self._send,
            )
        except Exception as error:  # noqa: BLE001 - the application's own code
            if not self._is_excused:
                self._failures.log("the application failed", error, f" at {self._name}")
        else:
            if not self._response.is_complete and not self._is_excused:
                unfinished = RuntimeError("it did not answer to the end")
                self._failures.log("the application failed", unfinished, f" at {self._name}")
        if self._response.is_complete:
            return self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE
        if self._response.has_begun or self._stream.is_lost:
            raise ConnectionAbortedError
        raise self._refused or Refused(500, "The server made a mistake; its log says which.", is_fault=False)

    @property
    def _is_excused(self) -> bool:
        """Whether the application may be at a loss: its caller has gone, or is refused."""
        return self._refused is not None or self._stream.is_lost

    @property
    def _name(self) -> str:
        return f"{self._request.method.decode()} {self._request.target.decode()}"

    async def _receive(self) -> Message:
        if not self._is_body_told and not self._is_excused:
            try:
                part = await self._body.next()
            except Refused as refused:
                self._refused = refused
                self._blame(refused)
            except EOFError:
                self._refused = Refused(400, "The request ended before its body did.", is_fault=False)
            else:
                self._is_body_told = self._body.is_complete
                return {"type": "http.request", "body": part, "more_body": not self._is_body_told}
        else:
            await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._stream.is_lost:
            raise ConnectionResetError("the caller has gone")
        kind = message["type"]
        if kind == "http.response.start":
            self._response.start(message)
        elif kind == "http.response.body":
            is_end = not message.get("more_body", False)
            if is_end and not self._response.has_begun:
                self._body.skip_what_arrived()
            try:
                await self._response.write_body(
                    bytes(message.get("body", b"")),
                    is_end=is_end,
                    is_final=not self._body.is_complete or self._is_last(),
                )
            except TimeoutError:
                self._refused = Refused(
                    408, "", limit="web.write_timeout", is_fault=False
                )  # it may be asleep
                self._blame(self._refused)
                self._stream.transport.abort()
                raise ConnectionResetError("the caller takes nothing any more") from None
            if is_end:
                self._over.set()
        else:
            raise RuntimeError(f"an application cannot send {kind!r} here")


def scope_of(request: h11.Request, peer: str, *, is_secure: bool) -> Scope:
    """Return what an application is told of a request."""
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "scheme": "https" if is_secure else "http",
        "path": unquote(path.decode()),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
        "client": client_of(peer),
        "server": None,
        "extensions": {},
    }


def client_of(peer: str) -> tuple[str, int] | None:
    """Return the host and port of a peer's address, or None where it has none: on a Unix socket and in memory."""
    try:
        address = parse_address(peer)
    except AddressError:
        return None
    return (address.host, address.port) if address.host else None
