"""The side that is sent to: ``landline receive``. It listens, prints the command for the other end, and takes what comes from whoever knows the secret."""

from __future__ import annotations

import asyncio
import errno
import hmac
import shlex
import socket
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import field

import landline
from landline.apps.rates import size_text
from landline.settings import DEFAULT_HOST, WILDCARDS, bracketed, is_public
from landline.settings.program import program

from ..own_address import own_address
from .bars import Bars, count_text
from .keeping import Keeping, Kept
from .limits import TRANSFER
from .sharing import Sharing
from .ticket import Ticket

FINISHED: Final = "finished"
"""What a sender says when all of its files have come through."""

CERTIFICATE: Final = "certificate"
"""The folder of a certificate that was made here; the chat has the same."""

_PRINCIPAL: Final = "sender"


class Receive(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        address: where to listen.
        to: the folder that files go to.
        data: the folder of a user's data.
        quota: how many bytes are taken, all together.
        is_kept: take from one sender after the other, until told to stop.
        limits: of the sessions.
        again: the command that was given, for whoever goes on with it.
    """

    address: str
    to: Path
    data: Path
    quota: int | None = None
    is_kept: bool = False
    limits: landline.Limits = field(default_factory=landline.Limits)
    again: str = ""


def transfer_limits(resume_window: float) -> landline.Limits:
    """Return the limits of a session that files go over.

    Args:
        resume_window: seconds that the receiver waits for a sender whose line dropped.
    """
    return landline.Limits(
        window=TRANSFER.window,
        credit=4 * TRANSFER.window,
        outbox_bytes=TRANSFER.window,
        flow_outbox=TRANSFER.outbox,
        close_timeout=TRANSFER.close_timeout,
        redial_max=TRANSFER.redial_max,
        redial_reset=TRANSFER.redial_reset,
        resume_window=resume_window,
    )


async def run(receive: Receive, stop: asyncio.Event, bars: Bars) -> int:
    """Receive until everything has come, or we are told to stop; return the exit code.

    Raises:
        AddressError, ListenError: the address cannot be served.
        SettingsError: the data folder cannot be written to.
        TLSError: no certificate can be made.
        TransferError: the folder cannot be used.
    """
    is_far = is_public(receive.address)
    tls = landline.make_certificate(receive.data / CERTIFICATE, _names()) if is_far else None
    is_any_port = urlsplit(receive.address).port == 0
    sharing = await asyncio.to_thread(_share, receive.to)
    try:
        for number in range(1, TRANSFER.receivers + 1):
            keeping = Keeping(receive.data, receive.address, receive.to, number)
            try:
                code = await _run(receive, keeping, sharing, tls, stop, bars)
            except landline.ListenError as error:
                if error.errno != errno.EADDRINUSE or not is_any_port:
                    raise
                # Another one that was told the same runs there, or whoever has the port by now.
            else:
                if code is not None:
                    return code
        reason = f"{TRANSFER.receivers} receivers run here already; choose a port, as in `{program()} receive 5000`"
        raise landline.ListenError(receive.address, reason)
    finally:
        bars.close()
        sharing.close()


def _share(folder: Path) -> Sharing:
    try:
        return Sharing(folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise landline.TransferError(f"{folder} cannot be received into: {reason}") from error


async def _run(
    receive: Receive,
    keeping: Keeping,
    sharing: Sharing,
    tls: landline.ServerTLS | None,
    stop: asyncio.Event,
    bars: Bars,
) -> int | None:
    """Receive with what is kept there; return the exit code, or None where another one keeps something there by now."""
    kept = keeping.read()
    desk = _Desk(receive, kept.secret, bars, sharing)
    server = landline.Server(
        desk.serve, authenticate=desk.authenticate, limits=receive.limits, tls=tls, needs_tls=tls is not None
    )
    async with server.listen(kept.address or receive.address) as listening:
        address = listening.addresses[0]
        if not kept.address and not keeping.claim(Kept(kept.secret, _again_at(receive.address, address))):
            return None
        ticket = Ticket(
            dialled(address, receive.address), kept.secret, "" if tls is None else tls.fingerprint
        )
        for line in how_to_send(ticket, receive.to):
            bars.say(line)
        await desk.wait_done(stop)
        await desk.close()
    bars.close()
    if desk.is_done:
        keeping.forget()  # the secret first: a sender that still knows it would send again what is forgotten
        await asyncio.to_thread(sharing.forget)
        return 0
    if desk.is_unfinished:
        bars.say(
            f"What came is kept. `{receive.again}` goes on with it; a sender that has ended must be started again as well.",
            is_error=True,
        )
        return 1
    keeping.forget()
    return 0


class _Desk:
    """Where senders are served."""

    def __init__(self, receive: Receive, secret: str, bars: Bars, sharing: Sharing) -> None:
        self.is_done = False
        self._receive = receive
        self._secret = secret
        self._bars = bars
        self._sharing = sharing
        self._quota = landline.Quota() if receive.quota is None else landline.Quota(max_bytes=receive.quota)
        self._sessions: set[landline.Session] = set()
        self._sending: set[landline.Session] = set()
        # By what they are, not by their names: of two files that are called alike, each is waited for.
        self._unfinished: dict[bytes, str] = {}
        self._is_one_through = False
        self._finished = asyncio.Event()

    def authenticate(self, shown: Any) -> str | None:
        """Let in whoever knows the secret, until that has served."""
        secret = shown.get("secret") if isinstance(shown, dict) else None
        is_right = isinstance(secret, str) and hmac.compare_digest(
            secret.encode(errors="replace"), self._secret.encode()
        )
        if is_right and self._finished.is_set():
            raise landline.NotAllowed("everything has come already; start `landline receive` again for more")
        return _PRINCIPAL if is_right else None

    @property
    def is_unfinished(self) -> bool:
        """Whether something has come that is not whole."""
        return bool(self._unfinished)

    async def wait_done(self, stop: asyncio.Event) -> None:
        """Wait until a sender is through and no other has begun, or we are told to stop."""
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, self._finished)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        self.is_done = self._finished.is_set()

    async def close(self) -> None:
        """Tell who is still here."""
        await asyncio.gather(*(session.close("the receiver was stopped") for session in self._sessions))

    async def serve(self, session: landline.Session) -> None:
        """Take what one sender sends."""
        self._sessions.add(session)
        try:
            async with session.files(quota=self._quota) as offers, asyncio.TaskGroup() as tasks:
                accepting: set[asyncio.Task[None]] = set()
                taking = tasks.create_task(self._take(session, offers, tasks, accepting))
                async for said in session:
                    if said == FINISHED:
                        await asyncio.gather(*accepting)
                        self._sending.discard(session)
                        self._is_one_through = True
                        if not await self._see_done() and not self._receive.is_kept:
                            names = ", ".join(sorted(set(self._unfinished.values())))
                            self._bars.say(
                                f"Still waiting for {names or 'another sender'}; Ctrl-C ends that, and keeps what came."
                            )
                taking.cancel()
        except* landline.SessionEnded:
            pass  # its sender comes back with another one, or does not
        finally:
            self._sessions.discard(session)
            self._sending.discard(session)
        await self._see_done()  # what it began may be all that was waited for

    async def _take(
        self,
        session: landline.Session,
        offers: landline.Offers,
        tasks: asyncio.TaskGroup,
        accepting: set[asyncio.Task[None]],
    ) -> None:
        async for offer in offers:
            self._sending.add(session)
            task = tasks.create_task(self._accept(offer))
            accepting.add(task)
            task.add_done_callback(accepting.discard)

    async def _accept(self, offer: landline.FileOffer) -> None:
        self._unfinished[offer.id] = offer.name
        try:
            received = await offer.accept(self._receive.to, progress=self._bars.watch(), remember=True)
        except landline.TransferRefused as error:
            self._unfinished.pop(offer.id, None)
            self._bars.say(f"{offer.name} was refused: {error}", is_error=True)
        except landline.TransferError as error:
            self._bars.say(f"{offer.name} did not come through: {error}", is_error=True)
        else:
            self._unfinished.pop(offer.id, None)
            of = f"{count_text(received.files)}, " if received.is_folder else ""
            self._bars.say(f"Received {received.path} ({of}{size_text(received.size)}), verified by SHA-256.")

    async def _see_done(self) -> bool:
        """Return whether all is done: what another sender is at, or comes back for, is neither cut off nor forgotten."""
        # One that died is still in its session, which waits for its line; what it was at is unfinished.
        others = [session for session in self._sending if session.state is landline.State.CONNECTED]
        is_done = self._is_one_through and not others and not self._unfinished
        if is_done and self._receive.is_kept:
            await asyncio.to_thread(self._sharing.forget)
        elif is_done:
            self._finished.set()
        return is_done


def how_to_send(ticket: Ticket, to: Path) -> list[str]:
    """Return the lines that are printed: the command for the other end."""
    return [
        f"Receiving into {to.absolute()}. At the other end:",
        "",
        f"    {program()} send FILE… {shlex.quote(str(ticket))}",
        "",
    ]


def dialled(address: str, asked: str) -> str:
    """Return what reaches what listens at an address: from other machines by TLS.

    Args:
        address: where it really listens.
        asked: where it was told to listen: a name of this machine says more than the numbers it stands for.
    """
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return address
    host = urlsplit(asked).hostname or ""
    if not is_public(asked):
        return f"tcp://{bracketed(host)}:{parts.port}"
    if host in WILDCARDS:
        host = own_address()
    return f"tls://{bracketed(host)}:{parts.port}"


def _again_at(asked: str, address: str) -> str:
    """Return where to listen when we are started again: as was asked, at the port that it became."""
    parts = urlsplit(asked)
    if parts.scheme == "unix":
        return asked
    host = parts.hostname or DEFAULT_HOST
    return f"{parts.scheme}://{bracketed(host)}:{urlsplit(address).port}"


def _names() -> list[str]:
    own = socket.gethostname()
    return list(dict.fromkeys([DEFAULT_HOST, own, f"{own.partition('.')[0]}.local"]))
