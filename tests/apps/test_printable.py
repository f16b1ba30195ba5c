"""What a terminal is given of others' words."""

from __future__ import annotations

import pytest

from landline.apps.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größer 日本", "größer 日本"),
        ("", ""),
        ("a\x1b[2J\nb", "a\\x1b[2J\\nb"),
        ("\x9b\u202e\u200b\x7f", "\\x9b\\u202e\\u200b\\x7f"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, shown: str) -> None:
    """And all that can be stays as it is."""
    assert printable(text) == shown
