"""The safeguards of calls and streams, each with the patch that switches it off; the rest are in ``safeguards``."""

from __future__ import annotations

from typing import Any

from ...protocol.calls import Asked, CallTable, Fate
from ...protocol.deadlines import Deadlines
from ...protocol.frames import ResetCode
from .call_books import FAILURE
from .calls import ONCE, TWICE, Caller
from .flows import abandon
from .streams import StreamEnd
from .switched_off import Ablation, needing

_settle = CallTable.settle
_verdict = StreamEnd._verdict


def _nothing_was_sent(table: CallTable, reach: int, *, is_renewed: bool) -> list[tuple[Asked, Fate]]:
    """Say of all calls that they certainly did not run."""
    del reach
    return _settle(table, 0, is_renewed=is_renewed)


def _all_may_run_twice(table: CallTable, reach: int, *, is_renewed: bool) -> list[tuple[Asked, Fate]]:
    """Ask the next life of the server for everything."""
    table.idempotent = frozenset({ONCE, TWICE})
    return _settle(table, reach, is_renewed=is_renewed)


def _all_is_doubtful(table: CallTable, reach: int, *, is_renewed: bool) -> list[tuple[Asked, Fate]]:
    """Say of what was never sent that it may have run."""
    del reach
    fates = _settle(table, 1 << 63, is_renewed=is_renewed)
    return [(asked, Fate.UNKNOWN) for asked, _ in fates]


def _lives_are_forgotten(table: CallTable, reach: int, *, is_renewed: bool) -> list[tuple[Asked, Fate]]:
    """Remember nothing of the lives of the server that are over."""
    fates = _settle(table, reach, is_renewed=is_renewed)
    for asked, fate in fates:
        if fate is Fate.AGAIN:
            asked.may_have_run = False
    return fates


def _still_pending(table: CallTable, id: int) -> Asked | None:
    """Keep a call that is answered."""
    return table.unanswered.get(id)


def _asked_in_the_old_place(table: CallTable, call: Asked, index: int) -> None:
    """Take a request for where it was in the flow before."""
    call.index = max(call.index, index)
    table.unanswered[call.id] = call


def _no_moment(deadlines: Deadlines, at: float, number: int) -> None:
    """Wait for ever."""
    del deadlines, at, number


def _untold(caller: Caller, asked: Asked) -> None:
    """Let the other end work on."""
    del caller, asked


def _fail_as_an_end(stream: Any) -> None:
    """Say of a stream that failed that there is no more."""
    if stream._may_send and stream._side == 1:
        stream._stream.ended[1] = FAILURE
        stream._end.core.end_flow(stream._flow)


def _fail_at_once(stream: Any) -> None:
    """Abandon a stream that failed, and what was sent before that."""
    if stream._may_send and stream._side == 1:
        stream._stream.ended[1] = FAILURE
        abandon(stream._end, stream._flow, ResetCode.FAILED)


def _gone_is_read(stream: StreamEnd) -> str:
    """Take what is gone for what has come to its end."""
    return _verdict(stream) and "end"


CALL_ABLATIONS: tuple[Ablation, ...] = needing(
    "calls",
    Ablation("what was asked counts as not run", ((CallTable, "settle", _nothing_was_sent),)),
    Ablation("what was never sent counts as run", ((CallTable, "settle", _all_is_doubtful),)),
    Ablation("every method is asked for again", ((CallTable, "settle", _all_may_run_twice),)),
    Ablation("what may have run before is forgotten", ((CallTable, "settle", _lives_are_forgotten),)),
    Ablation("a request keeps its place of the flow before", ((CallTable, "asked", _asked_in_the_old_place),)),
    Ablation("an answered call stays pending", ((CallTable, "answered", _still_pending),)),
    Ablation("no deadline for calls", ((Deadlines, "add", _no_moment),)),
    Ablation("who works for nobody is not told", ((Caller, "_tell_cancelled", _untold),)),
    Ablation("a stream that failed just ends", ((StreamEnd, "fail", _fail_as_an_end),)),
    Ablation("a failure drops the items before it", ((StreamEnd, "fail", _fail_at_once),)),
    Ablation("a stream that is gone just ends", ((StreamEnd, "_verdict", _gone_is_read),)),
)  # fmt: skip
