"""What both ends do with the flows of the library's own patterns."""

from __future__ import annotations

from ...errors import Full
from ...protocol.flow import ENDED, RESET, Flow
from ...protocol.frames import FrameType, ResetCode
from ...protocol.session import Session
from .ends import End

_PENDING = 300


def is_writable(flow: Flow) -> bool:
    """Whether anything may still be sent in it."""
    return not (flow.is_ending or flow.ours & (ENDED | RESET) or flow.theirs & RESET)


def takes_more(core: Session, flow: Flow, more: int = 0) -> bool:
    """Whether nothing of it waits to be written, or little, also after so many bytes more."""
    if flow.pending_bytes and flow.pending_bytes + more >= _PENDING:
        core.lacks_room = True
        return False
    return is_writable(flow) and core.has_room_in(flow, more)


def say(end: End, flow: Flow, payload: bytes) -> None:
    """Send a message of these flows, if it takes any more."""
    if is_writable(flow) and not end.ended:
        end.core.send(flow, FrameType.BYTES, payload)


def abandon(end: End, flow: Flow, code: ResetCode) -> None:
    """Leave a flow, if there is still something to leave."""
    if not (end.ended or flow.is_over or flow.ours & RESET):
        end.core.abandon_flow(flow, code)


def open_flow(end: End, purpose: str) -> Flow | None:
    """Open a flow, if the peer allows one more."""
    try:
        return end.core.open_flow(purpose)
    except Full:
        return None


def is_closing(end: End) -> bool:
    """Whether nothing more can be said there."""
    return bool(end.ended) or end.is_closing or end.is_peer_closed


def leave(end: End, flow: Flow) -> None:
    """Want to hear no more of it."""
    end.serving.pop(flow.number, None)
    end.on_room.pop(flow.number, None)
