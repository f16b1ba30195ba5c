"""What changed in a session becomes events: each once, and endings before beginnings."""

from __future__ import annotations

from landline.protocol.events import Event, FlowAbandoned, FlowOpened, MessagesReceived, OutcomesKnown
from landline.protocol.frames import FrameType, ResetCode
from landline.protocol.news import take_news
from landline.protocol.session import Session
from landline.protocol.states import Role
from tests.protocol.lines import make_session, receive, say
from tests.protocol.test_flows import about, reset


def news_of(session: Session) -> list[Event]:
    return take_news(session, [])


def test_news_is_told_once() -> None:
    """Many frames of one flow are one event."""
    session = make_session(role=Role.SERVER)
    session.attach(0)
    say(session, "x")
    session.data_to_send(0.0, 1 << 20)
    for _ in range(3):
        session.receive(FrameType.TEXT, 0, (b"",))
    session.receive_handled(0, 1)

    assert news_of(session) == [MessagesReceived(0), OutcomesKnown(0, 1)]
    assert news_of(session) == []


def test_a_flow_that_ends_is_told_before_one_that_begins() -> None:
    """Both may come in one chunk of bytes."""
    session = make_session(role=Role.SERVER)
    receive(session, *about(1))
    assert news_of(session) == [FlowOpened(1, "")]

    receive(session, *about(3))
    session.receive(FrameType.RESET, 1, (reset(0, 0),))

    assert news_of(session) == [FlowAbandoned(1, ResetCode.FAILED, ""), FlowOpened(3, "")]
