"""One call of a method as it is run: what the method is given, and who called."""

from __future__ import annotations

from typing import Any

from .methods import Method
from .stream import Stream


class MethodCall:
    """A call of a method, or a stream of it, about to run.

    Attributes:
        method: what is called.
        session: the session that it came over.
        stream: where its items go, if it has any.
        args, named: what the method is given, checked already; what is given here is among ``named``.
    """

    __slots__ = ("args", "method", "named", "session", "stream")

    def __init__(
        self,
        method: Method,
        session: Any,
        args: tuple[Any, ...],
        named: dict[str, Any],
        stream: Stream | None = None,
    ) -> None:
        self.method = method
        self.session = session
        self.args = args
        self.named = named
        self.stream = stream
