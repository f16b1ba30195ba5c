"""A folder, served to read: what lies in it, and nothing that it only points at.

Each step of a path is opened in the folder of the step before and may be no symbolic link, so that no name and no swap between a look and
an opening leads out (``openat(2)``). The disk is never waited for on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import mimetypes
import os
import re
import stat
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote, unquote_to_bytes

from ..limits import WEB
from .answers import answer, answer_unchanged, field_of, is_current, is_reading
from .listing import Entry, listing
from .ranges import UnsatisfiableRange, parse_range
from .types import Headers, Receive, Scope, Send

PIECE: Final = WEB.piece
LISTING: Final = WEB.listing

_UNWANTED: Final = re.compile(rb"[\0-\x1f\x7f\\]")
_CSP: Final = b"sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
"""A page that lies in the folder is shown and runs nothing: it is of this server's origin, and not of its making."""
_TYPES: Final = mimetypes.MimeTypes()
_OPEN: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Not blocking: what was swapped for a pipe meanwhile must not hold a thread until somebody writes into it."""

T = TypeVar("T")


class Opened:
    """A file, or a folder, that was reached; closed when it is done with."""

    def __init__(self, fd: int, facts: os.stat_result) -> None:
        self.fd = fd
        self.facts = facts

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.facts.st_mode)

    @property
    def etag(self) -> bytes:
        """What changes when the file does."""
        return f'"{self.facts.st_mtime_ns:x}-{self.facts.st_size:x}-{self.facts.st_ino:x}"'.encode()

    @property
    def modified(self) -> bytes:
        """When that was, in the words of HTTP."""
        return formatdate(int(self.facts.st_mtime), usegmt=True).encode()

    def close(self) -> None:
        """Be done with it."""
        os.close(self.fd)


class Files:
    """An application that serves a folder.

    Args:
        folder: may be reached by symbolic links itself; what is in it may not.
        under: the path that the folder has, ending with a slash.

    Raises:
        OSError: there is no such folder, or it may not be read.
    """

    def __init__(self, folder: Path, *, under: str = "/") -> None:
        self._root = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        self._under = under.encode()

    def close(self) -> None:
        """Serve it no more."""
        os.close(self._root)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if not await is_reading(scope, send):
            return
        raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        names = self._names(raw)
        try:
            opened = await _in_thread(functools.partial(self._open, names)) if names is not None else None
        except OSError:
            opened = None
        if opened is None:
            await answer(send, 404, "There is nothing here.")
            return
        try:
            await self._answer(opened, raw, names or [], scope, send)
        finally:
            opened.close()

    # Finding it...

    def _names(self, raw: bytes) -> list[str] | None:
        """Return the steps of a path, the last one empty for a folder, or None for a path that names nothing here."""
        if not raw.startswith(self._under) or b"%2f" in raw.lower():
            return None
        path = unquote_to_bytes(raw.removeprefix(self._under))
        if _UNWANTED.search(path):
            return None
        *folders, last = path.split(b"/")
        if any(not name or name.startswith(b".") for name in folders) or last.startswith(b"."):
            return None
        return [os.fsdecode(name) for name in [*folders, last]]

    def _open(self, names: list[str]) -> Opened:
        """Walk to it, in a thread.

        Raises:
            OSError: there is none, or it is nothing to be served.
        """
        opened = Opened(os.dup(self._root), os.fstat(self._root))
        for name in filter(None, names):
            try:
                step = _step(opened.fd, name)
            finally:
                opened.close()
            opened = step
        if opened.is_folder and not names[-1]:
            with contextlib.suppress(OSError):
                index = _step(opened.fd, "index.html")
                if index.is_folder:
                    index.close()
                else:
                    opened.close()
                    return index
        elif not opened.is_folder and not names[-1]:
            opened.close()
            raise NotADirectoryError
        return opened

    # ... and answering with it.

    async def _answer(self, opened: Opened, raw: bytes, names: list[str], scope: Scope, send: Send) -> None:
        if not opened.is_folder:
            await _answer_file(opened, names[-1] or "index.html", scope, send)
        elif names[-1]:
            await answer(
                send, 308, "A folder's address ends with a slash.", headers=[(b"location", raw + b"/")]
            )
        else:
            entries, is_all = await _in_thread(functools.partial(_read_folder, opened.fd))
            page = listing(names[:-1], entries, is_all=is_all)
            await answer(
                send,
                200,
                page,
                content_type=b"text/html; charset=utf-8",
                headers=[(b"cache-control", b"no-cache")],
            )


async def _answer_file(opened: Opened, name: str, scope: Scope, send: Send) -> None:
    size = opened.facts.st_size
    headers: Headers = [
        (b"etag", opened.etag),
        (b"last-modified", opened.modified),
        (b"cache-control", b"no-cache"),
        (b"accept-ranges", b"bytes"),
        (b"content-security-policy", _CSP),
    ]
    if _has_it(scope, opened):
        await answer_unchanged(send, headers)
        return
    try:
        span = parse_range(field_of(scope, b"range"), size) if _is_range_wanted(scope, opened) else None
    except UnsatisfiableRange:
        headers.append((b"content-range", b"bytes */%d" % size))
        await answer(send, 416, f"The file has {size:,} bytes.", headers=headers)
        return
    headers.append((b"content-type", content_type(name)))
    if span is not None:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (span.start, span.stop - 1, size)))
    part = span or range(size)
    headers.append((b"content-length", b"%d" % len(part)))
    await send({"type": "http.response.start", "status": 206 if span else 200, "headers": headers})
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return
    for start in part[::PIECE]:
        data = await _in_thread(functools.partial(os.pread, opened.fd, min(PIECE, part.stop - start), start))
        if len(data) < min(PIECE, part.stop - start):
            raise EOFError(
                "the file was cut short while it was read"
            )  # the answer cannot be made whole: its connection ends
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def content_type(name: str) -> bytes:
    """Return what a file is by its name."""
    kind, encoding = _TYPES.guess_type(name)
    if kind is None or encoding is not None:
        return b"application/octet-stream"
    return kind.encode() + (b"; charset=utf-8" if kind.startswith("text/") else b"")


def _has_it(scope: Scope, opened: Opened) -> bool:
    """Whether the caller has the file as it is."""
    if field_of(scope, b"if-none-match") is not None:
        return is_current(scope, opened.etag)
    since = field_of(scope, b"if-modified-since")
    if since is None:
        return False
    try:
        return int(opened.facts.st_mtime) <= parsedate_to_datetime(since.decode("latin-1")).timestamp()
    except (ValueError, OverflowError):
        return False


def _is_range_wanted(scope: Scope, opened: Opened) -> bool:
    """Whether a part is of the same file as the caller has begun to read."""
    given = field_of(scope, b"if-range")
    return given is None or given in {opened.etag, opened.modified}


# The disk, in threads...


def _step(folder: int, name: str) -> Opened:
    """Open what is called ``name`` in a folder, if it is a file or a folder itself.

    Raises:
        OSError: it is not.
    """
    if not _is_served(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise FileNotFoundError(name)  # a device may do something when it is merely opened
    fd = os.open(name, _OPEN, dir_fd=folder)
    facts = os.fstat(fd)
    if not _is_served(facts.st_mode):
        os.close(fd)
        raise FileNotFoundError(name)
    return Opened(fd, facts)


def _is_served(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _read_folder(fd: int) -> tuple[list[Entry], bool]:
    """Return what can be asked for in a folder, and whether that is all."""
    entries: list[Entry] = []
    with os.scandir(fd) as found:
        for each in found:
            if each.name.startswith(".") or _UNWANTED.search(os.fsencode(each.name)):
                continue
            with contextlib.suppress(OSError):
                facts = each.stat(follow_symlinks=False)
                if not _is_served(facts.st_mode):
                    continue
                if len(entries) == LISTING:
                    return entries, False
                entries.append(Entry(each.name, None if stat.S_ISDIR(facts.st_mode) else facts.st_size))
    return entries, True


async def _in_thread(work: Callable[[], T]) -> T:
    """Have work done in a thread. What it opened for somebody who is cancelled meanwhile is closed."""
    doing = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        doing.add_done_callback(_close_result)
        raise


def _close_result(doing: asyncio.Future[T]) -> None:
    if not doing.cancelled() and doing.exception() is None and isinstance(opened := doing.result(), Opened):
        opened.close()
