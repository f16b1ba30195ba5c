"""The words for files, and how far they are: names in here are made safe, as everything that came from somebody else."""

from __future__ import annotations

from landline.apps.cells import cells
from landline.apps.chat.client import events
from landline.apps.chat.client.columns import fitting
from landline.apps.chat.client.files import Move
from landline.apps.chat.text import safe_text
from landline.apps.rates import size_text, time_text

FileEvent = (
    events.FileOffered | events.FileOut | events.FileWanted | events.FileNotWanted | events.FileSent | events.FileArriving | events.FileReceived
    | events.FileStopped | events.FileGone | events.Files
)  # fmt: skip

_NAME = 48
"""Columns of a file's name: a longer one is cut in the middle of nothing that matters."""


def words_of_file(event: FileEvent) -> str:
    """Return the sentence for what happened to a file."""
    match event:
        case events.FileOffered(number, name, size, by, room):
            where = f" to #{_one(room)}" if room else ""
            which = f" {number}"
            return (
                f"⇩ {_one(by)} offers{where} {_name(name)} ({size_text(size)}): "
                f"/accept{which} receives it, /refuse{which} does not."
            )
        case events.FileOut(number, name, size, to):
            return f"⇧ {_name(name)} ({size_text(size)}) is offered to {_one(to)}; /refuse {number} takes it back."
        case events.FileWanted(name, by):
            return f"⇧ {_one(by)} accepts {_name(name)}."
        case events.FileNotWanted(name, by):
            return f"⇧ {_one(by)} does not want {_name(name)}."
        case events.FileSent(name, to):
            return f"⇧ {_one(to)} has {_name(name)}, whole and verified."
        case events.FileArriving(name, size, folder):
            return f"⇩ Receiving {_name(name)} ({size_text(size)}) into {_one(folder)}."
        case events.FileReceived(name, size, path, by):
            return f"⇩ Received {_one(path)} ({size_text(size)}) from {_one(by)}, verified by SHA-256."
        case events.FileStopped(number, name, other, why, own, is_refused):
            return _stopped(number, name, other, why, own=own, is_refused=is_refused)
        case events.FileGone(name, by, why, own, goes_on):
            rest = " The rest comes by itself when it is offered again." if goes_on else ""
            mark, whose = ("⇧", "") if own else ("⇩", f" of {_one(by)}")
            return f"{mark} {_name(name)}{whose} is not offered any more: {_clause(why)}.{rest}"
        case events.Files(files):
            return "\n".join(["Files:", *map(_state, files)]) if files else "No files are offered."
    raise AssertionError(f"no words for {event}")


def move_line(move: Move, width: int) -> str:
    """Return how far a file is, for a terminal of so many columns."""
    head = f"{'⇧' if move.own else '⇩'} {fitting(_one(move.name), max(width - 60, 12))} "
    head += f"{'to' if move.own else 'from'} {fitting(_one(move.other), 16)}"
    percent = f"{int(100 * move.done / move.size) if move.size else 100} %"
    tail = f"{percent}, {size_text(move.done)} of {size_text(move.size)}"
    rate = left = ""
    if move.meter.rate:
        rate = f", {size_text(move.meter.rate)}/s"
        seconds = move.meter.left(move.size)
        left = "" if seconds is None or move.done >= move.size else f", {time_text(seconds)} left"
    for line in (
        f"{head}: {tail}{rate}{left}",
        f"{head}: {percent}{rate}{left}",
        f"{head}: {percent}",
        percent,
    ):
        if cells(line) <= width:
            return line
    return percent[: max(0, width)]


def _stopped(number: int, name: str, other: str, why: str, *, own: bool, is_refused: bool) -> str:
    if own:
        on = "" if is_refused else " It goes on when they accept it again."
        return f"⇧ {_name(name)} did not get to {_one(other)}: {_clause(why)}.{on}"
    return f"⇩ {_name(name)} from {_one(other)} stopped: {_clause(why)}. What came is kept; /accept {number} goes on with it."


def _state(state: events.FileState) -> str:
    done = ", ".join(f"{int(100 * done / state.size) if state.size else 100} %" for done in state.done)
    of = f"offered to {_one(state.who)}" if state.own else f"from {_one(state.who)}"
    return (
        f"  {state.number}  {_name(state.name)} ({size_text(state.size)}), {of}{': ' + done if done else ''}"
    )


def _one(said: str) -> str:
    return safe_text(said, keep="")


def _name(name: str) -> str:
    return fitting(_one(name), _NAME)


def _clause(why: str) -> str:
    return _one(why).rstrip(".")
