"""What whoever receives from a session is given besides its messages; ``patterns.intake`` is what gives it."""

from __future__ import annotations

from typing import Any, Final, Protocol

NOTHING: Final = object()
"""What there is to take where there is nothing."""


class Intake(Protocol):
    """What whoever receives is given besides the messages; asked with the ``BareSession`` of who does."""

    def take(self, bare: Any, /) -> Any:
        """Return the next value for this session's program, or ``NOTHING``."""
        ...

    def handle(self, bare: Any, /) -> None:
        """What it took is handled."""
        ...

    def fail(self, bare: Any, reason: str, /) -> None:
        """Its program failed over what it took."""
        ...

    def release(self, bare: Any, /) -> None:
        """Its program was interrupted over it."""
        ...

    def leave(self, bare: Any, /) -> None:
        """Another one is this session's now."""
        ...

    async def settled(self) -> None:
        """Wait until what was handled is stored."""
        ...
