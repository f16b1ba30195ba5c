"""Receiving what was accepted: takes what comes, has it written, and only then gives the sender credit for more.

So whatever happens to either end, no more than the credit of the flow is on its way and not on the disk. What is done when, ``protocol.transfer`` says.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from ...errors import (
    FlowEnded,
    ProtocolError,
    SessionEnded,
    TransferDamaged,
    TransferError,
    TransferRefused,
)
from ...limits import FILES
from ...protocol.files import Offer, own_id, read_from_sender
from ...protocol.flow import ENDED
from ...protocol.frames import ResetCode
from ...protocol.transfer import (
    AwaitEnd,
    Deed,
    Forget,
    GoOn,
    Hash,
    Hear,
    Keep,
    Place,
    Prefix,
    Publish,
    Receiving,
    Reject,
    Say,
    SetAside,
    Tell,
)
from ...sessions.bare import BareSession
from ...sessions.flow import BareFlow
from ..messages import Messages
from .disk import DiskThread
from .forgetting import forget_old
from .progress import Progress, ReceivedFile, Watch
from .quota import Quota
from .staging import Staging

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


async def receive_file(
    bare: BareSession,
    flow: BareFlow,
    offer: Offer,
    folder: str | os.PathLike[str],
    name: str,
    quota: Quota,
    progress: Watch,
    *,
    remember: bool = False,
) -> ReceivedFile:
    """Receive what a flow offers; see ``FileOffer.accept``."""
    receiving = _Receiving(bare, flow, offer, Path(folder), name, quota, progress, remember=remember)
    try:
        return await receiving.run()
    except FlowEnded as error:
        raise TransferError(
            getattr(error, "reason", "") or "the sender ended it before everything was there"
        ) from None
    except SessionEnded:
        raise
    except TransferDamaged as error:
        flow.reset(ResetCode.BAD_DATA, error.reason)
        raise
    except TransferRefused as error:
        flow.reset(ResetCode.UNWANTED, error.reason)
        raise
    except TransferError as error:
        flow.reset(ResetCode.FAILED, error.reason)
        raise
    except ProtocolError as error:
        bare.on_limit(error.limit, error.reason)
        flow.reset(ResetCode.BAD_DATA, error.reason)
        raise TransferError(f"the sender broke a rule: {error.reason}") from error
    except OSError as error:
        reason = _clause(error)
        flow.reset(ResetCode.FAILED, reason)
        raise TransferError(f"{reason}: {error}") from error
    finally:
        if not (flow.is_over or flow.core.is_ending or flow.core.ours & ENDED):
            # One that was ended is left alone: its sender may not have read yet that all of it is there.
            flow.reset(ResetCode.CANCELLED, "the receiver gave up")


class _Receiving:
    """One file or folder over one flow."""

    def __init__(
        self,
        bare: BareSession,
        flow: BareFlow,
        offer: Offer,
        folder: Path,
        name: str,
        quota: Quota,
        progress: Watch,
        *,
        remember: bool,
    ) -> None:
        self._bare = bare
        self._flow = flow
        self._messages = Messages(bare, flow)
        self._offer = offer
        self._folder = folder
        self._name = name
        self._quota = quota
        self._progress = progress
        self._core = Receiving(offer, remember=remember)
        self._disk = DiskThread()
        self._staging: Staging | None = None
        self._where = "", ""
        self._set_aside: _SetAside | None = None
        self.is_closed = asyncio.Event()

    async def run(self) -> ReceivedFile:
        offer = self._offer
        key = own_id(self._bare.principal, offer.id).hex()
        where = None
        try:
            where = self._where = (await self._disk.do(os.path.realpath, self._folder), key)
            await _take_over(where)
            _RUNNING[where] = self
            await self._disk.do(self._open, key)
            path = await self._receive()
        finally:
            try:
                await self._disk.close(self._close)
            finally:
                if where is not None and _RUNNING.get(where) is self:
                    del _RUNNING[where]
                self._settle_quota()
                self.is_closed.set()
        return ReceivedFile(path, offer.size, offer.files, offer.is_folder, self._core.resumed)

    def give_up(self) -> None:
        """The same has begun anew over another flow: its sender was started again."""
        self._flow.reset(ResetCode.CANCELLED, "the same transfer has begun anew")

    # On the loop...

    async def _receive(self) -> Path:
        staging = self._staging
        if staging is None:
            raise AssertionError("it is not open")
        deeds = self._core.deeds(staging.standing)
        answer: Any = None
        while True:
            try:
                deed = deeds.send(answer)
            except StopIteration as end:
                self._flow.end()
                name: str = end.value
                return self._folder / name
            answer = await self._do(staging, deed)

    async def _do(self, staging: Staging, deed: Deed) -> Any:
        do = self._disk.do
        match deed:
            case Say(what):
                _ = await self._messages.send(what)
            case Hear():
                return await self._next()
            case Hash():
                return staging.digest()
            case Prefix():
                return await do(staging.prefix)
            case Tell():
                self._tell()
            case SetAside(size, files):
                self._take_quota(size, files, staging.room)
            case GoOn(offset):
                await do(staging.go_on, offset)
            case Reject():
                await do(staging.reject)
            case Keep(modified):
                await do(staging.keep, modified)
            case Place(path):
                await do(staging.place, path)
            case Publish():
                return (await do(staging.publish, self._name, is_folder=self._offer.is_folder)).name
            case AwaitEnd():
                return await self._await_end()
            case Forget():
                await do(staging.forget)
        return None

    async def _next(self) -> Any:
        """Write the data that have come, until something else is said; return that."""
        flow, core = self._flow.core, self._bare.core
        while True:
            pieces: list[bytes] = []
            size = 0
            for value, _ in flow.inbox:
                if not isinstance(value, bytes) or size >= max(1, flow.window >> 1):
                    break
                pieces.append(value)
                size += len(value)
            if not pieces:
                value = await self._messages.receive() if flow.inbox else None
                if value is not None:
                    return read_from_sender(value)
                await self._wait()
                continue
            self._core.arriving.take(size)
            if self._staging is None:
                raise AssertionError("it is not open")
            await self._disk.do(self._staging.write, pieces)
            for _ in pieces:
                if flow.inbox:  # it may have been dropped, with its flow, while it was written
                    core.take(flow)
            self._tell()

    async def _wait(self) -> None:
        """Wait until something has come, or nothing more can."""
        self._bare.core.handle_taken(self._flow.core)
        error = self._bare.ended or self._flow.why_unreadable()
        if error is None and (self._bare.is_closing or self._bare.is_peer_closed):
            error = self._bare.closing()
        if error is not None:
            raise error
        await self._flow.arrived.wait()

    async def _await_end(self) -> bool:
        try:
            async with asyncio.timeout(FILES.confirm):
                await self._messages.receive()
        except FlowEnded as error:
            return type(error) is FlowEnded  # and not a reset
        except TimeoutError:
            reading = asyncio.get_running_loop().create_task(self._read_out(), name="landline file's end")
            _READING.add(reading)
            reading.add_done_callback(_READING.discard)
        except SessionEnded:
            pass
        return False

    async def _read_out(self) -> None:
        """Read the sender's end of the flow when it comes at last: until then it is one of those that the session may have."""
        with suppress(FlowEnded, SessionEnded):
            await self._messages.receive()
            self._flow.reset(ResetCode.BAD_DATA, "nothing is to be said after a file")

    def _take_quota(self, size: int, files: int, room: int) -> None:
        if size > room:
            raise TransferRefused(f"the disk there has no room: {size:,} bytes are needed, {room:,} are free")
        self._quota.take(size, files)
        self._set_aside = _SetAside(
            (size, files),
            (self._core.arriving.done, self._core.arriving.files),
            self._quota.recall(self._where),
        )

    def _settle_quota(self) -> None:
        """What was set aside and is not on the disk may be taken by others."""
        staging = self._staging
        if self._set_aside is not None and staging is not None and not self._core.is_complete:
            kept, given_back = self._set_aside.settle((staging.before + staging.offset, staging.files))
            self._quota.give_back(*given_back)
            self._quota.remember(self._where, *kept)

    def _tell(self) -> None:
        core, offer = self._core, self._offer
        arriving = core.arriving
        self._progress(
            Progress(self._name, arriving.done, offer.size, arriving.files, offer.files, core.resumed)
        )

    # In the thread...

    def _open(self, key: str) -> None:
        self._staging = Staging(self._folder, key)
        forget_old(self._folder)

    def _close(self) -> None:
        staging = self._staging
        if staging is not None:
            staging.close()


class _SetAside(NamedTuple):
    """What a quota set aside for a transfer, in bytes and files."""

    taken: tuple[int, int]
    here: tuple[int, int]
    """On the disk already."""
    counted: tuple[int, int]
    """By this quota, of that: the rest came under another one, and is not this one's to give back."""

    def settle(self, here: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return what stays counted of what is on the disk now, and what is given back."""
        (size, files), (before_size, before_files), (counted_size, counted_files) = self
        kept_size = min(here[0], counted_size + max(0, here[0] - before_size))
        kept_files = min(here[1], counted_files + max(0, here[1] - before_files))
        return (kept_size, kept_files), (counted_size + size - kept_size, counted_files + files - kept_files)


_READING: Final[set[asyncio.Task[None]]] = set()
"""Who waits for the end of a flow, all of which was received."""

_RUNNING: Final[dict[tuple[str, str], _Receiving]] = {}
"""What is being received in this process, by the folder it goes to and its key."""


async def _take_over(where: tuple[str, str]) -> None:
    """Have an earlier flow with the same transfer let go of it."""
    while (running := _RUNNING.get(where)) is not None:
        running.give_up()
        await running.is_closed.wait()


def _clause(error: OSError) -> str:
    """Return what the sender is told: where our folders are is not its business."""
    if error.errno in _FULL:
        return "the disk there is full; what came is kept"
    return f"it cannot be stored there: {(error.strerror or 'the disk failed').lower()}"
