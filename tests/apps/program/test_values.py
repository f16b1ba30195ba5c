"""Values as JSON: nothing is lost on the way there and back."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.apps.program import values

PLAIN = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text() | st.binary()
KEYS = (
    st.integers(0, 9) | st.text(max_size=3) | st.binary(max_size=3) | st.sampled_from(sorted(values._SPECIAL))
)
VALUES = st.recursive(
    PLAIN | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def there_and_back(value: Any) -> Any:
    return values.parse(values.line(values.shown(value)))


@given(VALUES)
def test_what_a_message_may_hold_comes_back(value: Any) -> None:
    """Bytes, maps with any keys, maps that look like our own words, endless numbers."""
    assert there_and_back(value) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\0\xff", '{"base64":"AP8="}'),
        ({"base64": "AP8="}, '{"map":[["base64","AP8="]]}'),
        ({"base64": 1, "more": 2}, '{"base64":1,"more":2}'),
        ({1: b""}, '{"map":[[1,{"base64":""}]]}'),
        ({(1, 2): None}, '{"map":[[[1,2],null]]}'),
        (math.inf, '{"float":"inf"}'),
        (datetime(2030, 1, 31, tzinfo=UTC), '{"time":"2030-01-31T00:00:00+00:00"}'),
        ("a\nb\u2028\x9b\x7f\U000e0041é", '"a\\nb\\u2028\\u009b\\u007f\\udb40\\udc41é"'),
    ],
)
def test_each_has_its_form(value: Any, text: str) -> None:
    """On one line, without a character that a terminal obeys."""
    assert values.line(values.shown(value)).decode() == text + "\n"
    assert there_and_back(value) == value


def test_what_is_no_number_and_what_is_an_extension_come_back() -> None:
    """Neither is equal to itself, so they are looked at."""
    assert math.isnan(there_and_back(math.nan))
    extension = there_and_back(msgspec.msgpack.Ext(-7, b"x"))
    assert (extension.code, bytes(extension.data)) == (-7, b"x")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "it is no JSON: input data"),
        (b"{bad", "it is no JSON: JSON is malformed"),
        (b'{"base64": "?"}', 'what {"base64": …} holds is not of that kind'),
        (b'{"base64": 1}', "is not of that kind"),
        (b'{"map": [1]}', "is not of that kind"),
        (b'{"map": [[{"a": 1}, 1]]}', "is not of that kind"),
        (b'{"float": "much"}', "is not of that kind"),
        (b'{"time": "now"}', "is not of that kind"),
        (b'{"ext": [128, ""]}', "is not of that kind"),
        (b'"\xff"', "it is not UTF-8"),
        (b"[" * 100_000, "it is nested too deep"),
    ],
)
def test_rubbish_is_a_clause(text: bytes, reason: str) -> None:
    """One kind of error, whatever is wrong."""
    with pytest.raises(ValueError, match=r".") as caught:
        values.parse(text)

    assert reason in str(caught.value)


def test_what_is_nested_too_deep_is_not_shown() -> None:
    """It is an error with a sentence, not a crash."""
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ValueError, match="it is nested too deep"):
        values.shown(deep)


def test_a_line_is_json_for_everybody() -> None:
    """Not only for our own reader."""
    assert json.loads(values.line(values.shown({"a": ["\x9b", b"b"]}))) == {"a": ["\x9b", {"base64": "Yg=="}]}


def test_what_is_typed_is_json_where_it_can_be() -> None:
    """Else it is text; JSON that misuses one of our words is neither."""
    assert [values.guess(text) for text in ("1", "a", "[1", '"1"', '{"base64":""}')] == [
        1,
        "a",
        "[1",
        "1",
        b"",
    ]
    with pytest.raises(ValueError, match="is not of that kind"):
        values.guess('{"base64":"?"}')
