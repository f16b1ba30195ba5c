"""The methods that one end offers to be called: by name, each with its parameters and what it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final, Protocol, TypeVar, overload

import msgspec

from ...limits import PROTOCOL
from .arguments import Arguments, Given

RESERVED: Final = "landline."
"""Names that begin so are the library's own."""

F = TypeVar("F", bound=Callable[..., Any])


class Kind(Enum):
    """What comes of running a method."""

    CALL = "call"
    """One result."""
    STREAM = "stream"
    """Items, from an asynchronous generator."""
    BOTH_WAYS = "both ways"
    """Items both ways, by the ``Stream`` that it takes."""


class StreamGiven(Given):
    """What stands for the stream among what a method is given; ``landline.Stream`` is one."""

    __slots__ = ()


class Method(msgspec.Struct, frozen=True):
    """One method."""

    name: str
    function: Callable[..., Any]
    kind: Kind
    arguments: Arguments
    idempotent: bool
    in_thread: bool
    stream_parameter: str | None
    """The parameter that is given the stream."""


class MethodDecorator(Protocol):
    """``Methods.method``, as the type checker sees it."""

    @overload
    def __call__(self, function: F, /) -> F: ...
    @overload
    def __call__(self, /, *, name: str | None = None, idempotent: bool = False) -> Callable[[F], F]: ...


class Methods:
    """Methods, by name: ``@methods.method`` offers one to the other end.

    A server has its own (``Server.method``); a client gives its own to ``connect(…, methods=methods)``.

        methods = landline.Methods()

        @methods.method
        async def add(a: int, b: int) -> int:
            return a + b
    """

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    @overload
    def method(self, function: F, /) -> F: ...
    @overload
    def method(self, /, *, name: str | None = None, idempotent: bool = False) -> Callable[[F], F]: ...
    def method(
        self, function: F | None = None, /, *, name: str | None = None, idempotent: bool = False
    ) -> F | Callable[[F], F]:
        """Offer a function to be called by the other end; used as a decorator, bare or with options.

        A coroutine function answers with what it returns. An asynchronous generator is a streamed call. A function with a parameter that is
        annotated ``landline.Stream`` may talk both ways. A plain function runs in a thread of its own, of ``call_threads`` at the most, and is not
        interrupted there when nobody waits any more.

        What a caller gives is checked against the annotations, and made what they say. A parameter annotated ``landline.Session`` is given the session.

        Args:
            function: what to run.
            name: what it is called by; by default the function's own name.
            idempotent: whether it may run twice: a call that was on its way when the server was started again is then made again, and is no
                ``CallUnknown``.

        Raises:
            TypeError: a parameter cannot be filled by a caller, or it is no function of these kinds.
            ValueError: the name is taken, begins with ``landline.``, or is too long.
        """
        if isinstance(function, str):
            raise TypeError(f"a method's name is said by name=: @method(name={function!r})")
        if function is None:
            return lambda function: self._add(function, name, idempotent)
        return self._add(function, name, idempotent)

    def _add(self, function: F, given_name: str | None, idempotent: bool) -> F:
        name = str(given_name or getattr(function, "__name__", ""))
        if not 1 <= len(name) <= PROTOCOL.method or name.startswith(RESERVED):
            raise ValueError(
                f"{name!r} is no name for a method: it has 1 to {PROTOCOL.method} characters, and does not begin with {RESERVED!r}"
            )
        if name in self._methods:
            raise ValueError(f"there is a method {name!r} already")
        self._methods[name] = make_method(function, name, idempotent=idempotent)
        return function

    def get(self, name: str) -> Method | None:
        """Return the method of that name, if there is one."""
        return self._methods.get(name)

    @property
    def idempotent(self) -> list[str]:
        """The names of those that may run twice."""
        return [method.name for method in self if method.idempotent]

    def __iter__(self) -> Iterator[Method]:
        return iter(self._methods.values())

    def __len__(self) -> int:
        return len(self._methods)


def make_method(function: Callable[..., Any], name: str, *, idempotent: bool = False) -> Method:
    """Return the method that a function makes.

    Raises:
        TypeError: as for ``Methods.method``.
    """
    if not callable(function):
        raise TypeError(f"method {name!r} cannot be called: it is a {type(function).__name__}")
    code = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    arguments = Arguments(function, name)
    streams = [name for name, kind in arguments.given.items() if issubclass(kind, StreamGiven)]
    is_generator = inspect.isasyncgenfunction(code)
    is_plain = not is_generator and not inspect.iscoroutinefunction(code)
    if inspect.isgeneratorfunction(code):
        raise TypeError(f"method {name!r} is a generator: a streamed call is an asynchronous one")
    if streams and is_plain:
        raise TypeError(f"method {name!r} takes a stream, and runs in a thread: make it async")
    if len(streams) > 1 or (streams and is_generator):
        raise TypeError(f"method {name!r} has one stream: either it takes it, or it yields")
    kind = Kind.STREAM if is_generator else Kind.BOTH_WAYS if streams else Kind.CALL
    return Method(
        name=name,
        function=function,
        kind=kind,
        arguments=arguments,
        idempotent=idempotent,
        in_thread=is_plain,
        stream_parameter=streams[0] if streams else None,
    )
