"""Who keeps a session: alone it may all, and what fails is logged."""

from __future__ import annotations

import pytest

from landline.limits import Limits
from landline.protocol.session import Session
from landline.sessions.bare import BareSession
from landline.sessions.keeper import ALONE


async def test_who_is_alone_is_asked_nothing_and_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A session has a keeper from the beginning, and needs to look for none."""
    core = Session(Limits(), peer_window=1 << 18, peer_max_message=1 << 20)
    bare = BareSession(core, session_id=b"i" * 16, principal="ana", limits=Limits())

    assert bare.keeper is ALONE
    assert bare.keeper.may(bare, "publish", "news")
    bare.on_limit("max_flows", "nothing was done about it")
    bare.keeper.failed("a test failed", ValueError("on purpose"))
    assert [record.getMessage() for record in caplog.records] == ["a test failed"]
    assert caplog.records[0].exc_info is not None
