"""The commands of the chat, read from a line that somebody typed: the same for plain callers, the operator and the terminal client.

``parse`` turns one line into one small value and never fails: what cannot be understood is a ``Mistake`` that carries the sentence to
show. Whether a name or a room exists, or may exist, is for the one who carries the command out.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from typing import Final

import msgspec

from landline.apps.chat.limits import CLIENT, ChatLimits

DROP_SECONDS: Final = 5.0
"""How long ``/drop`` stays away when no time is given."""
MAX_DROP_SECONDS: Final = CLIENT.drop
HISTORY_LINES: Final = 20
"""How many lines ``/history`` shows when no number is given."""
MAX_HISTORY_LINES: Final = ChatLimits().earlier


class Say(msgspec.Struct, frozen=True):
    """A line for the room, or for the other one in a call."""

    text: str


class Nick(msgspec.Struct, frozen=True):
    """Be called otherwise."""

    name: str


class Join(msgspec.Struct, frozen=True):
    """Enter a room."""

    room: str


class Leave(msgspec.Struct, frozen=True):
    """Leave a room; an empty one is the current room."""

    room: str = ""


class Rooms(msgspec.Struct, frozen=True):
    """Which rooms there are."""


class Who(msgspec.Struct, frozen=True):
    """Who is in a room; an empty one is the current room."""

    room: str = ""


class History(msgspec.Struct, frozen=True):
    """The last ``lines`` that were said here before those that are shown."""

    lines: int = HISTORY_LINES


class Message(msgspec.Struct, frozen=True):
    """One private message to one person."""

    to: str
    text: str


class Call(msgspec.Struct, frozen=True):
    """Ring one person, or answer them when they ring."""

    name: str


class Send(msgspec.Struct, frozen=True):
    """Offer a file, to one person, or where a line would go."""

    path: str
    to: str = ""


class Accept(msgspec.Struct, frozen=True):
    """Receive a file that is offered; 0 is the only one."""

    number: int = 0


class Refuse(msgspec.Struct, frozen=True):
    """Not to receive a file, or not any more, or to take back one's own; 0 is the only one."""

    number: int = 0


class Files(msgspec.Struct, frozen=True):
    """Which files are offered or on their way."""


class Drop(msgspec.Struct, frozen=True):
    """Hang up beneath the session and stay away for ``seconds``."""

    seconds: float = DROP_SECONDS


class Help(msgspec.Struct, frozen=True):
    """What can be typed."""


class Bye(msgspec.Struct, frozen=True):
    """End the call, or leave the chat when there is none."""


class Nothing(msgspec.Struct, frozen=True):
    """An empty line."""


class Mistake(msgspec.Struct, frozen=True):
    """A command that cannot be understood; ``why`` is the sentence to show."""

    why: str


Command = (
    Say | Nick | Join | Leave | Rooms | Who | History | Message | Call | Send | Accept | Refuse | Files | Drop | Help | Bye
    | Nothing | Mistake
)  # fmt: skip


def parse(line: str, *, with_session: bool = False) -> Command:
    """Return what the line asks for.

    Args:
        line: as it was typed, its line end or not.
        with_session: whether the commands are here that need a session of ours beneath.
    """
    text = line.strip()
    if not text:
        return Nothing()
    if text.lower() == "bye":
        return Bye()
    if not text.startswith("/"):
        return Say(line.rstrip())
    if text.startswith("//"):
        return Say(text[1:].rstrip())
    word, _, rest = text[1:].partition("\n")[0].partition(" ")
    rest = text[1 + len(word) :].strip()
    verbs = _verbs(with_session)
    name = _ALIASES.get(word.lower(), word.lower())
    verb = next((verb for verb in verbs if verb.name == name), None)
    if verb is None:
        return Mistake(_unknown(word, [verb.name for verb in verbs]))
    return verb.read(rest) or Mistake(f"That is not how /{verb.name} goes: it is {verb.usage} ({verb.what}).")


def help_text(*, with_session: bool = False) -> str:
    """Return what can be typed, one command a line."""
    verbs = _verbs(with_session)
    width = max(len(verb.usage) for verb in verbs)
    return "\n".join(
        ["Type a line and press Enter to say it. Commands:"]
        + [f"  {verb.usage:<{width}}  {verb.what}" for verb in verbs]
        + ["A line that should begin with a / begins with two."]
    )


# How each command is read: None says that the arguments do not fit.


class _Verb(msgspec.Struct, frozen=True):
    name: str
    usage: str
    what: str
    read: Callable[[str], Command | None]


def _no_argument(command: Command) -> Callable[[str], Command | None]:
    return lambda rest: None if rest else command


def _one_word(make: Callable[[str], Command], what: str, usage: str) -> Callable[[str], Command | None]:
    def read(rest: str) -> Command | None:
        if len(rest.split()) > 1:
            return Mistake(f"{what} is one word: {usage}.")
        return make(rest) if rest else None

    return read


def _word_or_none(make: Callable[[str], Command]) -> Callable[[str], Command | None]:
    return lambda rest: make(rest) if len(rest.split()) <= 1 else None


def _name_and_text(rest: str) -> Command | None:
    to, *text = rest.split(maxsplit=1)[:2] or [""]
    return Message(to, text[0]) if to and text else None


def _seconds(rest: str) -> Command:
    if not rest:
        return Drop()
    try:
        seconds = float(rest.removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MAX_DROP_SECONDS:  # and no nan
        return Mistake(
            f"/drop [SECONDS] takes a number from 0 to {MAX_DROP_SECONDS:g}, or none for {DROP_SECONDS:g} seconds."
        )
    return Drop(seconds)


def _lines(rest: str) -> Command:
    if not rest:
        return History()
    # More digits than these are no number of lines, and Python takes long to read very many.
    if rest.isascii() and rest.isdigit() and len(rest) < 10 and 1 <= int(rest) <= MAX_HISTORY_LINES:
        return History(int(rest))
    return Mistake(
        f"/history [LINES] takes a whole number from 1 to {MAX_HISTORY_LINES}, or none for {HISTORY_LINES} lines."
    )


def _file_and_name(rest: str) -> Command | None:
    path, _, last = rest.rpartition(" ")
    if _is_quoted(rest) or not (path.strip() and last.startswith("@") and len(last) > 1):
        path, last = rest, ""
    path = path.strip()
    if path[:1] in ("'", '"') and path.count(path[0]) == 1:
        return Mistake(f"The quote {path[0]} before the file is not closed: /send {path}{path[0]}.")
    path = path[1:-1] if _is_quoted(path) else path
    return Send(path, last[1:]) if path else None


def _is_quoted(text: str) -> bool:
    return len(text) > 2 and text[0] == text[-1] and text[0] in "'\""


def _number(make: Callable[[int], Command], usage: str) -> Callable[[str], Command | None]:
    def read(rest: str) -> Command | None:
        if not rest:
            return make(0)
        if rest.isascii() and rest.isdigit() and len(rest) < 10 and int(rest):
            return make(int(rest))
        return Mistake(f"{usage} takes the number that stands before the file; /files lists them.")

    return read


_VERBS: Final = (
    _Verb("nick", "/nick NAME", "be called NAME", _one_word(Nick, "A name", "/nick NAME")),
    _Verb(
        "join",
        "/join ROOM",
        "enter a room; it is made if there is none",
        _one_word(Join, "A room's name", "/join ROOM"),
    ),
    _Verb("leave", "/leave [ROOM]", "leave the room", _word_or_none(Leave)),
    _Verb("rooms", "/rooms", "which rooms there are", _no_argument(Rooms())),
    _Verb("who", "/who [ROOM]", "who is here", _word_or_none(Who)),
    _Verb("history", "/history [LINES]", "what was said here before", _lines),
    _Verb("msg", "/msg NAME TEXT", "say it to one person alone", _name_and_text),
    _Verb(
        "call",
        "/call NAME",
        "ring one person, or answer their ringing; bye ends the call",
        _one_word(Call, "A name", "/call NAME"),
    ),
    _Verb("send", "/send FILE [@NAME]", "offer a file: to NAME, in a call, or to the room", _file_and_name),
    _Verb("accept", "/accept [NUMBER]", "receive a file that is offered", _number(Accept, "/accept")),
    _Verb(
        "refuse",
        "/refuse [NUMBER]",
        "do not receive it, or stop; or take your own back",
        _number(Refuse, "/refuse"),
    ),
    _Verb("files", "/files", "which files are offered, and how far they are", _no_argument(Files())),
    _Verb(
        "drop", "/drop [SECONDS]", "hang up beneath the session for a while, to see what happens", _seconds
    ),
    _Verb("help", "/help", "this list", lambda _: Help()),
    _Verb("bye", "/bye", "leave; so does bye alone", lambda _: Bye()),
)

_OF_A_SESSION: Final = ("drop", "history", "send", "accept", "refuse", "files")

# What people type out of habit from other chats.
_ALIASES: Final = {
    "quit": "bye", "exit": "bye", "q": "bye", "part": "leave", "names": "who", "users": "who", "list": "rooms", "j": "join",
    "tell": "msg", "whisper": "msg", "w": "msg", "m": "msg", "name": "nick", "ring": "call", "take": "accept", "decline": "refuse", "file": "send", "h": "help", "?": "help",
}  # fmt: skip


def _verbs(with_session: bool) -> tuple[_Verb, ...]:
    return _VERBS if with_session else tuple(verb for verb in _VERBS if verb.name not in _OF_A_SESSION)


def _unknown(word: str, names: list[str]) -> str:
    shown = word if len(word) <= 20 else word[:20] + "…"
    if (name := word.lower()) in _OF_A_SESSION:
        return f"There is no /{name} here: it needs a session of landline beneath (landline chat has one)."
    near = difflib.get_close_matches(word.lower(), [*names, *_ALIASES], n=1, cutoff=0.55)
    hint = f"Did you mean /{_ALIASES.get(near[0], near[0])}?" if near else "/help lists the commands."
    return f"There is no command /{shown}. {hint} (To say a line that begins with /, begin it with //.)"
