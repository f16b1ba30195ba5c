"""What is said about a file, and when it may be: a receiver takes no more than was offered, and nothing out of turn."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from landline.errors import ProtocolError
from landline.limits import FILES
from landline.protocol.files import (
    Accept,
    Arriving,
    Digest,
    Done,
    Entry,
    Go,
    Offer,
    Proof,
    Stage,
    own_id,
    read_from_receiver,
    read_from_sender,
)

ID = b"i" * 16
SHA = hashlib.sha256(b"").digest()
FILE = Offer(ID, "a", 10, 1, False)
FOLDER = Offer(ID, "f", 10, 2, True)


def wire(said: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(said))


def entry(size: int) -> Entry:
    return Entry(["a"], size, 1)


@pytest.mark.parametrize("said", [FILE, FOLDER, Proof(SHA), Proof(None), entry(3), Digest(SHA)])
def test_what_a_sender_says_is_read(said: Any) -> None:
    """As it was said."""
    assert read_from_sender(wire(said)) == said


@pytest.mark.parametrize("said", [Accept(1, 2), Go(0), Done("x")])
def test_what_a_receiver_says_is_read(said: Any) -> None:
    """As it was said."""
    assert read_from_receiver(wire(said)) == said


@pytest.mark.parametrize(
    "said",
    [
        b"data", "text", None, {}, [], [99], [0], [0, b"short", "a", 1, 1, False], [0, ID, "a", -1, 1, False],
        [0, ID, "a", 1, 2, False], [0, ID, "a", 1 << 63, 1, False], [1, b"short"], [2, [], 1, 1], [2, ["a"], -1, 1],
        [3, None], wire(Accept(0, 0)),
    ],
)  # fmt: skip
def test_what_no_sender_says_is_an_error(said: Any) -> None:
    """Also what a receiver says, and a file that is two."""
    with pytest.raises(ProtocolError) as raised:
        read_from_sender(said)

    assert raised.value.code == "bad-data"


@pytest.mark.parametrize("said", [b"", [4, -1, 0], [6, 7], wire(FILE)])
def test_what_no_receiver_says_is_an_error(said: Any) -> None:
    """Likewise."""
    with pytest.raises(ProtocolError):
        read_from_receiver(said)


@pytest.mark.limit("files.depth", "files.raw_name")
def test_a_path_and_a_name_have_an_end() -> None:
    """So many names deep, so many characters each."""
    deep, long = ["a"] * FILES.depth, "n" * FILES.raw_name

    assert read_from_sender(wire(Entry(deep, 1, 1))) == Entry(deep, 1, 1)
    assert read_from_sender(wire(Entry([long], 1, 1))) == Entry([long], 1, 1)
    for path in ([*deep, "a"], [long + "n"]):
        with pytest.raises(ProtocolError):
            read_from_sender(wire(Entry(path, 1, 1)))


def test_a_file_comes_from_its_beginning_to_its_end() -> None:
    """Accepted, begun, its data, its digest; then it is complete."""
    arriving = Arriving(FILE)

    assert arriving.accept(0, 0, 0) == Accept(0, 0)
    arriving.begin(entry(10))
    arriving.take(4)
    arriving.take(6)
    assert arriving.done == 10
    assert arriving.end(Digest(SHA)) == entry(10)
    assert arriving.stage is Stage.COMPLETE


def test_what_is_there_is_compared_before_it_is_gone_on_with() -> None:
    """The same: on from there. Another one: from its beginning."""
    same, other = Arriving(FILE), Arriving(FILE)
    assert same.accept(0, 0, 4) == other.accept(0, 0, 4) == Accept(0, 4)
    assert same.stage is Stage.PROOF

    assert same.go(is_same=True) == Go(4)
    assert other.go(is_same=False) == Go(0)
    same.begin(entry(10))
    same.take(6)
    same.end(Digest(SHA))


def test_a_folder_is_complete_with_its_last_file() -> None:
    """Those that are here already count."""
    arriving = Arriving(FOLDER)
    arriving.accept(1, 7, 0)

    arriving.begin(entry(3))
    arriving.take(3)
    arriving.end(Digest(SHA))
    assert (arriving.stage, arriving.files, arriving.done) == (Stage.COMPLETE, 2, 10)


def test_an_empty_folder_is_complete_at_once() -> None:
    """There is nothing to wait for."""
    arriving = Arriving(Offer(ID, "f", 0, 0, True))
    arriving.accept(0, 0, 0)

    assert arriving.stage is Stage.COMPLETE


def test_nothing_comes_out_of_turn() -> None:
    """Data before a file, a file within a file, an end of nothing."""
    arriving = Arriving(FOLDER)
    for act in (
        lambda: arriving.begin(entry(1)), lambda: arriving.take(1), lambda: arriving.end(Digest(SHA)),
    ):  # fmt: skip
        with pytest.raises(ProtocolError):
            act()
    arriving.accept(0, 0, 0)
    with pytest.raises(ProtocolError):
        arriving.take(1)
    arriving.begin(entry(1))
    with pytest.raises(ProtocolError):
        arriving.begin(entry(1))


def test_never_more_than_was_offered() -> None:
    """Neither data beyond a file, nor files beyond the whole, nor a file that ends early, nor a whole that is less."""
    arriving = Arriving(FILE)
    arriving.accept(0, 0, 0)
    with pytest.raises(ProtocolError, match="larger"):
        arriving.begin(entry(11))
    arriving.begin(entry(10))
    arriving.take(9)
    with pytest.raises(ProtocolError, match="more data"):
        arriving.take(2)
    with pytest.raises(ProtocolError, match="ends after 9"):
        arriving.end(Digest(SHA))
    less = Arriving(FILE)
    less.accept(0, 0, 0)
    less.begin(entry(9))
    less.take(9)
    with pytest.raises(ProtocolError, match="smaller"):
        less.end(Digest(SHA))


@pytest.mark.parametrize("here", [(2, 0, 0), (0, 0, 11), (1, 6, 5)])
def test_what_is_here_is_no_more_than_what_is_offered(here: tuple[int, int, int]) -> None:
    """Else it is something else."""
    with pytest.raises(ProtocolError, match="more of it is here"):
        Arriving(FILE).accept(*here)


def test_what_is_offered_is_known_of_its_principal() -> None:
    """The same of another one is another transfer, also where their names and ids run together."""
    assert own_id("ana", ID) == own_id("ana", ID)
    assert len({own_id("ana", ID), own_id("ben", ID), own_id("anai", ID[1:]), own_id("ana", bytes(16))}) == 4
