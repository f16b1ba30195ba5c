"""A folder's names, as a plain page. A name is anybody's words: each is escaped as text and quoted as an address."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Entry:
    """One name."""

    name: str
    size: int | None
    """In bytes; None for a folder."""


def listing(folder: Sequence[str], entries: Iterable[Entry], *, is_all: bool) -> bytes:
    """Return the page of a folder, by the names that lead to it."""
    title = html.escape("/".join(["", *map(_shown, folder), ""]))
    rows = [_row(each) for each in sorted(entries, key=lambda each: (each.size is not None, each.name))]
    if folder:
        rows.insert(0, '<li><a href="../">../</a></li>')
    more = "" if is_all else "<p>There are more.</p>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
        f"<ul>{''.join(rows)}</ul>{more}</html>\n"
    ).encode()


def _row(entry: Entry) -> str:
    end = "/" if entry.size is None else ""
    # The dot in front: a name with a colon would be read as an address of another kind.
    address = "./" + quote(entry.name.encode(errors="surrogateescape")) + end
    size = "" if entry.size is None else f" {entry.size:,} bytes"
    return f'<li><a href="{html.escape(address)}"><bdi>{html.escape(_shown(entry.name))}</bdi>{end}</a>{size}</li>'


def _shown(name: str) -> str:
    """Return a name without bytes that are no text."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
