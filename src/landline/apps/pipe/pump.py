"""Moves bytes between a pipe's two ends and a line, until both directions have ended.

The directions are independent: our input may end while theirs goes on. A piece is taken from the line only when the one before is written,
so a slow consumer here stops the producer over there, and what the other side counts as delivered has been written.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from landline.errors import LandlineError

from .line import Account, HungUp, Line
from .standard import Sink, Source

DRAIN_TIMEOUT: Final = 5.0
"""Seconds that what was read may take to be sent, when we are asked to stop."""


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
        sentence = f"{self.reason} before everything was said; {self.written:,} bytes of theirs are written here"
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
        is_attended: a person may be typing at the source; then its end is when the other side's is.
    """

    def __init__(self, line: Line, source: Source, sink: Sink, *, is_attended: bool) -> None:
        self._line = line
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
            raise CutShort(str(error), self._account(), self._written) from error
        except BrokenPipeError:
            await self._line.hang_up("nobody reads its output any more")
            raise
        except LandlineError as error:
            await self._line.hang_up(str(error))
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
            for task in (receiving, sending):
                if task in done:
                    task.result()
            if gone.done() and receiving.done() and not sending.done():
                raise HungUp("the other side hung up")  # what arrived before is written; nobody takes the rest

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
        with contextlib.suppress(HungUp):
            await asyncio.wait((sending,), timeout=DRAIN_TIMEOUT)
        await self._line.hang_up("it was interrupted")
        account = self._account()
        if account is not None and account.unknown + account.undelivered:
            raise CutShort("we were interrupted", account, self._written)

    def _account(self) -> Account | None:
        """What became of everything that was read."""
        account = self._line.account
        if account is None:
            return None
        return account._replace(undelivered=account.undelivered + self._source.held)
