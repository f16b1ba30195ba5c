"""Sending: offers a file or folder, reads it ahead in a thread, and goes on where the receiver is."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from ...errors import (
    FlowEnded,
    FlowReset,
    ProtocolError,
    SessionEnded,
    TransferDamaged,
    TransferError,
    TransferRefused,
)
from ...limits import FILES
from ...protocol.files import (
    FILE_PURPOSE,
    Done,
    FromReceiver,
    Offer,
    read_from_receiver,
)
from ...protocol.frames import ResetCode
from ...protocol.transfer import (
    Hash,
    Hear,
    Listed,
    Open,
    Prefix,
    Say,
    SendersDeed,
    Sending,
    SendRest,
    Tell,
)
from ...sessions.bare import BareSession
from ...sessions.flow import RENEWED, BareFlow
from ..messages import Messages
from .disk import DiskThread
from .listing import Found, Listing, list_files, name_of, open_found, open_root, see_unchanged, unreadable
from .progress import Progress, SentFile, Watch


async def send_file(
    bare: BareSession, path: str | os.PathLike[str], name: str | None, progress: Watch
) -> SentFile:
    """Send a file or folder, over another flow where a new life of the server goes on with the session."""
    disk = DiskThread()
    file = _Reader(disk)
    try:
        listing = await file.list(path)
        called = name_of(path) if name is None else name
        while True:
            flow = bare.open_flow(FILE_PURPOSE)
            try:
                return await _Sending(bare, flow, listing, called, file, progress).run()
            except FlowReset as error:
                if error.code != RENEWED:
                    raise why_reset(error) from None
            except FlowEnded:
                raise TransferError("the receiver ended the transfer before everything was there") from None
            except ProtocolError as error:
                flow.reset(ResetCode.BAD_DATA, error.reason)
                raise
            except TransferError as error:
                flow.reset(
                    ResetCode.FAILED,
                    error.reason if "/" not in error.reason else "it cannot be read there any more",
                )
                raise
            finally:
                if not flow.is_over and not flow.core.is_ending:
                    flow.reset(ResetCode.CANCELLED, "the sender gave up")
    finally:
        await disk.close(file.close)


class _Sending:
    """One file or folder over one flow."""

    def __init__(
        self,
        bare: BareSession,
        flow: BareFlow,
        listing: Listing,
        name: str,
        file: _Reader,
        progress: Watch,
    ) -> None:
        self._flow = flow
        self._messages = Messages(bare, flow)
        self._chunk = min(FILES.chunk, bare.core.max_message)
        self._listing = listing
        self._name = name
        self._file = file
        self._progress = progress
        self._size = listing.size
        offer = Offer(listing.id, name[-FILES.raw_name :], self._size, len(listing.files), listing.is_folder)
        files = [Listed(found.path, found.size, found.modified) for found in listing.files]
        self._core = Sending(offer, files)

    async def run(self) -> SentFile:
        deeds = self._core.deeds()
        answer: Any = None
        while True:
            try:
                deed = deeds.send(answer)
            except StopIteration as end:
                return await self._end(end.value)
            answer = await self._do(deed)

    async def _do(self, deed: SendersDeed) -> Any:
        match deed:
            case Say(what):
                _ = await self._messages.send(what)
            case Hear():
                return await self._hear()
            case Hash():
                return await self._file.digest()
            case Prefix(size):
                return await self._file.prefix(size)
            case Tell(offset):
                self._tell(offset)
            case Open(place):
                await self._file.open(self._listing.files[place])
            case SendRest(offset):
                await self._send_rest(offset)
        return None

    async def _end(self, done: Done) -> SentFile:
        self._flow.end()
        # The flow is not over before the receiver's end of it is read, and a session has a number of flows only.
        with suppress(FlowEnded, SessionEnded, TimeoutError):
            async with asyncio.timeout(FILES.confirm):
                await self._messages.receive()
        if not self._flow.is_over:
            self._flow.reset(ResetCode.CANCELLED)
        listing = self._listing
        return SentFile(done.name, self._size, len(listing.files), self._core.resumed, listing.skipped)

    async def _send_rest(self, offset: int) -> None:
        async for piece in self._file.pieces(offset):
            for start in range(0, len(piece), self._chunk):
                _ = await self._messages.send(piece[start : start + self._chunk])
            offset += len(piece)
            self._tell(offset)

    def _tell(self, offset: int) -> None:
        core, of_files = self._core, len(self._listing.files)
        self._progress(
            Progress(self._name, core.done + offset, self._size, core.files, of_files, core.resumed)
        )

    async def _hear(self) -> FromReceiver:
        return read_from_receiver(await self._messages.receive())


class _Reader:
    """Reads one file after the other, a piece ahead of who sends, and hashes what it reads. A file that changes meanwhile is an error."""

    def __init__(self, disk: DiskThread) -> None:
        self._disk = disk
        self._root: int | None = None
        self._descriptor: int | None = None
        self._found: Found | None = None
        self._hash = hashlib.sha256()

    async def list(self, path: str | os.PathLike[str]) -> Listing:
        """Begin with what is to be sent: return all of it, and hold it open."""
        return await self._disk.do(self._list, path)

    async def open(self, found: Found) -> None:
        """Go on to another file."""
        await self._disk.do(self._open, found)

    async def prefix(self, size: int) -> bytes:
        """Return the SHA-256 of its beginning."""
        left = size
        self._hash = hashlib.sha256()
        while left:
            left -= len(await self._disk.do(self._read, min(left, FILES.read)))
        return self._hash.digest()

    async def pieces(self, offset: int) -> AsyncIterator[bytes]:
        """Yield the rest of it, from where ``prefix`` ended or from the beginning."""
        if not offset:
            await self._disk.do(self._rewind)
        found = self._found
        left = (found.size if found is not None else 0) - offset
        ahead: asyncio.Future[bytes] | None = None
        try:
            while left:
                piece = await (ahead or self._disk.begin(self._read, min(left, FILES.read)))
                left -= len(piece)
                ahead = self._disk.begin(self._read, min(left, FILES.read)) if left else None
                yield piece
        finally:
            if ahead is not None:
                ahead.cancel()
                with suppress(asyncio.CancelledError, TransferError):
                    await ahead

    async def digest(self) -> bytes:
        """Return the SHA-256 of all of it, which it still has to have."""
        return await self._disk.do(self._end)

    # In the thread...

    def close(self) -> None:
        """Let go of all of it."""
        self._close_file()
        if self._root is not None:
            os.close(self._root)
            self._root = None

    def _list(self, path: str | os.PathLike[str]) -> Listing:
        self._root = open_root(path)
        return list_files(path, self._root)

    def _open(self, found: Found) -> None:
        self._close_file()
        if self._root is None:
            raise AssertionError("nothing was listed")
        self._descriptor = open_found(found, self._root)
        self._found = found
        self._hash = hashlib.sha256()

    def _close_file(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _rewind(self) -> None:
        os.lseek(self._open_file(), 0, os.SEEK_SET)
        self._hash = hashlib.sha256()

    def _read(self, most: int) -> bytes:
        where = self._found.where if self._found is not None else ""
        try:
            piece = os.read(self._open_file(), most)
        except OSError as error:
            raise unreadable(where, error) from error
        if not piece:
            raise TransferError(f"{where} changed while it was sent")
        self._hash.update(piece)
        return piece

    def _end(self) -> bytes:
        if self._found is not None:
            see_unchanged(self._found, self._open_file())
        return self._hash.digest()

    def _open_file(self) -> int:
        if self._descriptor is None:
            raise AssertionError("no file is open")
        return self._descriptor


def why_reset(error: FlowReset) -> TransferError:
    """Return what it means for a transfer that its other end reset the flow."""
    if error.code == ResetCode.UNWANTED.text:
        return TransferRefused(error.reason)
    if error.code == ResetCode.BAD_DATA.text:
        return TransferDamaged(error.reason)
    return TransferError(error.reason or error.code)
