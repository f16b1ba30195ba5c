"""No address and no port stands in the source outside the settings; docstrings and comments may show some."""

from __future__ import annotations

import ast
import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

SOURCE: Final = Path(__file__).resolve().parent.parent / "src" / "landline"
FILES: Final = sorted(path for path in SOURCE.rglob("*.py") if path.parent.name != "settings")
PORT: Final = 12345

ALLOWED: Final[dict[tuple[str, str], str]] = {
    ("web/origin.py", "::"): "part of a pattern: what separates a host from its port",
    ("transports/address.py", "::1"): "an error's sentence shows how IPv6 is written",
}
"""``(file, literal) -> reason`` for what is no address although it looks like one."""


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Every literal address or port in code: ``(line, literal)``. Docstrings are prose."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in prose:
            continue
        if isinstance(node.value, bytes | str):
            text = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            yield from ((node.lineno, literal) for literal in addresses(text))
        elif type(node.value) is int and node.value == PORT:
            yield node.lineno, str(PORT)


def addresses(text: str) -> Iterator[str]:
    """The hosts and the port that are written in a text."""
    yield from re.findall(rf"\blocalhost\b|\b{PORT}\b", text, re.IGNORECASE)
    for word in re.findall(r"(?<!\w)[0-9A-Fa-f:.]+(?!\w)", text):
        candidate = word.strip(".") if word != "::" else word
        if candidate.count(".") == 3 or candidate.count(":") >= 2:
            try:
                ipaddress.ip_address(
                    re.sub(r"(?<=\d):\d+$", "", candidate) if "." in candidate else candidate
                )
            except ValueError:
                continue
            yield candidate


def test_there_is_source_to_look_at() -> None:
    """A search in the wrong folder finds nothing, ever."""
    assert SOURCE / "errors.py" in FILES


def test_no_address_stands_in_the_source() -> None:
    """Where to listen and whom to dial is a setting, from one table."""
    found = [
        f"{name}:{line}: {literal}"
        for path in FILES
        for name in [str(path.relative_to(SOURCE))]
        for line, literal in literals(path.read_text(encoding="utf-8"))
        if (name, literal) not in ALLOWED
    ]

    assert found == []


@pytest.mark.parametrize(("name", "literal"), ALLOWED)
def test_what_is_allowed_is_still_there(name: str, literal: str) -> None:
    """An exception leaves with what it was made for."""
    assert literal in [found for _, found in literals((SOURCE / name).read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("host = 'localhost'", ["localhost"]),
        ("print(f'dial LocalHost:{port}')", ["LocalHost"]),
        ("connect('10.0.0.1:80')", ["10.0.0.1:80"]),
        ("connect('tcp://127.0.0.1:12345')", ["12345", "127.0.0.1:12345"]),
        ("connect(b'127.0.0.1')", ["127.0.0.1"]),
        ("bind('::')", ["::"]),
        ("bind('tcp://[::1]:5')", ["::1"]),
        ("bind('fe80::1')", ["fe80::1"]),
        ("def f(port=12345): pass", ["12345"]),
        ("def f():\n    '''Dial localhost 12345 at 127.0.0.1.'''", []),
        ("x = 1\n'''Docs of x: ::1'''", []),
        ("# localhost", []),
        ("print('a: b'); version = '1.2.3'; x = 123456; y = 'x::y'", []),
        ("time = '12:30:45'", []),
    ],
)
def test_the_search_finds_what_it_is_for(code: str, found: list[str]) -> None:
    """And leaves prose and other numbers alone."""
    assert [literal for _, literal in literals(code)] == found
