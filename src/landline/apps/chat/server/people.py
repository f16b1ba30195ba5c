"""The people of a chat as its rules see them: whoever can be told something, whichever way they came in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from landline.apps.chat import wire
from landline.apps.chat.text import TooMuch

if TYPE_CHECKING:
    from landline.apps.chat.pace import Pace
    from landline.apps.chat.server.calls import Call
    from landline.apps.chat.server.rooms import Room


class Refusal(Exception):
    """What somebody asked for cannot be done; ``str()`` is the sentence that they are told.

    Attributes:
        limit: the name of the limit that it would go over, if that is why.
    """

    def __init__(self, sentence: str, limit: str = "") -> None:
        super().__init__(sentence)
        self.limit = limit

    @classmethod
    def of(cls, error: ValueError) -> Self:
        """Return the refusal of a text that will not do."""
        return cls(str(error), error.limit if isinstance(error, TooMuch) else "")


class Telling:
    """Something that one or many people are told; it is encoded once, however many they are."""

    __slots__ = ("_data", "message")

    def __init__(self, message: wire.Told) -> None:
        self.message = message
        self._data: bytes | None = None

    @property
    def data(self) -> bytes:
        """The message as it travels."""
        if self._data is None:
            self._data = wire.encode(self.message)
        return self._data


class Person(ABC):
    """Somebody in the chat. Names, rooms and calls are set by those who keep them: ``Names``, ``Rooms`` and ``Calls``.

    Args:
        client: the secret number that the person's client drew and shows as its credentials; 0 where there is none.
        source: from where they came, as ``founding.source`` says it; empty for somebody of the house.

    Attributes:
        has_left: they have left, or their client is here by another way. Whatever of theirs is still going on lets them into nothing.
    """

    kind: ClassVar[str]
    """As in ``wire.Member``."""

    def __init__(self, client: int = 0, source: str = "") -> None:
        self.name = ""
        self.client = client
        self.source = source
        self.has_left = False
        self.away = False
        self.rooms: dict[str, Room] = {}
        self.founding: Pace | None = None
        self.call: Call | None = None

    @abstractmethod
    def tell(self, telling: Telling) -> None:
        """Take what they are told. Never waits and never raises: one person's trouble is nobody else's."""

    def replaced(self) -> None:  # noqa: B027 - only those with a session have something to end
        """Their client is here by another way now, and has taken their place; nothing more comes to them here."""

    def as_member(self) -> wire.Member:
        """Return them as they stand in a room's list."""
        return wire.Member(self.name, self.away, self.kind)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


class Absent(Person):
    """Somebody who was here in an earlier life of the server, and may come back: their name is held, and they can be told nothing."""

    kind: ClassVar[str] = "session"

    def __init__(self, client: int, name: str) -> None:
        super().__init__(client)
        self.name = name
        self.away = True

    def tell(self, telling: Telling) -> None:
        """They do not hear it."""


class Listener(Person):
    """Somebody who cannot read the rooms' topics, and is told what is said."""

    @abstractmethod
    def hear(self, room: str, line: wire.Line) -> None:
        """Take a line that was said; as ``tell``, it never waits and never raises."""
