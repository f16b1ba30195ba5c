"""Who may go on with a session: attempts rise, tokens rotate in two phases, the dead are remembered for a while."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from landline.limits import Limits
from landline.protocol.codec import TEXT
from landline.protocol.credit import Pressure
from landline.protocol.frames import CloseCode
from landline.protocol.handshake import Refusal
from landline.protocol.resume import Record, SessionTable, hash_token
from tests.protocol.lines import SESSION_ID, hear, make_resume, make_session, open_pair, say

A, B, C = (letter * 32 for letter in (b"a", b"b", b"c"))


def make_record(number: int = 0) -> Record:
    session_id = SESSION_ID if not number else number.to_bytes(16, "big")
    return Record(session_id, "ana", make_session(), attempt=1, current=hash_token(A))


def make_table(limits: Limits | None = None) -> tuple[SessionTable, Record]:
    table, record = SessionTable(limits or Limits()), make_record()
    table.add(record)
    return table, record


def judge(
    table: SessionTable, token: bytes, attempt: int, *, principal: str = "ana", now: float = 0.0
) -> Record | CloseCode:
    verdict = table.judge(make_resume(token=token, attempt=attempt), principal, now)
    return verdict.code if isinstance(verdict, Refusal) else verdict


# Attempts...


def test_attempts_rise() -> None:
    """Each accepted one is the new bar, gaps are fine."""
    table, record = make_table()

    assert judge(table, A, 2) is record
    assert judge(table, A, 9) is record
    assert record.attempt == 9


@pytest.mark.parametrize("attempt", [1, 4, 5])
def test_a_stale_attempt_changes_nothing_and_is_told_the_highest(attempt: int) -> None:
    """A holder of a good token may know how far others got, to go on above it; no token was used up."""
    table, record = make_table()
    judge(table, A, 5)
    record.offer(B)

    refusal = table.judge(make_resume(token=B, attempt=attempt), "ana", 0.0)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.attempt) == (CloseCode.STALE, 5)
    assert (record.attempt, record.offered) == (5, hash_token(B))


def test_a_wrong_token_is_told_nothing() -> None:
    """Not the attempt, not the counts, and it changes nothing."""
    table, record = make_table()
    record.offer(B)

    refusal = table.judge(make_resume(token=C, attempt=9), "ana", 0.0)

    assert refusal == Refusal(code=CloseCode.UNAUTHORIZED, reason="the token is not good")
    assert record.attempt == 1


def test_a_token_is_good_for_its_principal_only() -> None:
    """A stolen token needs the thief to be let in as its owner too."""
    table, record = make_table()

    assert judge(table, A, 2, principal="ben") is CloseCode.UNAUTHORIZED
    assert judge(table, A, 2, principal="änä") is CloseCode.UNAUTHORIZED
    assert record.attempt == 1


# Tokens...


def test_a_confirmed_token_is_the_only_one() -> None:
    """The one before is retired: shown with a higher attempt it was stolen, and the session ends."""
    table, record = make_table()
    judge(table, A, 2)
    record.offer(B)
    assert record.confirm(B)

    assert judge(table, B, 3) is record
    assert judge(table, A, 4) is CloseCode.REVOKED


def test_a_retired_token_with_a_low_attempt_is_only_late() -> None:
    """A dial that was under way for long is no theft."""
    table, record = make_table()
    judge(table, A, 5)
    record.offer(B)
    record.confirm(B)

    assert judge(table, A, 4) is CloseCode.UNAUTHORIZED
    assert judge(table, A, 5) is CloseCode.UNAUTHORIZED
    assert judge(table, B, 6) is record


def test_a_lost_welcome_leaves_the_old_token_good() -> None:
    """The client never saw the new one; the next answer offers another."""
    table, record = make_table()
    judge(table, A, 2)
    record.offer(B)

    assert judge(table, A, 3) is record
    record.offer(C)
    assert record.confirm(C)
    assert judge(table, B, 4) is CloseCode.UNAUTHORIZED
    assert judge(table, C, 4) is record


def test_a_lost_confirm_is_made_good_by_the_next_resume() -> None:
    """The client saw the new token, and shows it: from then on it is the only one."""
    table, record = make_table()
    judge(table, A, 2)
    record.offer(B)

    assert judge(table, B, 3) is record
    assert record.current == hash_token(B)
    assert judge(table, A, 4) is CloseCode.REVOKED


def test_only_the_newest_token_confirms() -> None:
    """Showing the old one, or any other, confirms nothing."""
    _, record = make_table()
    assert record.confirm(A)
    record.offer(B)

    assert not record.confirm(A)
    assert not record.confirm(C)
    assert record.current == hash_token(A)
    assert record.confirm(B)
    assert record.confirm(B)


def test_only_hashes_are_kept() -> None:
    """Who reads a server's memory or disk cannot resume."""
    _, record = make_table()
    record.offer(B)
    record.confirm(B)

    assert A not in (record.current, *record.retired)
    assert B not in (record.current, record.offered)


@pytest.mark.limit("protocol.retired_tokens")
def test_the_number_of_retired_tokens_is_bounded() -> None:
    """The oldest are forgotten: no good, but no alarm either."""
    table, record = make_table()
    for number in range(2, 40):
        token = bytes([number]) * 32
        judge(table, bytes([number - 1]) * 32 if number > 2 else A, number)
        record.offer(token)
        record.confirm(token)

    assert judge(table, bytes([38]) * 32, 99) is CloseCode.REVOKED
    assert judge(table, A, 99) is CloseCode.UNAUTHORIZED


# Detached...


@pytest.mark.limit("resume_window")
def test_a_session_without_a_line_expires() -> None:
    """At the end of the resume window, to the moment."""
    table, record = make_table(Limits(resume_window=300.0))
    assert table.timeout_at() is None
    table.detached(record, 100.0)

    assert table.timeout_at() == 400.0
    assert table.expired(399.9) == []
    assert table.expired(400.0) == [record]


def test_expiry_is_looked_at_when_a_client_comes_too() -> None:
    """Whoever ends the expired may be late; the client is told what had arrived all the same."""
    table, record = make_table(Limits(resume_window=300.0))
    record.session.receive(TEXT, 0, (b"a",))
    table.detached(record, 100.0)

    refusal = table.judge(make_resume(token=A, attempt=2), "ana", 400.0)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.received, refusal.handled) == (CloseCode.EXPIRED, 1, 0)
    assert judge(table, C, 2, now=400.0) is CloseCode.UNAUTHORIZED
    assert judge(table, A, 2, now=399.9) is record


def test_a_session_on_a_line_does_not_expire() -> None:
    """However long."""
    table, record = make_table()
    table.detached(record, 0.0)
    table.attached(record)

    assert (table.timeout_at(), table.expired(1e9)) == (None, [])
    assert judge(table, A, 2, now=1e9) is record


def test_sessions_expire_in_the_order_in_which_they_lost_their_lines() -> None:
    """One that came back and went again is young."""
    table = SessionTable(Limits(resume_window=10.0))
    first, second = make_record(1), make_record(2)
    for at, record in enumerate((first, second)):
        table.add(record)
        table.detached(record, float(at))
    table.detached(first, 5.0)

    assert table.timeout_at() == 11.0
    assert table.expired(11.0) == [second]
    assert table.expired(15.0) == [second, first]


def test_an_ended_session_cannot_lose_its_line() -> None:
    """A late report about it brings nothing back."""
    table, record = make_table()
    table.remove(record, CloseCode.NORMAL, "", 0.0)
    table.detached(record, 1.0)

    assert (table.timeout_at(), table.expired(1e9)) == (None, [])


# Too many...


def test_the_one_longest_without_a_line_makes_room() -> None:
    """A session on its line never does."""
    table = SessionTable(Limits(max_sessions=2))
    first, second = make_record(1), make_record(2)
    table.add(first)
    assert (table.surplus, table.is_full) == (None, False)
    table.add(second)
    assert (table.surplus, table.is_full) == (None, True)

    table.detached(second, 1.0)
    table.detached(first, 2.0)

    assert table.surplus is second
    table.remove(second, CloseCode.EXPIRED, "", 3.0)
    assert not table.is_full
    assert (len(table), list(table)) == (1, [first])
    assert table.get(first.id) is first
    assert table.get(second.id) is None


def test_a_flood_of_short_sessions_ends_its_own() -> None:
    """Somebody whose line dropped after an hour keeps the place, however long ago that was."""
    table = SessionTable(Limits(max_sessions=3))
    person, *flood = (make_record(number) for number in range(1, 4))
    table.add(person)
    table.detached(person, 3600.0)
    for record in flood:
        record.born_at = 3700.0
        table.add(record)
        table.detached(record, 3700.1)

    assert table.surplus in flood


# The dead...


def test_the_dead_are_remembered_for_their_holders() -> None:
    """How the session ended, and what had arrived and was handled."""
    table, record = make_table()
    for text in (b"a", b"b"):
        record.session.receive(TEXT, 0, (text,))
    record.session.take(record.session.messages)
    record.session.handle_taken(record.session.messages)
    record.offer(B)
    table.remove(record, CloseCode.EXPIRED, "too late", 0.0)

    for token in (A, B):
        assert table.judge(make_resume(token=token), "ana", 1.0) == Refusal(
            code=CloseCode.EXPIRED, reason="too late", received=2, handled=1
        )


@pytest.mark.parametrize(("token", "principal"), [(C, "ana"), (A, "ben")])
def test_nobody_else_hears_of_the_dead(token: bytes, principal: str) -> None:
    """Not even that there was such a session."""
    table, record = make_table()
    table.remove(record, CloseCode.EXPIRED, "too late", 0.0)
    never = SessionTable(Limits())

    verdict = table.judge(make_resume(token=token), principal, 1.0)

    assert verdict == never.judge(make_resume(token=token), principal, 1.0)
    assert isinstance(verdict, Refusal)
    assert verdict.code is CloseCode.UNKNOWN_SESSION


@pytest.mark.limit("tombstone_window", "max_tombstones")
def test_the_dead_are_forgotten_in_time() -> None:
    """After the tombstone window; and at once when there are too many, the oldest first."""
    table, record = make_table(Limits(tombstone_window=100.0, max_tombstones=2))
    table.remove(record, CloseCode.EXPIRED, "", 0.0)
    assert judge(table, A, 2, now=99.9) is CloseCode.EXPIRED
    assert judge(table, A, 2, now=100.0) is CloseCode.UNKNOWN_SESSION

    for number in (1, 2):
        other = make_record(number)
        table.add(other)
        table.remove(other, CloseCode.EXPIRED, "", 1.0)
    assert judge(table, A, 2, now=2.0) is CloseCode.UNKNOWN_SESSION


def test_a_session_ends_once() -> None:
    """The first reason is the one that is remembered."""
    table, record = make_table()
    table.remove(record, CloseCode.NORMAL, "bye", 0.0)
    table.remove(record, CloseCode.EXPIRED, "again", 0.0)

    assert judge(table, A, 2) is CloseCode.NORMAL


# As a conversation...


def test_a_lost_welcome_as_a_conversation() -> None:
    """The answer to a resume never arrives; the next dial is let in with the same token."""
    pair = open_pair()
    token = pair.guest.token
    pair.cut()
    pair.dial()
    pair.step()
    pair.cut()
    assert pair.guest.token == token

    pair.dial()
    pair.settle()

    assert pair.guest.token != token
    assert pair.host.record.current == hash_token(pair.guest.token)


def test_a_lost_confirm_as_a_conversation() -> None:
    """The client has the new token, the server does not know; the next dial shows it."""
    pair = open_pair()
    pair.cut()
    pair.dial()
    pair.step()
    pair.step()
    pair.line.write(pair.now)
    assert pair.host.record.offered == hash_token(pair.guest.token)
    pair.cut()

    pair.dial()
    say(pair.guest.core, "here")
    pair.settle()

    assert hear(pair.host.core) == ["here"]
    assert pair.host.record.current == hash_token(pair.guest.token)
    assert len(pair.host.record.retired) == 2


def test_a_guest_whose_attempt_is_stale_goes_on_above() -> None:
    """It is told the highest, and dials with the next."""
    pair = open_pair()
    pair.host.record.attempt = 7
    pair.cut()
    pair.dial()
    pair.settle()
    assert pair.guest.refusal is not None
    assert (pair.guest.refusal.code, pair.guest.attempt) == (CloseCode.STALE, 7)

    pair.dial()
    pair.settle()

    assert pair.host.record.attempt == 8


@pytest.mark.limit("protocol.candidates")
@pytest.mark.parametrize(("place", "is_seen"), [(0, True), (31, True), (32, False), (36, True), (67, True)])
def test_so_many_are_looked_at_when_one_has_to_make_room(place: int, is_seen: bool) -> None:
    """The 32 that lost their line first and the 32 that lost it last: the choice costs the same in a crowd of any size."""
    table = SessionTable(Limits(max_sessions=68))
    for number in range(68):
        record = make_record(number + 1)
        table.add(record)
        table.detached(record, 100.0 + number)
        record.born_at = 0.0
        if number == place:
            record.born_at = 99.0 + number  # the shortest life of all

    surplus = table.surplus
    assert surplus is not None
    assert (surplus.id == make_record(place + 1).id) is is_seen


@pytest.mark.limit("protocol.retired_tokens")
def test_the_eighth_token_back_is_an_alarm_and_the_ninth_is_forgotten() -> None:
    """Retired tokens, counted from the present one."""
    table, record = make_table()
    tokens = [A, *(bytes([number]) * 32 for number in range(9))]
    for attempt, (shown, offered) in enumerate(pairwise(tokens), 2):
        judge(table, shown, attempt)
        record.offer(offered)
        record.confirm(offered)

    assert judge(table, tokens[-10], 99) is CloseCode.UNAUTHORIZED
    assert judge(table, tokens[-9], 99) is CloseCode.REVOKED


# What outlives the server...


def test_a_record_is_what_it_was_after_it_was_stored() -> None:
    """Its counts are those of a new life: all 0, and what the client takes is known."""
    limits = Limits(max_message=500)
    record = make_record()
    for token in (B, C):
        record.offer(token)
        record.confirm(token)
    record.offer(A)
    record.attempt = 9
    say(record.session, "counted")
    again = Record.decode(record.id, record.encode(), limits, Pressure(limits.memory))

    assert (again.id, again.principal, again.attempt) == (record.id, "ana", 9)
    assert (again.current, again.offered, list(again.retired)) == (
        hash_token(C),
        hash_token(A),
        [*map(hash_token, (A, B))],
    )
    assert (again.session.sent, again.session.received, again.session.outbox_frames) == (0, 0, 0)
    assert (again.session.peer_window, again.session.max_flows) == (1 << 18, 64)
    assert again.session.max_message == 500
    assert again.session.messages.credit == 1 << 18


@pytest.mark.parametrize(
    "spoil", [lambda data: b"", lambda data: data[:-1], lambda data: b"\xc1" + data, lambda data: data + b"x"]
)
def test_what_is_no_record_is_an_error(spoil: Callable[[bytes], bytes]) -> None:
    """Nothing is guessed of it."""
    limits = Limits()
    with pytest.raises(ValueError):
        Record.decode(SESSION_ID, spoil(make_record().encode()), limits, Pressure(limits.memory))
