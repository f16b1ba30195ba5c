"""The books of other flows: what programs may do in one, and what is found when the protocol says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from landline.protocol.session import Session
from landline.testing.simulation.line import Violation
from landline.testing.simulation.strands import Strand, check_memory
from tests.protocol.lines import open_pair


class Side:
    """An end of a session, as strands know it."""

    ended = ""
    is_closing = is_peer_closed = False

    def __init__(self, core: Session, side: int) -> None:
        self.core = core
        self.side = side


class Both:
    """A pair with one strand in it."""

    def __init__(self) -> None:
        self.pair = open_pair()
        self.client, self.server = Side(self.pair.guest.core, 0), Side(self.pair.host.core, 1)
        flow = self.client.core.open_flow("strand")
        self.pair.settle()
        self.strand = Strand(flow.number)
        self.strand.flows = [flow, self.server.core.flows[flow.number]]

    def settle(self) -> None:
        self.pair.settle()
        self.strand.check()


def test_a_strand_that_is_kept_right_is_found_right() -> None:
    """Said, heard, ended at both sides: and forgotten by both."""
    both = Both()
    strand = both.strand
    for side in (both.client, both.server):
        strand.say(side, 30)
        strand.finish(side)
        strand.say(side, 30)  # too late: nothing is said
    both.settle()
    for side in (both.client, both.server):
        assert strand.hear(side)
        assert not strand.hear(side)
    both.settle()

    assert strand.is_over
    assert [len(said) for said in strand.said] == strand.heard == [1, 1]


def test_a_strand_that_is_left_says_no_more() -> None:
    """Neither side can go on with it."""
    both = Both()
    both.strand.leave(both.client)
    both.strand.say(both.client, 20)
    both.settle()
    both.strand.say(both.server, 20)

    assert both.strand.said == ([], [])
    assert not both.strand.hear(both.server)
    assert both.strand.is_over


def lie(flow: Any, name: str, value: Any) -> None:
    setattr(flow, name, value)


@pytest.mark.parametrize(
    ("side", "name", "value", "words"),
    [
        (0, "queued", 7, "are counted"),
        (0, "handled_by_peer", 2, "were handled"),
        (0, "unreached", 1, "had failed"),
        (1, "received", 5, "were received"),
        (0, "credit", 1 << 40, "is believed"),
    ],
)
def test_a_lie_is_found(side: int, name: str, value: int, words: str) -> None:
    """Whatever of its numbers the protocol gets wrong."""
    both = Both()
    both.strand.say(both.client, 20)
    both.settle()
    both.strand.hear(both.server)
    both.strand.check()
    lie(both.strand.flows[side], name, value)

    with pytest.raises(Violation, match=words):
        both.strand.check()


def test_what_is_heard_and_was_not_said_is_found() -> None:
    """Or was said otherwise."""
    both = Both()
    both.strand.say(both.client, 20)
    both.settle()
    both.strand.said[0][0] = "another"

    with pytest.raises(Violation, match="message 0"):
        both.strand.hear(both.server)


def test_memory_that_is_counted_wrong_is_found() -> None:
    """With other flows and without."""
    both = Both()
    check_memory(both.server.core, 200)
    both.server.core.inbox_bytes += 1
    with pytest.raises(Violation, match="are counted"):
        check_memory(both.server.core, 200)
    alone = open_pair().guest.core
    alone.inbox_bytes += 1
    with pytest.raises(Violation, match="are counted"):
        check_memory(alone, 200)


def test_a_budget_that_is_overdrawn_is_found() -> None:
    """All grants of a session together."""
    both = Both()
    both.server.core.messages.granted += 10 << 20

    with pytest.raises(Violation, match="of a budget"):
        check_memory(both.server.core, 200)
