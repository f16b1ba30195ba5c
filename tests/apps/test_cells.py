"""Columns of a terminal."""

from __future__ import annotations

import pytest

from landline.apps.cells import cell, cells


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("ana", 3), ("für", 3), ("fu\u0308r", 3), ("日本", 4), ("\uff41b", 3), ("█░", 2)],
)
def test_a_text_takes_so_many_columns(text: str, columns: int) -> None:
    """Wide characters two each, combining ones none."""
    assert cells(text) == columns == sum(map(cell, text))
