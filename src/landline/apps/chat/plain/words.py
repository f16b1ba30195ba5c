"""The words for plain callers: how what they hear is written, and how what they typed is read.

Everything that somebody else wrote passes ``safe_text`` here. What the house says begins with an asterisk, which no name does; what follows
a line end in somebody's text is indented, so that nobody can speak in another's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from landline.apps.chat.plain.turns import OPERATOR_WAIT
from landline.apps.chat.text import MAX_TEXT, safe_text

SHOWN_NAMES: Final = 8
"""Names in a list of who is here; the others are a number."""

NOT_UTF8: Final = "That was not UTF-8 text, so nobody saw it. Please set your program to UTF-8."
TOO_LONG: Final = f"That line was too long: {MAX_TEXT:,} bytes are the most. Nobody saw it."
EMPTY: Final = "That was an empty line, so there was nothing to say."
GOODBYE: Final = "Goodbye."
NO_PAUSE: Final = (
    "You send lines without a pause, faster than people read. The rest was not seen; call again."
)
SLOWED: Final = "You send lines faster than people read: from here on {rate:g} a second go out. Who makes no pause for {most:g} s is hung up on."
ENOUGH: Final = "That was the last time, so this line ends here."


def greeting(name: str, room: str, others: Sequence[str]) -> list[str]:
    """Return the notices for somebody who reads lines and has just come."""
    return [
        f"Welcome to landline. You are {name}, in {room} ({_company(others)}).",
        "Type a line and press Enter to say it. /help says what else you can do, bye leaves.",
    ]


def short_greeting(name: str, room: str, others: Sequence[str]) -> str:
    """Return the same for somebody who takes turns, at the beginning of the first answer."""
    return notice(
        f"You are {name}, in {room} ({_company(others)}). /help says what you can do, bye leaves.\n"
        f"After each line your program waits until somebody answers, at most {OPERATOR_WAIT:.0f} s."
    )


def receipt(room: str, others: int) -> str:
    """Return the answer to what was said and has no other answer."""
    heard = "nobody else is here" if not others else "to 1 other" if others == 1 else f"to {others:,} others"
    return notice(f"said in {room}: {heard}")


def notice(text: str) -> str:
    """Return what the house says, each line marked; nothing for nothing."""
    return "\n".join(f"* {line}" for line in safe_text(text).split("\n")) if text else ""


def spoken(name: str, text: str) -> str:
    """Return a line as it is shown; what follows a line end is indented, so that nobody can speak in another's name."""
    return f"{safe_text(name, keep='')}: {safe_text(text)}".replace("\n", "\n    ")


def _company(names: Sequence[str]) -> str:
    if not names:
        return "nobody else is here yet"
    shown = ", ".join(safe_text(name, keep="") for name in names[:SHOWN_NAMES])
    return f"with {shown}" + (f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else "")


def typed(text: str) -> str:
    """Return the text with backspaces carried out, which a terminal that sends each key leaves to us."""
    if "\b" not in text and "\x7f" not in text:
        return text
    kept: list[str] = []
    for char in text:
        if char not in "\b\x7f":
            kept.append(char)
        elif kept:
            kept.pop()
    return "".join(kept)
