"""The side that sends: ``landline send FILE… ADDRESS``. It goes on by itself when the receiver is started again, and is gone on with when it is."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from msgspec import field

import landline
from landline.apps.rates import size_text

from .bars import Bars, count_text
from .limits import TRANSFER
from .receive import FINISHED
from .ticket import Ticket

_GONE: Final = (landline.SessionLost, landline.SessionInterrupted)


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        paths: of files and folders.
        ticket: where to, and what lets one in.
        limits: of the session.
    """

    paths: tuple[str, ...]
    ticket: Ticket
    limits: landline.Limits = field(default_factory=landline.Limits)


class Interrupted(landline.LandlineError):
    """We were told to stop before everything was there."""


async def run(send: Send, stop: asyncio.Event, bars: Bars) -> int:
    """Send everything, and return the exit code.

    Raises:
        AddressError, ConnectError, ConnectTimeout, Refused, Untrusted: nobody is there to begin with, or not for us; a receiver that goes later is waited for.
        TransferError: a file did not come through.
        SessionClosed: the receiver was stopped.
        Interrupted: we were stopped.
    """
    sending = asyncio.ensure_future(_Sending(send, bars).run())
    asked = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((sending, asked), return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            raise Interrupted(
                "interrupted; what came through is kept there, and the same command goes on with it"
            )
        await sending
    finally:
        for task in (sending, asked):
            task.cancel()
        await asyncio.gather(sending, asked, return_exceptions=True)
        bars.close()
    return 0


class _Sending:
    """All that is to be sent, over as many sessions as it takes."""

    def __init__(self, send: Send, bars: Bars) -> None:
        self._send = send
        self._bars = bars
        self._left = list(send.paths)

    async def run(self) -> None:
        try:
            await self._run()
        except (landline.ConnectError, landline.SessionEnded, TimeoutError):
            if self._left:
                raise
            # Everything is there; that this was all, the receiver may have heard before it went.

    async def _run(self) -> None:
        session = await self._connect()
        while True:
            try:
                await self._send_over(session)
            except _GONE as error:
                self._bars.say(
                    f"{str(error)[:1].upper()}{str(error)[1:]}; trying to reach the receiver again."
                )
                await session.close()
            except BaseException:
                await session.close("the sender stopped")
                raise
            else:
                await session.close()
                return
            session = await self._connect_again()

    async def _send_over(self, session: landline.Session) -> None:
        while self._left:
            sent = await session.send_file(self._left[0], progress=self._bars.watch())
            path = self._left.pop(0)
            self._bars.say(f"Sent {path}{_notes(sent, path)}.")
        receipt = await session.send(FINISHED)
        async with asyncio.timeout(TRANSFER.farewell):
            outcome = await receipt
        if not outcome.is_acked:
            raise landline.SessionLost(outcome.reason)

    async def _connect(self) -> landline.Session:
        ticket = self._send.ticket
        tls = landline.ClientTLS(fingerprint=ticket.fingerprint) if ticket.fingerprint else None
        shown = {"secret": ticket.secret} if ticket.secret else None
        return await landline.connect(ticket.address, credentials=shown, tls=tls, limits=self._send.limits)

    async def _connect_again(self) -> landline.Session:
        async with asyncio.timeout(TRANSFER.patience if self._left else TRANSFER.farewell):
            while True:
                try:
                    return await self._connect()
                except landline.Refused:
                    raise
                except landline.ConnectError:
                    await asyncio.sleep(TRANSFER.retry)


def _notes(sent: landline.SentFile, path: str) -> str:
    notes = [size_text(sent.size)]
    if sent.files != 1:
        notes.insert(0, count_text(sent.files))
    if sent.resumed:
        notes.append(f"{size_text(sent.resumed)} of it were there already")
    if sent.skipped:
        notes.append(f"{sent.skipped:,} links or devices left out")
    named = "" if path.rstrip("/").endswith(sent.name) else f" as {sent.name}"
    return f"{named} ({', '.join(notes)})"
