"""The rule of a call to a classic server, with time as an argument."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.apps.chat.plain import classic
from landline.apps.chat.plain.classic import ClassicCall, Ended, Heard, Notice


class Phone:
    """A call, and the time."""

    def __init__(self, *, attended: bool = True) -> None:
        self.now = 50.0
        self.call = ClassicCall(attended=attended)

    def types(self, *lines: str) -> None:
        for line in lines:
            self.call.typed(line, self.now)

    def answers(self, data: str | bytes) -> None:
        self.call.receive_data(data.encode() if isinstance(data, str) else data, self.now)

    def passes(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(1000):
            at = self.call.timeout_at()
            if at is None or at > end:
                break
            self.now = max(self.now, at)
            self.call.handle_timeout(self.now)
        else:
            pytest.fail("a deadline that nothing meets")
        self.now = end

    def sent(self) -> list[bytes]:
        return self.call.data_to_send()

    def shown(self) -> list[str]:
        signs = {Heard: "<", Notice: "*", Ended: "."}
        return [
            f"{signs[type(event)]} {getattr(event, 'text', getattr(event, 'reason', ''))}"
            for event in self.call.events()
        ]


def test_one_message_is_outstanding_and_the_others_wait_visibly() -> None:
    """No line end goes out; the next message follows the answer; what waits and what went is said."""
    phone = Phone()
    phone.types("hello\n", "are you there?", "yes?")
    assert phone.sent() == [b"hello"]
    assert phone.shown() == [
        "* That waits until they have answered (1 waiting).",
        "* That waits until they have answered (2 waiting).",
    ]
    phone.answers("hi")
    phone.passes(0.2)
    assert phone.shown() == ["< hi", "* Sent: are you there?, 1 still waiting"]
    assert phone.sent() == [b"are you there?"]
    phone.answers("sure")
    phone.passes(0.2)

    assert phone.sent() == [b"yes?"]
    assert phone.call.waiting == 0


def test_an_answer_in_two_segments_is_one_answer() -> None:
    """Even when it is cut within a character."""
    phone = Phone()
    phone.types("one", "two")
    phone.sent()
    phone.answers(b"caf\xc3")
    phone.passes(0.1)
    phone.answers(b"\xa9!")
    phone.passes(0.1)
    assert phone.sent() == []
    phone.passes(0.1)

    assert phone.sent() == [b"two"]
    assert "< café!" in phone.shown()


def test_a_long_line_goes_out_in_pieces_of_one_recv() -> None:
    """At most 1,024 bytes of whole characters each, one a turn."""
    phone = Phone()
    phone.types("é" * 1000)
    sizes = []
    for _ in range(2):
        (data,) = phone.sent()
        sizes.append(len(data.decode()))
        phone.answers("ok")
        phone.passes(0.2)

    assert sizes == [512, 488]
    assert phone.sent() == []


def test_an_empty_reply_is_explained_and_the_person_decides() -> None:
    """After five seconds: what may be going on, and that the next Enter sends all the same."""
    phone = Phone()
    phone.types("hello")
    phone.sent()
    phone.passes(4.9)
    assert phone.shown() == []
    phone.passes(0.2)
    (shown,) = phone.shown()
    assert "pressed Enter on an empty line" in shown
    assert "sends what you type all the same" in shown
    phone.types("still there?")

    assert phone.sent() == [b"still there?"]
    phone.passes(5.1)
    assert "No answer yet" in phone.shown()[-1]


def test_an_empty_line_sends_what_waits_once_it_was_explained() -> None:
    """Not before; one message at a time, in order."""
    phone = Phone()
    phone.types("one", "two", "three", "")
    assert phone.sent() == [b"one"]
    assert phone.shown()[-1] == "* Waiting for their answer."
    phone.passes(5.1)
    assert "the next message that waits" in phone.shown()[-1]
    phone.types("")
    assert phone.sent() == [b"two"]
    phone.types("")
    assert phone.sent() == []
    phone.passes(5.1)
    phone.types("four")

    assert phone.sent() == [b"three"]
    assert phone.call.waiting == 1


def test_an_empty_line_is_not_sent() -> None:
    """It would freeze the other side; it says so."""
    phone = Phone()
    phone.types("", "   ")

    assert phone.sent() == []
    assert phone.shown() == ["* An empty line sends nothing; type something. bye ends the call."] * 2


@pytest.mark.parametrize("word", ["bye", " BYE ", "/bye"])
def test_bye_ends_the_call(word: str) -> None:
    """It goes out at once; the other side has a moment to hang up first."""
    phone = Phone()
    phone.types("hello", "never said", word)
    assert phone.sent() == [b"hello", b"bye"]
    assert phone.shown()[-1] == "* A message that waited was never sent."
    phone.answers(b"")
    assert phone.shown() == [". They hung up."]


@pytest.mark.limit("chat.client.classic_goodbye")
def test_after_bye_the_other_side_hangs_up_first_or_we_do() -> None:
    """A server that still answers would crash on a socket that is gone."""
    phone = Phone()
    phone.types("bye")
    phone.passes(1)
    assert not phone.call.closed
    phone.answers(b"")
    assert phone.shown() == [". They hung up."]
    phone = Phone()
    phone.types("bye")
    phone.types("never sent")
    phone.passes(2.1)

    assert phone.shown() == [". Goodbye."]
    assert phone.call.closed


def test_the_other_side_hangs_up() -> None:
    """What it said last is shown, and what was never sent is said."""
    phone = Phone()
    phone.types("one", "two", "three")
    phone.shown()
    phone.answers("go away")
    phone.answers(b"")

    assert phone.shown() == ["< go away", "* 2 messages that waited were never sent.", ". They hung up."]
    assert phone.call.timeout_at() is None
    phone.types("hello?")
    phone.answers(b"x")
    assert phone.shown() == []
    assert phone.sent() == [b"one"]


def test_what_was_heard_last_is_shown_whole() -> None:
    """Even a character that never became complete."""
    phone = Phone()
    phone.answers(b"caf\xc3")
    phone.answers(b"")

    assert phone.shown()[0] == "< caf\ufffd"


def test_what_is_typed_while_something_is_being_heard_waits_for_its_end() -> None:
    """So that the two are one turn, not two."""
    phone = Phone()
    phone.answers("news")
    phone.passes(0.1)
    phone.types("thanks")
    assert phone.sent() == []
    phone.passes(0.1)

    assert phone.sent() == [b"thanks"]


def test_a_broken_line_is_said() -> None:
    """With its reason."""
    phone = Phone()
    phone.call.connection_lost("reset")

    assert phone.shown() == [". The line broke: reset."]


@pytest.mark.limit("chat.client.classic_waiting")
def test_what_waits_is_bounded() -> None:
    """A line too many is refused, not lost in silence."""
    phone = Phone()
    phone.types(*["x"] * (classic.MAX_WAITING + 1), "one too many")

    assert phone.call.waiting == classic.MAX_WAITING
    assert "this line was not taken" in phone.shown()[-1]


def test_nothing_heard_moves_the_cursor() -> None:
    """Escapes and bytes that are not UTF-8 are made harmless."""
    phone = Phone()
    phone.answers(b"\x1b[2Jred\xff\x07")
    phone.passes(0.2)

    assert phone.shown() == ["< [2Jred\ufffd"]


@pytest.mark.limit("chat.client.classic_answer")
def test_an_endless_answer_is_shown_as_it_comes() -> None:
    """It costs no more memory than its bound."""
    phone = Phone()
    phone.answers(b"x" * classic.MAX_ANSWER)

    assert len(phone.shown()[0]) == classic.MAX_ANSWER + 2


def test_what_comes_unasked_is_the_next_answer() -> None:
    """As our own plain door does it: the message after it is not waited on for long."""
    phone = Phone()
    phone.answers("news!")
    phone.passes(0.2)
    phone.types("thanks", "and?")
    assert phone.sent() == [b"thanks"]
    phone.passes(1.1)

    assert phone.sent() == [b"and?"]


@pytest.mark.limit("chat.client.classic_unattended")
def test_a_pipe_goes_on_by_itself() -> None:
    """Its lines wait for their answers; after a minute of silence the next goes out; at its end the call ends."""
    phone = Phone(attended=False)
    phone.types("one", "", "two", "three")
    phone.call.typing_ended(phone.now)
    assert phone.sent() == [b"one"]
    phone.passes(59)
    assert phone.sent() == []
    phone.passes(1.1)
    assert phone.sent() == [b"two"]
    phone.answers("ok")
    phone.passes(0.2)
    assert phone.sent() == [b"three"]
    phone.answers("ok")
    phone.passes(0.2)

    assert phone.shown()[-1] == ". That was all."
    assert phone.sent() == []


def test_bye_in_a_pipe_comes_in_its_order() -> None:
    """After the lines before it were answered."""
    phone = Phone(attended=False)
    phone.types("one", "bye", "never read")
    assert phone.sent() == [b"one"]
    phone.answers("ok")
    phone.passes(0.2)
    assert phone.sent() == [b"bye"]
    phone.passes(2.1)

    assert phone.shown()[-2:] == ["* A message that waited was never sent.", ". Goodbye."]
    assert phone.sent() == []


@given(
    st.lists(
        st.tuples(st.just("type"), st.sampled_from(["hello", "", "x" * 2000, "é" * 700]))
        | st.tuples(st.just("answer"), st.sampled_from(["ok", ""]))
        | st.tuples(st.just("wait"), st.sampled_from([0.1, 0.3, 6.0])),
        max_size=40,
    )
)
def test_everything_goes_out_once_and_in_order(actions: list[tuple[str, Any]]) -> None:
    """And while nobody waited five seconds, never two messages without an answer between them."""
    phone = Phone()
    typed, sent, unanswered, patient = "", b"", 0, True
    for action, what in actions:
        if action == "type":
            if phone.call.waiting < 90:
                typed += str(what)
                phone.types(str(what))
        elif action == "answer":
            if what and unanswered:
                phone.answers(what)
                phone.passes(0.2)
                unanswered = 0
        else:
            phone.passes(float(what))
            patient = patient and what != 6.0
        for data in phone.sent():
            assert 0 < len(data) <= 1024
            sent += data
            unanswered += 1
            assert unanswered == 1 or not patient
    while phone.call.waiting:
        phone.answers("ok")
        phone.passes(0.2)
        sent += b"".join(phone.sent())

    assert sent.decode() == typed
