"""Frames in words and words in frames: ``TEXT 0 'hello'``, ``ACK received=3 sent=5``, ``CLOSE code=1 retry_in=1.5``.

A playbook is written in these words, and says in them what it got instead. A frame is its type, the flow where it is about one, and its
fields; the types and fields are those of ``docs/protocol.md``.
"""

from __future__ import annotations

import ast
import re
import struct
from typing import Any, Final

import msgspec

from ..errors import ProtocolError
from ..protocol.codec import BYTES, TEXT
from ..protocol.frames import COUNT, COUNTS, FIRST_COUNTED, Frame, FrameType, encode_frame

_MAPS: Final = {
    FrameType.HELLO, FrameType.RESUME, FrameType.WELCOME, FrameType.REFUSE, FrameType.CLOSE, FrameType.OPEN, FrameType.RESET,
}  # fmt: skip
_COUNT: Final = {FrameType.HANDLED, FrameType.CREDIT, FrameType.ASK, FrameType.WAITING}
_OF_A_FLOW: Final = _COUNT | {kind for kind in FrameType if kind >= FIRST_COUNTED}


def frame_words(frame: Frame) -> str:
    """Return one frame in words."""
    number, payload = frame[1], frame[2]
    try:
        kind = FrameType(frame[0])
    except ValueError:
        return f"{frame[0]:#04x} {number} {payload!r}"
    words = [kind.name]
    if kind in _OF_A_FLOW:
        words.append(str(number))
    try:
        words += _payload_words(kind, payload)
    except (msgspec.DecodeError, ValueError):
        words.append(f"unreadable {payload!r}")
    return " ".join(words)


def _payload_words(kind: FrameType, payload: bytes) -> list[str]:
    if kind in _MAPS:
        return [f"{key}={value!r}" for key, value in msgspec.msgpack.decode(payload, type=dict).items()]
    if kind is FrameType.ACK and len(payload) == COUNTS.size:
        received, sent = COUNTS.unpack(payload)
        return [f"received={received}", f"sent={sent}"]
    if kind in _COUNT and len(payload) == COUNT.size:
        return [str(COUNT.unpack(payload)[0])]
    if kind == TEXT:
        return [repr(payload.decode())]
    if kind is FrameType.PACKED:
        return [repr(msgspec.msgpack.decode(payload))]
    return [repr(payload)] if payload or kind == BYTES else []


def words_frame(words: str) -> bytes:
    """Return the frame that the words say, whole.

    Raises:
        ValueError: they say none; the message shows where.
    """
    match = re.fullmatch(r"([A-Z]+)(?: (\d+)(?= |$))?(?: (.*))?", words.strip(), re.DOTALL)
    if match is None or match[1] not in FrameType.__members__:
        raise ValueError(f"{words!r} is no frame: it begins with no type of frame")
    kind = FrameType[match[1]]
    number, rest = match[2], match[3] or ""
    if kind not in _OF_A_FLOW and number is not None:
        raise ValueError(f"{words!r} is no frame: {kind.name} is about no flow")
    try:
        return encode_frame(kind, int(number or 0), _payload(kind, rest))
    except (ValueError, SyntaxError, KeyError, TypeError, OverflowError, struct.error) as error:
        raise ValueError(f"{words!r} is no frame: {error}") from error


def _payload(kind: FrameType, rest: str) -> bytes:
    if kind in _MAPS:
        return msgspec.msgpack.encode(fields(rest))
    if kind is FrameType.ACK:
        counts = fields(rest)
        return COUNTS.pack(counts["received"], counts["sent"])
    if kind in _COUNT:
        return COUNT.pack(int(rest))
    value = ast.literal_eval(rest) if rest else b""
    if kind is FrameType.PACKED:
        return msgspec.msgpack.encode(value)
    if not isinstance(value, str | bytes):
        raise TypeError(f"{rest} is neither text nor bytes")  # bytes(5) would be five zeros
    return value.encode() if isinstance(value, str) else value


def fields(text: str) -> dict[str, Any]:
    """Return what ``key=value key=value`` says; values are Python's literals."""
    found: dict[str, Any] = {}
    while text:
        key, equals, rest = text.partition("=")
        if not equals or not key.isidentifier():
            raise ValueError(f"{text!r} is not written as key=value")
        found[key], text = _first_value(rest)
    return found


def _first_value(text: str) -> tuple[Any, str]:
    """Return the value that the text begins with, which may hold spaces, and what follows it."""
    for end in [match.start() for match in re.finditer(r" [a-z_]+=", text)] + [len(text)]:
        try:
            return ast.literal_eval(text[:end]), text[end + 1 :]
        except (ValueError, SyntaxError):
            continue
    raise ValueError(f"{text!r} does not begin with a value")


def does_say(said: str, frame: Frame) -> bool:
    """Whether the frame is the one that the words say; of a map, only the fields that they name are looked at.

    Raises:
        ValueError: the words are no frame.
    """
    kind, number, payload = frame
    expected = words_frame(said)
    if kind in _MAPS and expected[4] == kind and int.from_bytes(expected[5:9], "big") == number:
        try:
            found = msgspec.msgpack.decode(payload, type=dict)
        except msgspec.DecodeError as error:
            raise ProtocolError(f"a map that cannot be read: {error}") from error
        return all(found.get(key) == value for key, value in msgspec.msgpack.decode(expected[9:]).items())
    return encode_frame(kind, number, payload) == expected
