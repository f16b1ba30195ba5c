"""What msgspec makes of bytes, for the JavaScript codec to agree with: values of every kind, at every edge, and bytes that are none.

Prints JSON: for each case the bytes and the value, described so that both languages describe it alike, or null for what cannot be read. With
``read``, describes what stands on standard input as a list of hexadecimal texts.
"""

from __future__ import annotations

import datetime
import json
import math
import random
import sys
from typing import Any

import msgspec

EDGES = [
    0,
    1,
    31,
    32,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**16,
    2**31,
    2**32 - 1,
    2**32,
    2**53 - 1,
    2**53,
    2**63 - 1,
    2**63,
    2**64 - 1,
]
SIZES = [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536]
VALUES: list[Any] = [
    None, True, False, *EDGES, *(-edge for edge in EDGES[1:-2]), -(2**63), -33, -129, 0.5, -0.0, 1e300, math.inf, -math.inf, math.nan, 5e-324,
    *("x" * size for size in SIZES), "ÿ", "€" * 50, "𝄞", "\x00", "\ufeffbom", *(b"\xff" * size for size in SIZES),
    *([None] * size for size in SIZES), *({str(key): key for key in range(size)} for size in SIZES[:7]), {1: 2, "a": [{}]}, {(1, (2,)): 3},
    {b"k": b"v"}, {"__proto__": 1, "constructor": {"__proto__": []}}, {None: None}, {2**60: 1},
    *(msgspec.msgpack.Ext(code, b"e" * size) for code, size in [(0, 0), (5, 1), (-128, 2), (127, 4), (1, 8), (2, 16), (3, 17), (4, 256), (6, 65_536)]),
    *(
        datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(seconds=seconds)
        for seconds in (0, 1.5, 2**31, 2**32, 2**34, -1.25, -62_135_596_800, 253_402_300_799, 1e9 + 0.123)
    ),
]  # fmt: skip
MUTATED = 1500


def described(value: Any) -> Any:
    """Describe a value in JSON, whole floats as the integers that they are to JavaScript."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        if (
            value.is_integer()
            and abs(value) < 2**53
            and math.copysign(1, value) * value == abs(value)
            and (value or math.copysign(1, value) > 0)
        ):
            return {"int": str(int(value))}
        return {"float": msgspec.msgpack.encode(value)[1:].hex() if not math.isnan(value) else "nan"}
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, datetime.datetime):
        since = value - datetime.datetime.fromtimestamp(0, datetime.UTC)
        return {
            "ms": str((since + datetime.timedelta(microseconds=500)) // datetime.timedelta(milliseconds=1))
        }
    if isinstance(value, msgspec.msgpack.Ext):
        return {"extension": value.code, "bytes": bytes(value.data).hex()}
    if isinstance(value, dict):
        return {"map": [[described(key), described(item)] for key, item in value.items()]}
    return [described(item) for item in value]


def read(data: bytes) -> Any:
    """Describe what bytes hold, in a list, or None where they hold nothing."""
    try:
        return [described(msgspec.msgpack.decode(data))]
    except (msgspec.DecodeError, ValueError):
        return None


def cases() -> list[dict[str, Any]]:
    """Return everything that can be written, and much that cannot be read."""
    written = [msgspec.msgpack.encode(value) for value in VALUES]
    chance = random.Random(7)
    small = [data for data in written if len(data) < 64]
    mutated = []
    for _ in range(MUTATED):
        data = (
            bytearray(chance.choice(small) + chance.choice(small))
            if chance.random() < 0.3
            else bytearray(chance.choice(small))
        )
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        mutated.append(bytes(data[: chance.randint(1, len(data))] if chance.random() < 0.2 else data))
    lone = [bytes([first]) + b"\x00" * size for first in range(256) for size in (0, 1, 2, 3, 5, 9, 17, 18)]
    return [{"bytes": data.hex(), "value": read(data)} for data in written + mutated + lone]


if sys.argv[1:] == ["read"]:
    json.dump([read(bytes.fromhex(each)) for each in json.load(sys.stdin)], sys.stdout)
else:
    json.dump(cases(), sys.stdout)
