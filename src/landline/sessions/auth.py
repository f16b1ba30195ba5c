"""Who a caller is: one function, asked with the credentials of every HELLO and RESUME, that returns a name or refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Authenticate = Callable[[Any], "str | Awaitable[str | None] | None"]
"""Takes the credentials a client sent (None when it sent none); returns the principal, or None to refuse. May be async."""


def admit_all(credentials: Any) -> str:
    """Let everybody in as nobody in particular: the default, made for loopback."""
    return ""
