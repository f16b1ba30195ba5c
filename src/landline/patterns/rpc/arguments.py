"""A method's parameters: which are given by the caller and of which types, read with msgspec, and which are given here."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, ClassVar, Final, Union

import msgspec
from msgspec import UNSET, UnsetType

from ...errors import CallFailed
from ...protocol.calls import NOTHING_NAMED

INVALID: Final = "invalid arguments"

_PLACE: Final = re.compile(r" - at `\$\[(\d+)\](.*)`$")
_FIELD: Final = re.compile(r" - at `\$\.(\w+)(.*)`$")


class Given:
    """What a parameter of a method may be annotated with to be given here, and not by the caller.

    A parameter whose annotation is a class under this one is given ``annotation.given(session)``.
    """

    __slots__: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def given(cls, session: Any) -> Any:
        """Return what the parameter is given; called on the loop, with the session that the call came over."""
        raise NotImplementedError


class Arguments:
    """The parameters of one method.

    Args:
        function: the method; each of its parameters has a name of its own, and is read as its annotation says, or as it comes where there is none.

    Attributes:
        given: the classes under ``Given`` of the parameters that are given here, by name.

    Raises:
        TypeError: a parameter cannot be filled by a caller, or an annotation is no type that msgspec reads.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        try:
            signature = inspect.signature(function, eval_str=True)
        except NameError as error:
            raise TypeError(
                f"an annotation of method {name!r} names what cannot be found when it is offered: {error}"
            ) from error
        self.returns = signature.return_annotation
        self.given: dict[str, type[Given]] = {}
        self.parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
                raise TypeError(f"method {name!r} takes {parameter}: give each parameter a name of its own")
            annotation = parameter.annotation
            if isinstance(annotation, type) and issubclass(annotation, Given):
                if parameter.kind is parameter.POSITIONAL_ONLY:
                    raise TypeError(f"parameter {parameter.name!r} of method {name!r} must have its name")
                self.given[parameter.name] = annotation
            else:
                self.parameters.append(parameter)
        in_order = [
            parameter for parameter in self.parameters if parameter.kind is not parameter.KEYWORD_ONLY
        ]
        by_name = [
            parameter for parameter in self.parameters if parameter.kind is not parameter.POSITIONAL_ONLY
        ]
        self._names = [parameter.name for parameter in in_order]
        self._required = [
            parameter.name for parameter in self.parameters if parameter.default is parameter.empty
        ]
        self._is_whole = len(self._names) == len(self.parameters)
        self._leading = len(self._names)  # so many are given in order; after one that is given here, by name
        for place, parameter in enumerate(signature.parameters.values()):
            if parameter.name in self.given:
                self._leading = min(self._leading, place)
        try:
            self._read_args = msgspec.msgpack.Decoder(_struct(name, in_order, is_array=True)).decode
            self._read_named = msgspec.msgpack.Decoder(_struct(name, by_name, is_array=False)).decode
        except TypeError as error:
            raise TypeError(f"the parameters of method {name!r} cannot be read: {error}") from error

    def read(self, args: msgspec.Raw, named: msgspec.Raw) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what a caller gave, as the annotations have it.

        Raises:
            CallFailed: it does not fit; the message says which.
        """
        try:
            values = msgspec.structs.astuple(self._read_args(args))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise CallFailed(self._say(str(error)), type=INVALID) from None
        if self._is_whole and named == NOTHING_NAMED and (not values or values[-1] is not UNSET):
            by_name: dict[str, Any] = {}
        else:
            values, by_name = self._bind(values, named)
        if len(values) > self._leading:
            by_name.update(zip(self._names[self._leading :], values[self._leading :], strict=False))
            values = values[: self._leading]
        return values, by_name

    def by_name(self, values: tuple[Any, ...], by_name: dict[str, Any]) -> dict[str, Any]:
        """Return what a caller gave, all of it by name."""
        named = {name: value for name, value in by_name.items() if name not in self.given}
        return {**dict(zip(self._names, values, strict=False)), **named}

    def in_place(
        self, arguments: dict[str, Any], by_name: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arguments as ``read`` does; what is given here is taken over from ``by_name``."""
        values = tuple(
            arguments[parameter.name]
            for parameter in self.parameters
            if parameter.kind is parameter.POSITIONAL_ONLY and parameter.name in arguments
        )
        given = {name: value for name, value in by_name.items() if name in self.given}
        in_order = self._names[: len(values)]
        return values, {**{n: v for n, v in arguments.items() if n not in in_order}, **given}

    def _bind(self, values: tuple[Any, ...], named: msgspec.Raw) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put together what came in order and what came by name."""
        values = tuple(value for value in values if value is not UNSET)
        try:
            by_name = msgspec.structs.asdict(self._read_named(named))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise CallFailed(self._say(str(error)), type=INVALID) from None
        by_name = {name: value for name, value in by_name.items() if value is not UNSET}
        in_order = self._names[: len(values)]
        if twice := [name for name in in_order if name in by_name]:
            raise CallFailed(f"given twice: {', '.join(twice)}", type=INVALID)
        if missing := [name for name in self._required if name not in by_name and name not in in_order]:
            raise CallFailed(f"not given: {', '.join(missing)}", type=INVALID)
        return values, by_name

    def _say(self, error: str) -> str:
        """Return msgspec's sentence with the parameter's name in front."""
        if found := _PLACE.search(error):
            place, rest = int(found[1]), found[2]
            name = self._names[place] if place < len(self._names) else f"argument {place + 1}"
        elif found := _FIELD.search(error):
            name, rest = found[1], found[2]
        elif error.startswith("Expected `array` of at most length"):
            return (
                f"{error.replace('`array` of at most length', 'at most').replace('got', 'and got')} in order"
            )
        else:
            return error.replace("Object contains unknown field", "there is no parameter")
        return f"{name}{rest}: {error[: found.start()]}"


def _struct(name: str, parameters: list[inspect.Parameter], *, is_array: bool) -> type[msgspec.Struct]:
    """Return what msgspec reads such parameters into; those that are not given are ``UNSET`` there."""
    fields = []
    for parameter in parameters:
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        fields.append((parameter.name, Any if annotation is Any else Union[annotation, UnsetType], UNSET))  # noqa: UP007 - an annotation may be anything
    return msgspec.defstruct(
        re.sub(r"\W", "_", f"Arguments_{name}"), fields, array_like=is_array, forbid_unknown_fields=True
    )
