"""One end of a line under TLS, over any other transport.

So it is the same on every loop and over every transport, and the bytes that were read to find out that it is TLS are simply its first. Nothing
is told before the handshake is over. An end without TLS's farewell is no end but a cut: ``lost`` with an error.
"""

from __future__ import annotations

import asyncio
import enum
import ssl
from collections.abc import Callable
from typing import Final

from ...errors import TLSError, TLSTimeout
from ...limits import TRANSPORT
from ..base import LARGE, Borrower, Receiver, Transport, joined, nothing, unheeded
from ..stream import HIGH_WATER, LINGER
from .reasons import CHATTERED, CUT_OFF, HUNG_UP, NOT_TAKEN, breaks_rules, why_broken
from .records import Records

HANDSHAKE: Final = TRANSPORT.tls_handshake
VERDICT: Final = TRANSPORT.tls_verdict
CHATTER: Final = TRANSPORT.tls_chatter

_ALERT: Final = 24
_PLAIN: Final = "tcp://"
"""Bytes of an alert under TLS 1.3: a record's head, two bytes, their type and a tag."""


class _Phase(enum.IntEnum):
    NEW = 0
    SHAKING = 1
    OPEN = 2
    GOING = 3
    GONE = 4


class TlsTransport:
    """One end of a line under TLS.

    After ``end`` the other direction goes on, as with sockets, where the peer's TLS allows it: OpenSSL by itself does, and so do we; asyncio's
    TLS and many others answer a farewell with their own, and go.

    Args:
        inner: carries it, and belongs to it from now on.
        context: of this end.
        server_hostname: the name that the server's certificate must be for, at a client; None at a server.
        first: what was read from ``inner`` already.

    Attributes:
        on_broken: called at once when the peer breaks TLS's rules, or lets the time for its handshake pass. That it takes no certificate of ours, or speaks
            no version of ours, breaks none.
    """

    def __init__(
        self,
        inner: Transport,
        context: ssl.SSLContext,
        *,
        server_hostname: str | None = None,
        first: bytes = b"",
    ) -> None:
        self.on_lost: Callable[[Transport], None] = nothing
        self.on_broken: Callable[[Exception], object] = unheeded
        self._inner = inner
        self._first = first
        self._loop = asyncio.get_running_loop()
        self._records = Records(context, server_hostname)
        self._wrapping = 0
        self._receiver: Receiver | None = None
        self._phase = _Phase.NEW
        self._timer: asyncio.TimerHandle | None = None
        self._shaken: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._unsent: list[bytes] = []  # written before the handshake is over
        self._untold = b""  # arrived, while nobody is to be told
        self._chatter = self._untaken = 0
        self._since_asked = -1  # bytes that came since we showed our certificate to a server that wants one
        self._is_held = self._is_inner_held = False
        self._borrower: Borrower | None = None
        self._has_told_end = False
        self._has_said_all = self._wants_close = False
        self._has_told_loss = False

    # What the writer sees...

    @property
    def peer(self) -> str:
        """The other end's address, as text."""
        peer = self._inner.peer
        return f"tls://{peer.removeprefix(_PLAIN)}" if peer.startswith(_PLAIN) else peer

    @property
    def source(self) -> str:
        """Who the other end is for limits per source."""
        return self._inner.source

    @property
    def peer_certificate(self) -> bytes:
        """The other end's certificate in DER; empty where it showed none, or not yet."""
        return self._records.peer_certificate

    @property
    def backlog(self) -> int:
        """Bytes written and not yet given to the kernel, those of TLS itself included."""
        return self._inner.backlog + sum(map(len, self._unsent))

    @property
    def wrapping(self) -> int:
        """Bytes that were put around what was written, those of the handshake included."""
        return self._wrapping + self._inner.wrapping

    @property
    def is_writable(self) -> bool:
        """Whether more should be written now."""
        if self._phase is _Phase.OPEN:
            return self._inner.is_writable
        return self._phase < _Phase.OPEN and not self._wants_close and self.backlog <= HIGH_WATER

    async def shake_hands(self) -> None:
        """Have the handshake over before there is a receiver; then nothing more is read until ``start``.

        A server that asked for our certificate has taken it then, or let a second pass without turning it down.

        Raises:
            TLSError: it failed, and the transport is gone.
        """
        self._shaken = self._loop.create_future()
        self._begin()
        try:
            await self._shaken
        except asyncio.CancelledError:
            self.abort()
            raise

    def start(self, receiver: Receiver) -> None:
        """Tell ``receiver`` from now on; nothing before the handshake is over."""
        self._receiver = receiver
        self._has_told_end = False
        if self._phase is _Phase.NEW:
            self._begin()
        else:
            self._loop.call_soon(self._tell_what_waits)

    def hold(self, is_held: bool) -> None:
        """Read no more for now, or read on."""
        self._is_held = is_held
        if is_held:
            self._steer()
        else:
            self._loop.call_soon(self._tell_what_waits)

    def widen(self, borrower: Borrower) -> None:
        """Have more read at a time, and lend what it decrypts to where that is much."""
        self._borrower = borrower
        self._inner.widen(self)

    def write(self, *pieces: bytes) -> None:
        """Write all of them, in the end."""
        data = joined(pieces)
        if self._has_said_all or not data:
            return
        if self._phase is _Phase.OPEN:
            self._encrypt(data)
        elif self._phase < _Phase.OPEN:
            self._unsent.append(data)

    def end(self) -> None:
        """Write what waits, then say TLS's farewell and end our direction."""
        if self._has_said_all:
            return
        self._has_said_all = True
        if self._phase is _Phase.OPEN:
            self._say_farewell()
            self._inner.end()

    def close(self) -> None:
        """Write what waits, end our direction, and go when the peer has ended its own."""
        if self._phase >= _Phase.GOING or self._wants_close:
            return
        if self._phase is _Phase.NEW:
            self._inner.start(self)
        elif self._phase is _Phase.SHAKING and self._unsent:
            self._has_said_all = self._wants_close = True
            self._set_timer(LINGER, self.abort)
            return
        elif self._phase is _Phase.OPEN and not self._has_said_all:
            self._say_farewell()
        self._go()

    def abort(self) -> None:
        """Go at once."""
        if self._phase is _Phase.NEW:
            self._inner.start(self)
        self._phase = max(self._phase, _Phase.GOING)
        self._inner.abort()

    # The handshake...

    def _begin(self) -> None:
        self._phase = _Phase.SHAKING
        self._set_timer(HANDSHAKE, self._give_up)
        self._inner.start(self)
        self._loop.call_soon(self.data_received, b"")

    def _open(self) -> None:
        """The handshake is over: what had to wait for that happens."""
        self._stop_timer()
        self._phase = _Phase.OPEN
        was_full = self.backlog > HIGH_WATER
        unsent, self._unsent = self._unsent, []
        for data in unsent:
            self._encrypt(data)
        if self._has_said_all:
            self._say_farewell()
            if self._wants_close:
                self._go()
                return
            self._inner.end()
        elif was_full and self._receiver is not None and self.is_writable:
            self._receiver.writable()
        if self._records.is_unjudged:
            self._since_asked = 0
            self._set_timer(VERDICT, self._settle)
        else:
            self._settle()

    def _settle(self) -> None:
        """The server takes us, as far as anybody can tell."""
        self._since_asked = -1
        self._stop_timer()
        if self._shaken is not None and not self._shaken.done():
            self._shaken.set_result(None)
        self._steer()

    def _give_up(self) -> None:
        self._error = TLSTimeout(f"no TLS handshake within {HANDSHAKE:g} s")
        self.on_broken(self._error)
        self.abort()

    # Bytes come...

    def data_received(self, data: bytes | memoryview) -> None:
        """Bytes arrived: what they decrypt to is told at once, in one piece."""
        if self._first:
            data, self._first = self._first + data, b""
        if self._phase not in (_Phase.SHAKING, _Phase.OPEN):
            return
        records = self._records
        found, broken = records.receive(data)
        answer = records.to_send()
        if answer:
            if not self._inner.is_writable:
                self._untaken += len(answer)
            self._put(answer)
        if records.is_open and broken is None:
            if self._phase is _Phase.SHAKING:
                self._open()
            elif self._since_asked >= 0:
                self._since_asked += len(data)
                if self._since_asked >= _ALERT:  # and it was none
                    self._settle()
        self._chatter = 0 if found else self._chatter + len(data)
        if found:
            self._tell(found[0] if len(found) == 1 else b"".join(found))
        if broken is not None:
            self._fail(why_broken(broken, is_client=records.is_client), broken)
        elif records.has_ended:
            self._tell_end()
        elif self._chatter > CHATTER or self._untaken > CHATTER:
            self._fail(CHATTERED)

    data_lent = data_received

    def data_ended(self) -> None:
        """The line has ended at the other end: an end for us only if TLS said so before."""
        if self._phase is _Phase.SHAKING:
            self._fail(HUNG_UP)
        elif self._phase is _Phase.OPEN and not self._records.has_ended:
            self._fail(CUT_OFF if self._since_asked < 0 else NOT_TAKEN)

    def writable(self) -> None:
        """The line takes more bytes again."""
        self._untaken = 0
        if self._phase is _Phase.OPEN and self._receiver is not None:
            self._receiver.writable()

    def lost(self, error: Exception | None) -> None:
        """The line is gone."""
        if self._phase is _Phase.SHAKING and not self._wants_close:
            self._error = _because(HUNG_UP, error)
        elif self._phase is _Phase.OPEN and not self._records.has_ended:
            self._error = error or TLSError(CUT_OFF)
        else:
            self._error = self._error or error
        self._phase = _Phase.GONE
        self._stop_timer()
        self._unsent.clear()
        if self._shaken is not None and not self._shaken.done():
            reason = HUNG_UP if self._since_asked < 0 else NOT_TAKEN
            self._shaken.set_exception(
                self._error if isinstance(self._error, TLSError) else _because(reason, self._error)
            )
        self._tell_loss()
        self.on_lost(self)

    # The receiver is told...

    def _tell(self, data: bytes | memoryview) -> None:
        if self._phase is not _Phase.OPEN:
            return
        if self._receiver is None or self._is_held or self._untold:
            self._untold += data
        elif self._borrower is not None and type(data) is memoryview and len(data) >= LARGE:
            self._borrower.data_lent(data)
        else:
            self._receiver.data_received(bytes(data))

    def _tell_what_waits(self) -> None:
        """There is a receiver, or it wants to be told again."""
        if self._receiver is not None and not self._is_held and self._untold:
            data, self._untold = self._untold, b""
            if self._phase is not _Phase.GOING:
                self._receiver.data_received(data)
        self._tell_end()
        if self._phase is _Phase.GONE:
            self._tell_loss()
        self._steer()

    def _tell_end(self) -> None:
        if (
            self._records.has_ended
            and not self._has_told_end
            and self._receiver is not None
            and not self._is_held
            and not self._untold
            and self._phase is not _Phase.GOING
            and not self._has_told_loss
        ):
            self._has_told_end = True
            self._receiver.data_ended()

    def _tell_loss(self) -> None:
        if self._receiver is not None and not self._has_told_loss:
            self._has_told_loss = True
            self._untold = b""
            self._receiver.lost(self._error)

    def _steer(self) -> None:
        """Have the line read exactly while what comes can be told."""
        if self._phase is _Phase.OPEN and self._since_asked < 0:
            is_held = self._is_held or self._receiver is None
            if is_held is not self._is_inner_held:
                self._is_inner_held = is_held
                self._inner.hold(is_held)

    # Bytes go...

    def _put(self, data: bytes) -> None:
        self._wrapping += len(data)
        self._inner.write(data)

    def _encrypt(self, data: bytes) -> None:
        try:
            self._wrapping -= len(data)
            self._records.encrypt(data, self._put)
        except ssl.SSLError as error:
            self._fail(why_broken(error, is_client=self._records.is_client), error)

    def _say_farewell(self) -> None:
        self._records.say_farewell()
        self._put(self._records.to_send())

    # It goes...

    def _fail(self, reason: str, cause: ssl.SSLError | None = None) -> None:
        """Say why to the peer, if TLS has a word for it, and go."""
        if self._phase in (_Phase.SHAKING, _Phase.OPEN):
            self._error = _because(reason, cause)
            self._put(self._records.to_send())
            if reason == CHATTERED or (cause is not None and breaks_rules(cause)):
                self.on_broken(self._error)
            self._go()

    def _go(self) -> None:
        self._phase = _Phase.GOING
        self._stop_timer()
        self._unsent.clear()
        self._records.let_go()  # the line may linger, and OpenSSL holds fifty times what a line does
        self._inner.close()

    def _set_timer(self, seconds: float, call: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, call)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _because(reason: str, cause: Exception | None) -> TLSError:
    error = TLSError(reason)
    error.__cause__ = cause
    return error
