"""The books of a session notice what is not as it must be."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from landline.protocol.frames import CloseCode
from landline.protocol.handshake import Refusal
from landline.testing.simulation.faults import make_world as new_world
from landline.testing.simulation.line import Violation
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.talk import Talk


def talk_of_a_world() -> Talk:
    """A session in peace, with a message each way that was handled."""
    shape = draw_shape(random.Random(1))
    world = new_world(1, shape)
    for name, a, b in [
        *[("flow", 0, 0), ("tick", 0, 0)] * 3,
        ("send", 1, 0),
        ("send", 0, 0),
        *[("flow", 0, 0), ("take", 0, 3), ("take", 1, 3)] * 3,
    ]:
        world._operations[name](a, b)
        world._settle()
    talk = world.clients[0].talk
    assert talk is not None
    assert talk.heard == [1, 1]
    talk.check()
    return talk


def _ack_too_much(talk: Talk) -> None:
    client, server = talk.ends
    assert client is not None
    assert server is not None
    client.core.messages.handled_by_peer = talk.base + 2


def _receive_too_much(talk: Talk) -> None:
    assert talk.ends[1] is not None
    talk.ends[1].core.received += 1


def _fill_the_outbox(talk: Talk) -> None:
    assert talk.ends[0] is not None
    talk.ends[0].core.outbox_frames = 101


def _swell(talk: Talk) -> None:
    assert talk.ends[0] is not None
    talk.ends[0].core.outbox_bytes = 1 << 30


def _miscount_the_inbox(talk: Talk) -> None:
    assert talk.ends[1] is not None
    talk.ends[1].core.inbox_bytes += 1


def _believe_more_credit(talk: Talk) -> None:
    assert talk.ends[0] is not None
    talk.ends[0].core.messages.credit += 1 << 30


def _call_it_failed(talk: Talk) -> None:
    assert talk.ends[0] is not None
    talk.ends[0].core.messages.unreached += 1


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (_ack_too_much, "2 are acked, 1 were handled"),
        (_receive_too_much, "were received"),
        (_fill_the_outbox, "the outbox holds 101 messages"),
        (_swell, "the outbox holds 1073741824 bytes"),
        (_miscount_the_inbox, "the inbox is counted as 1 bytes"),
        (_believe_more_credit, "were granted"),
        (_call_it_failed, "certainly failed was received"),
    ],
)
def test_each_count_is_held_against_the_others(spoil: Callable[[Talk], None], what: str) -> None:
    """One number too many, anywhere."""
    talk = talk_of_a_world()
    spoil(talk)

    with pytest.raises(Violation, match=what):
        talk.check()


@pytest.mark.parametrize(
    ("value", "what"), [("made up", "were sent"), (None, "were sent")], ids=["invented", "none"]
)
def test_a_message_that_nobody_sent_is_noticed(value: object, what: str) -> None:
    """There is no third message in the books."""
    talk = talk_of_a_world()
    assert talk.ends[1] is not None

    with pytest.raises(Violation, match=what):
        talk.hear(talk.ends[1], value)


def test_a_message_out_of_order_is_noticed() -> None:
    """What comes next must be what was said next."""
    talk = talk_of_a_world()
    talk.said[0].extend(["second", "third"])
    assert talk.ends[1] is not None

    with pytest.raises(Violation, match="message 1 should be 'second', was 'third'"):
        talk.hear(talk.ends[1], "third")


def test_nothing_is_heard_before_the_client_is_let_in() -> None:
    """The server's program knows of no session yet."""
    talk = talk_of_a_world()
    talk.is_confirmed = False
    talk.said[0].append("early")
    assert talk.ends[1] is not None

    with pytest.raises(Violation, match="before the client was let in"):
        talk.hear(talk.ends[1], "early")


def test_a_session_ends_for_a_reason() -> None:
    """Closed without a close, lost without a loss, refused without a cause: each is a violation, and none with its excuse."""
    talk = talk_of_a_world()
    end = talk.ends[0]
    assert end is not None
    end.ended = "closed"
    with pytest.raises(Violation, match="nobody closed it"):
        talk.check_end(end)
    end.ended, end.code = "lost", CloseCode.EXPIRED
    with pytest.raises(Violation, match=r"what happened: nothing"):
        talk.check_end(end)
    for code in (
        CloseCode.UNKNOWN_SESSION,
        CloseCode.REVOKED,
        CloseCode.UNAUTHORIZED,
        CloseCode.MISCOUNT,
        CloseCode.NORMAL,
    ):
        with pytest.raises(Violation):
            talk.check_refusal(Refusal(code=code))

    talk.excuses.add("expired")
    talk.check_end(end)
    talk.was_closed = True
    talk.check_refusal(Refusal(code=CloseCode.NORMAL))
    talk.check_refusal(Refusal(code=CloseCode.BUSY))
