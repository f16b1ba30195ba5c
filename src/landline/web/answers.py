"""Short answers, and whether a caller has them already (RFC 9110, section 13)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .types import Headers, Scope, Send

TEXT: Final = b"text/plain; charset=utf-8"


async def answer(
    send: Send,
    status: int,
    body: bytes | str,
    *,
    content_type: bytes = TEXT,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Answer with all of it at once; text is a sentence and gets a line end."""
    data = body if isinstance(body, bytes) else f"{body}\n".encode()
    fields: Headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(data)),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": data})


async def answer_unchanged(send: Send, headers: Headers) -> None:
    """Answer that what the caller has is still what there is."""
    await send({"type": "http.response.start", "status": 304, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def is_reading(scope: Scope, send: Send) -> bool:
    """Whether the request only reads; if not, that is answered."""
    if scope["method"] in {"GET", "HEAD"}:
        return True
    await answer(send, 405, "This can only be read: GET or HEAD.", headers=[(b"allow", b"GET, HEAD")])
    return False


def field_of(scope: Scope, name: bytes) -> bytes | None:
    """Return a field of a request; of several of one name the first."""
    return next((value for each, value in scope["headers"] if each == name), None)


def path_in(scope: Scope) -> str:
    """Return the path of a request below where the application is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    below = path.removeprefix(root) if path == root or path.startswith(f"{root}/") else path
    return below or "/"


def is_current(scope: Scope, etag: bytes) -> bool:
    """Whether the caller has what carries this tag, as ``If-None-Match`` says."""
    given = field_of(scope, b"if-none-match") or b""
    tags = [tag.strip().removeprefix(b"W/") for tag in given.split(b",")]
    return etag in tags or tags == [b"*"]
