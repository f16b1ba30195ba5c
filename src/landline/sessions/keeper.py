"""Who keeps a session at its end, and is told of what it does not deal with itself.

A server's sessions have one keeper in common, the acceptor; a client's has its own. Functions of its own for each session would
take more memory than the rest of what an idle session does here.
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

from .driver import log

S = TypeVar("S")


class Keeper(Generic[S]):
    """Keeps a session that stands alone: what is told is let go, and failures are logged.

    Attributes:
        may_renew: the session may begin again, with another life of its server.
        waits_for_lines: who closes the session need not wait until its line is gone, too.
    """

    may_renew = True
    waits_for_lines = False

    def ended(self, session: S) -> None:
        """It is over."""

    def hit(self, session: S, limit: str, what: str) -> None:
        """It came up against the limit of that name, and that was done about it."""

    def failed(self, what: str, error: BaseException) -> None:
        """Something of the program that runs here failed, as a clause; it is to be logged."""
        log.error("%s", what, exc_info=error)

    def may(self, session: S, verb: str, what: str) -> bool:
        """Whether its client may, by the rules of the server that it is with."""
        del session, verb, what
        return True


class Ward:
    """What is kept: says to its keeper what there is to say.

    Attributes:
        keeper: is told of what it does not deal with itself.
        principal: who its client is.
        source: whom it counts for in limits per source; empty for who is not counted.
    """

    __slots__ = ("keeper", "principal", "source")

    def __init__(self, keeper: Keeper[Any], principal: str, source: str) -> None:
        self.keeper = keeper
        self.principal = principal
        self.source = source

    def on_limit(self, limit: str, what: str) -> None:
        """It hit the limit of that name, and that was done about it."""
        self.keeper.hit(self, limit, what)

    def on_failure(self, what: str, error: BaseException) -> None:
        """Something failed of the program that runs here, as a clause; it is logged."""
        self.keeper.failed(what, error)

    def may(self, verb: str, what: str) -> bool:
        """Whether its client may, by the rules of the server that it is with."""
        return self.keeper.may(self, verb, what)


ALONE: Final = Keeper[Any]()
