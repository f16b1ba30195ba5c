"""Turns a program's values into payloads and back: ``bytes`` and ``str`` as they are, everything else as msgpack.

Values are checked where they enter, at the sender for what cannot travel and at the receiver for what should never have: one bad value is
its sender's error and never a third party's.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ..errors import DataError, ProtocolError
from ..limits import PROTOCOL
from .frames import FrameType

BYTES: Final = int(FrameType.BYTES)
TEXT: Final = int(FrameType.TEXT)
PACKED: Final = int(FrameType.PACKED)

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode
_skip = msgspec.msgpack.Decoder(msgspec.Raw).decode

NESTING: Final = PROTOCOL.nesting
_CONTAINERS: Final = frozenset({dict, list, tuple})
_MAY_BEGIN_A_CONTAINER: Final = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])

SMALL: Final = 128
"""Bytes that a text may take besides twice its payload, before it is kept as its payload."""


class Packed:
    """A value that is still bytes: it becomes objects, which may take seventy times the memory, only when the program takes it."""

    __slots__ = ("_decode", "_payload")

    def __init__(self, payload: bytes, decode: Callable[[bytes], Any] = _unpack) -> None:
        self._payload = payload
        self._decode = decode

    def unpack(self) -> Any:
        """Return the value.

        Raises:
            ProtocolError: it holds what msgpack does not allow, invalid text for example (``bad-data``).
        """
        return _checked(self._decode, self._payload)


def encode_data(value: Any, max_message: int) -> tuple[int, bytes]:
    """Return the frame type and payload that carry ``value``.

    Raises:
        DataError: it cannot be encoded or would not be read at the other end, has lone surrogates, is nested too deep, or is over
            ``max_message`` bytes.
    """
    kind, payload = _encode(value)
    if len(payload) > max_message:
        raise DataError(f"a message of {len(payload):,} bytes is over the limit of {max_message:,} bytes")
    if kind == PACKED:
        _check_readable(value, payload)
    return kind, payload


def _encode(value: Any) -> tuple[int, bytes]:
    if type(value) is bytes:
        return BYTES, value
    if isinstance(value, str):
        try:
            return TEXT, value.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"text that is not valid Unicode cannot be sent: {error.reason}") from error
    if isinstance(value, bytes | bytearray | memoryview):
        return BYTES, bytes(value)
    try:
        return PACKED, _pack(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"cannot send a {type(value).__name__}: {error}") from error


def _check_readable(value: Any, payload: bytes) -> None:
    """Refuse what msgpack can hold and the receiver cannot read, which would cost both their session.

    A dataclass as a key becomes a map as a key, ``msgspec.Raw`` may hold anything, and so on. To read it as the receiver will is the one check
    that forgets nothing, and cheaper than a look at each type from here.
    """
    try:
        read = _unpack(payload)
        is_too_deep = len(payload) > NESTING and _is_nested_deeper(read, payload)
    except (UnicodeDecodeError, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DataError(
            f"cannot send this {type(value).__name__}: the other end could not read it: {error}"
        ) from error
    if is_too_deep:
        raise DataError(f"cannot send a {type(value).__name__} that is nested deeper than {NESTING:,} levels")


def _is_nested_deeper(value: Any, payload: bytes) -> bool:
    """Whether there are more than ``NESTING`` levels: how many can be read depends on who reads, and on how deep it is in calls itself.

    Each level takes a byte that may begin a container, so that almost nothing has to be walked, and the walk ends when too few are left.
    """
    left = len(payload) - len(payload.translate(None, _MAY_BEGIN_A_CONTAINER))
    level = [value]
    for depth in range(NESTING):
        left -= len(level)
        if depth + 1 + left <= NESTING:
            return False
        level = [part for each in level for part in _parts(each) if type(part) in _CONTAINERS]
    return bool(level)


def _parts(container: Any) -> Any:
    return itertools.chain(container, container.values()) if type(container) is dict else container


def decode_data(kind: int, payload: bytes) -> Any:
    """Return the value that a counted frame carries; a packed one as ``Packed``, whose form alone is checked.

    So is text that takes much more memory than its bytes: one character beyond the first 65,536 makes Python keep four bytes for each.

    Raises:
        ProtocolError: the payload is not what its type says (``bad-data``).
    """
    if kind == BYTES:
        return payload
    if kind == TEXT:
        text: str = _checked(_text, payload)
        is_plain = len(text) == len(payload)  # ASCII: the usual case, told apart for nothing
        return text if is_plain or sys.getsizeof(text) <= 2 * len(payload) + SMALL else Packed(payload, _text)
    _checked(_skip, payload)
    return Packed(payload)


def _text(payload: bytes) -> str:
    return str(payload, "utf-8")


def _checked(decode: Callable[[bytes], Any], payload: bytes) -> Any:
    try:
        return decode(payload)
    except (UnicodeDecodeError, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"a payload is not what its type says: {error}", "bad-data") from error
