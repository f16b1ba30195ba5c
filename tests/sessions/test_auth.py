"""The default of who may enter."""

from __future__ import annotations

import pytest

from landline.sessions.auth import admit_all


@pytest.mark.parametrize("credentials", [None, "anything", {"name": "ana"}])
def test_by_default_everybody_is_nobody_in_particular(credentials: object) -> None:
    """An empty principal, which is somebody: None would refuse."""
    assert admit_all(credentials) == ""
