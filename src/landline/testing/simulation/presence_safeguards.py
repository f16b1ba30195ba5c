"""The safeguards of groups, each with the patch that switches it off; the rest are in ``safeguards``."""

from __future__ import annotations

from typing import Any

from ...protocol.group import NOTHING, Group, _Entry
from ...protocol.lease import Lease
from ...protocol.presence import Change, Cursor, Gone, Here, Joined, Roster, Updated, View
from ...protocol.states import State
from .switched_off import Ablation, needing

_forget = Group._forget
_take = View._take
_look = Lease.look
_next = Cursor.next


def _untold_departure(group: Group, id: str, reason: str = "") -> None:
    """Have whoever watches find out by themselves."""
    group.roster.remove(id, reason)


def _keep_the_first(group: Group, id: str, data: bytes, *, is_gone: bool) -> None:
    """Leave a member where its first change was."""
    before = group._entries.get(id)
    group._departed += is_gone - (before is not None and before.is_gone)
    group.number += 1
    group._entries[id] = _Entry(group.number if before is None else before.number, data, is_gone)
    group._batches.clear()


def _keep_batches(group: Group, id: str, data: bytes, *, is_gone: bool) -> None:
    """Tell the next ones what was made for those before."""
    before = group._entries.pop(id, None)
    group._departed += is_gone - (before is not None and before.is_gone)
    group.number += 1
    group._entries[id] = _Entry(group.number, data, is_gone)


def _forget_quietly(group: Group) -> None:
    """Forget who has left, and that they are forgotten."""
    _forget(group)
    group._forgotten = NOTHING


def _nobody_is_missing(view: View, now: float) -> None:
    """Take who was not listed for who is there."""
    del now
    view._found.clear()
    view.is_complete = True


def _never_gone(view: View, now: float) -> None:
    """Wait for ever for who does not come back."""
    if view._doubted_at is not None and view._doubted_at <= now:
        view._doubted_at = None
    if view._settled_at <= now:
        view._doubted.clear()


def _doubting_still(view: View, entry: Here | Gone) -> None:
    """Doubt also who is back."""
    doubted = set(view._doubted)
    _take(view, entry)
    view._doubted |= doubted & view.roster.members.keys()


def _always_here(lease: Lease, state: State, now: float, **how: Any) -> None:
    """Mind no line that is down."""
    _look(lease, state, now, **how)
    lease.timeout_at = None


def _gone_at_once(lease: Lease, state: State, now: float, **how: Any) -> None:
    """Have no grace."""
    _look(lease, state, now, **how)
    if lease.timeout_at is not None:
        lease.timeout_at = now


def _never_back(lease: Lease, state: State, now: float, **how: Any) -> None:
    """Take who was without a line for without one."""
    was_here = lease.is_here
    _look(lease, state, now, **how)
    lease.is_here = was_here


def _never_over(lease: Lease, state: State, now: float, **how: Any) -> None:
    """Stay when the session is lost."""
    _look(lease, state, now, **how)
    lease.is_over &= state is not State.LOST


def _forget_what_was_shown(cursor: Cursor) -> Change | None:
    """Tell every change as somebody's coming."""
    change = _next(cursor)
    return Joined(change.member) if isinstance(change, Updated) else change


def _remove_quietly(roster: Roster, id: str, reason: str = "") -> None:
    """Tell nobody who left."""
    del reason
    roster.members.pop(id, None)


PRESENCE_ABLATIONS: tuple[Ablation, ...] = needing(
    "presence",
    Ablation("who left a group is not told", ((Group, "remove", _untold_departure),)),
    Ablation("a member keeps the number of its first change", ((Group, "_change", _keep_the_first),)),
    Ablation("what was told of a group is told again", ((Group, "_change", _keep_batches),)),
    Ablation("who is forgotten by a group was never there", ((Group, "_forget", _forget_quietly),)),
    Ablation("who is not listed anew is still there", ((View, "_listed", _nobody_is_missing),)),
    Ablation("who does not come back is waited for", ((View, "handle_timeout", _never_gone),)),
    Ablation("who is back is in doubt", ((View, "_take", _doubting_still),)),
    Ablation("a member without a line is here", ((Lease, "look", _always_here),)),
    Ablation("a member has no grace", ((Lease, "look", _gone_at_once),)),
    Ablation("a member that is back is not here", ((Lease, "look", _never_back),)),
    Ablation("a member outlives its session", ((Lease, "look", _never_over),)),
    Ablation("who changed has joined", ((Cursor, "next", _forget_what_was_shown),)),
    Ablation("a program is not told who left", ((Roster, "remove", _remove_quietly),)),
)  # fmt: skip
