"""docs/protocol-vectors.json, played against our end from the file alone, as another implementation would play it against its own."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from landline.limits import Limits
from landline.protocol.codec import encode_data
from landline.protocol.connection import Connection
from landline.protocol.decoder import FrameDecoder
from landline.protocol.events import ConnectionEnded, HelloReceived, ResumeReceived, Welcomed
from landline.protocol.frames import CloseCode, FrameType, ResetCode, encode_frame
from landline.protocol.handshake import Hello, Resume, Welcome
from landline.protocol.session import Session
from landline.protocol.states import Role

ROOT = Path(__file__).resolve().parents[2]
FILE = json.loads((ROOT / "docs" / "protocol-vectors.json").read_text(encoding="utf-8"))
MAGIC = bytes.fromhex(FILE["magic"])
SESSION, LIFE, TOKEN = bytes(range(16)), bytes(range(16, 32)), bytes(range(32))


class Player:
    """Our end, which does what the steps of a file say."""

    def __init__(self, role: str, limits: dict[str, Any]) -> None:
        self.limits = Limits(**limits)
        self.role = Role(role)
        self.now = 0.0
        self.session: Session | None = None
        self.asked: Any = None
        self.ended: int | None = None
        self.written = b""
        self.connection = Connection(self.role, self.limits, 0.0)

    def step(self, step: dict[str, Any]) -> None:
        """Take one step; what leaves and how it ends is compared."""
        verb, what = next(iter(step.items()))
        if verb == "leaves":
            assert self.written.hex() == what, step["words"]
            self.written = b""
        elif verb == "ends":
            assert self.ended == what
        else:
            assert self.written == b"", "something left that the file does not have"
            getattr(self, verb)(what, step.get("flow", 0))
            self._collect()

    def _collect(self) -> None:
        self.written += b"".join(self.connection.data_to_send(self.now))
        for event in self.connection.events():
            if isinstance(event, ConnectionEnded):
                self.ended = int(event.code)
            elif isinstance(event, HelloReceived):
                self.asked = event.hello
            elif isinstance(event, ResumeReceived):
                self.asked = event.resume
            elif isinstance(event, Welcomed):
                self.asked = event.welcome

    # The verbs...

    def arrives(self, data: str, _: int) -> None:
        self.connection.receive_data(bytes.fromhex(data), self.now)

    def after(self, seconds: float, _: int) -> None:
        self.now += seconds
        self.connection.handle_timeout(self.now)

    def greet(self, *_: object) -> None:
        hello = Hello(life=LIFE, window=self.limits.window, max_message=self.limits.max_message, max_flows=64)
        self.connection.greet(hello)

    def resume(self, what: dict[str, int], _: int) -> None:
        assert self.session is not None
        resume = Resume(
            session=SESSION, token=TOKEN, attempt=what["attempt"], life=LIFE, received=self.session.received
        )
        self.connection.greet(resume)

    def _begin(self) -> Session:
        if self.session is None:
            self.session = Session(
                self.limits,
                peer_window=self.asked.window,
                peer_max_message=self.asked.max_message,
                peer_max_flows=self.asked.max_flows,
                role=self.role,
            )
        return self.session

    def welcome(self, what: dict[str, bool], _: int) -> None:
        session = self._begin()
        words = Welcome(
            session=SESSION, token=TOKEN, life=LIFE, received=session.received, resumed=what.get("resumed", False),
            window=self.limits.window, max_message=self.limits.max_message, heartbeat=self.limits.heartbeat_interval,
            dead_after=self.limits.dead_after, resume_window=self.limits.resume_window, max_flows=self.limits.max_flows,
        )  # fmt: skip
        self.connection.welcome(words, session, getattr(self.asked, "received", 0), self.now)

    def carry(self, *_: object) -> None:
        self.connection.carry(self.asked, self._begin(), self.now)

    def drop(self, *_: object) -> None:
        self.connection.receive_end()
        self.connection = Connection(self.role, self.limits, self.now)

    def send(self, text: str, flow: int) -> None:
        session = self._begin()
        session.send(session.flows[flow], *encode_data(text, session.max_message))

    def take(self, count: int, flow: int) -> None:
        session = self._begin()
        for _ in range(count):
            session.take(session.flows[flow])

    def handled(self, flow: int, _: int) -> None:
        self._begin().handle_taken(self._begin().flows[flow])

    def end(self, flow: int, _: int) -> None:
        self._begin().end_flow(self._begin().flows[flow])

    def reset(self, flow: int, _: int) -> None:
        self._begin().abandon_flow(self._begin().flows[flow], ResetCode.UNWANTED)

    def close(self, *_: object) -> None:
        self.connection.close(CloseCode.NORMAL, "", self.now)


@pytest.mark.parametrize("conversation", FILE["conversations"], ids=lambda each: each["name"])
def test_a_conversation_goes_as_it_is_written(conversation: dict[str, Any]) -> None:
    """Every byte that leaves, in the order of the steps, and how it ends."""
    player = Player(conversation["role"], conversation["limits"])
    for step in conversation["steps"]:
        player.step(step)

    assert player.written == b""


@pytest.mark.parametrize("bad", FILE["bad_input"], ids=lambda each: each["name"])
def test_bad_input_ends_a_connection_with_its_code(bad: dict[str, Any]) -> None:
    """At a server that has seen nothing, that has welcomed, or that talks."""
    player = Player("server", {})
    for step in FILE["conversations"][0]["steps"][: {"fresh": 0, "welcomed": 3, "open": 5}[bad["stage"]]]:
        player.step(step)
    player.arrives(bad["arrives"], 0)
    player._collect()

    assert player.ended == bad["ends"]
    assert CloseCode(bad["ends"]).text == bad["meaning"]


@pytest.mark.parametrize("frame", FILE["frames"], ids=lambda each: each["words"][:40])
def test_a_frame_is_read_and_written_the_same(frame: dict[str, str]) -> None:
    """Whole, byte by byte, and to the same bytes again."""
    data = bytes.fromhex(frame["bytes"])
    decoder = FrameDecoder(1 << 20)
    found = [each for at in range(len(data)) for each in decoder.feed(data[at : at + 1])]

    assert [encode_frame(*each) for each in found] == [data]


def test_every_type_of_frame_is_in_the_file() -> None:
    """Alone, and all but the refusal in some conversation as well."""
    alone = {bytes.fromhex(frame["bytes"])[4] for frame in FILE["frames"]}
    spoken = {
        word.split()[0]
        for conversation in FILE["conversations"]
        for step in conversation["steps"]
        for word in step.get("words", ())
    }

    assert alone == set(FrameType)
    assert {kind.name for kind in FrameType} - spoken <= {"REFUSE", "BYTES", "PACKED"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "protocol_vectors", ROOT / "scripts" / "protocol_vectors.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_current(script: ModuleType) -> None:
    """What the script would write is what is written; if not: ``python scripts/protocol_vectors.py``."""
    assert script.made() == (ROOT / "docs" / "protocol-vectors.json").read_text(encoding="utf-8")


def test_a_file_that_is_not_current_is_found(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``--check`` says so and writes nothing; without it the file is made current."""
    monkeypatch.setattr(script, "FILE", tmp_path / "vectors.json")
    monkeypatch.setattr("sys.argv", ["protocol_vectors.py", "--check"])
    assert script.main() == 1
    assert not script.FILE.exists()
    monkeypatch.setattr("sys.argv", ["protocol_vectors.py"])
    assert script.main() == 0
    assert json.loads(script.FILE.read_text(encoding="utf-8")) == FILE
