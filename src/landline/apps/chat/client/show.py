"""Turns a chat client's events into words on a screen: pieces of text, each with a style's name.

This is the last step before the screen, so everything that came from somebody else passes ``safe_text`` here. A line that somebody said
always begins with a time or their name and goes on indented; what the program itself says begins with a mark. Nobody can write a line
that looks like another's, or like ours.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from landline.apps.cells import cells
from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.client.columns import Pieces, fitting
from landline.apps.chat.client.model import Client
from landline.apps.chat.client.pending import LIMITS
from landline.apps.chat.client.show_files import move_line, words_of_file
from landline.apps.chat.text import safe_text

STYLES: Final = {
    "time": "ansibrightblack",
    "room": "ansibrightblack",
    "name": "bold ansicyan",
    "own": "bold ansigreen",
    "private": "bold ansimagenta",
    "old": "",
    "notice": "ansibrightblack",
    "line": "ansiyellow",
    "trouble": "ansired",
    "waiting": "italic ansibrightblack",
    "prompt": "bold",
    "bottom-toolbar": "noreverse ansibrightblack",
    "good": "noreverse ansigreen",
    "poor": "noreverse bold ansiyellow",
    "bad": "noreverse bold ansired",
}
NAMES_SHOWN: Final = 12
"""Members that are named when one enters a room; the others are a number, and /who names them all."""


class Shown(msgspec.Struct, frozen=True):
    """What to show of one event."""

    pieces: Pieces
    aside: bool = False
    """It is about the line, not part of the talk: a pipe has it on stderr."""
    own: bool = False
    """The person said it themselves."""
    bell: bool = False
    """It wants to be noticed now."""

    @property
    def text(self) -> str:
        """The words alone."""
        return "".join(text for _, text in self.pieces)


def show(
    event: events.Event, client: Client, *, now: float | None = None, times: bool = True
) -> Shown | None:
    """Return what a person is to read of an event, or None when it needs no words.

    Args:
        event: what happened.
        client: whose it is; asked for the current room and name.
        now: seconds since 1970, to leave out the date of today.
        times: whether lines begin with the time they were said.
    """
    match event:
        case events.Heard():
            return _line(event, client, time.time() if now is None else now, times)
        case events.Whispered(name, text, own):
            return _private(f"you to {_one(name)}" if own else f"{_one(name)} to you", text, own)
        case events.Talked(name, text, own):
            return _private(f"{_one(client.name if own else name)} (call)", text, own)
        case events.Waiting(text, aim):
            return _aside("waiting", f"… waiting{f', for {_one(aim)}' if aim else ''}: {_block(text)}")
        case events.Arrived(text, aim, doubted):
            words = f"arrived in {_one(aim)} after all" if doubted else f"now in {_one(aim)}"
            return _aside("line", f"✓ {words}: {_block(text)}")
        case events.Doubtful(text, aim):
            return _aside(
                "trouble",
                f"? {_block(text)}\n  Nobody can tell whether this reached {_one(aim)}; it is not sent again.",
            )
        case events.NotSent(_, aim, why, back=True):  # what it says stands where it was typed
            return _aside("trouble", f"✗ not sent to {_one(aim)}: {_sentence(why)}")
        case events.NotSent(text, aim, later=True):
            return _aside(
                "trouble",
                f"? {_block(text)}\n  Not confirmed in {_one(aim)} yet; it is kept, and goes out when you start the chat again.",
            )
        case events.NotSent(text, aim, why):
            return _aside("trouble", f"✗ not sent to {_one(aim)}: {_block(text)}\n  {_sentence(why)}")
        case events.Files():
            return Shown(
                [("class:notice", "".join(f"· {row}\n" for row in words_of_file(event).split("\n")))]
            )
        case events.FileOffered():
            return Shown([("class:private", words_of_file(event) + "\n")], bell=True)
        case events.FileStopped() | events.FileGone():
            return Shown([("class:line", words_of_file(event) + "\n")])
        case (
            events.FileOut()
            | events.FileWanted()
            | events.FileNotWanted()
            | events.FileSent()
            | events.FileArriving()
            | events.FileReceived()
        ):
            return Shown([("class:private", words_of_file(event) + "\n")])
        case events.Rang():
            return Shown([("class:private", _words(event, client) + "\n")], bell=True)
        case (
            events.Calling() | events.CallBegan() | events.CallEnded() | events.CallMissed() | events.NoCall()
        ):
            return Shown([("class:private", _words(event, client) + "\n")])
        case (
            events.LineDown()
            | events.Redialling()
            | events.LineBack()
            | events.Named()
            | events.Paced()
            | events.GoingOut()
            | events.KeptElsewhere()
        ):
            return _aside("line", "· " + _words(event, client))
        case events.Said(text, trouble):
            said = "\n".join(f"· {row}" if row else "" for row in safe_text(text, keep="\n").split("\n"))
            return Shown([("class:trouble" if trouble else "class:notice", said + "\n")], aside=trouble)
        case _:
            return Shown([("class:notice", "· " + _words(event, client) + "\n")])


def prompt(
    client: Client, aim: events.Aim, now: float, *, width: int, after: float = 0.3, most: int = 6
) -> Pieces:
    """Return what stands before the cursor: our lines and commands that wait for their answer, files on their way, and where the typing goes.

    Args:
        client: whose prompt it is.
        aim: where the line goes that is being typed.
        now: the client's time.
        width: columns; what waits takes one row each.
        after: seconds after which what is unconfirmed appears here; most are confirmed before.
        most: rows of what waits; of more, the newest are shown.
    """
    pieces: Pieces = []
    waiting = [
        pending for pending in client.pending.awaited() if pending.late or now - pending.asked_at >= after
    ]
    if len(waiting) > most:
        pieces.append(("class:waiting", f"… and {len(waiting) - most} earlier ones are waiting\n"))
    for pending in waiting[-most:]:
        whither = f", for {_one(pending.aim)}" if pending.aim else ""
        note = f" (waiting{whither})" if pending.late else ""
        said = fitting(_one(pending.text or pending.typed), max(width - len(note) - 3, 10))
        pieces.append(("class:waiting", f"… {said}{note}\n"))
    for move in client.files.moves[-most:]:
        pieces.append(("class:waiting", f"{move_line(move, width - 1)}\n"))
    where = f"call with {_one(aim.call)}" if aim.call else f"#{_one(aim.room)}" if aim.room else "no room"
    pieces.append(("class:private" if aim.call else "class:prompt", f"{where}> "))
    return pieces


def status(client: Client, now: float, *, width: int | None = None) -> Pieces:
    """Return the line at the bottom: how the line to the server does, who and where one is.

    Args:
        client: whose it is.
        now: the client's time.
        width: columns; what matters least is left out where they are few.
    """
    style, state = _state(client, now)
    waiting = _waiting(client)
    room = client.rooms.current
    members = len(client.rooms[room].members) if room else 0
    here = [f"#{room}"] if room else []
    with_members = [f"#{room}, {members} here"] if members else here
    others = [f"#{other}" for other in client.rooms if other != room]
    also = ["also in " + " ".join(others)] if others else []
    last = "leaving" if client.leaving else "/help"
    # From all there is to the least that helps; without a width the first fits.
    choices = [
        "".join(f" · {_one(word)}" for word in (*about, last))
        for about in (
            [client.name, *with_members, *also],
            [client.name, *with_members],
            [client.name, *here],
            here,
            [],
        )
    ]
    words = next(
        (words for words in choices if width is None or cells(state + waiting + words) <= width), choices[-1]
    )
    pieces: Pieces = [(style, state), ("", words)]
    if waiting:
        pieces.insert(1, ("class:poor", waiting))
    return pieces


def _waiting(client: Client) -> str:
    lines = len(client.waiting)
    counts = [(lines, "line"), (len(client.pending.awaited()) - lines, "command")]
    said = " and ".join(f"{count} {what}{'s' if count > 1 else ''}" for count, what in counts if count)
    if not said or not (client.line.is_down or client.is_paced):
        return ""
    return f" · {said} waiting" + (f", {LIMITS.rate:g} a second go out" if client.is_paced else "")


def kept_elsewhere(name: str, count: int) -> str:
    """Return the sentence for the lines that wait for somebody to come under another name."""
    lines, them = (
        (f"1 line of {_one(name)} waits", "it")
        if count == 1
        else (f"{count} lines of {_one(name)} wait", "them")
    )
    return f"{lines} on this disk: started with --name {_one(name)}, the chat sends {them}."


def to_say(count: int, *, more: bool = False) -> str:
    """Return how long it takes until ``count`` lines of a pipe are said; ``more`` may follow them."""
    seconds = max(count - LIMITS.burst, 0) / LIMITS.rate
    about = f"{seconds:.0f} s" if seconds < 60 else _seconds(seconds)
    return (
        f"· {count:,} lines to say{' and more' if more else ''}, {LIMITS.rate:g} a second: "
        f"{'at least' if more else 'about'} {about}."
    )


def _state(client: Client, now: float) -> tuple[str, str]:
    line = client.line
    down = "" if line.down_since is None else f", down for {_seconds(now - line.down_since)}"
    match line.state:
        case "connected" if client.entered:
            return ("class:good", " ● connected")
        case "suspect":
            return ("class:poor", " ◐ suspect: no answer just now")
        case "reconnecting" if line.redial_at is not None and line.redial_at - now >= 0.5:
            return ("class:bad", f" ○ reconnecting in {line.redial_at - now:.0f} s{down}")
        case "reconnecting":
            return ("class:bad", f" ○ reconnecting{down}")
    return ("class:poor", f" ○ connecting{down}")


def _words(event: events.Event, client: Client) -> str:
    """Return the sentence for what is told in one."""
    match event:
        case events.Missed(room, count):
            return f"{count} {'line was' if count == 1 else 'lines were'} said in #{_one(room)} while you were away:"
        case events.LookedBack():
            return _looked_back(event)
        case events.Unreachable(room, why):
            return f"#{_one(room)}: {_one(why).rstrip('.')}."
        case events.Named(name, wished):
            return (
                f"{_one(wished)} is taken, so you are {_one(name)}; /nick changes it."
                if wished
                else f"You are {_one(name)}."
            )
        case events.Entered(room, members):
            others = [member for member in members if member.name != client.name]
            with_whom = f"with {_names(others)}" if others else "and nobody else is here yet"
            return f"You are in #{_one(room)} {with_whom}."
        case events.Turned(room):
            return f"You are typing to #{_one(room)}."
        case events.Left(room, now):
            return f"You left #{_one(room)}" + (
                f" and are typing to #{_one(now)}." if now else "; /join takes you to a room."
            )
        case events.Came(room, name):
            return f"{_one(name)} joined{_in(room, client)}"
        case events.Went(room, name, why):
            return f"{_one(name)} left{_in(room, client)}" + (f" ({_one(why)})" if why else "")
        case events.Renamed(old, new):
            return f"{_one(old)} is called {_one(new)} now"
        case events.Away(name, away):
            return f"{_one(name)}'s line is down" if away else f"{_one(name)}'s line is back"
        case events.Rooms(rooms):
            if not rooms:
                return "There are no rooms; /join makes one."
            return "Rooms: " + ", ".join(f"#{_one(room.name)} ({room.members})" for room in rooms)
        case events.Members(room, members):
            return f"In #{_one(room)}: " + (
                ", ".join(_member(member, client) for member in members) or "nobody"
            )
    return _words_of_line(event)


def _looked_back(event: events.LookedBack) -> str:
    where, why = f"#{_one(event.room)}", _one(event.missing).rstrip(".")
    because = f" ({why[:1].lower()}{why[1:]})" if why else ""
    if event.count:
        lines = "1 earlier line" if event.count == 1 else f"{event.count} earlier lines"
        if event.is_start:
            return f"{lines} of {where}{because or f', from the start of {where}'}:"
        return f"{lines} of {where}, /history shows those before{because}:"
    if event.is_start:
        return (
            f"No line of {where} is older than those you have seen."
            if not because
            else f"No earlier lines of {where}{because}."
        )
    return f"No earlier lines of {where} here, /history looks further back{because}."


def _words_of_line(event: events.Event) -> str:
    """Return the sentence for what happened to the line or to a call."""
    match event:
        case events.Calling(name):
            return f"☎ Ringing {_one(name)}; /bye stops it."
        case events.Rang(name):
            return f"☎ {_one(name)} is calling: /call {_one(name)} accepts, /bye declines."
        case events.CallBegan(name):
            return f"☎ You are talking with {_one(name)} alone; bye ends the call."
        case events.CallEnded(name, why, now):
            where = f" You are typing to #{_one(now)} again." if now else ""
            return f"☎ The call with {_one(name)} is over{_colon(why)}.{where}"
        case events.CallMissed(name):
            return f"☎ Missed call from {_one(name)}."
        case events.NoCall(name, why):
            return f"☎ No call with {_one(name)}{_colon(why)}."
        case events.LineDown(why):
            return f"The line is down{_because(why)}; what you type waits."
        case events.Redialling(why):
            return f"The server does not know us any more{_because(why)}: dialling anew."
        case events.GoingOut(count):
            return f"{'1 line' if count == 1 else f'{count} lines'} from before {'goes' if count == 1 else 'go'} out."
        case events.KeptElsewhere(name, count):
            return kept_elsewhere(name, count)
        case events.Paced(rate):
            return f"The chat takes {rate:g} lines a second from one person; yours wait here and go out by themselves."
        case events.LineBack(gone, restarted):
            meanwhile = "; the server was started again meanwhile" if restarted else ""
            return f"The line is back after {_seconds(gone)}{meanwhile}."
    raise AssertionError(f"no words for {event}")


def _line(event: events.Heard, client: Client, now: float, times: bool) -> Shown:
    pieces: Pieces = []
    line = event.line
    if times:
        pieces.append(("class:time", _time(line.at, now) + " "))
    if client.aim.room != event.room or not times:
        pieces.extend(
            [("class:room", f"#{_one(event.room)} ")] if len(client.rooms) > 1 or client.aim.call else []
        )
    pieces.append(("class:own" if event.own else "class:name", _one(line.name)))
    pieces.append(("class:old" if event.old else "", f": {_block(line.text)}\n"))
    return Shown(pieces, own=event.own and not event.old)


def _private(who: str, text: str, own: bool) -> Shown:
    return Shown([("class:private", who), ("", f": {_block(text)}\n")], own=own, bell=not own)


def _aside(style: str, words: str) -> Shown:
    return Shown([(f"class:{style}", words + "\n")], aside=True)


def _one(text: str) -> str:
    """Somebody else's text as one safe line."""
    return safe_text(text, keep="")


def _block(text: str) -> str:
    """Somebody else's text, safe, its later lines indented."""
    return safe_text(text, keep="\n").replace("\n", "\n      ")


def _sentence(why: str) -> str:
    words = _one(why).strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".") if words else ""


def _because(why: str) -> str:
    return f" ({_one(why).rstrip('.')})" if why else ""


def _colon(why: str) -> str:
    return f": {_one(why).rstrip('.')}" if why else ""


def _in(room: str, client: Client) -> str:
    return "" if room == client.rooms.current else f" #{_one(room)}"


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _names(members: Sequence[wire.Member]) -> str:
    names = [_one(member.name) + _note(member) for member in members[:NAMES_SHOWN]]
    if len(members) > NAMES_SHOWN:
        return ", ".join(names) + f" and {len(members) - NAMES_SHOWN} others"
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _member(member: wire.Member, client: Client) -> str:
    return _one(member.name) + (" (you)" if member.name == client.name else _note(member))


def _note(member: wire.Member) -> str:
    if member.away:
        return " (line down)"
    return {"plain": " (plain text)", "operator": " (operator)"}.get(member.kind, "")


def _time(at: float, now: float) -> str:
    """Return the local time of day, with the date unless it is of today."""
    local, today = _local(at), _local(now)
    same_day = local[:3] == today[:3]
    return time.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M", local)


def _local(at: float) -> time.struct_time:
    try:
        return time.localtime(at)
    except (ValueError, OverflowError, OSError):
        return time.localtime(0)  # a number that is no time; the line itself still counts
