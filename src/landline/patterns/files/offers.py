"""What the peer offers: a program that takes files is given each offer, with its name cleaned, to accept or refuse."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from ...errors import (
    FlowEnded,
    FlowReset,
    LandlineError,
    NotAllowed,
    SessionClosed,
    SessionEnded,
    TransferError,
    TransferRefused,
)
from ...limits import FILES
from ...protocol.filenames import safe_name
from ...protocol.files import Offer, read_from_sender, unexpected
from ...protocol.frames import ResetCode
from ...protocol.handshake import clean_reason
from ...sessions.bare import BareSession
from ...sessions.flow import BareFlow, EarlyFlows
from ...sessions.signal import Signal
from .. import middleware
from ..messages import Messages
from ..serving import Serving
from .progress import ReceivedFile, Watch, watch_nothing
from .quota import Quota

_NOBODY = "nobody here takes files"
_UNWANTED = "the receiver does not want it"

R = TypeVar("R")


class FileOffer:
    """A file or folder that the other end would send.

    Attributes:
        name: a plain name, which can be shown and used as it stands.
        size: bytes of all of it.
        files: how many files it is; of a folder, 0 and more.
        is_folder: it is a folder.
        id: the same for the same, unchanged file, whenever and over whatever session it is offered; its sender says it.
        is_answered: it was accepted or refused.
    """

    def __init__(self, bare: BareSession, flow: BareFlow, offer: Offer, quota: Quota) -> None:
        self.name = safe_name(offer.name)
        self.size = offer.size
        self.files = offer.files
        self.is_folder = offer.is_folder
        self.id = offer.id
        self._bare = bare
        self._flow = flow
        self._offer = offer
        self._quota = quota
        self._outcome: asyncio.Future[tuple[ReceivedFile | None, Exception | None]] | None = None
        self.is_answered = False
        self._is_settled = False

    async def accept(
        self,
        folder: str | os.PathLike[str],
        *,
        name: str | None = None,
        progress: Watch = watch_nothing,
        remember: bool = False,
    ) -> ReceivedFile:
        """Receive it into a folder; return when it is whole, verified, on the disk and has its name.

        Until then it is in a hidden folder beside, for our own user alone, from where the same file goes on when it is offered again. Nothing is overwritten:
        where the name is taken, a number follows it. Files are for our own user alone (0600), folders likewise (0700).

        Args:
            folder: where to; made where it is not there.
            name: what to call it, by default ``self.name``; cleaned likewise.
            progress: called with a ``Progress`` for every piece.
            remember: that it came, until ``landline.forget_received`` is called for the folder: offered again meanwhile, it is not sent again. For senders of many
                files who begin anew with the first. Otherwise it is forgotten as soon as the sender knows.

        Raises:
            TransferRefused: it is more than the quota or the disk takes, or is received elsewhere just now. The sender has been told.
            TransferDamaged: what arrived is not what was sent.
            TransferError: the sender gave up, or the disk failed.
            LandlineError: it was answered before.
            SessionClosed, SessionLost: the session is over.
        """
        from .receiving import receive_file  # `import landline` stays cheap

        self._answer()
        where = self.name if name is None else safe_name(name)
        receiving = receive_file(
            self._bare, self._flow, self._offer, folder, where, self._quota, progress, remember=remember
        )
        return await self._settled(receiving)

    async def pass_on(self, to: BareSession, name: str, progress: Watch) -> None:
        """Have another session receive it; see ``Session.pass_on``."""
        from .relaying import pass_on  # `import landline` stays cheap

        self._answer()
        await self._settled(pass_on(self._bare, self._flow, self._offer, to, name, progress))

    async def refuse(self, reason: str = "") -> None:
        """Say no; the sender is told the reason.

        Raises:
            LandlineError: it was answered before.
        """
        self._answer()
        self._refuse(reason or _UNWANTED)

    @property
    def is_abandoned(self) -> bool:
        """The other end has given it up."""
        return isinstance(self._flow.why_unreadable(), FlowReset)

    def _answer(self) -> None:
        if self.is_answered:
            raise LandlineError("an offer is answered once")
        self.is_answered = True

    def leave(self) -> None:
        """Refuse it, where nobody has answered."""
        if not self.is_answered:
            self.withdraw(_NOBODY)

    def withdraw(self, reason: str) -> None:
        """Refuse it for this reason, also in the middle; nothing happens where it is over."""
        if not self._is_settled:
            self.is_answered = True
            self._refuse(reason)

    async def outcome(self) -> ReceivedFile | None:
        """Return what the program makes of it, None where it passes it on; for what stands around it.

        Raises:
            TransferRefused: nobody wants it.
            TransferError, SessionClosed, SessionLost: it does not come through.
        """
        self._outcome = asyncio.get_running_loop().create_future()
        over = self._bare.over.wait()
        try:
            if self._bare.ended is None:
                await asyncio.wait((self._outcome, over), return_when=asyncio.FIRST_COMPLETED)
            if self._bare.ended is not None and not self.is_answered:
                raise self._bare.ended
            received, error = await self._outcome  # whoever receives it hears of the end as well
        finally:
            over.cancel()
            self._outcome = None
        if error is not None:
            raise error
        return received

    async def _settled(self, work: Coroutine[Any, Any, R]) -> R:
        try:
            came = await work
        except BaseException as error:
            self._settle(
                None, error if isinstance(error, Exception) else TransferError("the receiver gave up")
            )
            raise
        self._settle(came if isinstance(came, ReceivedFile) else None, None)
        return came

    def _refuse(self, reason: str) -> None:
        self._flow.reset(ResetCode.UNWANTED, reason)
        self._settle(None, TransferRefused(reason))

    def _settle(self, came: ReceivedFile | None, error: Exception | None) -> None:
        self._is_settled = True
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result((came, error))

    def __repr__(self) -> str:
        return f"<landline.FileOffer {self.name!r} of {self.size:,} bytes>"


class Offers:
    """What a session is offered, as it comes: an asynchronous iterator of ``FileOffer``."""

    def __init__(self, files: Files, quota: Quota) -> None:
        self.quota = quota
        self._files = files
        self._waiting: deque[FileOffer] = deque()
        self._given: list[FileOffer] = []
        self._news = Signal()
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FileOffer:
        while not self._waiting:
            self._see_over()
            signals = (self._news, self._files.bare.over, self._files.bare.messages.arrived)
            waits = [signal.wait() for signal in signals]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()
        offer = self._waiting.popleft()
        self._given = [each for each in self._given if not (each.is_answered or each.is_abandoned)]
        self._given.append(offer)
        return offer

    def _see_over(self) -> None:
        """Raise what ends the iteration, where something does."""
        bare = self._files.bare
        error = bare.ended or (bare.closing() if bare.is_closing or bare.is_peer_closed else None)
        if self._is_closed or isinstance(error, SessionClosed):
            raise StopAsyncIteration
        if error is not None:
            raise error

    def add(self, offer: FileOffer) -> None:
        """Another one has come."""
        if len(self._waiting) >= 2 * self._files.bare.limits.max_flows:
            # Half of them were abandoned, at the least: no more are open at once.
            self._waiting = deque(each for each in self._waiting if not each.is_abandoned)
        self._waiting.append(offer)
        self._news.wake()

    async def close(self) -> None:
        """Take no more; what is not answered is refused. Transfers that were accepted go on."""
        if not self._is_closed:
            self._is_closed = True
            self._files.close(self)
            for offer in (*self._waiting, *self._given):
                offer.leave()
            self._waiting.clear()
            self._news.wake()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


class Files:
    """The taker of a session's file flows; what comes before the program takes files waits for it a moment.

    Args:
        session: the same, as middlewares are given it.
        middlewares: stand around each offer, the first one outermost.
    """

    def __init__(
        self, bare: BareSession, session: Any = None, middlewares: Sequence[middleware.Middleware] = ()
    ) -> None:
        self.bare = bare
        self._session = session
        self._middlewares = middlewares
        self._offers: Offers | None = None
        self._is_decided = False
        self._early = EarlyFlows(bare.limits.max_flows)
        self._serving: Serving | None = None

    def open(self, quota: Quota) -> Offers:
        """Take files from now on."""
        if self.bare.ended is not None:
            raise self.bare.ended
        if self._offers is not None:
            raise LandlineError("something takes the files of this session already")
        self._offers = offers = Offers(self, quota)
        self._decide()
        return offers

    def close(self, offers: Offers) -> None:
        """No more."""
        if self._offers is offers:
            self._offers = None

    def takes(self, flow: BareFlow) -> bool:
        """Take a flow for a file."""
        if self._is_decided:
            self._serve(flow)
            return True
        if not self._early:
            asyncio.get_running_loop().call_later(FILES.undecided, self._decide)
        self._early.keep(flow)
        return True

    def _decide(self) -> None:
        self._is_decided = True
        for flow in self._early.take():
            self._serve(flow)

    def _serve(self, flow: BareFlow) -> None:
        if self._offers is None:
            flow.reset(ResetCode.UNWANTED, _NOBODY)
        else:
            if self._serving is None:  # most sessions carry no file
                self._serving = Serving()
            self._serving.run(self.bare, flow, self._receive_offer(flow))

    async def _receive_offer(self, flow: BareFlow) -> None:
        said = read_from_sender(await Messages(self.bare, flow).receive())
        if not isinstance(said, Offer):
            raise unexpected(said)
        offers = self._taken()
        offer = FileOffer(self.bare, flow, said, offers.quota)
        if not self.bare.keeper.may(self.bare, "send", offer.name):
            raise NotAllowed(f"you may not send {offer.name!r}")
        if self._middlewares:
            await self._pass_middlewares(offer)
        else:
            offers.add(offer)

    def _taken(self) -> Offers:
        if self._offers is None:
            raise FlowEnded(_NOBODY)
        return self._offers

    async def _pass_middlewares(self, offer: FileOffer) -> None:
        """Give it to the program through all that stands around; return when that, too, is done with it."""
        is_given = False

        async def last(call: middleware.Call) -> ReceivedFile | None:
            nonlocal is_given
            del call  # what is on its way cannot be exchanged for something else
            if is_given:
                raise LandlineError("a file is received once: go on with its call once")
            is_given = True
            self._taken().add(offer)
            return await offer.outcome()

        about = {"size": offer.size, "files": offer.files, "is_folder": offer.is_folder}
        try:
            await middleware.through(self._middlewares, last)(
                middleware.Call(self._session, "send", offer.name, about)
            )
        except (FlowEnded, SessionEnded):
            raise
        except (LandlineError, ValueError) as error:
            offer.withdraw(clean_reason(str(error)))
        else:
            if not is_given:
                offer.withdraw(_UNWANTED)


def forget_received(folder: str | os.PathLike[str]) -> None:
    """Forget which complete files and folders came here; see ``remember`` of ``FileOffer.accept``. What is unfinished stays.

    It blocks while it looks through the folder, which need not be there.
    """
    from .forgetting import forget_published  # `import landline` stays cheap

    forget_published(Path(folder))
