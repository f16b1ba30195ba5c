"""``send_many``: many messages with one way to the loop, none held back and none lost."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import landline
from landline import sync
from landline.limits import SYNC
from landline.sync.bridge import Bridge

pytestmark = pytest.mark.timeout(30)


class Listener:
    """A server whose program gathers what it is sent, once it is let."""

    def __init__(self) -> None:
        self.got: list[object] = []
        self.may = threading.Event()
        self.may.set()
        self.heard = threading.Event()
        """200 of them."""

    def program(self, session: sync.Session) -> None:
        for message in session:
            self.may.wait()
            self.got.append(message)
            if len(self.got) == 200:
                self.heard.set()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def session(listener: Listener) -> Iterator[sync.Session]:
    limits = landline.Limits(outbox_messages=100, window=4096)
    with (
        sync.serve(listener.program, "tcp://127.0.0.1:0", limits=limits) as listening,
        sync.connect(listening.addresses[0], limits=limits) as session,
    ):
        yield session
        listener.may.set()


def test_all_arrive_in_order(listener: Listener, session: sync.Session) -> None:
    """More than the outbox and more than one run ahead hold; before what is sent after them."""
    assert session.send_many(range(2000)) == 2000
    _ = session.send("last")
    session.flush()

    assert listener.got == [*range(2000), "last"]


def test_of_an_empty_iterable_there_is_nothing_to_send(session: sync.Session) -> None:
    """It returns at once."""
    assert session.send_many([]) == 0


def test_none_waits_for_the_next(listener: Listener, session: sync.Session) -> None:
    """An iterable that gives one only after the one before was answered gets on."""
    answers: list[landline.Outcome] = []

    def live() -> Iterator[int]:
        for number in range(5):
            yield number
            while len(listener.got) <= number:
                session.flush(10)
            answers.append(landline.Outcome("acked"))

    assert session.send_many(live()) == 5
    assert len(answers) == 5


@pytest.mark.limit("sync.send_ahead")
def test_an_endless_iterable_is_taken_in_bounded_pieces(listener: Listener, session: sync.Session) -> None:
    """Where nobody receives it stops after what fits and what may be taken ahead, not one more; when the time is up it says what is left."""
    listener.may.clear()
    numbers = itertools.count()

    with pytest.raises(landline.SendTimeout) as late:
        session.send_many(numbers, timeout=0.5)
    sent, unsent = late.value.sent, late.value.unsent
    assert sent >= 100
    assert len(unsent) <= SYNC.send_ahead
    assert next(numbers) == sent + len(unsent)  # it was asked for no more than these
    listener.may.set()
    session.send_many(unsent)
    session.flush()

    assert listener.got == list(range(sent + len(unsent)))


@pytest.mark.limit("sync.send_ahead")
def test_as_many_as_may_be_taken_ahead_are(session: sync.Session, listener: Listener) -> None:
    """With a full outbox exactly so many are taken; the next is not asked for."""
    listener.may.clear()
    sent, unsent, numbers = 1, [], itertools.count()
    for _ in range(20):  # until its last acks have come, and made no more room
        if sent == 0:
            break
        numbers = itertools.count()
        with pytest.raises(landline.SendTimeout) as late:
            session.send_many(numbers, timeout=0.3)
        sent, unsent = late.value.sent, late.value.unsent

    assert unsent == list(range(SYNC.send_ahead))
    assert next(numbers) == SYNC.send_ahead


def test_a_time_that_is_up_is_seen_between_two_values(session: sync.Session) -> None:
    """Also where each is sent as soon as it comes; the one that came too late is told."""
    time_is_up = threading.Event()

    def slow() -> Iterator[int]:
        yield 0
        time_is_up.wait(0.2)
        yield 1
        yield 2

    values = slow()
    with pytest.raises(TimeoutError) as late:
        session.send_many(values, timeout=0.1)

    assert isinstance(late.value, landline.SendTimeout)
    assert late.value.sent + len(late.value.unsent) == 2
    assert late.value.unsent[-1] == 1
    assert list(values) == [2]


def test_what_was_sent_at_the_last_moment_is_sent(
    session: sync.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is up just then: there is nothing that could be told as not sent, so this is no time-out."""
    done = Bridge.run

    def run(bridge: Bridge, work: Any, *args: Any) -> Any:
        result = done(bridge, work, *args)
        if work.__name__ == "_all_sent":
            raise TimeoutError
        return result

    monkeypatch.setattr(Bridge, "run", run)

    assert session.send_many([1, 2, 3], timeout=10) == 3


def test_one_that_cannot_be_sent_stops_it(listener: Listener, session: sync.Session) -> None:
    """Those before it are sent, and it is the first of those that are not."""
    bad = object()

    with pytest.raises(landline.NotAllSent) as stopped:
        session.send_many([1, 2, bad, 3])
    assert isinstance(stopped.value.__cause__, landline.DataError)
    session.flush()

    assert (stopped.value.sent, stopped.value.unsent[0]) == (2, bad)
    assert set(stopped.value.unsent) <= {bad, 3}
    assert listener.got == [1, 2]


def test_what_an_iterable_gave_before_it_failed_is_sent(listener: Listener, session: sync.Session) -> None:
    """Though its error may close the session."""

    def failing() -> Iterator[int]:
        yield from range(200)
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"), session:
        session.send_many(failing())

    assert listener.heard.wait(10)
    assert listener.got == list(range(200))


def test_a_session_that_is_over_says_so(session: sync.Session) -> None:
    """By the error that every other call raises."""
    session.close()

    with pytest.raises(landline.SessionClosed):
        session.send_many([1])
