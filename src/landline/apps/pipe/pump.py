"""Moves bytes between a pipe's two ends and a line, until both directions have ended.

The directions are independent: our input may end while theirs goes on. A piece is taken from the line only when the one before is written,
so a slow consumer here stops the producer over there, and what the other side counts as delivered has been written.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from landline.errors import LandlineError

from ..standard import Sink, Source
from .limits import PIPE
from .line import Account, HungUp, Line

DRAIN_TIMEOUT: Final = PIPE.drain_timeout


class CutShort(LandlineError):
    """Not everything came through.

    Attributes:
        reason: how the line ended, as a clause.
        account: what became of our bytes; None where nobody can say.
        written: bytes of the other side that were written here.
    """

    def __init__(self, reason: str, account: Account | None, written: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.account = account
        self.written = written

    def __str__(self) -> str:
        sentence = (
            f"{self.reason} before everything was said; {self.written:,} bytes of theirs are written here"
        )
        if self.account is None:
            return sentence
        delivered, unknown, undelivered = self.account
        return (
            f"{sentence}; of ours {delivered:,} certainly arrived, {unknown:,} may have, "
            f"{undelivered:,} certainly did not"
        )


class Pump:
    """One line between a source and a sink.

    Args:
        is_attended: a person may be typing at the source, and need not say that it ends: it ends when the other side's does.
        is_last: nothing comes after this line: who reads the sink is told of its end as soon as it is there.
    """

    def __init__(
        self, line: Line, source: Source, sink: Sink, *, is_attended: bool, is_last: bool = True
    ) -> None:
        self._line = line
        self._is_last = is_last
        self._source = source
        self._sink = sink
        self._is_attended = is_attended
        self._is_stopped = False
        self._written = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Pump until both directions have ended, or ``stop`` is set: then send what was read, and hang up.

        Raises:
            CutShort: the line ended before both sides had said everything; when stopped, only if some of what was read may be missing.
            BrokenPipeError: whoever read our output has gone.
            PipeError: our input or output failed.
        """
        self._source.go_on()
        sending = asyncio.create_task(self._send_all(), name="pipe out")
        receiving = asyncio.create_task(self._receive_all(), name="pipe in")
        gone = asyncio.create_task(self._line.wait_gone(), name="pipe line")
        asked = asyncio.create_task(stop.wait(), name="pipe stop")
        tasks = (sending, receiving, gone, asked)
        try:
            await self._until_both_ended(sending, receiving, gone, asked)
            if not asked.done():
                await self._finish(asked)
            if asked.done():
                await self._drain(sending)
        except HungUp as error:
            await self._hang_up(str(error))
            raise CutShort(str(error), self._account(), self._written) from error
        except BrokenPipeError:
            await self._hang_up("nobody reads its output any more")
            raise
        except LandlineError as error:
            await self._hang_up(str(error))
            raise
        finally:
            self._source.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_all(self) -> None:
        while data := await self._source.read():
            await self._line.send(data)
        if not self._is_stopped:  # an end that was not the input's own must not look like one
            await self._line.end()

    async def _receive_all(self) -> None:
        while data := await self._line.receive():
            await self._sink.write(data)
            self._written += len(data)
        if self._is_last:
            self._sink.close()
        if self._is_attended:
            self._source.stop()

    async def _until_both_ended(
        self,
        sending: asyncio.Task[None],
        receiving: asyncio.Task[None],
        gone: asyncio.Task[None],
        asked: asyncio.Task[bool],
    ) -> None:
        """Return when both directions have ended or we were asked to stop; raise what went wrong first."""
        waiting: set[asyncio.Task[None] | asyncio.Task[bool]] = {sending, receiving, gone, asked}
        while not asked.done() and not (sending.done() and receiving.done()):
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if receiving in done:
                receiving.result()
            # A line that takes no more may still hold something for us: that is written first.
            if sending.done() and (receiving.done() or not isinstance(sending.exception(), HungUp)):
                sending.result()
            if gone.done() and receiving.done() and not sending.done():
                await self._line.receive()  # its input had ended before; a session still knows why it is over
                raise HungUp("the other side hung up")

    async def _finish(self, asked: asyncio.Task[bool]) -> None:
        """See that everything arrived over there; that may take as long as the line is down."""
        finishing = asyncio.create_task(self._line.finish(), name="pipe finish")
        try:
            await asyncio.wait((finishing, asked), return_when=asyncio.FIRST_COMPLETED)
            if finishing.done():
                finishing.result()
        finally:
            finishing.cancel()
            await asyncio.gather(finishing, return_exceptions=True)

    async def _drain(self, sending: asyncio.Task[None]) -> None:
        """Asked to stop: what was read still goes out, nothing more is read."""
        self._is_stopped = True
        self._source.stop()
        await asyncio.wait((sending,), timeout=DRAIN_TIMEOUT)
        await self._hang_up("it was interrupted")
        account = self._account()
        if account is not None and account.unknown + account.undelivered:
            raise CutShort("we were interrupted", account, self._written)

    async def _hang_up(self, reason: str) -> None:
        """End the line early, within a time that a person waits for."""
        self._source.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                await self._line.hang_up(reason)

    def _account(self) -> Account | None:
        """What became of everything that was read."""
        account = self._line.account
        if account is None:
            return None
        return account._replace(undelivered=account.undelivered + self._source.held)
