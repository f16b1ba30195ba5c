"""Fits text to the columns of a terminal: how many it takes, what of it fits a row, and where a row breaks.

A terminal by itself breaks in the middle of a word and goes on in the first column, where somebody's words would look like a line of
another person's.
"""

from __future__ import annotations

from landline.apps.cells import cell, cells

Pieces = list[tuple[str, str]]
"""Styled text, as prompt_toolkit takes it: ``(style, text)``."""


def fitting(text: str, width: int) -> str:
    """Return as much of one line as fits so many columns; an ellipsis stands for the rest."""
    used = 0
    for index, char in enumerate(text):
        used += cell(char)
        if used > width:
            return text[: max(index - 2, 0)] + "…"
    return text


def wrapped(pieces: Pieces, width: int, *, indent: str) -> Pieces:
    """Return the text with its lines broken between words, so that they fit.

    A word that is wider than a row (an address on the web, say) stays whole, for it is to be copied.

    Args:
        pieces: any number of lines.
        width: columns of a row.
        indent: what a row begins with that goes on with a line.
    """
    if all(cells(row) <= width for row in "".join(text for _, text in pieces).split("\n")):
        return pieces
    result: Pieces = []
    column = 0
    has_word = False  # in the row so far
    word: Pieces = []  # with the space before it

    def put(style: str, text: str) -> None:
        nonlocal column
        if result and result[-1][0] == style:
            result[-1] = (style, result[-1][1] + text)
        elif text:
            result.append((style, text))
        column += cells(text)

    def put_word() -> None:
        nonlocal column, has_word
        text = "".join(part for _, part in word)
        # The first word of a row stays there, however long: on the next one it would not fit either.
        if text and not text.strip() and column + cells(text) > width:
            word.clear()  # spaces at the end
            return
        if has_word and text.strip() and column + cells(text) > width:
            put("", "\n")
            column = 0
            put("", indent)
            is_leading = True
        else:
            is_leading = False
        for style, part in word:
            kept = part.lstrip() if is_leading else part
            is_leading = is_leading and not kept
            put(style, kept)
        has_word = has_word or bool(text.strip())
        word.clear()

    for style, text in pieces:
        for char in text:
            if char == "\n":
                put_word()
                put(style, char)
                column = 0
                has_word = False
                continue
            if char.isspace() and any(part.strip() for _, part in word):
                put_word()
            if word and word[-1][0] == style:
                word[-1] = (style, word[-1][1] + char)
            else:
                word.append((style, char))
    put_word()
    return result
