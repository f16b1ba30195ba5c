"""What both ends of a transfer do, played against each other without a flow and without a disk."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import Any

import pytest

from landline.errors import ProtocolError, TransferDamaged
from landline.protocol.files import Accept, Digest, Done, Entry, Go, Offer, Proof
from landline.protocol.staged import Standing
from landline.protocol.transfer import (
    AwaitEnd,
    Forget,
    GoOn,
    Hash,
    Hear,
    Keep,
    Listed,
    Open,
    Place,
    Prefix,
    Publish,
    Receiving,
    Reject,
    Say,
    Sending,
    SendRest,
    SetAside,
    Tell,
)

DATA = b"hello world"
HASH = hashlib.sha256(DATA).digest()
OFFER = Offer(bytes(16), "a", len(DATA), 1, False)
FOLDER = Offer(bytes(16), "f", 8, 2, True)
NOTHING = Standing()
ENTRY = Entry(["a"], len(DATA), 5)


def play(deeds: Generator[Any, Any, Any], answers: dict[type, list[Any]]) -> tuple[list[Any], Any]:
    """Do what is wanted; return that, without what is told on the way, and what it came to."""
    done: list[Any] = []
    answer: Any = None
    while True:
        try:
            deed = deeds.send(answer)
        except StopIteration as end:
            return done, end.value
        if not isinstance(deed, Tell):
            done.append(deed)
        answer = answers[type(deed)].pop(0) if answers.get(type(deed)) else None


def receive(
    heard: list[Any], standing: Standing = NOTHING, offer: Offer = OFFER, *, remember: bool = False, knows: bool = True,
    prefix: bytes = b"", digest: bytes = HASH,
) -> tuple[Receiving, list[Any], Any]:  # fmt: skip
    """Receive; what is heard is words, and sizes of data."""
    core = Receiving(offer, remember=remember)
    answers: dict[type, list[Any]] = {
        Prefix: [hashlib.sha256(prefix).digest()], Publish: ["a (1)"], AwaitEnd: [knows], Hash: [digest] * 2
    }  # fmt: skip
    words = iter(heard)

    class Heard(list[Any]):
        def pop(self, _: Any = 0) -> Any:
            for word in words:
                if not isinstance(word, int):
                    return word
                core.arriving.take(word)
            raise AssertionError("it waits for more")

    answers[Hear] = Heard([None])
    return core, *play(core.deeds(standing), answers)


def test_a_file_comes_whole() -> None:
    """It is seen on the disk before it is published, and published before its sender is told; then it is forgotten."""
    core, done, name = receive([ENTRY, 6, 5, Digest(HASH)])

    assert done == [
        SetAside(11, 1), Say(Accept(0, 0)), Hear(), GoOn(0), Hear(), Hash(), Keep(5), Publish(), Say(Done("a (1)")), AwaitEnd(), Forget()
    ]  # fmt: skip
    assert (name, core.resumed, core.is_complete) == ("a (1)", 0, True)


@pytest.mark.parametrize(("remember", "knows"), [(True, True), (False, False)])
def test_what_came_is_remembered_while_its_sender_may_come_back(remember: bool, knows: bool) -> None:
    """It does not know yet, or the program wants that."""
    _, done, _ = receive([ENTRY, 11, Digest(HASH)], remember=remember, knows=knows)

    assert done[-1] == AwaitEnd()


def test_what_has_its_name_is_not_sent_again() -> None:
    """The sender is told at once."""
    core, done, _ = receive([], Standing(published="a (1)"))

    assert done == [Publish(), Say(Done("a (1)")), AwaitEnd(), Forget()]
    assert core.resumed == 11


@pytest.mark.parametrize(("there", "offset"), [(DATA[:6], 6), (b"HELLO ", 0)])
def test_it_goes_on_where_both_begin_the_same(there: bytes, offset: int) -> None:
    """And anew where they do not."""
    proof = Proof(hashlib.sha256(DATA[:6]).digest())
    heard = [proof, ENTRY, 11 - offset, Digest(HASH)]
    core, done, _ = receive(heard, Standing(offset=6), prefix=there)

    assert done[:7] == [
        SetAside(5, 1), Say(Accept(0, 6)), Prefix(6), Hear(), Say(Go(offset)), Hear(), GoOn(offset)
    ]  # fmt: skip
    assert core.resumed == offset


def test_what_is_not_what_was_sent_goes() -> None:
    """It gets no name."""
    core = Receiving(OFFER)
    deeds = core.deeds(Standing())
    answers: list[Any] = [None, None, None, None, ENTRY, None]
    for answer in answers:
        deeds.send(answer)
    core.arriving.take(11)
    assert deeds.send(Digest(HASH)) == Hash()
    assert deeds.send(bytes(32)) == Reject()
    with pytest.raises(TransferDamaged):
        deeds.send(None)


def test_files_of_a_folder_go_where_they_belong() -> None:
    """Those that are there are not sent again; names are cleaned."""
    entry = Entry(["sub", "b*"], 3, 7)
    core, done, _ = receive([entry, 3, Digest(HASH)], Standing(files=1, before=5), FOLDER)

    assert done[:2] == [SetAside(3, 1), Say(Accept(1, 0))]
    assert Place(["sub", "b_"]) in done
    assert core.resumed == 5


@pytest.mark.parametrize("heard", [[Proof(None)], [ENTRY, ENTRY], [Digest(HASH)]])
def test_what_is_not_to_be_said_now_ends_it(heard: list[Any]) -> None:
    """By which rule, the sender is told."""
    with pytest.raises(ProtocolError, match="not to be said"):
        receive(heard)


def test_something_else_than_a_proof_ends_it() -> None:
    """Where one is due."""
    with pytest.raises(ProtocolError, match="not to be said"):
        receive([ENTRY], Standing(offset=6))


# The sender...


def send(heard: list[Any], *listed: Listed, offer: Offer = OFFER) -> tuple[Sending, list[Any], Any]:
    core = Sending(offer, listed or [Listed(["a"], 11, 5)])
    answers = {Hear: heard, Prefix: [b"p" * 32], Hash: [HASH, HASH]}
    return core, *play(core.deeds(), answers)


def test_a_file_is_sent_whole() -> None:
    """Its hash last; then the receiver has the last word."""
    core, done, last = send([Accept(0, 0), Done("b")])

    assert done == [Say(OFFER), Hear(), Open(0), Say(ENTRY), SendRest(0), Hash(), Say(Digest(HASH)), Hear()]
    assert last == Done("b")
    assert (core.files, core.done, core.resumed) == (1, 11, 0)


def test_an_earlier_one_came_through() -> None:
    """Nothing is sent."""
    core, done, last = send([Done("b")])

    assert (done, last, core.resumed) == ([Say(OFFER), Hear()], Done("b"), 11)


@pytest.mark.parametrize("offset", [6, 0])
def test_the_sender_proves_and_goes_on_where_it_is_told(offset: int) -> None:
    """There, or at the beginning."""
    core, done, _ = send([Accept(0, 6), Go(offset), Done("b")])

    assert done[2:8] == [Open(0), Prefix(6), Say(Proof(b"p" * 32)), Hear(), Say(ENTRY), SendRest(offset)]
    assert core.resumed == offset


def test_of_a_file_that_is_shorter_nothing_is_proved() -> None:
    """The receiver has more than there is."""
    _, done, _ = send([Accept(0, 12), Go(0), Done("b")])

    assert Say(Proof(None)) in done


def test_what_the_receiver_has_of_a_folder_is_left_out() -> None:
    """Files are counted by their order."""
    core, done, _ = send([Accept(1, 0), Done("f")], Listed(["a"], 5, 1), Listed(["b"], 3, 2), offer=FOLDER)

    assert Open(0) not in done
    assert Open(1) in done
    assert core.resumed == 5


@pytest.mark.parametrize(
    "heard",
    [[Go(0)], [Accept(2, 0)], [Accept(0, 6), Go(5)], [Accept(0, 6), Done("b")], [Accept(0, 0), Go(0)]],
)
def test_a_receiver_that_breaks_a_rule_ends_it(heard: list[Any]) -> None:
    """More files than there are, another place than it named, or out of turn."""
    with pytest.raises(ProtocolError):
        send(heard)
