"""Values as JSON and back, nothing lost: what JSON has no word for is an object with one key, which says what it is.

    {"base64": "AP8="}                bytes
    {"map": [[1, "a"], [2, "b"]]}     a map whose keys are not all text, or that looks like one of these
    {"float": "nan"}                  a number that JSON does not have
    {"time": "2030-01-31T12:00:00Z"}  a moment
    {"ext": [5, "AP8="]}              an extension of msgpack, with its code

A line has no character that a terminal would obey or hide: those are escaped, as JSON allows.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

_EXT_CODES: Final = range(-128, 128)

_OBEYED: Final = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Controls beyond ASCII's, and what is seen nowhere or turns the order around."""


def line(entry: object) -> bytes:
    """Return ``entry``, whose values ``shown`` made, as one line with its end."""
    text = msgspec.json.encode(entry).decode()
    if not text.isascii() or "\x7f" in text:
        text = _OBEYED.sub(_escaped, text)
    return text.encode() + b"\n"


def parse(text: bytes) -> Any:
    """Return the value that a JSON text is.

    Raises:
        ValueError: it is none; the message is a clause.
    """
    try:
        return meant(msgspec.json.decode(text))
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except msgspec.MsgspecError as error:
        raise ValueError(f"it is no JSON: {_clause(str(error))}") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def _clause(sentence: str) -> str:
    return sentence if sentence.startswith("JSON") else sentence[:1].lower() + sentence[1:]


def guess(text: str) -> Any:
    """Return the value that a JSON text is; any other text is itself.

    Raises:
        ValueError: it is JSON with one of our words, and what follows is not of its kind; the message is a clause.
    """
    try:
        tree = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text
    try:
        return meant(tree)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def shown(value: Any) -> Any:
    """Return a value, as a message or publication may hold, as JSON has it.

    Raises:
        ValueError: it is nested too deep; the message is a clause.
    """
    try:
        return _shown(value)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and not (len(value) == 1 and _SPECIAL.keys() & value):
            return {key: _shown(item) for key, item in value.items()}
        return {"map": [[_shown(key), _shown(item)] for key, item in value.items()]}
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, msgspec.msgpack.Ext):
        return {"ext": [value.code, base64.b64encode(value.data).decode()]}
    return value


def meant(tree: Any) -> Any:
    """Return the value that JSON shows: the other way round.

    Raises:
        ValueError: what follows one of the words is none of its kind; the message is a clause.
        RecursionError: it is nested too deep.
    """
    if isinstance(tree, list):
        return [meant(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1:
        ((word, inner),) = tree.items()
        if word in _SPECIAL:
            try:
                return _SPECIAL[word](inner)
            except (TypeError, ValueError, OverflowError, binascii.Error):
                raise ValueError(f'what {{"{word}": …}} holds is not of that kind') from None
    return {key: meant(item) for key, item in tree.items()}


# What each word means...


def _bytes(inner: Any) -> bytes:
    return base64.b64decode(_text(inner), validate=True)


def _map(inner: Any) -> dict[Any, Any]:
    return {_key(meant(key)): meant(item) for key, item in inner}


def _float(inner: Any) -> float:
    return float(_text(inner))


def _time(inner: Any) -> datetime:
    return datetime.fromisoformat(_text(inner))


def _ext(inner: Any) -> msgspec.msgpack.Ext:
    code, data = inner
    if type(code) is not int or code not in _EXT_CODES:
        raise ValueError
    return msgspec.msgpack.Ext(code, _bytes(data))


_SPECIAL: Final[dict[str, Callable[[Any], Any]]] = {
    "base64": _bytes,
    "map": _map,
    "float": _float,
    "time": _time,
    "ext": _ext,
}


def _text(inner: Any) -> str:
    if not isinstance(inner, str):
        raise TypeError
    return inner


def _key(key: Any) -> Any:
    """A list as a key, which msgpack allows, is a tuple in Python."""
    return tuple(map(_key, key)) if isinstance(key, list) else key


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
