"""Who a caller is: one function, asked with the credentials of every HELLO and RESUME, and with those that are shown meanwhile."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from ..limits import LONGEST


class Grant(msgspec.Struct, frozen=True):
    """What ``authenticate`` may return instead of a name: a name for a time.

    The client shows new credentials by itself before the time is over; a session on a line whose time is over ends, ``expired``.

    Args:
        principal: who the client is.
        expires_in: for how many seconds, at most 31 days; 0 or less is over already, and refused. None: for good.

    Raises:
        ValueError: the time is not a number.
    """

    principal: str
    expires_in: float | None = None

    def __post_init__(self) -> None:
        """Check it where it is made, in the program that made it."""
        if not isinstance(self.principal, str):
            raise TypeError(f"a principal is a str, not {self.principal!r:.100}")
        self.principal.encode()  # raises for what is not Unicode
        if self.expires_in is not None:
            if math.isnan(self.expires_in):
                raise ValueError("a grant is for a number of seconds")
            msgspec.structs.force_setattr(self, "expires_in", min(float(self.expires_in), LONGEST))

    @property
    def is_over(self) -> bool:
        """Whether it is worth nothing."""
        return self.expires_in is not None and self.expires_in <= 0


Answer = str | Grant | None
"""What ``authenticate`` finds."""

Authenticate = Callable[[Any], "Answer | Awaitable[Answer]"]
"""Takes the credentials a client sent (None when it sent none); returns the principal or a ``Grant``, or None to refuse; or raises ``NotAllowed``, whose words the client is told. May be async."""


def admit_all(credentials: Any) -> str:
    """Let everybody in as nobody in particular: the default, made for loopback."""
    return ""


def granted(answer: object) -> Grant | None:
    """Return what ``authenticate`` found, None for nobody.

    Raises:
        TypeError: it is nothing that it may say.
        ValueError: the principal is not Unicode.
    """
    if isinstance(answer, str):
        return Grant(answer)
    if answer is None or isinstance(answer, Grant):
        return None if answer is None or answer.is_over else answer
    raise TypeError(
        f"authenticate returned {answer!r:.100}: a principal is a str, or a Grant, or None for nobody"
    )
