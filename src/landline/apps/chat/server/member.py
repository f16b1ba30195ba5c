"""A member: somebody who is in the chat over a session, with a client of ours.

Their requests are carried out one at a time, in order; what is said they read in the topics of their rooms. While their line is down they stay:
the session keeps what else they are told, as far as it has room; whoever falls further behind is let go, and comes back to read on where they stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar, Final

import landline
from landline.apps.chat import wire
from landline.apps.chat.pace import Pace
from landline.apps.chat.server import calls
from landline.apps.chat.server.chat import Chat, Speaker, client_of
from landline.apps.chat.server.founding import source
from landline.apps.chat.server.history import Beginning
from landline.apps.chat.server.people import Refusal, Telling
from landline.apps.chat.server.relays import FileRelays
from landline.apps.chat.server.rooms import Room, valid_room
from landline.apps.chat.topics import topic_of
from landline.errors import StorageError

_FELL_BEHIND: Final = "you fell too far behind; come back and read on where you stopped"
_TAKES_TOO_LITTLE: Final = "your client takes only smaller messages than this chat has"


class Member(Speaker):
    """Somebody with a session.

    Args:
        session: theirs; ``run`` returns when it is over.
        chat: what they are in.
    """

    kind: ClassVar[str] = "session"

    def __init__(self, session: landline.Session, chat: Chat) -> None:
        super().__init__(client_of(session.principal), source(session.peer))
        self._session = session
        self._chat = chat
        self._house = chat.house
        self._limits = chat.limits
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(chat.limits.rate, chat.limits.burst, self._loop.time())
        self._is_in = False
        self._run = 0
        self._answered = 0
        self._moved = asyncio.Event()
        self._bad_messages = 0
        self._closing: asyncio.Task[None] | None = None

    # Being told...

    def tell(self, telling: Telling) -> None:
        """Queue what they are told; when there is no room left, or they cannot take it, let them go."""
        if self._closing is not None:
            return
        try:
            _ = self._session.send_nowait(telling.data)
        except landline.Full:
            self._let_go(_FELL_BEHIND)
        except landline.SessionEnded:
            pass  # ``run`` is about to notice
        except landline.LandlineError:
            self._let_go(_TAKES_TOO_LITTLE)

    def replaced(self) -> None:
        """End the session: their client has another one."""
        self._let_go("your client is here on a newer session")

    def _let_go(self, reason: str) -> None:
        if self._closing is None:
            self._closing = self._loop.create_task(self._session.close(reason))

    async def _send(self, message: wire.Told) -> None:
        """Answer them; unlike ``tell``, this waits for room, and nobody else with it."""
        _ = await self._session.send(wire.encode(message))

    # ... and asking.

    async def run(self) -> None:
        """Carry out their requests until the session is over, and see them out."""
        why = "something went wrong"
        self._chat.speakers[self._session.id] = self
        relays = asyncio.create_task(FileRelays(self._session, self, self._chat).run())
        try:
            request = await self._first()
            if request is not None and await self._enter(request):
                await self._serve()
        except landline.SessionClosed:
            why = "fell behind" if self._closing is not None else ""
        except landline.SessionLost:
            why = "the line was lost"
        except landline.DataError:  # an answer was larger than what they said they take
            why = "fell behind"
            self._let_go(_TAKES_TOO_LITTLE)
        finally:
            self._house.leave(self, why)
            del self._chat.speakers[self._session.id]
            relays.cancel()
            await asyncio.wait([relays])
            if self._closing is not None:
                await self._closing
            await self._chat.absences.forget(self.client)

    async def _first(self) -> wire.Enter | None:
        """Wait for them to say who they are; None when they do not, and the session is closed."""
        limits = self._limits
        try:
            async with asyncio.timeout(limits.enter_timeout):
                while (request := await self._next()) is not None:
                    if isinstance(request, wire.Enter):
                        return request
                    await self._send(
                        wire.Sorry(request.id, "Say who you are first: the first request is Enter.")
                    )
                    await asyncio.sleep(1 / limits.rate)
        except TimeoutError:
            self._chat.hit(self, "chat.enter_timeout", "somebody did not say who they are")
            await self._session.close(f"you did not say who you are within {limits.enter_timeout:g} s")
        return None

    async def _enter(self, request: wire.Enter) -> bool:
        """Let them in; return False when they will not do, and the session is closed."""
        try:
            self._check(request)
            notice = self._house.enter(self, request.name)
            self._chat.join(self._session)
        except Refusal as refusal:
            self._refused(refusal)
            await self._session.close(str(refusal))
            return False
        await self._chat.absences.keep(self.client, self.name)
        await self._send(wire.Entered(self.name, self._chat.history.told.epoch, notice))
        await self._enter_rooms(list(request.rooms.items()))
        self._house.files.came(self)
        self._is_in, self._run = True, request.run
        self._move(request.asked)
        return True

    async def _enter_rooms(self, wished: list[tuple[str, wire.Seen | None]]) -> None:
        most = self._limits.rooms_each
        inherited = dict(self.rooms)  # where their client was on another session
        for name, seen in wished[:most]:
            room = inherited.pop(name, None)
            try:
                await self._join(name, seen, room)
            except Refusal as refusal:
                self._refused(refusal)
                await self._send(wire.Barred(name, str(refusal)))
        for name in inherited:
            if name in self.rooms:  # unless yet another session has taken them over meanwhile
                self._house.rooms.leave(self, name)
        if len(wished) > most:
            self._chat.hit(self, "chat.rooms_each", "somebody wished for more rooms")
            await self._send(wire.Notice(f"Nobody is in more than {most} rooms at once."))

    def _refused(self, refusal: Refusal) -> None:
        self._chat.hit(self, refusal.limit, f"{self.name or 'somebody'} was refused")

    def _check(self, request: wire.Enter) -> None:
        if request.version != wire.VERSION:
            raise Refusal(
                f"This server speaks version {wire.VERSION} of the chat, and your client version {request.version}."
            )

    async def _serve(self) -> None:
        while (request := await self._next()) is not None:
            if isinstance(request, wire.Enter):
                if not await self._bad("You have entered already."):
                    return
            else:
                try:
                    await self._carry_out(request)
                except Refusal as refusal:
                    self._refused(refusal)
                    await self._send(wire.Sorry(request.id, str(refusal)))
                self._move(request.id)
            # The next request waits here, or at their end when credit is used up: a faster client is slowed, and nothing is lost.
            wait = self._pace.step(self._loop.time())
            if wait > 0:
                self._chat.hit(self, "chat.rate", f"{self.name} was slowed")
            await asyncio.sleep(wait)

    def _move(self, answered: int) -> None:
        """Requests up to this number are answered, and what comes after them may go on."""
        self._answered = max(self._answered, answered)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    # What their client says...

    async def vet(self, topic: str, say: wire.Say) -> bytes:
        """Return what to keep of a line when it is its turn: they are in, and what they asked for before it is answered."""
        while not self._is_its_turn(say):
            await self._moved.wait()
        while (wait := self._pace.wait(self._loop.time())) > 0:
            self._chat.hit(self, "chat.rate", f"{self.name} was slowed")
            await asyncio.sleep(wait)
        self._pace.step(self._loop.time())
        if self.has_left:  # whoever speaks for the client now is asked about the line again
            await self._session.wait_closed()
        try:
            room, line = self._house.may_say(self, say.room, say.text)
            if topic_of(room) != topic:
                raise Refusal("That is the topic of another room.")
        except Refusal as refusal:
            self._refused(refusal)
            raise
        return await self._chat.history.admit(room, self.name, line, say.id)

    def _is_its_turn(self, say: wire.Say) -> bool:
        # What an earlier run of their client left has no part in the order of this one's requests.
        return self._is_in and (say.run != self._run or say.asked <= self._answered)

    # ... and what it asks for.

    async def _next(self) -> wire.Request | None:
        """Return their next request; None when there were too many that are none, and the session is closed."""
        while True:
            data = await self._session.receive()
            try:
                return wire.decode_request(data)
            except ValueError as error:
                id = wire.request_id(data)
                if id is not None:
                    await self._send(wire.Sorry(id, f"That was not understood: {error}."))
                elif not await self._bad(f"That was not understood: {error}."):
                    return None
                await asyncio.sleep(1 / self._limits.rate)

    async def _bad(self, why: str) -> bool:
        """Say what was wrong; return False when it was once too often."""
        self._bad_messages += 1
        if self._bad_messages >= self._limits.bad_messages:
            self._chat.hit(self, "chat.bad_messages", f"{self.name or 'somebody'} was let go")
            await self._session.close(f"too much was not understood. {why}")
            return False
        await self._send(wire.Notice(why))
        return True

    async def _carry_out(self, request: wire.Request) -> None:
        house = self._house
        match request:
            case wire.Join(id, room):
                if await self._join(room, None):
                    return
            case wire.Leave(id, room):
                house.rooms.leave(self, room)
            case wire.Rename(id, name):
                house.rename(self, name)
                await self._chat.absences.keep(self.client, self.name)
            case wire.ListRooms(id):
                await self._send(wire.RoomList(id, house.rooms.listed()))
                return
            case wire.ListMembers(id, room):
                name, people = house.rooms.find(room)
                await self._send(wire.MemberList(id, name, [person.as_member() for person in people]))
                return
            case wire.Earlier():
                await self._send(await self._earlier(request))
                return
            case wire.Whisper(id, to, said):
                house.whisper(self, to, said)
            case wire.Ring(id, to):
                self._chat.ring(self, to)
            case wire.Accept(id):
                calls.accept(self)
            case wire.Hangup(id):
                calls.hang_up(self)
            case wire.Talk(id, said):
                house.talk(self, said)
            case wire.OfferFile():
                self._chat.offer_file(self, request)
                id = request.id
            case wire.TakeFile(id, file):
                house.files.take(self, file)
            case wire.DropFile(id, file):
                house.files.drop(self, file)
            case _:
                raise AssertionError(f"{request} is not asked twice")
        await self._send(wire.Done(id))

    async def receive_file(
        self, offer: landline.FileOffer, file: int, watch: Callable[[landline.Progress], object]
    ) -> None:
        """Have their client receive what another one sends; see ``Speaker``."""
        await self._session.pass_on(offer, name=f"{file:x}", progress=watch)

    # Joining a room...

    async def _join(self, wished: str, seen: wire.Seen | None, taken_over: Room | None = None) -> bool:
        """Join a room, or be in one that was taken over, and say where to read; return False when they are in it already."""
        name = valid_room(wished)
        if name in self.rooms and taken_over is None:
            return False
        beginning = await self._beginning(name, seen)
        # From joining to being told so nothing may wait: what others do there meanwhile comes after it.
        room = taken_over or self._house.rooms.join(self, name)
        if room is None:
            return False
        members = [person.as_member() for person in room.members]
        await self._send(wire.Joined(name, members, *beginning))
        self._house.files.came(self, name)
        return True

    async def _beginning(self, room: str, seen: wire.Seen | None) -> Beginning:
        history = self._chat.history
        try:
            return await history.beginning(room, seen)
        except StorageError as error:
            after = seen or wire.Seen(history.told.epoch, history.told.offset)
            return Beginning(after, 0, f"What was said before cannot be read: {error}")

    # ... and looking further back.

    async def _earlier(self, request: wire.Earlier) -> wire.EarlierLines:
        room = self._house.room_of(self, request.room)
        try:
            return await self._chat.history.earlier(request, room)
        except StorageError as error:
            raise Refusal(f"What was said before cannot be read: {error}") from None
