"""Writes docs/protocol-vectors.json: bytes in and bytes out, for whoever implements the protocol anew.

The conversations stand here in words; what our end writes in them is recorded, and a test plays the file back without this script. Usage:
``python scripts/protocol_vectors.py`` writes, ``--check`` only says whether the file is current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from landline.limits import Limits
from landline.protocol.codec import encode_data
from landline.protocol.connection import Connection
from landline.protocol.decoder import FrameDecoder
from landline.protocol.events import ConnectionEnded, HelloReceived, ResumeReceived, Welcomed
from landline.protocol.frames import MAGIC, VERSION, CloseCode, ResetCode
from landline.protocol.handshake import Hello, Resume, Welcome
from landline.protocol.session import Session
from landline.protocol.states import Role
from landline.testing.words import frame_words, words_frame

FILE: Final = Path(__file__).resolve().parent.parent / "docs" / "protocol-vectors.json"

SESSION, LIFE, TOKEN = bytes(range(16)), bytes(range(16, 32)), bytes(range(32))
HELLO = f"HELLO life={LIFE!r} window=589824 max_message=1048576 max_flows=64"
RESUME = f"RESUME session={SESSION!r} token={TOKEN!r} attempt=2 life={LIFE!r} received=0"
WELCOME = (
    f"WELCOME session={SESSION!r} token={TOKEN!r} life={LIFE!r} received=0 resumed=False window=589824 max_message=1048576 "
    "heartbeat=25.0 dead_after=8.0 resume_window=300.0 max_flows=64"
)
CONFIRM = f"CONFIRM {TOKEN!r}"
TOTALS = ("ACK received=0 sent=0", "HANDLED 0 0", "CREDIT 0 589824")

FRAMES: Final = (
    HELLO, RESUME, WELCOME, CONFIRM, "REFUSE code=3 reason='a later attempt was accepted' attempt=7", "PING", "PONG",
    "ACK received=3 sent=5", "HANDLED 0 2", "CREDIT 0 589824", "ASK 0 4", "WAITING 0 589824", "CLOSE code=0",
    "CLOSE code=1 reason='back soon' retry_in=1.5 redirect='tcp://other:1'", "BYTES 0 b'\\x00\\xff'", "TEXT 0 'Grüße'",
    "PACKED 0 [1, None, {'a': 2.5}]", "OPEN 1 purpose='prices' window=589824", "TEXT 1 'in another flow'", "END 1", "DONE 1",
    "RESET 1 code=0 handled=2 taken=3 reason='enough'",
)  # fmt: skip

LET_IN: Final = [("arrives", [HELLO]), ("welcome", {}), ("arrives", [CONFIRM, *TOTALS])]
"""A server's session begins; what it writes until then is recorded with the rest."""

CONVERSATIONS: Final[dict[str, tuple[str, dict[str, Any], list[tuple[Any, ...]]]]] = {
    "a server lets somebody in": ("server", {}, LET_IN),
    "a client comes in": ("client", {}, [("greet", {}), ("arrives", [WELCOME]), ("carry", {}), ("arrives", list(TOTALS))]),
    "messages are acked at latest after 250 ms, and handled when the program comes back": (
        "server", {}, [*LET_IN, ("arrives", ["TEXT 0 'one'", "TEXT 0 'two'"]), ("after", 0.25), ("take", 2), ("handled", 0), ("after", 0.25)],
    ),
    "half a window is acked and granted anew at once": (
        "server", {"window": 300}, [*LET_IN, ("arrives", ["TEXT 0 'x'", "TEXT 0 'y'", "TEXT 0 'z'"]), ("take", 3)],
    ),
    "an ASK is answered as soon as it can be": (
        "server", {}, [*LET_IN, ("arrives", ["TEXT 0 'one'", "ASK 0 1"]), ("take", 1), ("handled", 0)],
    ),
    "credit runs out and comes": (
        "server", {}, [
            ("arrives", [HELLO.replace("window=589824", "window=100")]), ("welcome", {}), ("arrives", [CONFIRM, *TOTALS[:2], "CREDIT 0 100"]),
            ("send", "a"), ("send", "b"), ("send", "c"), ("arrives", ["ACK received=2 sent=0", "HANDLED 0 2", "CREDIT 0 230"]),
        ],
    ),
    "silence: a ping, suspicion, the end": ("server", {}, [*LET_IN, ("after", 25.0), ("after", 4.0), ("after", 4.0)]),
    "any byte proves life": ("server", {}, [*LET_IN, ("after", 25.0), ("arrives", ["PONG"]), ("after", 24.9), ("after", 0.1)]),
    "many pings are answered by one pong": ("server", {}, [*LET_IN, ("arrives", ["PING", "PING", "PING"])]),
    "we close, and the peer answers": (
        "server", {}, [*LET_IN, ("send", "last"), ("close", {}), ("arrives", ["ACK received=1 sent=0", "HANDLED 0 1", "CLOSE code=0"])],
    ),
    "the peer closes, and we answer when all is handled": (
        "server", {}, [*LET_IN, ("arrives", ["TEXT 0 'last'", "CLOSE code=0"]), ("take", 1), ("handled", 0), ("close", {})],
    ),
    "a client resumes: what was lost is written again first": (
        "client", {}, [
            ("greet", {}), ("arrives", [WELCOME]), ("carry", {}), ("arrives", list(TOTALS)), ("send", "one"), ("send", "two"),
            ("arrives", ["TEXT 0 'theirs'"]), ("drop", {}), ("resume", {"attempt": 2}),
            ("arrives", [WELCOME.replace("received=0", "received=1").replace("resumed=False", "resumed=True")]), ("carry", {}), ("send", "three"),
        ],
    ),
    "a server is resumed": (
        "server", {}, [
            *LET_IN, ("arrives", ["TEXT 0 'first'"]), ("send", "one"), ("send", "two"), ("drop", {}), ("arrives", [RESUME.replace("received=0", "received=1")]),
            ("welcome", {"resumed": True}), ("arrives", [CONFIRM, "ACK received=1 sent=1", "HANDLED 0 0", "CREDIT 0 589824"]),
        ],
    ),
    "counts that disagree": ("server", {}, [*LET_IN, ("arrives", ["ACK received=0 sent=7"])]),
    "more handled than was ever sent": ("server", {}, [*LET_IN, ("arrives", ["HANDLED 0 1"])]),
    "a flow is opened, ended and handled by both": (
        "server", {}, [
            *LET_IN, ("arrives", ["OPEN 1 purpose='prices' window=589824", "TEXT 1 'question'", "END 1"]), ("take", 1, 1), ("handled", 1),
            ("send", "answer", 1), ("end", 1), ("arrives", ["ACK received=3 sent=3", "DONE 1"]),
        ],
    ),
    "a flow is abandoned, and the reset answered": (
        "server", {}, [
            *LET_IN, ("arrives", ["OPEN 1 purpose='prices' window=589824", "TEXT 1 'unread'"]), ("send", "a", 1),
            ("arrives", ["RESET 1 code=0 handled=0 taken=1 reason='enough'"]),
        ],
    ),
    "we abandon a flow that nobody here wants": (
        "server", {}, [*LET_IN, ("arrives", ["OPEN 1 purpose='unheard of' window=589824"]), ("reset", 1), ("arrives", ["RESET 1 code=1 handled=0 taken=0"])],
    ),
    "both wait for credit": (
        "server", {"window": 60}, [
            ("arrives", [HELLO.replace("window=589824", "window=60")]), ("welcome", {}), ("arrives", [CONFIRM, *TOTALS[:2], "CREDIT 0 60"]),
            ("arrives", ["TEXT 0 'full'"]), ("send", "a"), ("send", "b"), ("after", 5.0), ("arrives", ["WAITING 0 60"]),
        ],
    ),
}  # fmt: skip

BAD: Final[dict[str, tuple[str, bytes]]] = {
    "text at the door": ("fresh", b"GET / HTTP/1.1\r\n\r\n"),
    "another version": ("fresh", MAGIC[:-1] + bytes([VERSION + 1])),
    "an impossible size": ("fresh", MAGIC + b"\xff\xff\xff\xff\x01\x00\x00\x00\x00"),
    "a control frame over its limit": ("open", b"\x00\x00\x10\x01\x06\x00\x00\x00\x00"),
    "a message over its limit": ("open", b"\x00\x10\x00\x01\x20\x00\x00\x00\x00"),
    "a type that is none": ("open", b"\x00\x00\x00\x00\x0e\x00\x00\x00\x00"),
    "a hello that is no map": ("fresh", MAGIC + b"\x00\x00\x00\x01\x01\x00\x00\x00\x00\x01"),
    "a hello without its fields": ("fresh", MAGIC + words_frame("HELLO window=1")),
    "a ping before the hello": ("fresh", MAGIC + words_frame("PING")),
    "a hello twice": ("open", words_frame(HELLO)),
    "a token of the wrong size": ("welcomed", words_frame("CONFIRM b'short'")),
    "talk before the token": ("welcomed", words_frame("TEXT 0 'hello'")),
    "text that is not UTF-8": ("open", b"\x00\x00\x00\x01\x21\x00\x00\x00\x00\xff"),
    "msgpack with something behind it": ("open", b"\x00\x00\x00\x02\x22\x00\x00\x00\x00\xc0\xc0"),
    "an ack of the wrong size": ("open", b"\x00\x00\x00\x01\x08\x00\x00\x00\x00\x00"),
    "a count beyond 63 bits": ("open", b"\x00\x00\x00\x08\x0a\x00\x00\x00\x00" + b"\xff" * 8),
    "credit that falls": ("open", words_frame("CREDIT 0 1")),
    "a flow that is not open": ("open", words_frame("TEXT 5 'hello'")),
    "a flow with a number of ours": ("open", words_frame("OPEN 2 purpose='' window=1")),
    "the end of the messages": ("open", words_frame("END 0")),
}


STAGES: Final = {"fresh": 0, "welcomed": 2, "open": 3}
"""How many steps of ``LET_IN`` come before the bad input."""


class Recorder:
    """Our end of a conversation, its bytes written down."""

    def __init__(self, role: str, limits: dict[str, Any]) -> None:
        self.role = Role(role)
        self.limits = Limits(**limits)
        self.now = 0.0
        self.session: Session | None = None
        self.asked: Any = None
        self.steps: list[dict[str, Any]] = []
        self._begin()

    def _begin(self) -> None:
        self.connection = Connection(self.role, self.limits, self.now)
        self.decoder = FrameDecoder(1 << 30)
        self.is_fresh = True
        self.wrote = b""

    def play(self, verb: str, what: Any, flow: int = 0) -> None:
        """Take one step, and write down what our end wrote."""
        step: dict[str, Any] = {verb: what}
        if verb == "arrives":
            data = b"".join(map(words_frame, what))
            data = MAGIC + data if self.is_fresh else data
            self.is_fresh = False
            step = {"arrives": data.hex(), "words": what}
            self.connection.receive_data(data, self.now)
        elif verb == "after":
            self.now += what
            self.connection.handle_timeout(self.now)
        elif verb == "greet":
            self.connection.greet(
                Hello(life=LIFE, window=self.limits.window, max_message=1 << 20, max_flows=64)
            )
        elif verb == "resume":
            assert self.session is not None
            received = self.session.received
            self.connection.greet(
                Resume(session=SESSION, token=TOKEN, attempt=what["attempt"], life=LIFE, received=received)
            )
        elif verb == "welcome":
            self._welcome(resumed=what.get("resumed", False))
        elif verb == "carry":
            self._carry()
        elif verb == "drop":
            self.connection.receive_end()
            self._begin()
        elif verb == "close":
            self.connection.close(CloseCode.NORMAL, "", self.now)
        else:
            self._do(verb, what, flow)
            step["flow"] = flow if verb in ("send", "take") else what
        self.steps.append(step)
        self._write()

    def _welcome(self, *, resumed: bool) -> None:
        event = self.asked
        asked = event.resume if resumed else event.hello
        if self.session is None:
            self.session = self._make(asked.window, asked.max_message, asked.max_flows)
        words = Welcome(
            session=SESSION, token=TOKEN, life=LIFE, received=self.session.received, resumed=resumed, window=self.limits.window,
            max_message=1 << 20, heartbeat=25.0, dead_after=8.0, resume_window=300.0, max_flows=64,
        )  # fmt: skip
        self.connection.welcome(words, self.session, getattr(asked, "received", 0), self.now)

    def _carry(self) -> None:
        welcome = self.asked.welcome
        if self.session is None:
            self.session = self._make(welcome.window, welcome.max_message, welcome.max_flows)
        self.connection.carry(welcome, self.session, self.now)

    def _make(self, window: int, max_message: int, max_flows: int) -> Session:
        return Session(
            self.limits,
            peer_window=window,
            peer_max_message=max_message,
            peer_max_flows=max_flows,
            role=self.role,
        )

    def _do(self, verb: str, what: Any, flow: int) -> None:
        session = self.session
        assert session is not None
        if verb == "send":
            session.send(session.flows[flow], *encode_data(what, 1 << 20))
        elif verb == "take":
            for _ in range(what):
                session.take(session.flows[flow])
        elif verb == "handled":
            session.handle_taken(session.flows[what])
        elif verb == "end":
            session.end_flow(session.flows[what])
        elif verb == "reset":
            session.abandon_flow(session.flows[what], ResetCode.UNWANTED)
        else:
            raise ValueError(verb)

    def _write(self) -> None:
        data = b"".join(self.connection.data_to_send(self.now))
        if data:
            self.wrote += data
            frames = self.decoder.feed(data.removeprefix(MAGIC))
            self.steps.append({"leaves": data.hex(), "words": [frame_words(frame) for frame in frames]})
        for event in self.connection.events():
            if isinstance(event, ConnectionEnded):
                self.steps.append({"ends": int(event.code), "meaning": event.code.text})
            elif isinstance(event, HelloReceived | ResumeReceived | Welcomed):
                self.asked = event


def conversations() -> list[dict[str, Any]]:
    """Every conversation, with what our end wrote."""
    found = []
    for name, (role, limits, steps) in CONVERSATIONS.items():
        recorder = Recorder(role, limits)
        for step in steps:
            recorder.play(*step)
        found.append({"name": name, "role": role, "limits": limits, "steps": recorder.steps})
    return found


def bad_input() -> list[dict[str, Any]]:
    """Bytes that break the protocol at a server, and the code that it ends with."""
    found = []
    for name, (stage, data) in BAD.items():
        recorder = Recorder("server", {})
        for verb, what in LET_IN[: STAGES[stage]]:
            recorder.play(verb, what)
        recorder.connection.receive_data(data, 0.0)
        (code,) = [event.code for event in recorder.connection.events() if isinstance(event, ConnectionEnded)]
        found.append(
            {"name": name, "stage": stage, "arrives": data.hex(), "ends": int(code), "meaning": code.text}
        )
    return found


def made() -> str:
    """Return the file's text."""
    frames = [{"words": words, "bytes": words_frame(words).hex()} for words in FRAMES]
    content = {
        "protocol": VERSION,
        "magic": MAGIC.hex(),
        "frames": frames,
        "bad_input": bad_input(),
        "conversations": conversations(),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the file, or with ``--check`` return 1 when it is not current."""
    current = made()
    if "--check" in sys.argv[1:]:
        return int(not FILE.exists() or FILE.read_text(encoding="utf-8") != current)
    FILE.write_text(current, encoding="utf-8")
    print(f"wrote {FILE.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
