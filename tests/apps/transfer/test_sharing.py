"""A folder that several receive into: what came is forgotten by the last of them."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from landline.apps.transfer.limits import TRANSFER
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


@pytest.mark.limit("transfer.share_tries", "transfer.share_retry")
@pytest.mark.parametrize("tries", [TRANSFER.share_tries - 1, TRANSFER.share_tries])
def test_who_comes_while_another_forgets_shares_it_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    """So that what came here is not forgotten by that one the next time; it is waited for, but not for ever."""
    other = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(other, fcntl.LOCK_EX)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == tries:
            fcntl.flock(other, fcntl.LOCK_UN)

    monkeypatch.setattr(time, "sleep", sleep)
    sharing = Sharing(tmp_path)

    assert slept == [TRANSFER.share_retry] * tries
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_shared = False
    except BlockingIOError:
        is_shared = True
    assert is_shared is (tries < TRANSFER.share_tries)
    sharing.close()
    os.close(other)
