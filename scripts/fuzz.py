"""Throws bytes at the decoders and at connections in every stage, guided by coverage (atheris): ``make fuzz``, ``make fuzz ARGS=-max_total_time=600``.

What must hold stands in ``check``, which the tests run too: nothing but ``ProtocolError`` escapes from the decoder, and nothing at all from
a connection; chunks make no difference; what is held is bounded by what arrived and by the limits. The frames of WebSocket and a web server's
answer to its handshake are read likewise.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from landline.errors import ProtocolError
from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.decoder import FrameDecoder
from landline.protocol.events import ConnectionEnded, HelloReceived, ResumeReceived, Welcomed
from landline.protocol.frames import HEADER, MAGIC, encode_frame
from landline.protocol.handshake import Hello, Welcome, encode_payload
from landline.protocol.session import Session
from landline.protocol.states import Phase, Role
from landline.transports.websocket import frames as websocket
from landline.transports.websocket.handshake import AnswerReader, encode_answer

CORPUS: Final = Path(__file__).resolve().parent.parent / ".cache" / "fuzz" / "corpus"
VECTORS: Final = Path(__file__).resolve().parent.parent / "docs" / "protocol-vectors.json"

LIMITS: Final = Limits(
    max_message=4096, window=2000, credit=8000, max_flows=3, outbox_messages=20, outbox_bytes=4000
)
ID, TOKEN = bytes(16), bytes(32)
HELLO: Final = Hello(life=ID, window=2000, max_message=4096, max_flows=3)
WELCOME: Final = Welcome(
    session=ID, token=TOKEN, life=ID, received=0, resumed=False, window=2000, max_message=4096, heartbeat=25.0, dead_after=8.0,
    resume_window=300.0, max_flows=3,
)  # fmt: skip


def check(data: bytes) -> None:
    """Try one input: its first bytes choose the stage and the chunks, the rest is what arrives."""
    if len(data) < 3:
        return
    stage, size, rest = data[0], 1 + data[1] % 40, data[2:]
    _check_decoder(rest, size)
    _check_connection(rest, size, Role.CLIENT if stage & 1 else Role.SERVER, stage >> 1)
    _check_websocket(rest, size, is_masked=bool(stage & 1))
    _check_answer(rest, size)


def _decoded(data: bytes, size: int) -> tuple[list[tuple[int, int, bytes]], str]:
    decoder = FrameDecoder(4096)
    found: list[tuple[int, int, bytes]] = []
    try:
        for at in range(0, len(data), size):
            found += decoder.feed(data[at : at + size])
    except ProtocolError as error:
        return found, error.code
    return found, ""


def _check_decoder(data: bytes, size: int) -> None:
    whole, pieces = _decoded(data, len(data)), _decoded(data, size)
    assert whole[1] == pieces[1], "how it ends depends on the chunks"
    if not whole[1]:
        assert whole == pieces, "what is read depends on the chunks"
    assert sum(len(payload) for _, _, payload in whole[0]) <= len(data)


def _heard(data: bytes, size: int, *, is_masked: bool) -> tuple[list[tuple[int, bytes]], bytes, int]:
    reader = websocket.FrameReader(is_masked=is_masked, max_message=4096, takes_text=True)
    complete: list[tuple[int, bytes]] = []
    unfinished = b""
    for at in range(0, len(data), size):
        for kind, payload, is_complete in reader.feed(data[at : at + size]):
            if kind & 8:
                complete.append((kind, payload))
                continue
            unfinished += payload
            if is_complete:
                complete.append((kind, unfinished))
                unfinished = b""
        assert reader.held <= 130, "more is held than a header or a control frame"
    return complete, unfinished, 0 if reader.failure is None else reader.failure.close_code


def _check_websocket(data: bytes, size: int, *, is_masked: bool) -> None:
    whole, pieces = _heard(data, len(data), is_masked=is_masked), _heard(data, size, is_masked=is_masked)
    assert (whole[0], whole[2]) == (pieces[0], pieces[2]), "what a WebSocket says depends on the chunks"
    assert pieces[1].startswith(whole[1]), "what is unfinished depends on the chunks"
    assert sum(len(payload) for _, payload in whole[0]) + len(whole[1]) <= len(data)


def _check_answer(data: bytes, size: int) -> None:
    told = []
    for step in (len(data), size):
        reader, rest, reason = AnswerReader(""), None, ""
        try:
            for at in range(0, len(data), step):
                rest = reader.feed(data[at : at + step])
                if rest is not None:
                    rest += data[at + step :]
                    break
        except ProtocolError as error:
            reason = error.reason
        told.append((rest, reason))
    assert told[0] == told[1], "what a web server answers depends on the chunks"


def _check_connection(data: bytes, size: int, role: Role, stage: int) -> None:
    connection = Connection(role, LIMITS, 0.0)
    session = Session(LIMITS, peer_window=2000, peer_max_message=4096, peer_max_flows=3, role=role)
    if role is Role.CLIENT:
        connection.greet(HELLO)
    if stage & 3:
        _let_in(connection, session)
    if stage & 2 and connection.phase is Phase.OPEN:
        flow = session.open_flow("fuzz")
        session.send(flow, 0x20, b"x" * 100)
        session.send(session.messages, 0x20, b"y" * 5000)
    now = 0.0
    for at in range(0, len(data), size):
        connection.receive_data(data[at : at + size], now)
        _follow(connection, session, now, is_lazy=bool(stage & 4))
        connection.data_to_send(now)
        now += 0.01
        _check_bounds(session, len(data))
    connection.handle_timeout(now + 100)
    connection.data_to_send(now + 100)
    session.release()
    assert connection.phase in Phase


def _let_in(connection: Connection, session: Session) -> None:
    """Bring a connection to where it talks."""
    if connection.role is Role.CLIENT:
        connection.receive_data(MAGIC + encode_payload(0x03, WELCOME), 0.0)
        connection.events()
        connection.carry(WELCOME, session, 0.0)
    else:
        connection.receive_data(MAGIC + encode_payload(0x01, HELLO), 0.0)
        connection.events()
        connection.welcome(WELCOME, session, 0, 0.0)
        connection.receive_data(encode_frame(0x05, 0, TOKEN), 0.0)
    connection.data_to_send(0.0)


def _follow(connection: Connection, session: Session, now: float, *, is_lazy: bool) -> None:
    """Do what a program would, with whatever is reported; a lazy one takes nothing."""
    for event in connection.events():
        try:
            if isinstance(event, HelloReceived | ResumeReceived):
                connection.welcome(WELCOME, session, 0, now)
            elif isinstance(event, Welcomed):
                connection.carry(event.welcome, session, now)
        except ProtocolError:
            connection.receive_end()
        if isinstance(event, ConnectionEnded):
            return
    for flow in list(session.flows.values()):
        if flow.inbox and flow.number % 2 == 0 and not is_lazy:
            try:
                session.take(flow)
            except ProtocolError:  # a packed value that cannot be read: the session must end
                connection.receive_end()


def _check_bounds(session: Session, arrived: int) -> None:
    held = sum(flow.received_cost - flow.taken_cost for flow in session.flows.values())
    assert held == session.inbox_bytes, "the inboxes are counted wrong"
    assert held <= 64 * arrived + arrived, "more is held than arrived"
    for flow in session.flows.values():
        assert flow.received_cost <= flow.granted + 4096 + 64, "a flow was sent beyond its credit"
    assert len(session.flows) <= 1 + 2 * LIMITS.max_flows
    assert session.unfinished <= min(arrived, LIMITS.max_message + HEADER.size), (
        "more is here of a frame than arrived"
    )
    assert session.pressure.unfinished == session.unfinished, "the unfinished frame is counted wrong"
    assert session.pressure.used == held + session.held + session.unfinished, "the pressure is counted wrong"


def seeds() -> list[bytes]:
    """Inputs to begin with: the bytes of the vectors, at every stage."""
    import json

    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    found = [bytes.fromhex(frame["bytes"]) for frame in vectors["frames"]]
    found += [bytes.fromhex(bad["arrives"]) for bad in vectors["bad_input"]]
    found += [
        b"".join(bytes.fromhex(step["arrives"]) for step in each["steps"] if "arrives" in step)
        for each in vectors["conversations"]
    ]
    for key in (b"", b"mask"):
        said = [(websocket.BINARY, b"x" * 200), (websocket.PING, b"?"), (websocket.CLOSE, b"\x03\xe8bye")]
        found.append(b"".join(websocket.encode_frame(kind, payload, key) for kind, payload in said))
        found.append(websocket.encode_frame(websocket.TEXT, "ü".encode(), key, is_final=False))
    found += [encode_answer(""), b"HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n"]
    return [bytes([stage, 255]) + data for data in found for stage in range(16)]


def main() -> None:
    """Fuzz until told otherwise; a crash is written to a file and shown."""
    import atheris

    CORPUS.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (CORPUS / f"seed-{number}").write_bytes(seed)
    atheris.instrument_all()
    options = [argument for argument in sys.argv[1:] if argument]
    if not any(option.startswith("-max_total_time") for option in options):
        options.append("-max_total_time=60")
    atheris.Setup([sys.argv[0], str(CORPUS), *options, "-timeout=5", "-print_final_stats=1"], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
