"""Passing on: what one session offers goes to another, a piece at a time. Nothing of it is kept here, so how fast the receiver takes it is how fast it comes.

What is held is what the credit of the sender's flow and the outbox of the receiver's hold. Proofs, offsets and the SHA-256 are between the two ends; here
it is only seen that no more comes than was offered.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NoReturn

import msgspec

from ...errors import (
    FlowEnded,
    FlowReset,
    Full,
    ProtocolError,
    SessionEnded,
    TransferError,
)
from ...limits import FILES
from ...protocol.files import (
    FILE_PURPOSE,
    Done,
    FromReceiver,
    FromSender,
    Offer,
    own_id,
    read_from_receiver,
    read_from_sender,
)
from ...protocol.frames import ResetCode
from ...sessions.bare import BareSession
from ...sessions.flow import BareFlow
from ..messages import Messages
from .progress import Progress, Watch
from .sending import why_reset

_CODES: Final = {code.text: code for code in ResetCode}


async def pass_on(
    bare: BareSession, flow: BareFlow, offer: Offer, to: BareSession, name: str, progress: Watch
) -> None:
    """Pass on what a flow offers; see ``Session.pass_on``."""
    try:
        onward = to.open_flow(FILE_PURPOSE)
    except (Full, SessionEnded) as error:
        reason = "the receiver has too much under way" if isinstance(error, Full) else "the receiver is gone"
        flow.reset(ResetCode.FAILED, reason)
        raise TransferError(reason) from error
    relay = _Relay(_End(bare, flow), _End(to, onward), offer, name, progress)
    try:
        await relay.run()
    finally:
        for each in (flow, onward):
            if not each.is_over and not each.core.is_ending:
                each.reset(ResetCode.CANCELLED, "it is not passed on any more")


class _End:
    """The flow with one of the two."""

    def __init__(self, bare: BareSession, flow: BareFlow) -> None:
        self.bare = bare
        self.flow = flow
        self.messages = Messages(bare, flow)


class _Relay:
    """One file or folder on its way from one session to another."""

    def __init__(self, sender: _End, receiver: _End, offer: Offer, name: str, progress: Watch) -> None:
        self._sender = sender
        self._receiver = receiver
        self._offer = offer
        self._name = name
        self._progress = progress
        self._passed = 0
        self._ending: asyncio.Timeout | None = None

    async def run(self) -> None:
        offer = self._offer
        # To the receiver everything comes from us: it must not go on with what is another sender's.
        own = own_id(self._sender.bare.principal, offer.id)
        await self._put(self._receiver, msgspec.structs.replace(offer, id=own, name=self._name))
        ways = [
            asyncio.ensure_future(self._pass(self._sender, self._receiver)),
            asyncio.ensure_future(self._pass(self._receiver, self._sender)),
        ]
        try:
            async with asyncio.timeout(None) as self._ending:
                await asyncio.gather(*ways)
        except TimeoutError:
            pass  # the receiver has it, and said so: that one of the two does not end its flow makes no failure of it
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, source: _End, target: _End) -> None:
        """Pass on what one end says until it says no more; what ends it before that is told to the other one."""
        left = 3 * self._offer.files + 3  # more than the two have to say to each other, besides the data
        while True:
            value = await self._next(source, target)
            if value is None:
                target.flow.end()
                return
            if isinstance(value, bytes) and source is self._sender:
                self._passed += len(value)
                is_too_much = self._passed > self._offer.size
            else:
                left -= 1
                is_too_much = left < 0
                if isinstance(self._read(source, target, value), Done):
                    self._end_soon()
            if is_too_much:
                self._blame(source, target, ProtocolError("more than was offered", "bad-data"))
            await self._put(target, value)
            offer = self._offer
            self._progress(Progress(self._name, self._passed, offer.size, 0, offer.files, 0))

    async def _next(self, source: _End, target: _End) -> Any:
        try:
            return await source.messages.receive()
        except FlowReset as error:
            target.flow.reset(_CODES.get(error.code, ResetCode.FAILED), error.reason)
            raise why_reset(error) from None
        except FlowEnded:
            return None
        except SessionEnded as error:
            raise self._gone(source, target, error) from error

    async def _put(self, target: _End, value: Any) -> None:
        source = self._sender if target is self._receiver else self._receiver
        try:
            _ = await target.messages.send(value)
        except FlowReset as error:
            source.flow.reset(_CODES.get(error.code, ResetCode.FAILED), error.reason)
            raise why_reset(error) from None
        except FlowEnded:
            self._blame(source, target, ProtocolError("more, after its end", "bad-data"))
        except SessionEnded as error:
            raise self._gone(target, source, error) from error

    def _end_soon(self) -> None:
        """The receiver has it: what is left is that both end their flows, also one whose line is down just now. More is not waited for."""
        if self._ending is not None and self._ending.when() is None:
            window = max(end.bare.limits.resume_window for end in (self._sender, self._receiver))
            self._ending.reschedule(asyncio.get_running_loop().time() + window + FILES.confirm)

    def _read(self, source: _End, target: _End, value: object) -> FromSender | FromReceiver:
        try:
            return (read_from_sender if source is self._sender else read_from_receiver)(value)
        except ProtocolError as error:
            self._blame(source, target, error)

    def _blame(self, source: _End, target: _End, error: ProtocolError) -> NoReturn:
        """One end broke a rule: its flow ends with it, and the other's too."""
        source.bare.on_limit(error.limit, error.reason)
        source.flow.reset(ResetCode.BAD_DATA, error.reason)
        target.flow.reset(ResetCode.FAILED, "the other end broke a rule")
        raise TransferError(f"the {self._role(source)} broke a rule: {error.reason}")

    def _gone(self, end: _End, other: _End, error: SessionEnded) -> TransferError:
        reason = f"the session of the {self._role(end)} is over"
        other.flow.reset(ResetCode.FAILED, reason)
        return TransferError(reason)

    def _role(self, end: _End) -> str:
        return "sender" if end is self._sender else "receiver"
