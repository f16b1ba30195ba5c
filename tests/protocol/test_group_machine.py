"""A group and its watchers against a model: whatever comes, goes, changes and is told when, who is told all knows all."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import landline.protocol.group as group_module
from landline.protocol.group import NOTHING, Group
from landline.protocol.presence import (
    Begun,
    Cursor,
    Joined,
    Left,
    Member,
    Snapshot,
    Updated,
    View,
    encode,
    encode_state,
)

IDS = st.sampled_from("abcdef")
WATCHERS = st.integers(0, 2)
GRACE, SETTLES = 2.0, 10.0


class Watcher:
    """A client, and the program at it that is told of each change."""

    def __init__(self) -> None:
        self.view = View(GRACE)
        self.cursor: Cursor = self.view.roster.read()
        self.book: dict[str, Member] = {}
        self.told = NOTHING

    def read(self) -> None:
        """Take all changes; each must fit what is known."""
        while (change := self.cursor.next()) is not None:
            match change:
                case Snapshot(members):
                    assert not self.book
                    self.book = {member.id: member for member in members}
                case Joined(member):
                    assert member.id not in self.book
                    self.book[member.id] = member
                case Updated(member, before):
                    assert facts(self.book[member.id]) == facts(before) != facts(member)
                    self.book[member.id] = member
                case Left(member):
                    assert facts(self.book.pop(member.id)) == facts(member)


def facts(member: Member) -> tuple[str, Any, bool]:
    return member.id, member.state, member.is_here


class Gatherings(RuleBasedStateMachine):
    """Lives of one server, a group in it, and three who watch it, at their own pace."""

    def __init__(self) -> None:
        super().__init__()
        self.remembered = patch.object(group_module, "_DEPARTED", 2)
        self.remembered.start()
        self.now = 0.0
        self.settled_at = 0.0
        self.lives = 0
        self.watchers = [Watcher() for _ in range(3)]
        self.restart()

    def teardown(self) -> None:
        self.remembered.stop()

    @rule()
    def restart(self) -> None:
        """The server begins anew and knows nobody; watchers come back when it is their turn to be told."""
        self.group = Group()
        self.lives += 1
        self.settled_at = self.now + SETTLES
        for watcher in self.watchers:
            watcher.told = NOTHING
            watcher.view.begin()
            watcher.view.receive(encode(Begun(SETTLES)), self.now)

    @rule(id=IDS, state=st.integers(0, 3), is_here=st.booleans())
    def put(self, id: str, state: int, is_here: bool) -> None:
        self.group.put(Member(id, "p", encode_state(state), is_here))

    @rule(id=IDS)
    def remove(self, id: str) -> None:
        if id in self.group.roster.members:
            self.group.remove(id, "why")

    @rule(which=WATCHERS, most=st.sampled_from([0, 40, 1000]))
    def tell(self, which: int, most: int) -> None:
        watcher = self.watchers[which]
        if watcher.told != self.group.number:
            data, watcher.told = self.group.news(watcher.told, most)
            watcher.view.receive(data, self.now)

    @rule(which=WATCHERS)
    def read(self, which: int) -> None:
        self.watchers[which].read()

    @rule(seconds=st.sampled_from([0.5, GRACE, SETTLES]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for watcher in self.watchers:
            at = watcher.view.timeout_at()
            if at is not None and at <= self.now:
                watcher.view.handle_timeout(self.now)
                later = watcher.view.timeout_at()
                assert later is None or later > self.now

    @invariant()
    def who_was_told_all_knows_all(self) -> None:
        """Besides those of before the restart, who are in doubt for a while and then gone."""
        there = {id: facts(member) for id, member in self.group.roster.members.items()}
        for watcher in self.watchers:
            if watcher.told == self.group.number and watcher.view.is_complete:
                known = {id: facts(member) for id, member in watcher.view.roster.members.items()}
                assert there.items() <= known.items()
                doubted = known.keys() - there.keys()
                assert doubted == watcher.view._doubted
                assert not doubted or (self.lives > 1 and self.now < self.settled_at)

    @invariant()
    def a_program_that_reads_all_changes_knows_the_same(self) -> None:
        for watcher in self.watchers:
            if not watcher.cursor.changed and watcher.cursor._has_begun:
                known = watcher.view.roster.members
                assert {id: facts(member) for id, member in watcher.book.items()} == {
                    id: facts(member) for id, member in known.items()
                }

    @invariant()
    def nothing_is_kept_for_anybody(self) -> None:
        """A member, or one of the few who left, has one entry; who reads nothing keeps no more than who is or was there."""
        assert len(self.group._entries) <= len(self.group.roster.members) + 2
        for watcher in self.watchers:
            assert len(watcher.cursor.changed) <= len(watcher.cursor.shown) + len(watcher.view.roster.members)


TestGatherings = Gatherings.TestCase
TestGatherings.settings = settings(max_examples=60, stateful_step_count=40)
