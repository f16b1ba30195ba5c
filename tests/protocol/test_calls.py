"""What both ends say in a flow of calls, and what the end of the flow means for each call."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from landline.errors import DataError, ProtocolError
from landline.limits import LONGEST, PROTOCOL
from landline.protocol import calls
from landline.protocol.calls import (
    Asked,
    CallTable,
    Cancel,
    Failure,
    Fate,
    Offered,
    Request,
    Result,
    StreamFailure,
    StreamOpening,
)

MOST = 1 << 20
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
IDS = st.integers(1, (1 << 63) - 1)


@given(IDS, st.floats(0.001, LONGEST), st.lists(VALUES), st.dictionaries(st.text(), VALUES))
def test_a_request_comes_back_as_it_was_made(
    id: int, seconds: float, args: list[Any], named: dict[str, Any]
) -> None:
    """Its arguments too, and which of them had names."""
    request = calls.decode_asked(calls.encode_request(id, seconds, "m", args, named, MOST))

    assert isinstance(request, Request)
    assert (request.id, request.method, request.seconds) == (id, "m", seconds)
    assert calls.decode_value(request.args) == args
    assert calls.decode_value(request.named) == named


@given(IDS, VALUES)
def test_answers_come_back_as_they_were_given(id: int, value: Any) -> None:
    """Results, failures with their data, cancels, and the first word."""
    result = calls.decode_told(calls.encode_result(id, value, MOST))
    failure = calls.decode_told(calls.encode_failure(id, "kind", "words", value, MOST))

    assert isinstance(result, Result)
    assert isinstance(failure, Failure)
    assert (result.id, calls.decode_value(result.value)) == (id, value)
    assert (failure.id, failure.kind, failure.message) == (id, "kind", "words")
    assert calls.decode_value(failure.data) == value
    assert calls.decode_asked(calls.encode(Cancel(id))) == Cancel(id)
    assert calls.decode_told(calls.encode(Offered(["a", "b"], 7))) == Offered(["a", "b"], 7)


def test_a_stream_s_first_and_last_words_come_back() -> None:
    """Its opening, with and without a deadline, and its failure."""
    opening = calls.decode_opening(calls.encode_opening(None, "ticks", ["ACME"], {}, MOST))
    failure = calls.decode_stream_failure(calls.encode_stream_failure("kind", "words", [1], MOST))

    assert isinstance(opening, StreamOpening)
    assert (opening.seconds, opening.method, calls.decode_value(opening.args)) == (None, "ticks", ["ACME"])
    assert isinstance(failure, StreamFailure)
    assert (failure.kind, failure.message, calls.decode_value(failure.data)) == ("kind", "words", [1])


def test_the_wire_is_arrays() -> None:
    """As docs/protocol.md has it; nothing named is said by saying nothing."""
    unpack = msgspec.msgpack.decode

    assert unpack(calls.encode_request(1, 2.0, "m", [3], {}, MOST)) == [0, 1, 2.0, "m", [3]]
    assert unpack(calls.encode_request(1, 2.0, "m", [3], {"a": 4}, MOST)) == [0, 1, 2.0, "m", [3], {"a": 4}]
    assert unpack(calls.encode(Cancel(1))) == [1, 1]
    assert unpack(calls.encode_result(1, "x", MOST)) == [2, 1, "x"]
    assert unpack(calls.encode_failure(1, "k", "w", None, MOST)) == [3, 1, "k", "w", None]
    assert unpack(calls.encode(Offered(["m"], 256))) == [4, ["m"], 256]
    assert unpack(calls.encode_opening(2.0, "m", [3], {"a": 4}, MOST)) == [2.0, "m", [3], {"a": 4}]


def test_a_request_that_is_made_again_says_what_time_is_left() -> None:
    """And everything else as before."""
    payload = calls.encode_request(5, 30.0, "m", [1, "x"], {"n": None}, MOST)

    assert msgspec.msgpack.decode(calls.ask_again(payload, 7.5)) == [0, 5, 7.5, "m", [1, "x"], {"n": None}]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode([0, 0, 1.0, "m", []]),
        msgspec.msgpack.encode([0, 1, 0, "m", []]),
        msgspec.msgpack.encode([0, 1, LONGEST + 1, "m", []]),
        msgspec.msgpack.encode([0, 1, 1.0, "", []]),
        msgspec.msgpack.encode([0, 1, 1.0, "m"]),
        msgspec.msgpack.encode([2, 1, None]),
        msgspec.msgpack.encode([9, 1]),
        msgspec.msgpack.encode({"id": 1}),
        "text",
        ["packed"],
    ],
)
def test_what_is_no_request_is_the_peer_s_mistake(said: Any) -> None:
    """With a reason, and whatever kind of frame it came in."""
    with pytest.raises(ProtocolError):
        calls.decode_asked(said)


@given(st.binary(max_size=200))
def test_rubbish_raises_nothing_else(rubbish: bytes) -> None:
    """In none of the places where a peer says something."""
    for decode in (
        calls.decode_asked, calls.decode_told, calls.decode_opening, calls.decode_stream_failure,
    ):  # fmt: skip
        with contextlib.suppress(ProtocolError):
            decode(rubbish)


def test_what_cannot_be_sent_is_told_at_its_sender() -> None:
    """Objects that nobody can read, and what is too large."""
    with pytest.raises(DataError):
        calls.encode_request(1, 1.0, "m", [object()], {}, MOST)
    with pytest.raises(DataError, match="over the limit"):
        calls.encode_result(1, b"x" * 100, 100)


@pytest.mark.limit("protocol.method", "protocol.call_message")
def test_words_that_are_too_long_are_cut() -> None:
    """A failure is told in any case; a name that is too long is not read at all."""
    told = calls.decode_told(
        calls.encode_failure(1, "k" * (PROTOCOL.method + 1), "w" * (PROTOCOL.call_message + 1), None, MOST)
    )

    assert isinstance(told, Failure)
    assert (len(told.kind), len(told.message)) == (PROTOCOL.method, PROTOCOL.call_message)
    request = calls.decode_asked(calls.encode_request(1, 1.0, "m" * PROTOCOL.method, [], {}, MOST))
    assert isinstance(request, Request)
    with pytest.raises(ProtocolError):
        calls.decode_asked(calls.encode_request(1, 1.0, "m" * (PROTOCOL.method + 1), [], {}, MOST))


# The table...


def asked(table: CallTable, method: str, index: int) -> Asked:
    call = Asked(table.next_id(), method, b"", 0.0, None)
    table.asked(call, index)
    return call


def test_a_new_life_of_the_server_is_asked_again_what_did_not_run_or_may_run_twice() -> None:
    """Of the rest nobody knows."""
    table = CallTable()
    table.idempotent = frozenset({"twice"})
    once, twice, unsent = asked(table, "once", 0), asked(table, "twice", 1), asked(table, "once", 2)

    fates = table.settle(2, is_renewed=True)

    assert fates == [(once, Fate.UNKNOWN), (twice, Fate.AGAIN), (unsent, Fate.AGAIN)]
    assert not table.unanswered


def test_without_a_new_life_nothing_is_asked_again() -> None:
    """What did not come into the other end's hands certainly did not run."""
    table = CallTable()
    table.idempotent = frozenset({"twice"})
    twice, unsent = asked(table, "twice", 0), asked(table, "once", 1)

    assert table.settle(1, is_renewed=False) == [(twice, Fate.UNKNOWN), (unsent, Fate.NEVER)]


def test_what_may_have_run_in_one_life_is_unknown_in_the_next() -> None:
    """Also where the next life was never asked for it; and where its method may not run twice there, it is asked for no more."""
    for is_renewed in (False, True):
        table = CallTable()
        table.idempotent = frozenset({"twice"})
        call = asked(table, "twice", 0)
        assert table.settle(1, is_renewed=True) == [(call, Fate.AGAIN)]
        table.asked(call, 0)
        table.idempotent = frozenset()

        assert table.settle(0, is_renewed=is_renewed) == [(call, Fate.UNKNOWN)]


def test_an_answer_to_what_was_never_asked_is_the_peer_s_mistake() -> None:
    """One to what nobody waits for any more is not: it crossed the cancel."""
    table = CallTable()
    call = asked(table, "m", 0)

    assert table.answered(call.id) is call
    assert table.answered(call.id) is None
    with pytest.raises(ProtocolError):
        table.answered(call.id + 1)


class Machine(RuleBasedStateMachine):
    """Calls, answers, cancels and new lives in any order: each call has one fate, and a call runs twice only if it may."""

    def __init__(self) -> None:
        super().__init__()
        self.table = CallTable()
        self.queued = self.written = self.run = 0
        self.open: dict[int, Asked] = {}
        self.runs: dict[int, int] = {}
        self.flow: list[Asked] = []
        self.idempotent: set[int] = set()

    @rule(may_twice=st.booleans())
    def ask(self, may_twice: bool) -> None:
        call = Asked(self.table.next_id(), "twice" if may_twice else "once", b"", 0.0, None)
        self._queue(call)

    def _queue(self, call: Asked) -> None:
        self.table.asked(call, len(self.flow))
        self.flow.append(call)
        self.open[call.id] = call

    @rule(said=st.booleans())
    def offer(self, said: bool) -> None:
        self.table.idempotent = frozenset({"twice"} if said else ())

    @precondition(lambda self: self.written < len(self.flow))
    @rule()
    def write(self) -> None:
        self.written += 1

    @precondition(lambda self: self.run < self.written)
    @rule()
    def run_next(self) -> None:
        call = self.flow[self.run]
        self.run += 1
        self.runs[call.id] = self.runs.get(call.id, 0) + 1

    @precondition(lambda self: self.run > 0)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.flow[: self.run]))
        found = self.table.answered(call.id)
        assert (found is call) == (call.id in self.open)
        self.open.pop(call.id, None)

    @rule(is_renewed=st.booleans())
    def end(self, is_renewed: bool) -> None:
        fates = self.table.settle(self.written, is_renewed=is_renewed)
        assert [call for call, _ in fates] == list(self.open.values())
        self.open, self.flow = {}, []
        self.written = self.run = 0
        for call, fate in fates:
            if fate is Fate.NEVER:
                assert not self.runs.get(call.id)
            elif fate is Fate.AGAIN:
                assert is_renewed
                self._queue(call)

    @invariant()
    def nothing_runs_twice_that_may_not(self) -> None:
        assert list(self.table.unanswered.values()) == list(self.open.values())
        again = [call for call in self.open.values() if call.method == "once"]
        assert all(self.runs.get(call.id, 0) <= 1 for call in again)


TestMachine = Machine.TestCase
