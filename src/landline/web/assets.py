"""Files that are served from memory: few, small, of this program's own, so that no request reaches the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from ..limits import WEB
from .answers import answer, answer_unchanged, is_current, is_reading, path_in
from .types import Headers, Receive, Scope, Send

ASSETS: Final = WEB.assets

CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""By what a name ends with; the machine's own table may say anything. Others are bytes to a browser."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    body: bytes
    content_type: bytes
    etag: bytes


class Assets:
    """An application that serves files by their paths.

    Args:
        files: what there is, by path: ``/index.js``.
        headers: of every answer with a file, besides its own.

    Raises:
        ValueError: they are too large together to be kept in memory.
    """

    def __init__(self, files: Mapping[str, bytes], *, headers: Headers | None = None) -> None:
        if sum(map(len, files.values())) > ASSETS:
            raise ValueError(f"files that are served from memory may have {ASSETS:,} bytes together")
        self._files = {path: _asset(path, body) for path, body in files.items()}
        self._headers = headers or []

    def find(self, path: str) -> Asset | None:
        """Return the file at a path."""
        return self._files.get(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request by its path."""
        await self.answer(path_in(scope), scope, send)

    async def answer(self, path: str, scope: Scope, send: Send) -> None:
        """Answer a request with the file at ``path``."""
        asset = self.find(path)
        if asset is None:
            await answer(send, 404, "There is nothing here.")
        elif await is_reading(scope, send):
            # Asked for anew each time, and answered with 304: a new version of the program is never mixed with an old one.
            headers = [(b"etag", asset.etag), (b"cache-control", b"no-cache"), *self._headers]
            if is_current(scope, asset.etag):
                await answer_unchanged(send, headers)
            else:
                await answer(send, 200, asset.body, content_type=asset.content_type, headers=headers)


def package_files(package: str, *suffixes: str) -> dict[str, bytes]:
    """Return the files of a package's folder that end so, folders within it included, by path; none where there is no such folder."""
    parent, _, name = package.rpartition(".")
    folder = resources.files(parent) / name
    return dict(_walk(folder, "/", suffixes)) if folder.is_dir() else {}


def _walk(folder: Traversable, path: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{path}{entry.name}/", suffixes)
        elif entry.name.endswith(suffixes):
            yield f"{path}{entry.name}", entry.read_bytes()


def _asset(path: str, body: bytes) -> Asset:
    _, dot, ending = path.rpartition(".")
    content_type = CONTENT_TYPES.get(dot + ending, "application/octet-stream")
    if path.endswith("/"):
        content_type = CONTENT_TYPES[".html"]
    return Asset(body, content_type.encode(), f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode())
