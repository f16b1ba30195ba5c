"""Presence for blocking code: a block is a membership, an iterator is what changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

import landline
from landline import sync
from landline.sync.bridge import Bridge
from landline.sync.daemon import daemon

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def address() -> Iterator[str]:
    server = landline.Server()
    server.presence("g.*")

    with daemon().bridge.hold(server.listen("tcp://127.0.0.1:0")) as listening:
        yield listening.addresses[0]


def test_who_is_there_is_told_while_the_block_lasts(address: str) -> None:
    """Two sessions, a state that changes, and one that leaves."""
    with sync.connect(address) as ana, sync.connect(address) as ben:
        with ana.presence("g.a", "here") as mine:
            assert isinstance(mine.next(10), landline.Snapshot)
            assert [member.state for member in mine.members.values()] == ["here"]
            with ben.presence("g.a", "new") as his:
                joined = mine.next(10)
                assert isinstance(joined, landline.Joined)
                assert joined.member.id == his.id != mine.id
                his.update("busy", 10)
                updated = next(mine)
                assert isinstance(updated, landline.Updated)
                assert updated.member.state == "busy"
            assert isinstance(mine.next(10), landline.Left)
            with pytest.raises(TimeoutError):
                mine.next(0.01)
        with ana.presence("g.a") as watching:
            assert watching.members == {}
            assert watching.id == ""


def test_ctrl_c_while_it_is_left_leaves_nobody_behind(
    address: str, interrupted: Callable[[Bridge], AbstractContextManager[None]]
) -> None:
    """Also who reads the changes is seen to leave; the session goes on."""
    with sync.connect(address) as ana, sync.connect(address) as ben, ben.presence("g.a") as watching:
        assert isinstance(watching.next(10), landline.Snapshot)
        mine = ana.presence("g.a", "here")
        mine.__enter__()
        assert isinstance(mine.next(10), landline.Snapshot)
        assert isinstance(watching.next(10), landline.Joined)
        with interrupted(ana._bridge):
            mine.__exit__(None, None, None)

        assert isinstance(watching.next(10), landline.Left)
        ana.flush(10)


def test_a_group_that_is_not_there_is_refused_at_the_block(address: str) -> None:
    """Before anything in it runs."""
    with sync.connect(address) as session:
        presence = session.presence("other", "here")
        with pytest.raises(landline.LandlineError), presence:
            raise AssertionError("it began")
