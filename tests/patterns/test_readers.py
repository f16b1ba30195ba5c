"""Who subscribes to what: asked at the beginning, and asked again."""

from __future__ import annotations

from typing import Any

import pytest

from landline.errors import NotAllowed
from landline.patterns.readers import Readers
from landline.protocol.frames import ResetCode


class Flow:
    """A flow that writes down how it was reset."""

    def __init__(self) -> None:
        self.ended: list[tuple[ResetCode, str]] = []

    def reset(self, code: ResetCode, reason: str) -> None:
        self.ended.append((code, reason))


class Door:
    """Readers, and who may read what."""

    def __init__(self) -> None:
        self.may = {("ana", "a"), ("ana", "b"), ("ben", "a")}
        self.readers: Any = Readers(self.authorize)

    def authorize(self, principal: str, verb: str, pattern: str) -> bool:
        assert verb == "subscribe"
        return (principal, pattern) in self.may


def test_who_may_not_read_is_not_admitted() -> None:
    """And nothing is remembered of them."""
    door = Door()
    with (
        pytest.raises(NotAllowed, match="you may not subscribe to 'b'"),
        door.readers.admitted("ben", "b", Flow()),
    ):
        raise AssertionError("they are in")
    assert door.readers._flows == {}


def test_who_is_asked_about_again_loses_what_they_may_no_longer_read() -> None:
    """In every flow of theirs, and nothing else, and nobody else's."""
    door, flows = Door(), [Flow() for _ in range(4)]
    admitted = door.readers.admitted
    with (
        admitted("ana", "a", flows[0]),
        admitted("ana", "a", flows[1]),
        admitted("ana", "b", flows[2]),
        admitted("ben", "a", flows[3]),
    ):
        door.readers.ask_again("ana")
        assert not any(flow.ended for flow in flows)
        door.may = {("ana", "b")}
        door.readers.ask_again("ana")

    lost = [(ResetCode.UNWANTED, "you may no longer subscribe to 'a'")]
    assert [flow.ended for flow in flows] == [lost, lost, [], []]


def test_who_is_through_is_forgotten() -> None:
    """What has ended is not ended again."""
    door, flow = Door(), Flow()
    with door.readers.admitted("ana", "a", flow):
        pass
    door.may = set()
    door.readers.ask_again("ana")

    assert flow.ended == []
    assert door.readers._flows == {}
