"""Conversations that read as they go, played against our own server and client; and what is shown when one goes otherwise."""

from __future__ import annotations

import pytest

from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.events import HelloReceived, Welcomed
from landline.protocol.states import Phase, Role
from landline.testing.playbook import Mismatch, Playbook
from tests.protocol.lines import SESSION_ID, TOKEN, make_hello, make_session, make_welcome

HELLO = "HELLO life=b'cccccccccccccccc' window=589824 max_message=1048576"
WELCOME = (
    f"WELCOME session={SESSION_ID!r} token={TOKEN!r} life=b'llllllllllllllll' received=0 resumed=False window=589824 "
    "max_message=1048576 heartbeat=25.0 dead_after=8.0 resume_window=300.0"
)
CONFIRM = f"CONFIRM {TOKEN!r}"
FIRST = ("ACK received=0 sent=0", "HANDLED 0 0", "CREDIT 0 589824")


class OurEnd:
    """One of our connections, with a program that takes all that comes and says nothing."""

    def __init__(self, role: Role) -> None:
        self.connection = Connection(role, Limits(), 0.0)
        self.session = make_session(role=role)
        if role is Role.CLIENT:
            self.connection.greet(make_hello())

    @property
    def is_over(self) -> bool:
        return self.connection.phase is Phase.CLOSED

    def receive(self, data: bytes, now: float) -> bytes:
        self.connection.receive_data(data, now)
        return self._write(now)

    def advance(self, now: float) -> bytes:
        self.connection.handle_timeout(now)
        return self._write(now)

    def _write(self, now: float) -> bytes:
        for event in self.connection.events():
            if isinstance(event, HelloReceived):
                self.connection.welcome(make_welcome(), self.session, 0, now)
            elif isinstance(event, Welcomed):
                self.connection.carry(event.welcome, self.session, now)
        return b"".join(self.connection.data_to_send(now))


def server() -> Playbook:
    return Playbook(OurEnd(Role.SERVER)).arrives(HELLO).leaves("WELCOME resumed=False received=0")


def test_a_server_greets_then_beats_and_gives_up() -> None:
    """After the greeting it says what it has, pings into silence, and goes when nothing is heard."""
    (
        server()
        .arrives(CONFIRM).leaves(*FIRST)
        .after(24.9).leaves_nothing()
        .after(0.1).leaves("PING")
        .arrives("PONG").leaves_nothing()
        .after(25).leaves("PING")
        .after(4).leaves_nothing()
        .after(4).ends()
        .play()
    )  # fmt: skip


def test_a_client_speaks_first() -> None:
    """Its hello, then its token and its totals; a message is acked in company."""
    (
        Playbook(OurEnd(Role.CLIENT), speaks_first=True)
        .leaves("HELLO window=262144")
        .arrives(WELCOME).leaves(CONFIRM, *FIRST)
        .arrives("TEXT 0 'one'", "TEXT 0 'two'").leaves_nothing()
        .after(0.25).leaves("ACK received=2 sent=0")
        .play()
    )  # fmt: skip


def test_rubbish_is_answered_with_nothing() -> None:
    """Who speaks no landline is told nothing in frames."""
    Playbook(OurEnd(Role.SERVER)).arrives_raw(b"\xfeGET / HTTP/1.1\r\n").leaves_nothing().ends().play()


def test_a_mismatch_shows_the_conversation() -> None:
    """What went before, and what was expected beside what came."""
    book = server().arrives(CONFIRM).leaves("ACK received=0 sent=0", "HANDLED 0 1", "CREDIT 0 589824", "PING")
    with pytest.raises(Mismatch) as caught:
        book.play()

    lines = str(caught.value).splitlines()
    assert lines[0].startswith("    arrives  HELLO")
    assert lines[1].startswith("    leaves   WELCOME")
    assert "! " in lines[3]
    assert [line[0] for line in lines[4:]] == [" ", "!", " ", "!"]
    assert lines[5].split("|") == [f"!     {'HANDLED 0 1':<40} ", " HANDLED 0 0"]
    assert lines[7].endswith("| nothing")


def test_words_that_are_no_frame_are_the_books_fault() -> None:
    """Nothing is played then."""
    peer = OurEnd(Role.SERVER)
    with pytest.raises(ValueError, match="no type of frame"):
        Playbook(peer).arrives("HALLO").play()

    assert peer.connection.phase is Phase.GREETING


def test_a_peer_that_goes_on_or_has_another_magic_is_a_mismatch() -> None:
    """Both are said."""
    with pytest.raises(Mismatch, match="the peer goes on"):
        server().ends().play()

    class Stranger(OurEnd):
        def receive(self, data: bytes, now: float) -> bytes:
            del data, now
            return b"HTTP/1.1 400 Bad Request"

    with pytest.raises(Mismatch, match="not the magic"):
        Playbook(Stranger(Role.SERVER)).arrives(HELLO).play()
