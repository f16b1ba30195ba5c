"""Names of files that came from somebody else, as they may be on this disk and on a screen: one plain name, never a path.

Whatever comes in, what comes out is a name that every usual system takes, that hides nothing, and that no program takes for an option.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

from ..limits import FILES

UNNAMED: Final = "unnamed"
"""What a name becomes of which nothing is left."""

_FORBIDDEN: Final = frozenset('<>:"|?*')
"""Of Windows; a colon also names a drive, or a stream beside a file's content."""
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of what cannot be seen, or turns the reading direction; Cf has the joiners too, which no name needs."""
_MARKS: Final = frozenset({"Mn", "Me"})
_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
    | {f"{name}{digit}" for name in ("COM", "LPT") for digit in "0123456789¹²³"}
)
"""Names that open a device on Windows, whatever stands behind their first dot."""
_FIRST: Final = frozenset("-~")
"""What a shell or a program takes for more than a name, where it stands first."""
_NUMBER: Final = 16
"""Bytes that are left for a number behind the name."""
_ENDING: Final = 32
"""Bytes of a name's ending that stay when it is cut."""


def base_name(text: str) -> str:
    """Return the last part of what may be a path of any system."""
    parts = [part for part in text.replace("\\", "/").split("/") if part.strip(" .")]
    return parts[-1] if parts else ""


def safe_name(text: str, *, may_be_hidden: bool = False) -> str:
    """Return a name for a file or folder; of a path the last part.

    Args:
        text: anything at all.
        may_be_hidden: a dot may stand first, as within a folder that is new.
    """
    # A cut before anything normalizes it, which takes time that grows with the square of the marks on one letter.
    name = _visible(unicodedata.normalize("NFC", _visible(base_name(text[-FILES.raw_name :]))))
    name = _ends_well(name)
    if not may_be_hidden and name.startswith("."):
        name = "_" + name.lstrip(". ")
    if name[:1] in _FIRST:
        name = "_" + name[1:]
    name = _fitting(name)
    if name.partition(".")[0].rstrip(" ").upper() in _DEVICES:  # a cut may have made it one
        name = _fitting("_" + name)
    return name if name.strip("_. ") else UNNAMED


def numbered(name: str) -> Iterator[str]:
    """Yield a name, and then as many others like it as may be tried where it is taken."""
    yield name
    stem, ending = _split(name)
    for number in range(1, FILES.numbers + 1):
        yield f"{stem} ({number}){ending}"


def _visible(text: str) -> str:
    kept: list[str] = []
    marks = FILES.marks  # a mark needs a base
    for char in text:
        category = unicodedata.category(char)
        if category in _MARKS:
            marks += 1
            if marks > FILES.marks:
                continue
        elif category in _HIDDEN or (category == "Zs" and not kept):  # nor is a first space such a base
            continue
        else:
            marks = 0
        kept.append("_" if char in _FORBIDDEN or char in "/\\" else " " if category == "Zs" else char)
    return "".join(kept)


def _ends_well(name: str) -> str:
    return name.rstrip(". ")


def _fitting(name: str) -> str:
    return _ends_well(_cut(name, FILES.name - _NUMBER))


def _split(name: str) -> tuple[str, str]:
    """Return a name's stem and its ending with the dot; what begins with a dot has none."""
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem.strip(".") else (name, "")


def _cut(name: str, most: int) -> str:
    """Return a name of at most so many bytes; its ending stays where it is short."""
    if len(name.encode()) <= most:
        return name
    stem, ending = _split(name)
    if len(ending.encode()) > _ENDING:
        stem, ending = name, ""
    return stem.encode()[: most - len(ending.encode())].decode(errors="ignore") + ending
