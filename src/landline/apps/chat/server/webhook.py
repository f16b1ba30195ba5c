"""Webhooks: programs say lines in a room by ``POST /rooms/ROOM``, with a token. What they say is kept and told like everybody's.

The body is the line as text, or as JSON ``{"text": …, "name": …}``. It is said once it is stored, and only then answered.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import ClassVar, Final

import msgspec

from landline.apps.chat import text
from landline.apps.chat.limits import WEBHOOK
from landline.apps.chat.pace import Pace
from landline.apps.chat.server.chat import Chat
from landline.apps.chat.server.people import Person, Refusal, Telling
from landline.apps.chat.server.rooms import valid_room
from landline.errors import PublishFailed, PublishUnknown, StorageError
from landline.web.answers import answer, field_of
from landline.web.types import Receive, Scope, Send

NAME: Final = "webhook"
BODY: Final = WEBHOOK.body


class _Body(msgspec.Struct):
    text: str
    name: str = NAME


class _Answered(Exception):
    """There is nothing to say, and this is why.

    Args:
        status: of HTTP.
        sentence: for whoever reads the answer.
        headers: of the answer.
    """

    def __init__(self, status: int, sentence: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class Webhook:
    """An application that says what it is sent.

    Args:
        chat: where it is said.
        token: what whoever sends it must show, as ``Authorization: Bearer …``; empty: nothing is taken.
    """

    def __init__(self, chat: Chat, token: str) -> None:
        self._chat = chat
        self._token = token.encode()
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(WEBHOOK.rate, WEBHOOK.burst, self._loop.time())

    async def post(self, room: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a room, by its name."""
        try:
            self._check(scope)
            others = await self._say(room, await self._read(scope, receive))
        except _Answered as answered:
            await answer(send, answered.status, str(answered), headers=answered.headers)
        else:
            await answer(send, 200, msgspec.json.encode({"others": others}), content_type=b"application/json")

    def _check(self, scope: Scope) -> None:
        if scope["method"] != "POST":
            raise _Answered(405, "Lines are sent to a room with POST.", (b"allow", b"POST"))
        if not self._token:
            raise _Answered(
                403, "This chat takes no webhooks: whoever runs it sets LANDLINE_SERVE_WEBHOOK_TOKEN first."
            )
        kind, _, token = (field_of(scope, b"authorization") or b"").partition(b" ")
        if kind.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self._token):
            raise _Answered(
                401, "Show the token: Authorization: Bearer TOKEN.", (b"www-authenticate", b"Bearer")
            )
        self._slow_down()

    def _slow_down(self) -> None:
        if (wait := self._pace.wait(self._loop.time())) > 0:
            self._chat.hits.add("chat.webhook.rate", "a webhook", "was told to wait")
            raise _Answered(
                429, "Too much at once: wait, and send it again.", (b"retry-after", b"%d" % (wait + 1))
            )

    async def _read(self, scope: Scope, receive: Receive) -> _Body:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Answered(400, "The request was not finished.")
            body += message.get("body", b"")
            if len(body) > BODY:
                self._chat.hits.add("chat.webhook.body", "a webhook", "sent too much at once")
                raise _Answered(413, f"A line and its name may have {BODY:,} bytes.")
            if not message.get("more_body", False):
                break
        kind = (field_of(scope, b"content-type") or b"text/plain").partition(b";")[0].strip().lower()
        try:
            if kind == b"application/json":
                return msgspec.json.decode(body, type=_Body)
            if kind == b"text/plain":
                return _Body(body.decode())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _Answered(400, f"That cannot be read: {error}.") from None
        raise _Answered(
            415, "Send the line as text/plain, or as application/json with a text and perhaps a name."
        )

    async def _say(self, wished: str, body: _Body) -> int:
        """Say it; return how many are in the room."""
        house = self._chat.house
        try:
            name = NAME if body.name == NAME else text.valid_name(body.name)
            line = text.valid_line(body.text)
            room = valid_room(wished)
        except (ValueError, Refusal) as error:
            raise _Answered(422, str(error)) from None
        if text.is_guest_name(name) or house.names.is_taken(name):
            raise _Answered(409, f"Somebody here may be called {name}: take another name.")
        if house.rooms.get(room) is None and room not in house.rooms.kept:
            raise _Answered(404, f"There is no room {room}: somebody has to be in it first.")
        self._slow_down()  # again: while this one's body came, others may have been said
        self._pace.step(self._loop.time())
        try:
            return await self._chat.history.say(room, _Program(name), line)
        except (StorageError, PublishFailed, PublishUnknown) as error:
            raise _Answered(503, f"That may not be kept: {error}") from None


class _Program(Person):
    """Who says it: nobody who is here, and hears anything."""

    kind: ClassVar[str] = NAME

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def tell(self, telling: Telling) -> None:
        """Nothing is told."""
