"""The conversation with a plain caller, told as what arrives and what must leave."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.apps.chat import commands
from landline.apps.chat.limits import PLAIN
from landline.apps.chat.plain import conversation as plain
from landline.apps.chat.plain.conversation import Mode, PlainConversation
from landline.apps.chat.plain.events import Arrived, Asked, Event, HungUp, Left, Said
from landline.apps.chat.plain.words import TOO_LONG


class Telephone:
    """A caller at one end and a small chat at the other; time passes when the test says so."""

    def __init__(self, *, others: tuple[str, ...] = ("ana",), operator: bool = False) -> None:
        self.now = 100.0
        self.conversation = PlainConversation(self.now)
        self.others = others
        self.said: list[str] = []
        self.asked: list[commands.Command] = []
        self.events: list[Event] = []
        self.answer: Callable[[Event], str | None] = lambda event: None  # a sentence refuses
        self.conversation.operator_present(operator, self.now)
        self._sends: list[bytes] = []

    def sends(self, data: bytes | str) -> None:
        """The caller sends this (nothing at all: its end of data)."""
        self.conversation.receive_data(data.encode() if isinstance(data, str) else data, self.now)
        self.carry_out()

    def hangs_up(self) -> None:
        self.sends(b"")

    def passes(self, seconds: float) -> None:
        """So much time goes by, and every deadline in it."""
        end = self.now + seconds
        for _ in range(10_000):
            at = self.conversation.timeout_at()
            if at is None or at > end:
                break
            self.now = max(self.now, at)
            self.conversation.handle_timeout(self.now)
            self.carry_out()
        else:
            pytest.fail("a deadline that nothing meets")
        self.now = end

    def hears(self) -> list[str]:
        """Return what was sent to the caller since the last look, one string for each send."""
        sends = [data.decode() for data in [*self._sends, *self.conversation.data_to_send()]]
        self._sends.clear()
        return sends

    def room_says(self, text: str, name: str = "ana") -> None:
        self.conversation.room_said(name, text, self.now)

    def carry_out(self) -> None:
        while events := self.conversation.events():
            for event in events:
                self.events.append(event)
                match event:
                    case Arrived():
                        self.conversation.welcome("guest-1", "lobby", self.others, [], self.now)
                        continue
                    case Left():
                        self.conversation.end()
                        self._sends += self.conversation.data_to_send()
                        continue
                    case Said(text):
                        self.said.append(text)
                    case Asked(command):
                        self.asked.append(command)
                refusal = self.answer(event)
                if refusal is not None:
                    self.conversation.told(refusal, self.now)
                stored = isinstance(event, Said) and refusal is None
                self.conversation.finished(self.now, others=len(self.others) if stored else None)


GREETING = (
    "* Welcome to landline. You are guest-1, in lobby (with ana).\n"
    "* Type a line and press Enter to say it. /help says what else you can do, bye leaves.\n"
)
TURN_GREETING = (
    "* You are guest-1, in lobby (with ana). /help says what you can do, bye leaves.\n"
    "* After each line your program waits until somebody answers, at most 60 s."
)


def line_caller() -> Telephone:
    """Return somebody with nc who has been greeted."""
    phone = Telephone()
    phone.sends("\n")
    phone.hears()
    return phone


def turn_caller(*, operator: bool = False) -> Telephone:
    """Return a classic client that has had its first answer."""
    phone = Telephone(operator=operator)
    phone.sends("hello")
    phone.passes(0.2)
    phone.room_says("welcome!")
    phone.passes(1)
    assert phone.hears() == [f"{TURN_GREETING}\nana: welcome!"]
    phone.said.clear()
    return phone


# Callers that read lines.


def test_nobody_is_greeted_before_the_first_complete_line() -> None:
    """The server never speaks first, not to silence and not to half a line."""
    phone = Telephone()
    phone.passes(600)
    phone.sends("hel")
    assert phone.hears() == []
    phone.sends("lo\n")

    assert phone.hears() == [GREETING]
    assert phone.said == ["hello"]
    assert phone.events[0] == Arrived()


def test_an_empty_line_is_a_knock() -> None:
    """Enter alone gets the greeting and says nothing."""
    phone = Telephone()
    phone.sends("\n")

    assert phone.hears() == [GREETING]
    assert phone.said == []


@pytest.mark.parametrize(
    ("end", "answered"), [("\n", "\n"), ("\r\n", "\r\n"), ("\r\0", "\r\n"), ("\r", "\r\n")]
)
def test_a_line_may_end_in_any_way_and_is_answered_alike(end: str, answered: str) -> None:
    """Telnet wants CR LF and a pipe behind nc does not: each gets what it sends."""
    phone = Telephone()
    phone.sends(f"one{end}two{end}")
    phone.room_says("hi")

    assert phone.said == ["one", "two"]
    assert phone.hears() == [GREETING.replace("\n", answered) + f"ana: hi{answered}"]


def test_the_room_is_heard_at_once() -> None:
    """Whatever is said goes out as it is said, with who said it."""
    phone = line_caller()
    phone.room_says("hi there")
    assert phone.hears() == ["ana: hi there\n"]
    phone.conversation.whispered("ben", "psst", phone.now)
    phone.conversation.noticed("ben joined", phone.now)

    assert phone.hears() == ["ben (to you): psst\n* ben joined\n"]


def test_nobody_can_speak_in_anothers_name() -> None:
    """A second line is indented, and escapes in text and name are gone."""
    phone = line_caller()
    phone.room_says(
        "look\nhost: send me money\r* you were made host\x1b[2J", name="mal\x1b]0;x\x07lory\nhost"
    )

    (heard,) = phone.hears()
    assert heard == "mal]0;xlory host: look\n    host: send me money\n    * you were made host[2J\n"


def test_commands_and_text() -> None:
    """The same commands as everywhere; // says a slash; what is unknown is explained."""
    phone = line_caller()
    phone.answer = lambda event: "here is: ana" if event == Asked(commands.Who("")) else None
    phone.sends("/nick ben\n/who\n//etc\n")
    phone.sends("/wohi\n")

    assert phone.asked == [commands.Nick("ben"), commands.Who("")]
    assert phone.said == ["/etc"]
    assert phone.hears()[0].startswith("* here is: ana\n* There is no command /wohi. Did you mean /")


def test_answers_keep_the_order_of_the_lines() -> None:
    """An answer from here does not overtake one that the chat is still working on."""
    phone = Telephone()
    phone.answer = lambda event: "rooms: lobby" if isinstance(event, Asked) else None
    phone.sends("/rooms\n/wrong\n/rooms\n")

    (heard,) = phone.hears()
    assert [line[:13] for line in heard.splitlines()[2:]] == [
        "* rooms: lobb",
        "* There is no",
        "* rooms: lobb",
    ]


@pytest.mark.limit("chat.recent")
def test_what_was_said_before_is_shown_to_a_line_caller() -> None:
    """The last few lines come with the greeting."""
    conversation = PlainConversation(0)
    conversation.receive_data(b"\n", 0)
    assert conversation.events() == [Arrived()]
    conversation.welcome("guest-1", "lobby", [], [("ana", str(number)) for number in range(20)], 0)

    (data,) = conversation.data_to_send()
    assert data.decode().splitlines()[2:] == [
        "* Said before you came:",
        *(f"ana: {number}" for number in range(10, 20)),
    ]
    assert b"nobody else is here yet" in data


@pytest.mark.parametrize("line", ["bye\n", "BYE\n", "  Bye \r\n", "/bye\n", "/quit\n"])
def test_bye_leaves(line: str) -> None:
    """A whole line, trimmed, any case; the room is told, and the caller too."""
    phone = line_caller()
    phone.sends(f"see you\n{line}never read\n")

    assert phone.said == ["see you"]
    assert phone.events[-1] == Left("said bye")
    assert phone.hears() == ["* Goodbye.\n"]
    assert phone.conversation.closed


def test_bye_within_a_line_is_just_a_word() -> None:
    """Only a line of its own leaves."""
    phone = line_caller()
    phone.sends("bye all\n")

    assert phone.said == ["bye all"]
    assert not phone.conversation.closed


def test_bye_ends_the_call_first() -> None:
    """In a call bye hangs up the call, and the next one leaves."""
    phone = line_caller()
    phone.conversation.call_began("ana", phone.now)
    phone.conversation.talked("ana", "hi", phone.now)
    phone.sends("hello\nbye\n")
    assert HungUp() in phone.events
    phone.conversation.call_ended("ana", "you hung up", phone.now)
    (heard,) = phone.hears()
    assert heard.splitlines() == [
        "* You are in a call with ana: only they hear you. bye ends it.",
        "ana (call): hi",
        "* The call with ana is over: you hung up.",
    ]
    phone.sends("bye\n")

    assert phone.events[-1] == Left("said bye")


def test_the_end_of_data_comes_after_what_was_said() -> None:
    """A file without a last line end, piped into ``nc -N``: all of it is said, and what there is to hear is heard."""
    phone = Telephone()
    phone.sends("one\ntwo")
    phone.hangs_up()

    assert phone.said == ["one", "two"]
    assert phone.events[-1] == Left("hung up")
    assert phone.hears() == [GREETING]


def test_a_message_and_the_end_of_data() -> None:
    """``printf hi | nc -N`` is a line too; nobody waits for an answer's turn."""
    phone = Telephone()
    phone.sends("hi")
    phone.hangs_up()

    assert phone.said == ["hi"]
    assert phone.hears() == [GREETING]


def test_a_caller_that_only_hangs_up_was_never_there() -> None:
    """No line, no arrival."""
    phone = Telephone()
    phone.hangs_up()

    assert phone.events == [Left("hung up")]
    assert phone.hears() == []


def test_telnet_commands_are_not_text() -> None:
    """Options, subnegotiation and their like vanish; nothing is answered."""
    phone = Telephone()
    phone.sends(b"\xff\xfd\x03\xff\xfb\x18he\xff\xf1l\xff\xfa\x18\x00xte\xff\xffrm\xff\xf0lo\r\n")

    assert phone.said == ["hello"]
    assert phone.hears() == [GREETING.replace("\n", "\r\n")]


@pytest.mark.parametrize(
    ("key", "name"),
    [(b"\xff\xf4", "Ctrl-C"), (b"\xff\xec", "Ctrl-D"), (b"\x03", "Ctrl-C"), (b"\x04", "Ctrl-D")],
)
def test_control_c_and_control_d_leave(key: bytes, name: str) -> None:
    """However telnet or a raw terminal says it."""
    phone = line_caller()
    phone.sends(b"half a line" + key)

    assert phone.said == []
    assert phone.hears() == [f"* You pressed {name}. Goodbye.\n"]
    assert phone.events[-1] == Left("said bye")


def test_the_timing_mark_is_answered() -> None:
    """Telnet shows nothing after Ctrl-O until it has this."""
    phone = line_caller()
    phone.sends(b"\xff\xf5\xff\xfd\x06")

    assert phone.conversation.data_to_send() == [b"\xff\xfb\x06"]


def test_a_timing_mark_before_the_first_line_is_answered_with_it() -> None:
    """Nothing is sent before, and telnet shows nothing until it has this."""
    phone = Telephone()
    phone.sends(b"\xc3\xff\xf3\xff\xfd\x06")
    assert phone.conversation.data_to_send() == []
    phone.sends(b"\n")

    assert phone.said == ["Ü"]
    assert b"\xff\xfb\x06" in phone._sends + phone.conversation.data_to_send()


def test_backspaces_are_carried_out() -> None:
    """A terminal that sends each key leaves the editing to us."""
    phone = line_caller()
    phone.sends("hellp\x7fo\b\bo!\n")

    assert phone.said == ["helo!"]


@pytest.mark.limit("chat.plain.bad_lines")
def test_a_line_that_is_not_utf8_is_refused_alone() -> None:
    """The line is not said, the next one is; the third bad one ends it."""
    phone = line_caller()
    phone.sends(b"caf\xe9\nfine\n")
    assert phone.said == ["fine"]
    assert phone.hears() == [
        "* That was not UTF-8 text, so nobody saw it. Please set your program to UTF-8.\n"
    ]
    phone.sends(b"\xff\xff\n\xc3\n")

    assert phone.events[-1] == Left("sent what is not text")
    assert phone.hears()[0].endswith("* That was the last time, so this line ends here.\n")


def test_rubbish_from_a_stranger_lets_nobody_in() -> None:
    """Binary noise is refused without an arrival."""
    phone = Telephone()
    phone.sends(b"\x80\x81\n\x82\n\x83\n")

    assert [type(event) for event in phone.events] == [Left]


@pytest.mark.limit("chat.text")
def test_the_longest_line_and_one_more() -> None:
    """4,096 bytes are said; of a longer one only the fact is kept, and it costs no memory."""
    phone = line_caller()
    phone.sends("x" * 4096 + "\n")
    assert phone.said == ["x" * 4096]
    for _ in range(200):
        phone.sends("y" * 4096)
    phone.sends("the end of it\nnext\n")

    assert phone.said[1:] == ["next"]
    assert phone.hears() == ["* That line was too long: 4,096 bytes are the most. Nobody saw it.\n"]


def test_a_line_without_end_ends_the_caller() -> None:
    """Nobody waits for the end of a file that was piped in by mistake."""
    phone = line_caller()
    for _ in range(300):
        phone.sends("y" * 4096)

    assert phone.events[-1] == Left("sent a line without end")
    assert phone.hears() == ["* That line was too long: 4,096 bytes are the most. Nobody saw it.\n"]


@pytest.mark.limit("chat.rate", "chat.burst")
def test_a_fast_caller_is_slowed_and_loses_nothing() -> None:
    """Five at once, then two a second; meanwhile nothing more is read from the socket."""
    phone = line_caller()
    phone.passes(60)
    phone.sends("".join(f"{number}\n" for number in range(10)))
    assert phone.said == ["0", "1", "2", "3", "4"]
    assert not phone.conversation.wants_data
    phone.passes(0.49)
    assert len(phone.said) == 5
    phone.passes(0.02)
    assert len(phone.said) == 6
    phone.passes(2.0)

    assert phone.said == [str(number) for number in range(10)]
    assert phone.conversation.wants_data


def test_a_caller_is_not_read_from_while_the_chat_is_at_work_on_its_lines() -> None:
    """Slow storage slows who fills it, and nobody's memory grows."""
    conversation = PlainConversation(0)
    conversation.receive_data(b"one\ntwo\n", 0)
    assert not conversation.wants_data
    conversation.welcome("guest-1", "lobby", [], [], 0)
    assert not conversation.wants_data
    conversation.finished(0, others=0)

    assert conversation.events() == [Arrived(), Said("one"), Said("two")]
    assert conversation.wants_data


def test_the_end_of_data_waits_for_a_slowed_caller() -> None:
    """A file piped into nc is said to its last line."""
    phone = Telephone()
    phone.sends("".join(f"{number}\n" for number in range(20)))
    phone.hangs_up()
    phone.passes(30)

    assert phone.said == [str(number) for number in range(20)]
    assert phone.events[-1] == Left("hung up")


@pytest.mark.limit("chat.plain.slowed_for")
def test_a_flood_ends_with_a_sentence() -> None:
    """Who made it may be gone, and nobody else can stop it."""
    phone = line_caller()
    phone.passes(60)
    phone.sends("spam\n" * 1000)
    phone.passes(59.9)
    before = len(phone.said)
    phone.passes(0.6)

    assert 120 <= before <= len(phone.said) <= 126
    assert phone.events[-1] == Left("sent lines without a pause")
    heard = "".join(phone.hears())
    assert heard.count("from here on 2 a second go out") == 1
    assert heard.endswith("without a pause, faster than people read. The rest was not seen; call again.\n")


@pytest.mark.limit("chat.plain.unread_lines")
def test_a_caller_that_does_not_read_is_told_what_it_missed() -> None:
    """What waits is bounded; the oldest lines go, and how many is said."""
    phone = line_caller()
    for number in range(plain.MAX_UNREAD_LINES + 12):
        phone.room_says(str(number))

    (heard,) = phone.hears()
    assert heard.splitlines()[:2] == ["* … 12 earlier lines", "ana: 12"]
    assert len(heard.splitlines()) == plain.MAX_UNREAD_LINES + 1


def test_the_server_may_end_it() -> None:
    """The reason is the last thing heard; what comes after is not read."""
    phone = line_caller()
    phone.conversation.close("The server is going down.")
    phone.carry_out()
    phone.sends("hello?\n")

    assert phone.hears() == ["* The server is going down.\n"]
    assert phone.events[-1] == Left("The server is going down.")
    assert phone.said == []


def test_a_stranger_is_told_nothing_when_the_server_ends() -> None:
    """Even then the server does not speak first."""
    phone = Telephone()
    phone.sends("half")
    phone.conversation.close("The server is going down.")
    phone.carry_out()

    assert phone.hears() == []
    assert phone.conversation.closed


def test_what_the_chat_refuses_is_told() -> None:
    """For example a line that could not be stored."""
    phone = line_caller()
    phone.answer = lambda event: "The disk is full: nobody saw that."
    phone.sends("hello\n")

    assert phone.hears() == ["* The disk is full: nobody saw that.\n"]


# Callers that take turns.


def test_a_first_message_without_a_line_end_makes_a_turn_taking_caller() -> None:
    """After 150 ms it is a message, and is answered by one send within one second."""
    phone = Telephone()
    phone.sends("hello")
    phone.passes(0.14)
    assert phone.said == []
    phone.passes(0.02)
    assert phone.said == ["hello"]
    assert phone.hears() == []
    phone.passes(0.8)

    assert phone.hears() == [f"{TURN_GREETING}\n* said in lobby: to 1 other"]


def test_a_line_end_makes_a_line_caller_for_good() -> None:
    """Whenever it comes: slow fingers in a telnet that sends each key are no program."""
    phone = turn_caller()
    phone.room_says("waiting for its turn")
    phone.sends("now a line\n")

    assert phone.conversation.mode is Mode.LINES
    assert phone.said == ["now a line"]
    assert phone.hears() == ["ana: waiting for its turn\n"]
    phone.sends("half")
    phone.passes(60)
    assert phone.said == ["now a line"]


def test_one_send_a_message_with_what_was_said_since() -> None:
    """What was said since the last answer is the answer, at once; else a short receipt."""
    phone = turn_caller()
    phone.room_says("first")
    phone.room_says("second", name="ben")
    phone.sends("and?")
    phone.passes(0.2)
    assert phone.hears() == ["ana: first\nben: second"]
    phone.sends("so?")
    phone.passes(0.69)
    assert phone.hears() == []
    phone.passes(0.02)

    assert phone.hears() == ["* said in lobby: to 1 other"]


@pytest.mark.limit("chat.plain.operator_wait")
def test_with_an_operator_the_answer_is_what_anybody_says_next() -> None:
    """It is waited for, up to 60 s; then there is a receipt."""
    phone = Telephone(operator=True)
    phone.sends("hello")
    phone.passes(30)
    assert phone.hears() == []
    phone.room_says("hello yourself", name="host")
    assert phone.hears() == [f"{TURN_GREETING}\nhost: hello yourself"]
    phone.sends("how are you?")
    phone.passes(59.9)
    assert phone.hears() == []
    phone.passes(0.2)

    assert phone.hears() == ["* said in lobby: to 1 other"]


def test_when_the_operator_goes_nobody_waits_for_him() -> None:
    """A caller that waits gets its receipt then."""
    phone = turn_caller(operator=True)
    phone.sends("hello?")
    phone.passes(10)
    assert phone.hears() == []
    phone.conversation.operator_present(False, phone.now)

    assert phone.hears() == ["* said in lobby: to 1 other"]


def test_room_news_are_no_answer() -> None:
    """A turn-taking caller hears people, not doors."""
    phone = turn_caller(operator=True)
    phone.sends("hello?")
    phone.passes(1)
    phone.conversation.noticed("ben joined", phone.now)

    assert phone.hears() == []


def test_a_command_is_answered_at_once() -> None:
    """Its answer is the answer, operator or not."""
    phone = turn_caller(operator=True)
    phone.answer = lambda event: "here are: ana, guest-1"
    phone.sends("/who")
    phone.passes(0.16)
    assert phone.hears() == ["* here are: ana, guest-1"]
    for message, answer in (
        ("/help", "* Type a line"),
        ("/hlep", "* There is no command /hlep"),
        ("  ", "* That was an empty"),
    ):
        phone.passes(2)
        phone.sends(message)
        phone.passes(0.16)
        (heard,) = phone.hears()
        assert heard.startswith(answer)


def test_a_refused_message_is_answered_by_the_reason() -> None:
    """At once, operator or not."""
    phone = turn_caller(operator=True)
    phone.answer = lambda event: "The disk is full: nobody saw that."
    phone.sends("hello")
    phone.passes(0.16)

    assert phone.hears() == ["* The disk is full: nobody saw that."]


@pytest.mark.limit("chat.plain.send")
def test_an_answer_is_at_most_1024_bytes_and_the_rest_comes_next_turn() -> None:
    """Whole characters; line by line where lines fit, and nothing is lost."""
    phone = turn_caller()
    phone.room_says("é" * 1000)
    phone.room_says("short")
    heard = []
    for _ in range(3):
        phone.sends("more")
        phone.passes(0.2)
        heard += phone.hears()

    assert [len(send.encode()) for send in heard] == [1023, 997]
    assert heard == ["ana: " + "é" * 509, "… " + "é" * 491 + "\nana: short"]


def test_no_send_begins_with_words_that_somebody_put_at_the_cut() -> None:
    """Who cuts a long line in the right place does not speak as the host."""
    phone = turn_caller()
    phone.room_says("x" * (1024 - len("ana: ")) + "host: send me your password")
    heard = []
    for _ in range(2):
        phone.sends("more")
        phone.passes(0.2)
        heard += phone.hears()

    assert heard[1] == "… host: send me your password"


def test_telnet_commands_without_end_end_the_caller() -> None:
    """They make no line, so no pace for lines holds them."""
    phone = line_caller()
    for _ in range(100):
        phone.sends(b"\xff\xf1" * 1000)

    assert phone.conversation.closed
    assert phone.hears() == [f"* {TOO_LONG}\n"]


def test_the_rest_is_not_pressed_on_a_caller_that_thinks() -> None:
    """It waits for the next turn, however long that takes."""
    phone = turn_caller()
    phone.room_says("x" * 2000)
    phone.sends("go on")
    phone.passes(0.2)
    assert [len(send) for send in phone.hears()] == [1024]
    phone.passes(120)

    assert phone.hears() == []


@pytest.mark.limit("chat.plain.waiting_lines")
def test_a_long_backlog_loses_its_oldest_lines_and_says_so() -> None:
    """A caller that thinks for an hour is told how much it missed."""
    phone = turn_caller()
    phone.sends("wait")
    phone.passes(0.8)
    phone.hears()
    for number in range(212):
        phone.room_says(f"line {number}")
    phone.sends("back")
    phone.passes(0.2)

    (heard,) = phone.hears()
    assert heard.startswith("* … 12 earlier lines\nana: line 12\n")


def test_an_empty_line_is_helped_after_five_seconds() -> None:
    """The caller sent nothing and blocks: what is said next goes to it unasked, and counts as its next answer."""
    phone = turn_caller()
    phone.passes(5)
    assert phone.hears() == []
    phone.room_says("anybody?")
    assert phone.hears() == ["ana: anybody?"]
    phone.room_says("hello?")
    phone.passes(20)
    assert phone.hears() == []
    phone.sends("yes")
    phone.passes(2)
    assert phone.said == ["yes"]
    assert phone.hears() == []  # its recv had "anybody?" already, if it was not blocked before


def test_what_is_said_within_the_silence_goes_out_when_it_is_over() -> None:
    """Five seconds after the last answer, not five seconds after the last word."""
    phone = turn_caller()
    phone.passes(2)
    phone.room_says("one")
    phone.passes(1)
    phone.room_says("two")
    phone.passes(0.9)
    assert phone.hears() == []
    phone.passes(0.2)

    assert phone.hears() == ["ana: one\nana: two"]


def test_after_an_unasked_answer_a_quick_second_message_settles_it() -> None:
    """Who sends twice was not blocked, so the second message waits for an answer and gets it."""
    phone = turn_caller()
    phone.passes(6)
    phone.room_says("unasked")
    assert phone.hears() == ["ana: unasked"]
    phone.sends("one")
    phone.passes(2)
    assert phone.hears() == []
    phone.sends("two")
    phone.passes(0.8)

    assert phone.hears() == ["* said in lobby: to 1 other"]


@pytest.mark.limit("chat.plain.unasked_wait", "chat.plain.doubt_wait")
def test_after_an_unasked_answer_nobody_waits_for_ever() -> None:
    """Its message may be waiting: the next word goes to it after five seconds, a receipt after thirty."""
    for word, wait in (("here I am", 5.0), (None, 30.0)):
        phone = turn_caller()
        phone.passes(6)
        phone.room_says("unasked")
        phone.sends("hello?")
        phone.passes(0.2)
        phone.hears()
        if word is not None:
            phone.room_says(word)
        phone.passes(wait - 0.3)
        assert phone.hears() == []
        phone.passes(0.3)

        assert phone.hears() == [f"ana: {word}" if word else "* said in lobby: to 1 other"]


def test_who_presses_enter_again_and_again_still_hears() -> None:
    """Further unasked answers come after longer silences, together fit one recv, and end with a word on how to go on."""
    phone = turn_caller()
    phone.passes(6)
    heard: list[str] = []
    for number in range(100):
        phone.room_says(f"news {number}")
        phone.passes(31)
        heard += phone.hears()

    assert heard[:2] == ["ana: news 0", "\nana: news 1"]
    assert all(send.startswith("\n") for send in heard[1:])
    assert heard[-1] == "\n* There is more: type something (not an empty line) to hear it."
    assert 900 < len("".join(heard)) <= 1024
    phone.sends("go on")  # everything before is read now, and it all begins anew
    phone.passes(5.2)
    (rest,) = phone.hears()
    assert rest.startswith(f"ana: news {len(heard) - 1}\nana: news {len(heard)}\n")
    phone.room_says("and on")
    phone.passes(31)
    assert phone.hears() != []


def test_after_too_many_empty_lines_a_conversation_begins_anew() -> None:
    """What was unread then does not count for ever."""
    phone = turn_caller()
    phone.passes(6)
    for _ in range(4):
        phone.room_says("x" * 500)
        phone.passes(31)
    assert phone.hears()[1:] == ["\n* There is more: type something (not an empty line) to hear it."]
    phone.sends("one")
    phone.passes(1)
    phone.sends("two")  # so it was not blocked at "one"
    phone.passes(0.2)
    assert phone.hears() == ["\n".join(["ana: " + "x" * 500] * 2)]
    phone.passes(3)
    phone.sends("three")
    phone.passes(0.2)
    assert phone.hears() == ["ana: " + "x" * 500]
    phone.passes(6)
    phone.room_says("still there?")

    assert phone.hears() == ["ana: still there?"]


def test_the_silence_begins_with_the_last_word_of_either_side() -> None:
    """A caller that was just answered is given its time to type."""
    phone = turn_caller(operator=True)
    phone.sends("hello?")
    phone.passes(30)
    phone.room_says("yes?", name="host")
    assert phone.hears() == ["host: yes?"]
    phone.passes(3)
    phone.room_says("well?", name="host")
    assert phone.hears() == []
    phone.passes(2.1)

    assert phone.hears() == ["host: well?"]


def test_a_command_without_an_answer_is_done() -> None:
    """And says so at once."""
    phone = turn_caller(operator=True)
    phone.sends("/nick ana-2")
    phone.passes(0.16)

    assert phone.hears() == ["* done"]


def test_two_messages_at_once_are_one_turn() -> None:
    """What arrives together was one send, or is as good as one; what comes apart is answered apart."""
    phone = turn_caller()
    phone.sends("one ")
    phone.sends("two")
    phone.passes(0.2)
    assert phone.said == ["one two"]
    phone.sends("three")
    phone.passes(0.2)
    phone.room_says("heard")
    phone.passes(1)

    assert phone.said == ["one two", "three"]
    assert phone.hears() == ["ana: heard", "* said in lobby: to 1 other"]


def test_a_message_that_dribbles_is_answered_in_time_too() -> None:
    """Its time counts from its first byte, so that a second is a second for who waits."""
    phone = turn_caller()
    for _ in range(4):
        phone.sends("x")
        phone.passes(0.1)
    phone.passes(0.29)
    assert phone.hears() == []
    phone.passes(0.02)

    assert phone.hears() == ["* said in lobby: to 1 other"]
    assert phone.said == ["xxxx"]


@pytest.mark.parametrize("size", [1023, 1024, 1025, 4096])
def test_a_long_message_is_one_message(size: int) -> None:
    """Even in several segments."""
    phone = turn_caller()
    message = "é" * (size // 2) + "x" * (size % 2)
    data = message.encode()
    for cut in range(0, len(data), 1000):
        phone.sends(data[cut : cut + 1000])
        phone.passes(0.1)
    phone.passes(0.2)

    assert phone.said == [message]


@pytest.mark.limit("chat.plain.split_wait")
def test_a_message_cut_within_a_character_is_waited_for() -> None:
    """A slow network does not make it rubbish; a broken program does."""
    phone = turn_caller()
    phone.sends(b"caf\xc3")
    phone.passes(0.4)
    assert phone.said == []
    phone.sends(b"\xa9")
    phone.passes(0.2)
    assert phone.said == ["café"]
    phone.passes(1)
    phone.hears()
    phone.sends(b"caf\xc3")
    phone.passes(0.6)

    assert phone.said == ["café"]
    assert "not UTF-8" in phone.hears()[0]


def test_too_long_a_message_is_refused() -> None:
    """In one send, like every answer."""
    phone = turn_caller()
    phone.sends("x" * 4097)
    phone.passes(0.2)

    assert phone.hears() == ["* That line was too long: 4,096 bytes are the most. Nobody saw it."]


@pytest.mark.parametrize("message", ["bye", "Bye ", "/bye"])
def test_a_turn_taking_caller_says_bye(message: str) -> None:
    """Without a line end, and even in a call: the program ends there."""
    phone = turn_caller()
    phone.conversation.call_began("ana", phone.now)
    phone.sends(message)
    phone.hangs_up()

    assert phone.said == []
    assert phone.events[-1] == Left("said bye")


def test_bye_without_hanging_up() -> None:
    """A client that reads once more after bye is not left blocked."""
    phone = turn_caller()
    phone.sends("bye")
    phone.passes(0.2)

    assert phone.hears() == ["* Goodbye."]
    assert phone.conversation.closed


def test_the_server_ends_while_an_answer_is_owed() -> None:
    """One send: what was said, and the reason."""
    phone = turn_caller(operator=True)
    phone.sends("hello?")
    phone.passes(1)
    phone.conversation.close("The server is going down.")
    phone.carry_out()

    assert phone.hears() == ["* The server is going down."]


# What holds for every conversation.

LINES = st.lists(
    st.sampled_from(
        [
            *(
                b"hello\n",
                b"\n",
                b"one\r\n",
                b"two\r",
                b"\r\0x\n",
                b"caf\xc3\xa9\n",
                b"\xe9\n",
                b"half",
                b"a\x7fb\n",
            ),
            *(b"/who\n", b"/nope\n", b"bye\n", b"y" * 4100 + b"\n", b"z" * 4096 + b"\n", b"\x04"),
            *(b"\xff\xfd\x03", b"\xff\xff\n", b"\xff\xfa\x18\x01\xff\xff\xff\xf0"),
        ]
    ),
    max_size=12,
)


@given(LINES, st.data())
def test_the_same_bytes_in_any_chunks_are_the_same_conversation(
    parts: list[bytes], data: st.DataObject
) -> None:
    """Where a network cuts decides nothing."""
    whole = b"\n" + b"".join(parts)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole)), max_size=12)))
    outcomes = []
    for edges in ([0, len(whole)], [0, *cuts, len(whole)]):
        phone = Telephone()
        for start, end in itertools.pairwise(edges):
            if chunk := whole[start:end]:
                phone.sends(chunk)
        phone.hangs_up()
        phone.passes(60)
        outcomes.append((phone.events, "".join(phone.hears())))

    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0][-1].__class__ is Left


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20), st.lists(st.floats(0, 10), max_size=20))
def test_no_bytes_at_any_time_do_harm(chunks: list[bytes], pauses: list[float]) -> None:
    """Whatever arrives, what leaves is text for a terminal, and every turn is at most 1,024 bytes."""
    phone = Telephone()
    for chunk, pause in itertools.zip_longest(chunks, pauses):
        phone.sends(chunk or b" ")
        phone.passes(pause or 0)
        phone.room_says("hi\x1b[2J")
        for heard in phone.hears():
            assert heard.replace("\r\n", "\n").replace("\n", "").isprintable()
            assert phone.conversation.mode is not Mode.TURNS or len(heard.encode()) <= 1024


ACTIONS = st.lists(
    st.tuples(st.just("type"), st.sampled_from(["a", "hello", "x" * 1500, "/who", "ü"]))
    | st.tuples(st.just("enter"), st.none())
    | st.tuples(st.just("room"), st.sampled_from(["short", "l" * 300, "é" * 700, "l" * 4000]))
    | st.tuples(st.just("wait"), st.sampled_from([0.05, 0.3, 1.0, 4.0, 6.0, 29.0, 61.0])),
    max_size=40,
)


class ClassicClient:
    """The ten-line client: it sends, blocks in one ``recv(1024)``, and its person types only when it is not blocked."""

    def __init__(self, phone: Telephone) -> None:
        self.phone = phone
        self.unread: list[str] = []
        self.heard: list[str] = []
        self.is_blocked = False

    def types(self, text: str) -> None:
        if not self.is_blocked:
            if text:
                self.phone.sends(text)
            self.is_blocked = True
            self.looks()

    def looks(self) -> None:
        """Read what is there, if it is in its recv."""
        self.unread += self.phone.hears()
        if self.is_blocked and self.unread:
            together = "".join(self.unread)
            assert len(together.encode()) <= 1024, "one recv would cut this"
            self.heard.append(together)
            self.unread.clear()
            self.is_blocked = False

    def waits(self, seconds: float) -> None:
        self.phone.passes(seconds)
        self.looks()


@given(ACTIONS, st.booleans())
def test_a_classic_client_stays_in_step(
    actions: list[tuple[str, str | float | None]], operator: bool
) -> None:
    """Whatever its person does: a recv never gets more than it takes, a message is answered, no word is lost or changes places."""
    phone = Telephone(operator=operator)
    phone.answer = lambda event: "a list" if isinstance(event, Asked) else None
    client = ClassicClient(phone)
    client.types("hello")
    client.waits(61)
    spoken = 0
    is_blocked_by_empty_line = False
    for action, what in actions:
        if action == "wait":
            client.waits(float(what or 0))
        elif action == "room":
            phone.room_says(f"#{spoken} {what}")
            spoken += 1
        elif not client.is_blocked:
            client.types(str(what or ""))
            is_blocked_by_empty_line = not what
        client.looks()
        if client.is_blocked and not is_blocked_by_empty_line:
            client.waits(61)
            assert not client.is_blocked, "its message was never answered"

    # To the end: an empty line is helped by what the room says next, unless it was told to type something; then all the rest is read.
    for _ in range(40):
        if client.is_blocked and not any("There is more" in heard for heard in client.heard[-1:]):
            phone.room_says(f"#{spoken} help")
            spoken += 1
            client.waits(31)
            assert not client.is_blocked, "an empty line was never helped"
    for _ in range(8 * spoken):
        client.types("more")
        client.waits(61)

    everything = "\n".join(client.heard)
    numbers = [int(number) for number in re.findall(r"ana: #(\d+) ", everything)]
    if "earlier lines" in everything or client.is_blocked:
        assert numbers == sorted(set(numbers))
    else:
        assert numbers == list(range(spoken))


@pytest.mark.limit("chat.plain.unread_size")
@pytest.mark.parametrize("size", [PLAIN.unread_size, PLAIN.unread_size + 1])
def test_what_a_caller_does_not_read_is_bounded_in_size(size: int) -> None:
    """At the limit all of it is there; one character more, and the oldest line goes and that is said."""
    phone = line_caller()
    phone.room_says("first")
    phone.room_says("x" * (size - len("ana: first") - len("ana: ")))

    (heard,) = phone.hears()
    assert heard.startswith("ana: first" if size == PLAIN.unread_size else "* … 1 earlier lines")


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        ("".join(f"{number}\n" for number in range(7)), "chat.rate"),
        ("x" * 4097 + "\n", "chat.text"),
        ("x" * 2_000_000, "chat.plain.endless"),
        (b"\xc3\n" * 3, "chat.plain.bad_lines"),
    ],
)
def test_a_limit_that_was_hit_is_named_once(said: str | bytes, limit: str) -> None:
    """For whoever counts; the caller is slowed, told or let go as ever."""
    phone = line_caller()
    phone.passes(60)
    assert phone.conversation.hits == []
    phone.sends(said)
    phone.passes(0.1)
    phone.sends("more\n")

    assert phone.conversation.hits == [limit]
