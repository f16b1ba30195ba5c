"""A folder that several receive into: what came is forgotten by the last of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from landline.apps.transfer.sharing import Sharing


def test_the_last_one_forgets_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not alone leaves it; and does not keep others from being alone later."""
    forgotten: list[Path] = []
    monkeypatch.setattr("landline.forget_received", forgotten.append)
    first, second = Sharing(tmp_path / "to"), Sharing(tmp_path / "to")

    first.forget()
    second.forget()
    assert forgotten == []
    first.close()
    second.forget()
    assert forgotten == [tmp_path / "to"]
    third = Sharing(tmp_path / "to")
    second.forget()
    assert forgotten == [tmp_path / "to"]
    second.close()
    third.forget()
    third.close()

    assert forgotten == [tmp_path / "to"] * 2
