"""Who keeps a session at its end, and is told of what it does not deal with itself.

A server's sessions have one keeper in common, the acceptor; a client's has its own. Functions of its own for each session would
take more memory than the rest of what an idle session does here.
"""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

from .driver import log

S_contra = TypeVar("S_contra", contravariant=True)


class Keeper(Protocol[S_contra]):
    """Keeps sessions. Who does so inherits nothing: what somebody may is decided by each, and not by a default where it was forgotten.

    Attributes:
        may_renew: the session may begin again, with another life of its server.
        waits_for_lines: who closes the session need not wait until its line is gone, too.
    """

    may_renew: bool
    waits_for_lines: bool

    def ended(self, session: S_contra) -> None:
        """It is over."""

    def hit(self, session: S_contra, limit: str, what: str) -> None:
        """It came up against the limit of that name, and that was done about it."""

    def failed(self, what: str, error: BaseException) -> None:
        """Something of the program that runs here failed, as a clause; it is to be logged."""

    def may(self, session: S_contra, verb: str, what: str) -> bool:
        """Whether its client may, by the rules of the server that it is with."""


class Alone:
    """Keeps a session that stands alone: what is told is let go, failures are logged, and there are no rules."""

    may_renew = True
    waits_for_lines = False

    def ended(self, session: object) -> None:
        """Nobody is told."""

    def hit(self, session: object, limit: str, what: str) -> None:
        """Nobody counts it."""

    def failed(self, what: str, error: BaseException) -> None:
        """It is logged each time."""
        log.error("%s", what, exc_info=error)

    def may(self, session: object, verb: str, what: str) -> bool:
        """It may all."""
        del session, verb, what
        return True


ALONE: Final = Alone()
