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
        DataError: it cannot be encoded, has lone surrogates, or is over ``max_message`` bytes.
    """
    kind, payload = _encode(value)
    if len(payload) > max_message:
        raise DataError(f"a message of {len(payload):,} bytes is over the limit of {max_message:,} bytes")
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
