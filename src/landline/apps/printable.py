"""What came from somebody else, as a terminal may be given it: one line, in which nothing is obeyed, hidden or taken for another line."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text in which control and other unprintable characters, ends of lines among them, are escaped."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
