"""The orderly close in all its interleavings: what was sent is delivered first, both ends learn it, and a cut in the middle loses nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest

from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.events import ConnectionEnded, OutcomesKnown, PeerClosed
from landline.protocol.frames import MAGIC, CloseCode, FrameType, encode_frame
from landline.protocol.handshake import Close, Refusal, decode_payload, encode_payload
from landline.protocol.states import Phase, Role
from tests.protocol.lines import (
    TOKEN,
    Line,
    Pair,
    frames_of,
    hear,
    make_hello,
    make_session,
    make_welcome,
    open_pair,
    say,
)


def close_guest(pair: Pair, code: CloseCode = CloseCode.NORMAL, **more: Any) -> None:
    pair.line.client.close(code, "bye", pair.now, **more)


def close_host(pair: Pair, code: CloseCode = CloseCode.NORMAL, **more: Any) -> None:
    pair.line.server.close(code, "bye", pair.now, **more)


def kinds_of(data: list[bytes]) -> list[str]:
    return [FrameType(kind).name for kind, _, _ in frames_of(data)]


def ends_of(pair: Pair) -> tuple[CloseCode, CloseCode]:
    """Return the codes with which the guest's and the host's connection ended."""
    assert (pair.line.client.phase, pair.line.server.phase) == (Phase.CLOSED, Phase.CLOSED)
    (host_end,) = [event for event in pair.host.log if isinstance(event, ConnectionEnded)]
    assert pair.guest.end is not None
    return pair.guest.end.code, host_end.code


def test_what_was_sent_arrives_before_the_close() -> None:
    """CLOSE is the last frame of its direction that counts."""
    pair = open_pair()
    say(pair.guest.core, "last")
    close_guest(pair)

    assert kinds_of(pair.line.client.data_to_send(pair.now)) == ["TEXT", "CLOSE"]


def test_the_other_end_answers_when_its_program_is_done() -> None:
    """And tells what it handled before its own close, so that every outcome is known."""
    pair = open_pair()
    say(pair.guest.core, "last")
    close_guest(pair)
    pair.settle()
    assert (pair.line.client.phase, pair.line.server.phase) == (Phase.CLOSING, Phase.DRAINING)
    assert pair.host.log[-1] == PeerClosed(CloseCode.NORMAL, "bye", None)

    assert hear(pair.host.core) == ["last"]
    close_host(pair)
    core = pair.guest.core
    pair.settle()

    assert ends_of(pair) == (CloseCode.NORMAL, CloseCode.NORMAL)
    assert core.messages.handled_by_peer == 1
    assert OutcomesKnown(0, 1) in pair.guest.log


def test_a_close_waits_for_credit() -> None:
    """What is not written yet goes first, however long the other program takes for it."""
    pair = open_pair(Limits(window=100, close_timeout=50.0))
    for number in range(10):
        say(pair.guest.core, number)
    close_guest(pair)

    heard = []
    while pair.line.server.phase is Phase.OPEN:
        pair.wait(0.1)
        heard += hear(pair.host.core)
    heard += hear(pair.host.core)

    assert heard == list(range(10))
    assert pair.line.server.phase is Phase.DRAINING


def test_what_we_handled_is_told_before_our_close() -> None:
    """An ack that waits for company does not wait beyond the close."""
    pair = open_pair()
    say(pair.guest.core, "a")
    pair.settle()
    hear(pair.host.core)
    close_host(pair)

    assert kinds_of(pair.line.server.data_to_send(pair.now)) == ["ACK", "HANDLED", "CREDIT", "CLOSE"]


def test_nothing_counted_follows_a_close() -> None:
    """A program that sends all the same is not heard; its message stays unsent."""
    pair = open_pair()
    close_guest(pair)
    pair.settle()

    say(pair.guest.core, "too late")
    pair.settle()

    assert pair.line.server.phase is Phase.DRAINING
    assert pair.guest.core.has_unsent
    assert not pair.line.client.has_more_to_send


def test_a_draining_end_sends_nothing_more() -> None:
    """The peer has closed and takes nothing; what was queued stays so, and is known never to have arrived."""
    pair = open_pair()
    close_guest(pair)
    pair.settle()
    say(pair.host.core, "too late")
    pair.settle()
    assert pair.line.client.phase is Phase.CLOSING

    core = pair.host.core
    close_host(pair)
    pair.settle()

    assert (core.messages.queued, core.messages.reach) == (1, 0)
    assert ends_of(pair) == (CloseCode.NORMAL, CloseCode.NORMAL)


def test_both_close_at_once() -> None:
    """Two closes cross: each ends the other, and what was handled before is known on both sides."""
    pair = open_pair()
    guest, host = pair.guest.core, pair.host.core
    say(guest, "up")
    say(host, "down")
    pair.settle()
    assert (hear(guest), hear(host)) == (["down"], ["up"])
    close_guest(pair)
    close_host(pair)

    pair.settle()

    assert ends_of(pair) == (CloseCode.NORMAL, CloseCode.NORMAL)
    assert (guest.messages.handled_by_peer, host.messages.handled_by_peer) == (1, 1)


def test_a_close_that_crosses_one_that_still_waits() -> None:
    """Whoever still has something to say gives up: the peer takes no more. Both ends know what arrived."""
    pair = open_pair(Limits(window=100))
    guest, host = pair.guest.core, pair.host.core
    for number in range(10):
        say(guest, number)
    close_guest(pair)
    pair.settle()
    assert pair.line.client.phase is Phase.CLOSING
    assert hear(host)

    close_host(pair)
    pair.settle()

    assert ends_of(pair) == (CloseCode.NORMAL, CloseCode.NORMAL)
    assert 0 < guest.messages.handled_by_peer == host.messages.handled


@pytest.mark.limit("close_timeout")
def test_an_answer_takes_too_long() -> None:
    """The end that waits for it goes when its time is over."""
    pair = open_pair(Limits(close_timeout=5.0))
    close_guest(pair)
    pair.line.write(pair.now)

    pair.line.client.handle_timeout(4.9)
    assert pair.line.client.phase is Phase.CLOSING
    assert pair.line.client.timeout_at() == 5.0
    pair.line.client.handle_timeout(5.0)

    (end,) = pair.line.client.events()
    assert end == ConnectionEnded(
        CloseCode.TIMED_OUT, "our close got no answer", local=True, limit="close_timeout"
    )


def test_a_program_that_does_not_drain_is_not_waited_for() -> None:
    """The end that was closed answers in time, and its counts say what was not handled."""
    pair = open_pair(host_limits=Limits(close_timeout=4.0))
    say(pair.guest.core, "unread")
    close_guest(pair)
    pair.settle()
    core = pair.guest.core

    pair.wait(4.0)

    assert ends_of(pair) == (CloseCode.NORMAL, CloseCode.NORMAL)
    assert (core.messages.handled_by_peer, core.outbox_frames) == (0, 0)


@pytest.mark.parametrize("code", [CloseCode.GOING_AWAY, CloseCode.EXPIRED, CloseCode.FAILED])
def test_any_other_close_is_answered_at_once(code: CloseCode) -> None:
    """With the same code and the last counts; nobody waits for a program."""
    pair = open_pair()
    say(pair.guest.core, "unread")
    say(pair.host.core, "read")
    pair.settle()
    guest, host = pair.guest.core, pair.host.core
    hear(guest)

    close_host(pair, code, retry_in=2.5)
    pair.settle()

    assert ends_of(pair) == (code, code)
    assert PeerClosed(code, "bye", 2.5) in pair.guest.log
    assert host.messages.handled_by_peer == 1
    assert guest.outbox_frames == 0


def test_closing_twice_is_closing_once() -> None:
    """The first reason stands."""
    pair = open_pair()
    close_guest(pair)
    pair.line.client.close(CloseCode.GOING_AWAY, "again", 3.0)

    (frame,) = frames_of(pair.line.client.data_to_send(3.0))

    assert decode_payload(Close, frame[2]) == Close(code=CloseCode.NORMAL, reason="bye")


def test_a_broken_rule_after_our_close_is_not_told_in_a_second_one() -> None:
    """CLOSE is written once; the peer would take another for a broken rule of ours."""
    pair = open_pair()
    close_guest(pair)
    pair.settle()

    pair.line.client.receive_data(encode_frame(0x1F), pair.now)

    assert pair.line.client.phase is Phase.CLOSED
    assert pair.line.client.data_to_send(pair.now) == []


def test_a_broken_rule_before_our_close_is_written_replaces_it() -> None:
    """The peer hears the real reason."""
    pair = open_pair()
    close_guest(pair)

    pair.line.client.receive_data(encode_frame(0x1F), pair.now)

    (frame,) = frames_of(pair.line.client.data_to_send(pair.now))
    assert decode_payload(Close, frame[2]).code is CloseCode.PROTOCOL_ERROR


def test_a_fenced_connection_that_was_closing_does_not_close_again() -> None:
    """Its CLOSE is out; there is nothing more to say on it."""
    pair = open_pair()
    close_host(pair)
    pair.settle()

    pair.line.server.fence()

    assert pair.line.server.data_to_send(pair.now) == []


@pytest.mark.limit("protocol.reason")
def test_a_reason_may_be_any_words() -> None:
    """Too long is cut, what is not Unicode is replaced: a close never fails."""
    pair = open_pair()
    pair.line.client.close(CloseCode.NORMAL, "\ud800" + "é" * 1000, pair.now)
    pair.settle()

    assert pair.host.log[-1] == PeerClosed(CloseCode.NORMAL, "?" + "é" * 499, None)


# Closing before there is a session...


def test_a_server_that_closes_during_the_greeting_refuses() -> None:
    """A caller that waits for an answer gets one that it understands, and when to come again."""
    for first in (MAGIC, MAGIC + encode_payload(FrameType.HELLO, make_hello())):
        client, server = Connection(Role.CLIENT, Limits(), 0.0), Connection(Role.SERVER, Limits(), 0.0)
        client.greet(make_hello())
        server.receive_data(first, 0.0)

        server.close(CloseCode.GOING_AWAY, "going", 0.0, retry_in=1.0, redirect="memory://next")
        client.receive_data(b"".join(server.data_to_send(0.0)), 0.0)

        turned, end = client.events()
        assert turned.refusal == Refusal(  # type: ignore[union-attr]
            code=CloseCode.GOING_AWAY, reason="going", retry_in=1.0, redirect="memory://next"
        )
        assert end == ConnectionEnded(CloseCode.GOING_AWAY, "going", local=False)


def test_a_server_says_nothing_to_who_has_not_spoken() -> None:
    """The server never speaks first, and the first byte of the magic is not the magic."""
    for said in (b"", MAGIC[:1], MAGIC[:-1]):
        closing, refusing = Connection(Role.SERVER, Limits(), 0.0), Connection(Role.SERVER, Limits(), 0.0)
        closing.receive_data(said, 0.0)
        refusing.receive_data(said, 0.0)

        closing.close(CloseCode.GOING_AWAY, "going", 0.0)
        refusing.refuse(Refusal(code=CloseCode.BUSY))

        assert closing.data_to_send(0.0) == refusing.data_to_send(0.0) == []
        assert closing.phase is refusing.phase is Phase.CLOSED


def test_a_client_that_gives_up_its_greeting_just_goes() -> None:
    """There is nothing that the server could understand by now."""
    for data in (b"", MAGIC + encode_payload(FrameType.WELCOME, make_welcome())):
        client = Connection(Role.CLIENT, Limits(), 0.0)
        client.greet(make_hello())
        client.data_to_send(0.0)
        client.receive_data(data, 0.0)

        client.close(CloseCode.NORMAL, "", 0.0)

        assert client.data_to_send(0.0) == []
        assert client.phase is Phase.CLOSED


@pytest.mark.parametrize("how", ["close", "fence", "break_off"])
def test_a_server_that_ends_right_behind_its_welcome_is_understood(how: str) -> None:
    """Nothing but WELCOME and CLOSE comes, perhaps in one chunk, and the client takes both."""
    client, server = Connection(Role.CLIENT, Limits(), 0.0), Connection(Role.SERVER, Limits(), 0.0)
    line, session = Line(client, server), make_session()
    client.greet(make_hello())
    line.write(0.0)
    line.move(0.0)
    server.welcome(make_welcome(), session, 0, 0.0)
    say(session, "not yet")
    if how == "close":
        server.close(CloseCode.GOING_AWAY, "", 0.0, retry_in=1.0, redirect="memory://next")
    elif how == "fence":
        server.fence()
    else:
        server.break_off(CloseCode.GOING_AWAY, "")

    data = server.data_to_send(0.0)
    client.receive_data(b"".join(data), 0.0)

    assert kinds_of(data) == ["WELCOME", "CLOSE"]
    *_, closed, end = client.events()
    if how == "close":
        assert closed == PeerClosed(CloseCode.GOING_AWAY, "", 1.0, "memory://next")
    assert end == ConnectionEnded(
        CloseCode.REPLACED if how == "fence" else CloseCode.GOING_AWAY,
        "another connection carries this session now" if how == "fence" else "",
        local=False,
    )


def test_a_second_confirm_is_an_error() -> None:
    """The token is shown once."""
    pair = open_pair()

    pair.line.server.receive_data(encode_frame(FrameType.CONFIRM, 0, TOKEN), pair.now)

    assert pair.line.server.phase is Phase.CLOSED


# The line is cut in the middle...


@pytest.mark.parametrize("cut_at", range(0, 120, 3))
def test_a_cut_anywhere_in_a_close_loses_nothing(cut_at: int) -> None:
    """After so many bytes of the closing conversation the line drops; the guest redials and closes again until it is answered."""
    pair = open_pair()
    guest, host = pair.guest.core, pair.host.core
    for number in range(3):
        say(guest, number)
    heard: list[Any] = []
    left = cut_at
    close_guest(pair)

    for _ in range(200):
        size = min(left, 5) if left else None
        moved = pair.step(up=size, down=size)
        heard += hear(host)
        if pair.line.server.phase is Phase.DRAINING:
            close_host(pair)
        if left:
            left = max(0, left - max(moved, 1))
            if left == 0:
                pair.cut()
        if pair.guest.connection is None and pair.guest.refusal is None:
            if pair.guest.end is not None and pair.guest.end.code is CloseCode.NORMAL:
                break
            pair.dial()
        if pair.line.client.phase is Phase.OPEN:
            close_guest(pair)
        if pair.guest.refusal is not None:
            break

    assert heard == [0, 1, 2]
    if pair.guest.refusal is not None:  # the host had closed already, and remembers how
        assert pair.guest.refusal.code is CloseCode.NORMAL
        guest.end(pair.guest.refusal.received, pair.guest.refusal.handled)
    assert guest.messages.handled_by_peer == 3


@pytest.mark.parametrize("seed", range(20))
def test_two_closes_in_any_slices_end_both(seed: int) -> None:
    """Whoever closes when, with messages both ways and bytes in any portions."""
    chance = random.Random(seed)
    pair = open_pair(Limits(window=200))
    guest, host = pair.guest.core, pair.host.core
    for number in range(chance.randrange(8)):
        say(guest, number)
        say(host, number)
    closes = [close_guest, close_host]
    chance.shuffle(closes)
    heard: dict[str, list[Any]] = {"up": [], "down": []}
    for _ in range(2000):
        if closes and chance.random() < 0.05:
            closes.pop()(pair)
        pair.step(up=chance.randrange(30), down=chance.randrange(30))
        pair.now += 0.01
        heard["down"] += hear(guest)
        heard["up"] += hear(host)
        if Phase.CLOSED is pair.line.client.phase is pair.line.server.phase:
            break

    assert ends_of(pair) == (CloseCode.NORMAL, CloseCode.NORMAL)
    for sender, key in ((guest, "up"), (host, "down")):
        assert heard[key] == list(range(len(heard[key])))
        assert sender.messages.handled_by_peer <= len(heard[key])
