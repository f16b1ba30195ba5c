"""Turns a program's values into payloads and back: ``bytes`` and ``str`` as they are, everything else as msgpack.

Values are checked where they enter, at the sender for what cannot travel and at the receiver for what should never have: one bad value is
its sender's error and never a third party's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ..errors import DataError, ProtocolError
from .frames import FrameType

BYTES: Final = int(FrameType.BYTES)
TEXT: Final = int(FrameType.TEXT)
PACKED: Final = int(FrameType.PACKED)

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode
_skip = msgspec.msgpack.Decoder(msgspec.Raw).decode

SPARE_CALLS: Final = 100
"""How deep in calls a receiver may be and still reads what is nested as deep as can be sent."""

FLAT: Final = 500
"""Lists and maps, one within the other, that anybody can read; each takes a byte at least."""

COUNTED: Final = 8192
"""Bytes of a payload that are looked at for more than those."""

_MAY_BEGIN_A_CONTAINER: Final = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])

SMALL: Final = 128
"""Bytes that a text may take besides twice its payload, before it is kept as its payload."""


_EXTENSIONS: Final = {0xC7: 2, 0xC8: 3, 0xC9: 5, **dict.fromkeys(range(0xD4, 0xD9), 1)}
"""Where in an extension its code is, by its first byte."""


class Packed:
    """A value that is still bytes: it becomes objects, which may take seventy times the memory, only when the program takes it."""

    __slots__ = ("_decode", "_payload")

    def __init__(self, payload: bytes, decode: Callable[[bytes], Any] = _unpack) -> None:
        self._payload = payload
        self._decode = decode

    @property
    def extension(self) -> int | None:
        """The code of the extension that it is, or None; nothing else of it is read."""
        place = _EXTENSIONS.get(self._payload[0]) if self._decode is _unpack else None
        return None if place is None else (self._payload[place] ^ 0x80) - 0x80

    def unpack(self) -> Any:
        """Return the value.

        Raises:
            ProtocolError: it holds what msgpack does not allow, invalid text for example (``bad-data``).
        """
        return _checked(self._decode, self._payload)


def encode_data(value: Any, max_message: int) -> tuple[int, bytes]:
    """Return the frame type and payload that carry ``value``.

    Not everything that msgpack can hold can be read again: a dataclass as a key becomes a map as a key, ``msgspec.Raw`` may hold anything.
    It would cost both ends their session, so it is found here.

    Raises:
        DataError: it cannot be encoded or would not be read at the other end, has lone surrogates, is nested too deep, or is over
            ``max_message`` bytes.
    """
    kind, payload = (BYTES, value) if type(value) is bytes else _encode(value)
    if len(payload) > max_message:
        raise DataError(f"a message of {len(payload):,} bytes is over the limit of {max_message:,} bytes")
    if kind == PACKED:
        try:
            # What the receiver will do is the one check that forgets nothing.
            if len(payload) > FLAT and _may_be_deep(payload):
                _unpack_in_calls(SPARE_CALLS, payload)
            else:
                _unpack(payload)
        except RecursionError as error:
            raise DataError(
                f"cannot send this {type(value).__name__}, which is nested so deep: {error}"
            ) from error
        except (UnicodeDecodeError, msgspec.DecodeError, ValueError) as error:
            raise DataError(
                f"cannot send this {type(value).__name__}: the other end could not read it: {error}"
            ) from error
    return kind, payload


def _encode(value: Any) -> tuple[int, bytes]:
    if isinstance(value, str):
        try:
            return TEXT, value.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"text that is not valid Unicode cannot be sent: {error.reason}") from error
    if isinstance(value, (bytes, bytearray, memoryview)):  # a union takes three times as long
        return BYTES, bytes(value)
    try:
        return PACKED, _pack(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"cannot send this {type(value).__name__}: {error}") from error


def _may_be_deep(payload: bytes) -> bool:
    """Whether more than ``FLAT`` lists and maps may be in it; in a large one they are not counted, which would cost more than it saves."""
    if len(payload) > COUNTED:
        return True
    return len(payload) - len(payload.translate(None, _MAY_BEGIN_A_CONTAINER)) > FLAT


def _unpack_in_calls(calls: int, payload: bytes) -> None:
    """Read it as somebody who is so deep in calls: where levels and calls come out of one budget, a receiver may be too."""
    if calls:
        _unpack_in_calls(calls - 1, payload)
    else:
        _unpack(payload)


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
