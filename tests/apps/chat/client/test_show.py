"""What a person reads: every event has its words, and nothing of others gets through that could deceive or move a cursor."""

from __future__ import annotations

import itertools
import typing
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.client.model import Client
from landline.apps.chat.client.show import STYLES, prompt, show, status, to_say
from tests.apps.chat.reading import joined, read

NOON = 1_700_000_000.0


def client(*, rooms: tuple[str, ...] = ("lobby",)) -> Client:
    client = Client("ana", 4711, rooms, draw=itertools.count(100).__next__)
    client.opened(0.0)
    client.heard(wire.Entered("ana", "e1"), 0.0)
    for room in rooms:
        client.heard(joined(room, [wire.Member("ana"), wire.Member("ben")]), 0.0)
    client.to_send()
    client.events()
    return client


def heard(
    text: str, *, name: str = "ben", room: str = "lobby", at: float = NOON, own: bool = False
) -> events.Heard:
    return events.Heard(room, wire.Line(1, at, name, text), own)


def words(event: events.Event, **more: typing.Any) -> str:
    shown = show(event, more.pop("client", None) or client(), now=NOON, **more)
    assert shown is not None
    return shown.text


def example(kind: type, text: str) -> events.Event:
    """An event of this kind with ``text`` wherever somebody's words can be."""
    values: dict[str, object] = {
        "line": wire.Line(1, NOON, text, text),
        "members": (wire.Member(text), wire.Member(text, away=True)),
        "rooms": (wire.Room(text, 3),),
        "files": (
            events.FileState(1, text, 3, text, True, (1, 2)),
            events.FileState(2, text, 0, text, False, ()),
        ),
        "count": 2,
        "gone": 4.2,
    }
    hints = typing.get_type_hints(kind)
    return typing.cast(
        "events.Event",
        kind(**{name: values.get(name, text if hint is str else True) for name, hint in hints.items()}),
    )


@pytest.mark.parametrize("kind", typing.get_args(events.Event))
@given(text=st.text(max_size=40) | st.just("\x1b[2J\r\b\x07\x9b\u202e\u2066\ud800\x00\x7f"))
@settings(max_examples=20)
@pytest.mark.long
def test_every_event_has_words_and_none_can_move_a_cursor(kind: type, text: str) -> None:
    """Whatever stands in names and texts: of control characters only our own line ends are left, and each later row is indented or ours."""
    said = words(example(kind, text))

    assert said.endswith("\n")
    assert not {unicodedata.category(char) for char in said if char != "\n"} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(said) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize("kind", typing.get_args(events.Event))
def test_styles_are_in_the_table(kind: type) -> None:
    """A style that nobody defined would be shown as nothing."""
    shown = show(example(kind, "x"), client(), now=NOON)
    assert shown is not None

    used = {style.removeprefix("class:") for style, _ in shown.pieces if style}

    assert used <= set(STYLES)


def test_a_line_says_who_and_when() -> None:
    """The time of day today, and the date with any other day."""
    today = words(heard("hello"))
    before = words(heard("hello", at=NOON - 3 * 86_400))

    assert today.endswith(" ben: hello\n")
    assert len(today) == len("12:00 ben: hello\n")
    assert len(before) == len("2023-11-11 12:00 ben: hello\n")


def test_a_line_of_no_possible_time_is_still_shown() -> None:
    """A time beyond every calendar is the sender's fault, not the reader's."""
    assert "hello" in words(heard("hello", at=1e300))
    assert "hello" in words(heard("hello", at=float("nan")))


def test_later_rows_of_a_message_are_indented() -> None:
    """So that nobody can write a row that looks like another person's."""
    assert words(heard("one\n12:00 cleo: two"), times=False) == "ben: one\n      12:00 cleo: two\n"


def test_lines_of_other_rooms_say_where() -> None:
    """The room that one types into goes without saying; every other is named."""
    two = client(rooms=("lobby", "dev"))

    assert words(heard("hi", room="dev"), client=two).endswith("#dev ben: hi\n")
    assert "#" not in words(heard("hi", room="lobby"), client=two)
    assert words(heard("hi", room="lobby"), client=two, times=False) == "#lobby ben: hi\n"


def test_a_room_line_during_a_call_says_where() -> None:
    """In a call even the current room is elsewhere."""
    talking = client()
    talking.heard(wire.CallBegan("ben"), 0.0)

    assert "#lobby" in words(heard("hi", name="cleo"), client=talking)


def test_talk_about_the_line_goes_aside_and_talk_does_not() -> None:
    """What a pipe has on stderr, and what on stdout."""
    aside = {
        kind.__name__
        for kind in typing.get_args(events.Event)
        if (shown := show(example(kind, "x"), client(), now=NOON)) is not None and shown.aside
    }

    assert aside == {
        "Waiting",
        "Arrived",
        "Doubtful",
        "NotSent",
        "LineDown",
        "Redialling",
        "LineBack",
        "Named",
        "GoingOut",
        "KeptElsewhere",
        "Paced",
        "Said",
    }


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "0.0 s"), (4.25, "4.2 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (3600, "1 h 0 min")],
)
def test_how_long_it_was_gone(seconds: float, told: str) -> None:
    """Seconds while they matter, then minutes and hours."""
    assert words(events.LineBack(seconds)) == f"· The line is back after {told}.\n"


def test_who_is_here_says_what_one_should_know() -> None:
    """You, whose line is down, who is on plain text, who is the operator."""
    members = (
        wire.Member("ana"), wire.Member("ben", away=True), wire.Member("guest-1", kind="plain"), wire.Member("host", kind="operator"),
    )  # fmt: skip

    assert words(events.Members("lobby", members)) == (
        "· In #lobby: ana (you), ben (line down), guest-1 (plain text), host (operator)\n"
    )


def test_many_members_are_counted() -> None:
    """A crowd is a number on entering."""
    crowd = tuple(wire.Member(f"p{number}") for number in range(40))

    assert words(events.Entered("lobby", crowd)).endswith("p11 and 28 others.\n")


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            events.Unreachable("tea", "Some lines are damaged on the server's disk and cannot be shown."),
            "· #tea: Some lines are damaged on the server's disk and cannot be shown.\n",
        ),
        (events.Unreachable("tea", "it is away"), "· #tea: it is away.\n"),
        (events.CallMissed("ben"), "☎ Missed call from ben.\n"),
        (events.NoCall("ben", "they declined"), "☎ No call with ben: they declined.\n"),
        (
            events.CallEnded("ben", "they hung up", "tea"),
            "☎ The call with ben is over: they hung up. You are typing to #tea again.\n",
        ),
        (
            events.LookedBack("tea", 20, is_start=False),
            "· 20 earlier lines of #tea, /history shows those before:\n",
        ),
        (events.LookedBack("tea", 1, is_start=True), "· 1 earlier line of #tea, from the start of #tea:\n"),
        (
            events.LookedBack("tea", 2, is_start=True, missing="Older lines than these are no longer kept."),
            "· 2 earlier lines of #tea (older lines than these are no longer kept):\n",
        ),
        (
            events.LookedBack("tea", 0, is_start=True),
            "· No line of #tea is older than those you have seen.\n",
        ),
        (
            events.LookedBack("tea", 0, is_start=False, missing="Damaged."),
            "· No earlier lines of #tea here, /history looks further back (damaged).\n",
        ),
        (
            events.KeptElsewhere("eve", 1),
            "· 1 line of eve waits on this disk: started with --name eve, the chat sends it.\n",
        ),
        (
            events.KeptElsewhere("eve", 2),
            "· 2 lines of eve wait on this disk: started with --name eve, the chat sends them.\n",
        ),
        (events.Renamed("ben", "bob"), "· ben is called bob now\n"),
    ],
)
def test_the_words_of_small_news(event: events.Event, told: str) -> None:
    """Short and true."""
    assert words(event) == told


def test_how_long_a_pipe_takes() -> None:
    """What goes out at once takes no time; what was not read yet may be any number."""
    assert to_say(60) == "· 60 lines to say, 2 a second: about 28 s."
    assert to_say(2005, more=True) == "· 2,005 lines to say and more, 2 a second: at least 16 min 40 s."


# The prompt and the row at the bottom.


def text_of(pieces: list[tuple[str, str]]) -> str:
    return "".join(text for _, text in pieces)


def test_the_prompt_says_where_the_typing_goes() -> None:
    """A room, a call, or nowhere."""
    ana = client()

    assert text_of(prompt(ana, events.Aim(room="lobby"), 0.0, width=80)) == "#lobby> "
    assert text_of(prompt(ana, events.Aim(call="ben"), 0.0, width=80)) == "call with ben> "
    assert text_of(prompt(ana, events.Aim(), 0.0, width=80)) == "no room> "


def test_a_line_confirmed_at_once_never_flickers_above_the_prompt() -> None:
    """It appears after a third of a second only, and is marked when it is late."""
    ana = client()
    ana.typed("hello", 1.0)

    assert text_of(prompt(ana, ana.aim, 1.2, width=80)) == "#lobby> "
    assert text_of(prompt(ana, ana.aim, 1.4, width=80)) == "… hello\n#lobby> "
    ana.advance(3.0)
    assert text_of(prompt(ana, ana.aim, 3.0, width=80)) == "… hello (waiting, for #lobby)\n#lobby> "


@given(text=st.text(min_size=1, max_size=300), width=st.integers(40, 120))
def test_a_waiting_line_takes_one_row(text: str, width: int) -> None:
    """However long and wide it is."""
    ana = client()
    ana.typed("x" + text, 1.0)
    ana.advance(9.0)

    shown = text_of(prompt(ana, ana.aim, 9.0, width=width))

    assert shown.count("\n") == len(ana.waiting)
    assert all(get_cwidth(row) <= width for row in shown.split("\n"))


def test_the_bottom_row_tells_the_state_of_the_line() -> None:
    """Connected, suspect, reconnecting with its countdown, connecting."""
    ana = client()
    assert text_of(status(ana, 0.0)) == " ● connected · ana · #lobby, 2 here · /help"

    ana.line_changed("suspect", 1.0)
    assert "suspect" in text_of(status(ana, 1.0))
    ana.line_changed("reconnecting", 2.0, redial_in=4.0)
    ana.typed("hello", 2.5)
    assert text_of(status(ana, 3.0)).startswith(
        " ○ reconnecting in 3 s, down for 1.0 s · 1 line waiting · ana"
    )
    ana.line_changed("connecting", 6.0)
    assert text_of(status(ana, 6.0)).startswith(" ○ connecting, down for 4.0 s")


def test_commands_wait_beside_lines_while_the_line_is_down() -> None:
    """As they were typed, and counted at the bottom; what was told to be done already is not among them."""
    ana = client(rooms=("lobby", "dev"))
    ana.line_changed("reconnecting", 2.0)
    ana.typed("/nick hal", 2.5)
    assert " · 1 command waiting · ana" in text_of(status(ana, 3.0))
    ana.typed("hello", 2.6)
    ana.typed(" /who\n", 2.7)
    ana.typed("/leave dev", 2.8)

    assert text_of(prompt(ana, ana.aim, 3.0, width=80)) == (
        "… /nick hal (waiting)\n… hello (waiting, for #lobby)\n… /who (waiting)\n#lobby> "
    )
    assert " · 1 line and 2 commands waiting · ana" in text_of(status(ana, 3.0))
    assert words(events.Waiting("/nick hal", "")) == "… waiting: /nick hal\n"


def test_a_narrow_bottom_row_keeps_the_way_to_help() -> None:
    """What matters least goes first, and never /help."""
    ana = client(rooms=("lobby", "dev"))
    ana.line_changed("reconnecting", 2.0, redial_in=9.0)
    ana.typed("hello", 2.5)

    rows = [text_of(status(ana, 14.3, width=width)) for width in (200, 80, 60)]

    assert ["also in #dev" in row for row in rows] == [True, False, False]
    assert [row.endswith(" · /help") for row in rows] == [True, True, True]
    assert get_cwidth(rows[1]) <= 80
    assert get_cwidth(rows[2]) <= 60


def test_the_bottom_row_says_how_fast_lines_go_out() -> None:
    """While the line is up and they wait all the same."""
    ana = client()
    for number in range(16):
        ana.typed(f"line {number}", 1.0)

    assert " · 16 lines waiting, 2 a second go out · ana" in text_of(status(ana, 1.0))
    for id in range(1, 17):
        read(ana, "lobby", [wire.Line(id, NOON, "ana", "x", 100 + id)], 2.0)
    assert text_of(status(ana, 2.0)).startswith(" ● connected · ana")
