"""Turns what changed in a session into events, once per chunk of bytes rather than once per frame."""

from __future__ import annotations

from .events import Event, FlowAbandoned, FlowOpened, MessagesReceived, OutcomesKnown, RoomMade, Stalled
from .flows import MESSAGES
from .session import Session

_MESSAGES_RECEIVED = MessagesReceived(MESSAGES)
_ROOM_MADE = RoomMade()
"""By far the commonest: made once."""


def take_news(session: Session, events: list[Event]) -> None:
    """Add what happened in ``session`` since the last call to ``events``."""
    if session.arrived:
        if len(session.arrived) == 1 and MESSAGES in session.arrived:
            events.append(_MESSAGES_RECEIVED)
        else:
            events += [MessagesReceived(number) for number in sorted(session.arrived)]
        session.arrived.clear()
    if session.handled:
        events += [
            OutcomesKnown(number, flow.handled_by_peer) for number, flow in sorted(session.handled.items())
        ]
        session.handled.clear()
    if session.reset:
        for flow in session.reset:
            assert flow.reset is not None
            events.append(FlowAbandoned(flow.number, flow.reset.code, flow.reset.reason))
        session.reset.clear()
    if session.opened:  # after what ended: a flow that ends may make room for one that begins
        events += [FlowOpened(flow.number, flow.purpose) for flow in session.opened]
        session.opened.clear()
    if session.made_room:
        session.made_room = session.lacks_room = False
        events.append(_ROOM_MADE)
    if session.stall.is_on and not session.stall.is_told:
        session.stall.is_told = True
        events.append(Stalled())
