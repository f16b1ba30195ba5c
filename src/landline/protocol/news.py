"""Turns what changed in a session into events, once per chunk of bytes rather than once per frame."""

from __future__ import annotations

from typing import Final

from .empty import EMPTY_DICT, EMPTY_LIST
from .events import Event, FlowAbandoned, FlowOpened, MessagesReceived, OutcomesKnown, RoomMade, Stalled
from .flows import MESSAGES
from .session import Session

_RECEIVED: Final = tuple(map(MessagesReceived, range(64)))
"""By far the commonest, by flow: made once."""

_ROOM_MADE: Final = RoomMade()


def take_news(session: Session, events: list[Event]) -> list[Event]:
    """Return ``events``, and after them what happened in ``session`` since the last call."""
    if session.have_messages_arrived:
        session.have_messages_arrived = False
        events = [*events, _RECEIVED[MESSAGES]]
    if session.arrived:
        events = events + [
            _RECEIVED[number] if number < len(_RECEIVED) else MessagesReceived(number)
            for number in sorted(session.arrived)
        ]
        session.arrived.clear()
    if session.handled:
        events = events + [
            OutcomesKnown(number, flow.handled_by_peer) for number, flow in sorted(session.handled.items())
        ]
        session.handled = EMPTY_DICT
    if session.reset:
        for flow in session.reset:
            assert flow.reset is not None
            events = [*events, FlowAbandoned(flow.number, flow.reset.code, flow.reset.reason)]
        session.reset = EMPTY_LIST
    if session.opened:  # after what ended: a flow that ends may make room for one that begins
        events = events + [FlowOpened(flow.number, flow.purpose) for flow in session.opened]
        session.opened = EMPTY_LIST
    if session.made_room:
        session.made_room = session.lacks_room = False
        events = [*events, _ROOM_MADE]
    if session.stall.is_on and not session.stall.is_told:
        session.stall.is_told = True
        events = [*events, Stalled()]
    return events
