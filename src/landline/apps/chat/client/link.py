"""Gives a chat client its session: dials, carries requests and answers, publishes its lines, has its rooms read, dials again when the session is lost.

While a session lives it redials beneath by itself and nothing happens here. When another life of the server goes on with it, or when it
is lost, its receipts tell the client which requests certainly never arrived and which are doubtful; then the client enters anew, in a
lost one's place on a new session that is dialled for as long as the person stays. Lines are published: they are in the outbox at once, and
go out once and in order, whatever becomes of sessions. Only the very first dial gives up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final

import landline
from landline.apps.chat import wire
from landline.apps.chat.client.carrying import FileCarriers
from landline.apps.chat.client.model import Client
from landline.apps.chat.client.reading import RoomReaders
from landline.apps.chat.limits import CLIENT
from landline.apps.chat.topics import topic_of

logger = logging.getLogger("landline.apps.chat")

REDIAL_MIN: Final = CLIENT.redial_min
REDIAL_MAX: Final = CLIENT.redial_max
REDIAL_REFUSED: Final = CLIENT.redial_refused
REDIAL_RESET: Final = CLIENT.redial_reset
LEAVE_TIMEOUT: Final = CLIENT.leave_timeout
HASTE: Final = CLIENT.haste

Dial = Callable[[], Awaitable[landline.Session]]


def full_jitter(attempt: int) -> float:
    """Return how many seconds to wait before the dial of this number, counted from 0: drawn from 0 to a bound that doubles.

    Many clients of one server that restarted come back spread out.
    """
    return random.uniform(0, min(REDIAL_MAX, REDIAL_MIN * 2 ** min(attempt, 16)))


class Link:
    """Keeps a client and its server talking until the client is done.

    Args:
        client: the model; its times are of the loop's clock.
        dial: opens a session; raises ``ConnectError``.
        changed: shows the client's events; called after each change, on the loop's thread.
        pause: how many seconds to wait before the dial of a number, counted from 0.
        downloads: the folder that files are received into.
    """

    def __init__(
        self,
        client: Client,
        dial: Dial,
        changed: Callable[[], None],
        *,
        pause: Callable[[int], float] = full_jitter,
        downloads: Path = Path(),
    ) -> None:
        self._client = client
        self._dial = dial
        self._changed = changed
        self._pause = pause
        self._downloads = downloads
        self._attempt = 0
        self._is_leaving = False
        self._has_understood = False
        self._session: landline.Session | None = None
        self._outgoing: asyncio.Queue[tuple[wire.Request, frozenset[asyncio.Task[None]]]] = asyncio.Queue()
        self._publishing: dict[asyncio.Task[None], None] = {}
        self._in_hand: wire.Request | None = None
        self._put_down = asyncio.Event()
        self._readers: RoomReaders | None = None
        self._carriers: FileCarriers | None = None
        self._receipts: dict[int, landline.Receipt] = {}
        self._stirred = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def now(self) -> float:
        """The time that the client is told, in seconds."""
        return asyncio.get_running_loop().time()

    def advance(self) -> None:
        """Carry out what the client wants, show its events, re-arm its timer: to be called after everything that it is told."""
        for request in self._client.to_send():
            if not isinstance(request, wire.Say):
                # What is asked after a line comes after it at the server, too.
                lines = frozenset() if isinstance(request, wire.Enter) else frozenset(self._publishing)
                self._outgoing.put_nowait((request, lines))
            elif self._session is not None:
                line = self._session.publish(
                    topic_of(request.room),
                    wire.encode(request),
                    on_kept=partial(self._kept, request.id),
                )
                self._follow(self._session, request, line)
        seconds = self._client.drop_asked()
        if seconds is not None and self._session is not None:
            self._session.drop(seconds)
        if self._timer is not None:
            self._timer.cancel()
        at = self._client.next_at()
        self._timer = None if at is None else asyncio.get_running_loop().call_at(at, self._tick)
        if self._readers is not None:
            self._readers.stir()
        if self._carriers is not None:
            self._carriers.stir()
        self._changed()
        self._stirred.set()

    async def open(self, stop: asyncio.Event) -> bool:
        """Dial for the first time; return False when ``stop`` was set before somebody answered.

        Raises:
            ConnectError: it failed. Later dials are tried for as long as it takes.
        """
        self._session = await self._unless(stop, self._dial())
        return self._session is not None

    async def run(self, stop: asyncio.Event) -> None:
        """Talk until the client is done or ``stop`` is set; what was said is delivered first, within a few seconds.

        Raises:
            Refused: what answers there is no chat.
        """
        try:
            while self._session is not None:
                await self._talk(self._session, stop)
                if self._client.is_done or stop.is_set():
                    break
                self._session = await self._unless(stop, self._redial())
        finally:
            if self._timer is not None:
                self._timer.cancel()
            await _cancel(*self._publishing)
            self._client.give_up()
            self._changed()

    def _tick(self) -> None:
        self._client.advance(self.now)
        self.advance()

    # One session, from its first message to its end...

    async def _talk(self, session: landline.Session, stop: asyncio.Event) -> None:
        began = self.now
        self._outgoing = asyncio.Queue()
        self._receipts.clear()
        self._is_leaving = False
        self._readers = RoomReaders(session, self._client, self.advance)
        self._carriers = FileCarriers(session, self._client, self.advance, self._downloads)
        self._client.opened(began, self._find_earlier(session))
        self.advance()
        hearing = asyncio.create_task(self._hear(session))
        leaving = asyncio.create_task(self._leave(session, stop))
        carrying = asyncio.create_task(self._carry(session))
        watching = asyncio.create_task(self._watch(session))
        reading = asyncio.create_task(self._readers.run())
        moving = asyncio.create_task(self._carriers.run())
        try:
            await _first(hearing, leaving, besides=(carrying, watching, reading, moving))
            if self._is_leaving:
                await leaving
                return
        finally:
            await _cancel(hearing, leaving, carrying, watching, reading, moving)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HASTE):
                    await session.close("gone")
        await asyncio.gather(*self._publishing)  # known, since the session has ended
        await self._settle()
        if self.now - began >= REDIAL_RESET:
            self._attempt = 0
        self._client.ended(self.now, hearing.result())
        self.advance()

    async def _hear(self, session: landline.Session) -> str:
        """Bring what the server says to the client; return why it ended.

        Raises:
            Refused: the very first that a server ever said is not of this chat; or it hung up, and had said nothing.
        """
        while True:
            try:
                message = await session.receive()
            except landline.SessionInterrupted:
                await self._settle()
                self._client.interrupted(self.now)
                self._client.opened(self.now)
                self.advance()
                continue
            except landline.SessionClosed as closed:
                if not (self._has_understood or closed.reason):  # a chat that lets nobody in says why
                    raise landline.Refused(
                        session.peer, "what answers there is no chat: it hung up without a word"
                    ) from closed
                return f"the server hung up{': ' + closed.reason if closed.reason else ''}"
            except landline.SessionLost as lost:
                return lost.reason
            try:
                told = wire.decode_told(message)
            except ValueError as error:
                if not self._has_understood:
                    raise landline.Refused(session.peer, "what answers there is no chat") from error
                logger.warning("the server said something that this client does not understand: %s", error)
                continue
            self._has_understood = True
            self._client.heard(told, self.now)
            self.advance()
            self._forget_answered()

    async def _carry(self, session: landline.Session) -> None:
        """Hand the client's requests to the session, in order."""
        while True:
            request, lines = await self._outgoing.get()
            self._in_hand = request
            try:
                await _all_done(lines, self._put_down)
                if self._in_hand is not request:
                    continue  # the session was interrupted, and what became of it is told
                receipt = await session.send(wire.encode(request))
            except landline.SessionEnded:
                self._failed(request)
                return
            except asyncio.CancelledError:
                self._failed(request)  # it waited for lines, or the outbox was full: it was never taken
                raise
            finally:
                self._in_hand = None
            if not isinstance(request, wire.Enter):
                self._receipts[request.id] = receipt

    async def _watch(self, session: landline.Session) -> None:
        """Tell the client how the line beneath the session does."""
        told = ""
        async for change in session.states():
            is_news = change.state.value == "reconnecting" and change.state is change.previous
            if is_news and change.reason not in ("", told):
                told = change.reason  # why it is not back yet, where that is more than that nobody is there
                self._client.trouble(f"{told}; trying again.")
            if change.state.value in ("connected", "suspect", "reconnecting"):
                self._client.line_changed(
                    change.state.value, self.now, why=change.reason, redial_in=change.retry_in
                )
                self.advance()

    async def _leave(self, session: landline.Session, stop: asyncio.Event) -> None:
        """Wait until the client is done, or the program is told to stop, and close the session."""
        await self._over(stop)
        if not self._client.is_done:
            self._client.leave(self.now, quietly=True)
            self.advance()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_TIMEOUT):
                    while not (self._client.line.is_down or self._client.is_done):
                        await self._stir()
        self._is_leaving = True
        with contextlib.suppress(TimeoutError, landline.SessionEnded):
            async with asyncio.timeout(LEAVE_TIMEOUT):
                await session.close("bye")

    async def _over(self, stop: asyncio.Event) -> None:
        """Wait until the person has left or the program is told to stop."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._stirred.set())
        try:
            while not self._client.is_done and not stop.is_set():
                await self._stir()
        finally:
            stopping.cancel()

    async def _stir(self) -> None:
        """Wait until something has changed."""
        self._stirred.clear()
        await self._stirred.wait()

    # ... what became of the lines...

    def _find_earlier(self, session: landline.Session) -> list[wire.Say]:
        """Return the lines in the session's outbox, which it publishes by itself, and follow what becomes of them."""
        says: list[wire.Say] = []
        for earlier in session.earlier:
            try:
                say = wire.decode_say(earlier.data)
            except ValueError:
                continue  # of another version; it goes out all the same
            says.append(say)
            self._follow(session, say, earlier.position())
        return says

    def _follow(
        self, session: landline.Session, say: wire.Say, line: Coroutine[Any, Any, landline.Position]
    ) -> None:
        task = asyncio.create_task(self._publish(session, say.id, line))
        self._publishing[task] = None
        task.add_done_callback(self._publishing.pop)

    def _kept(self, id: int) -> None:
        self._client.kept(id, self.now)
        self.advance()

    async def _publish(
        self, session: landline.Session, id: int, line: Coroutine[Any, Any, landline.Position]
    ) -> None:
        client = self._client
        try:
            position = await line
        except landline.SessionEnded:
            client.settled(id, "failed")  # it was never taken, and goes out with the next session
            return
        except landline.PublishUnknown as error:
            if error.is_kept:
                return  # it is in the outbox, and goes out with the next session
            client.unpublished(id, error.reason, self.now, is_doubtful=True)
        except (landline.PublishFailed, landline.DataError) as error:
            why = error.reason if isinstance(error, landline.PublishFailed) else str(error)
            client.unpublished(id, why, self.now, is_doubtful=False)
        else:
            client.published(id, position.offset, self.now)
        self.advance()

    # ... and of the requests...

    async def _settle(self) -> None:
        """Tell the client the outcome of every request that an ended or interrupted session leaves without an answer."""
        if self._in_hand is not None:
            self._failed(self._in_hand)
            self._in_hand = None
            self._put_down.set()  # the lines that it waits for may wait for what we say first in another life of the server
            self._put_down = asyncio.Event()
        while not self._outgoing.empty():
            self._failed(self._outgoing.get_nowait()[0])
        for id, receipt in self._receipts.items():
            outcome = await receipt  # known, since the session has ended
            self._client.settled(id, outcome.status)
        self._receipts.clear()

    def _failed(self, request: wire.Request) -> None:
        if not isinstance(request, wire.Enter):
            self._client.settled(request.id, "failed")

    def _forget_answered(self) -> None:
        if len(self._receipts) > 2 * len(self._client.pending) + 64:
            self._receipts = {id: kept for id, kept in self._receipts.items() if self._client.pending.get(id)}

    # ... and the next one.

    async def _unless(
        self, stop: asyncio.Event, work: Awaitable[landline.Session]
    ) -> landline.Session | None:
        """Return what ``work`` gives, or None when the person leaves, or the program is told to stop, before."""
        task = asyncio.ensure_future(work)
        over = asyncio.create_task(self._over(stop))
        try:
            await asyncio.wait([task, over], return_when=asyncio.FIRST_COMPLETED)
            return None if over.done() and not task.done() else task.result()
        finally:
            await _cancel(task, over)

    async def _redial(self) -> landline.Session:
        refusal = ""
        is_unwanted = False
        while True:
            pause = max(self._pause(self._attempt), REDIAL_REFUSED if is_unwanted else 0.0)
            self._attempt += 1
            self._client.line_changed("reconnecting", self.now, redial_in=pause)
            self.advance()
            await asyncio.sleep(pause)
            self._client.line_changed("connecting", self.now)
            self.advance()
            try:
                return await self._dial()
            except (landline.Refused, landline.Untrusted) as error:
                is_unwanted = isinstance(error, landline.Refused) and error.code == "unauthorized"
                if str(error) != refusal:
                    refusal = str(error)
                    self._client.trouble(f"{refusal}; trying again.")
                    self.advance()
            except landline.ConnectError as error:
                logger.info("%s", error)


async def _first(*either: asyncio.Task[Any], besides: tuple[asyncio.Task[Any], ...]) -> None:
    """Wait for one of ``either``; an error in any of them, or in a task ``besides``, is raised: a bug must not look like a quiet line."""
    running = {*either, *besides}
    while running >= set(either):
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _all_done(lines: frozenset[asyncio.Task[None]], or_else: asyncio.Event) -> None:
    """Wait until all of these are done, or the event is set."""
    if not lines:
        return
    either = [asyncio.ensure_future(asyncio.wait(lines)), asyncio.ensure_future(or_else.wait())]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(*either)
