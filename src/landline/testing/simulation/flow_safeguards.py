"""The safeguards of flows, credit and pressure, each with the patch that switches it off; the rest are in ``safeguards``."""

from __future__ import annotations

from typing import Any

from ...protocol import session as session_module
from ...protocol.credit import Pressure
from ...protocol.flow import DONE, ENDED, RESET, Flow
from ...protocol.flows import Flows
from ...protocol.frames import FrameType, Queued, ResetCode, each_of
from ...protocol.handshake import Reset, decode_payload, encode_payload
from ...protocol.inbox import Inbox
from ...protocol.outbox import Outbox
from ...protocol.session import Session
from ...protocol.shortage import Shortage
from .switched_off import Ablation

_begin = Flows.begin
_receive_about = Session._receive_about


def _no_budget(others: int | None, limits: Any, *, is_pressed: bool) -> int:
    """Grant each flow a whole window."""
    del others, is_pressed
    return int(limits.window)


def _uncounted(session: Session, unfinished: int) -> None:
    """Take no notice of what has arrived of a frame."""
    del session, unfinished


def _spared(shortage: Shortage[Any, Any], now: float) -> None:
    """Leave every line in peace."""
    del shortage, now


def _never_pressed(pressure: Pressure, who: Any) -> bool:
    """Take no notice of what all sessions hold."""
    del pressure, who
    return False


def _only_counted(pressure: Pressure, more: int) -> None:
    """Count what unfinished frames hold, and take no notice of it."""
    pressure.used += more
    pressure.unfinished += more


def _never_relieved(pressure: Pressure) -> None:
    """Leave those waiting who were held back."""
    pressure.is_on = pressure.used >= pressure.limit


def _finish_silently(flows: Flows, flow: Flow) -> None:
    """Handle the end of a flow, and do not say so."""
    del flows, flow


def _leave_unanswered(flows: Flows, flow: Flow, payload: bytes) -> Reset:
    """Be told of a reset, and go on as if nothing had been."""
    reset = decode_payload(Reset, payload)
    flow.was_reset(reset)
    flows._hear(flow, RESET)
    return reset


def _abandon_as_handled(flows: Flows, flow: Flow, code: ResetCode, reason: str) -> None:
    """Say of a flow that is abandoned that everything received was handled."""
    if not flow.ours & RESET and flow.ours != ENDED | DONE:
        reset = Reset(code=code, handled=flow.received, taken=flow.received, reason=reason)
        flow.ours |= RESET
        flows._queue.drop(flow)
        flows._queue.write_about(flow.number, encode_payload(FrameType.RESET, reset, flow.number))
        flows._forget_if_over(flow)


def _forget_at_our_end(flow: Flow) -> bool:
    """Take a flow for over as soon as this end is through with it."""
    return flow.ours == ENDED | DONE or flow.ours & RESET != 0


def _tell_of_the_unheard(flows: Flows, purpose: str, window: int) -> Flow:
    """Tell totals of a flow before the peer has heard of it."""
    flow = _begin(flows, purpose, window)
    flow.opened_at = -1
    return flow


def _end_before_the_data(session: Session, flow: Flow) -> None:
    """Let the end of a flow overtake what is before it."""
    if not flow.ours & (ENDED | RESET):
        session._flows._queue.write_about(flow.number, session._flows.ended(flow))


def _receive_without_counting(session: Session, kind: int, number: int, payload: bytes) -> None:
    """Do not count the frames about flows."""
    _receive_about(session, kind, number, payload)
    session.received -= 1


def _received_as_one(outbox: Outbox, count: int) -> list[Queued]:
    """Let go of all frames that are kept as one when the peer has some of them."""
    places = 0
    while count > 0:
        count -= len(each_of(outbox._replay[places : places + 1]))
        places += 1
    gone = outbox._replay[:places]
    del outbox._replay[:places]
    return gone


FLOW_ABLATIONS: tuple[Ablation, ...] = (
    Ablation("unfinished frames are not counted", ((Inbox, "gather", _uncounted),)),
    Ablation("nobody is hung up on for unfinished frames", ((Shortage, "_hang_up_on_unfinished", _spared),)),
    Ablation("each flow has a whole window", ((session_module, "window_for", _no_budget),)),
    Ablation(
        "pressure holds nobody back",
        ((Pressure, "holds_back", _never_pressed), (Pressure, "gather", _only_counted)),
    ),
    Ablation(
        "who was held back is not told of its end",
        ((Pressure, "eased", _never_relieved),),
        "the little that everybody is granted under pressure",
        "tests/protocol/test_credit.py",
    ),
    Ablation(
        "shared frames are received as one",
        ((Outbox, "_received", _received_as_one),),
        "how rarely a line drops within frames that are kept as one",
        "tests/protocol/test_outbox.py",
        needs="topics",
    ),
    Ablation(
        "who finds no room is told of none",
        ((Outbox, "lacks_room", property(lambda outbox: False, lambda outbox, lacks: None)),),
    ),
    Ablation("the end of a flow is not called handled", ((Flows, "finish", _finish_silently),)),
    Ablation("a reset is not answered", ((Flows, "was_abandoned", _leave_unanswered),)),
    Ablation("a reset calls all that arrived handled", ((Flows, "abandon", _abandon_as_handled),)),
    Ablation("a flow is forgotten when one end is through", ((Flow, "is_over", property(_forget_at_our_end)),)),
    Ablation("totals of a flow before its OPEN", ((Flows, "begin", _tell_of_the_unheard),)),
    Ablation("the end of a flow overtakes its data", ((Session, "end_flow", _end_before_the_data),)),
    Ablation("frames about flows are not counted", ((Inbox, "_receive_about", _receive_without_counting),)),
)  # fmt: skip
