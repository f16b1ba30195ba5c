"""What may be shown and what may be a name: the rules for text that came from somebody else.

``safe_text`` is the last step before any screen or log: nothing that it returns can move a cursor, change a colour or turn the reading
direction. ``valid_name``, ``valid_room`` and ``valid_line`` say what may come in, and refuse with a sentence that the person can be shown.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import Final

from landline.apps.chat.letters import is_mark, may_be_accent, script_of, skeleton, with_ascii_digits
from landline.apps.chat.limits import TEXT

MAX_NAME: Final = TEXT.name
MAX_ROOM: Final = TEXT.room_name
MAX_TEXT: Final = TEXT.text
MAX_LINES: Final = TEXT.text_lines
MAX_MARKS: Final = TEXT.marks

RESERVED: Final = (
    "host",
    "server",
    "landline",
    "system",
    "operator",
    "everyone",
    "nobody",
    "you",
    "me",
    "webhook",
)
"""Names that would let somebody speak for the house."""

# Cf is the category of bidi controls, zero-width spaces, tags and the soft hyphen; these few of it are ordinary writing: the joiners
# (Persian, Indic scripts, families of emoji) and the number signs that are drawn like letters.
_FORMAT_KEPT: Final = frozenset("\u200c\u200d") | {
    chr(code) for code in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)
}
_LINE_ENDS: Final = {"\r\n": "\n", "\r": "\n", "\u2028": "\n", "\u2029": "\n", "\x85": "\n"}
_NAME_MARKS: Final = "-_.'"

# A letter of Greek has up to three marks, and no other composes from more: longer than this, a text is too long in every form. It is
# refused or cut before anything normalizes it, because that takes time that grows with the square of the marks on one letter.
_MOST_APART: Final = TEXT.apart
RAW_NAME: Final = _MOST_APART * MAX_NAME
"""Code points in what may still become a name."""
RAW_ROOM: Final = _MOST_APART * MAX_ROOM
"""Code points in what may still become a room's name."""
RAW_TEXT: Final = TEXT.raw_text


class TooMuch(ValueError):
    """A text is over a limit; ``limit`` is its name, the message a sentence for whoever wrote it."""

    def __init__(self, sentence: str, limit: str) -> None:
        super().__init__(sentence)
        self.limit = limit


def safe_text(text: str, *, keep: str = "\n\t") -> str:
    """Return ``text`` without anything that could move a cursor or hide what it says.

    Control characters (C0, DEL, C1, and so every escape sequence's first byte), bidi controls and invisible format characters are
    dropped; a lone surrogate becomes U+FFFD; combining marks are capped at ``MAX_MARKS`` on one base and dropped where they have none.

    Args:
        text: anything at all.
        keep: which of newline and tab stay; one that does not stay becomes a space. Every form of line end counts as a newline.
    """
    if text.isascii() and text.isprintable():
        return text
    for end, newline in _LINE_ENDS.items():
        text = text.replace(end, newline)
    kept: list[str] = []
    marks = MAX_MARKS  # a mark needs a base
    for char in text:
        category = unicodedata.category(char)
        if category in ("Mn", "Me"):
            marks += 1
            if marks <= MAX_MARKS:
                kept.append(char)
        elif category == "Cc":
            if char in "\n\t":
                kept.append(char if char in keep else " ")
                marks = MAX_MARKS
        elif category == "Cf":
            if char in _FORMAT_KEPT:
                kept.append(char)  # and the count goes on: a joiner is no base
        elif category == "Cs" or (category == "Cn" and _is_noncharacter(char)):
            kept.append("\ufffd")
            marks = MAX_MARKS
        else:
            kept.append(char)
            marks = 0
    return "".join(kept)


def valid_name(text: str) -> str:
    """Return the name in the form in which it is kept (NFC, without spaces around it).

    Raises:
        ValueError: it cannot be a name, or is reserved; the message is a sentence that says why.
    """
    name = _valid_word(text, "a name", MAX_NAME)
    if is_reserved(name):
        raise ValueError(f"The name {name} is reserved; please take another one.")
    return name


def valid_room(text: str) -> str:
    """Return the room's name in the form in which it is kept (NFC, lower case, without a ``#`` before it).

    Raises:
        ValueError: it cannot be a room's name; the message is a sentence that says why.
    """
    # Lower case first: it may be longer, and a dotted capital I must not leave its dot behind.
    room = _bounded(text.strip().removeprefix("#"), "a room's name", MAX_ROOM).lower().replace("i\u0307", "i")
    return _valid_word(room, "a room's name", MAX_ROOM)


def name_key(name: str) -> str:
    """Return what tells names apart: two names with the same key are the same name to a reader's eye.

    What is too long to be a name is its own key.
    """
    if len(name) > RAW_NAME:
        return name
    return skeleton(name).rstrip(_NAME_MARKS)


_RESERVED_KEYS: Final = frozenset(name_key(name) for name in RESERVED)


def is_reserved(name: str) -> bool:
    """Say whether nobody but the house may be called this, however it is spelled."""
    return len(name) <= RAW_NAME and skeleton(name, bare=True).strip(_NAME_MARKS) in _RESERVED_KEYS


_GUEST: Final = re.compile(r"guest([-_.']+[0-9lo]*)*")  # as a skeleton, where 0 and 1 are letters


def is_guest_name(name: str) -> bool:
    """Say whether this is "guest" or "guest-9", however it is spelled: names that the house gives."""
    return len(name) <= RAW_NAME and _GUEST.fullmatch(skeleton(name, bare=True)) is not None


def name_from(text: str, default: str = "guest") -> str:
    """Return the valid name nearest to ``text``, for example for the name of an account; ``default`` when nothing of it is left."""
    name = unicodedata.normalize("NFKC", safe_text(text[:RAW_NAME].partition("@")[0], keep=""))
    name = "".join(char if _is_name_char(char) else "-" for char in name)
    name = name[: MAX_NAME - 2].strip(_NAME_MARKS)
    for candidate in (name, f"{name}-1"):
        try:
            return valid_name(candidate)
        except ValueError:
            continue
    return default


def valid_line(text: str) -> str:
    """Return what is said when somebody says ``text``: made safe, without blanks after it.

    Raises:
        ValueError: there is nothing to say, or too much of it; the message is a sentence that says why.
    """
    text = text.rstrip()
    line = safe_text(text).rstrip().lstrip("\n") if len(text) <= RAW_TEXT else text
    if not line.strip():
        raise ValueError("There is nothing to say in that line.")
    if (size := len(line.encode(errors="surrogatepass"))) > MAX_TEXT:
        raise TooMuch(
            f"That is too long to say at once: {size:,} bytes, and {MAX_TEXT:,} is the most. Nobody saw it.",
            "chat.text",
        )
    if (lines := line.count("\n") + 1) > MAX_LINES:
        raise TooMuch(
            f"Those are too many lines to say at once: {lines:,}, and {MAX_LINES} is the most. Nobody saw them.",
            "chat.text_lines",
        )
    return line


def head(text: str, limit: int) -> tuple[bytes, str]:
    """Return the longest beginning of ``text`` that fits ``limit`` bytes of UTF-8 in whole characters, and the rest.

    ``limit`` is at least 4, so that every character fits.
    """
    # A character is at least one byte, so what lies beyond `limit` characters need not be encoded to know that it does not fit.
    data = text[: limit + 1].encode()
    if len(data) <= limit:
        return data, ""
    cut = limit
    # Where the first byte that does not fit continues a character, that character does not fit either.
    while data[cut] & 0xC0 == 0x80:
        cut -= 1
    return data[:cut], text[len(data[:cut].decode()) :]


def pieces(text: str, limit: int = 1024) -> list[bytes]:
    """Return ``text`` as pieces of at most ``limit`` bytes of UTF-8, each of whole characters; no piece for no text."""
    result = []
    while text:
        piece, text = head(text, limit)
        result.append(piece)
    return result


def _valid_word(text: str, what: str, most: int) -> str:
    """Return ``text`` in NFC if it is one word of letters, digits and a few marks; ``what`` it would be is for the sentence."""
    word = with_ascii_digits(unicodedata.normalize("NFC", _bounded(text, what, most)))
    if not word:
        raise ValueError(f"An empty line cannot be {what}.")
    if len(word) > most:
        raise _too_long(word, what, most)
    for char in word:
        if not _is_name_char(char):
            shown = char if _is_seen(char) else f"U+{ord(char):04X}"
            shown = "a space" if char == " " else f"the character {shown}"
            raise ValueError(
                f"There cannot be {shown} in {what}: letters, digits and {' '.join(_NAME_MARKS)} can."
            )
    # Not a modifier letter either: the long vowel of katakana is drawn as a dash.
    if not word[0].isalnum() or unicodedata.category(word[0]) == "Lm":
        raise ValueError(f"The first character of {what} is a letter or a digit.")
    if safe_text(word) != word:
        raise ValueError(f"There are too many marks on one letter for {what}.")
    scripts = sorted({script for char in word if (script := script_of(char))})
    if len(scripts) > 1:
        raise ValueError(
            f"Letters of several scripts cannot be mixed in {what}: these are {' and '.join(scripts)}."
        )
    script = scripts[0] if scripts else ""
    for before, char in itertools.pairwise(word):
        # The same mark again would be drawn onto itself.
        fits = (is_mark(before) or before.isalpha()) and before != char
        if is_mark(char) and not (fits and (script_of(char) or may_be_accent(char, script))):
            raise ValueError(f"The mark U+{ord(char):04X} does not belong there in {what}.")
    return word


def _bounded(text: str, what: str, most: int) -> str:
    text = text.strip()
    if len(text) > _MOST_APART * most:
        raise _too_long(text, what, most)
    return text


def _too_long(text: str, what: str, most: int) -> TooMuch:
    sentence = f"That is too long for {what}: {len(text):,} characters, and {most} is the most."
    return TooMuch(sentence, "chat.name" if most == MAX_NAME else "chat.room_name")


def _is_name_char(char: str) -> bool:
    return char in _NAME_MARKS or char in "0123456789" or bool(script_of(char)) or may_be_accent(char)


def _is_seen(char: str) -> bool:
    """Say whether the character can be shown in a sentence; of letters, only those that are surely drawn as something."""
    category = unicodedata.category(char)
    return category[0] in "NPS" or category in ("Lu", "Ll")


def _is_noncharacter(char: str) -> bool:
    code = ord(char)
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
