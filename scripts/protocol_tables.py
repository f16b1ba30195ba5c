"""Writes the tables of docs/protocol.md from the code, between their markers, so that the specification and the program cannot differ.

Usage: ``python scripts/protocol_tables.py`` writes, ``python scripts/protocol_tables.py --check`` only says whether they are current.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from landline.limits import LIMITS
from landline.protocol import handshake
from landline.protocol.frames import (
    COUNT,
    COUNTS,
    FIRST_COUNTED,
    MAGIC,
    CloseCode,
    FrameType,
    ResetCode,
    encode_frame,
)
from landline.protocol.handshake import Close, Hello, Open, Refusal, Reset, Resume, Welcome, encode_payload
from landline.protocol.states import ACCEPTED, TRANSITIONS, Phase, Role, State

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "protocol.md"

MARKED: Final = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

CODES: Final[dict[CloseCode, str]] = {
    CloseCode.NORMAL: "the orderly end of the session: everything sent before it was delivered",
    CloseCode.GOING_AWAY: "this server goes; `retry_in` says when to come back",
    CloseCode.REPLACED: "another connection carries this session now; whoever is told this does not redial",
    CloseCode.STALE: "a later attempt was accepted already; `attempt` says which",
    CloseCode.DEAD: "the line dropped, or was silent or stuck for too long",
    CloseCode.PROTOCOL_ERROR: "a frame that may not come now, or that says what cannot be",
    CloseCode.MISCOUNT: "counts of the two ends disagree",
    CloseCode.TOO_LARGE: "a frame over its limit, or too many bytes before being let in",
    CloseCode.BAD_DATA: "a payload that is not what its type says",
    CloseCode.UNAUTHORIZED: "credentials, principal or token are not good",
    CloseCode.UNKNOWN_SESSION: "the server does not know the session, or does not say so to this caller",
    CloseCode.EXPIRED: "the session was held as long as it could be, or as long as its client's credentials were good",
    CloseCode.REVOKED: "the server took the session away: a token was used that had been replaced, or its program says so",
    CloseCode.BUSY: "no room or no time just now; `retry_in` says when to come back",
    CloseCode.VERSION: "the magic named a version that is not spoken here",
    CloseCode.FAILED: "an error in the program at the other end",
    CloseCode.TIMED_OUT: "a handshake, a frame or a close took too long",
}

RESETS: Final[dict[ResetCode, str]] = {
    ResetCode.CANCELLED: "its program wants no more of it",
    ResetCode.UNWANTED: "nobody there takes a flow for that purpose",
    ResetCode.FAILED: "its program failed",
    ResetCode.BAD_DATA: "something in it could not be read",
}

TYPES: Final = {
    "Id": "16 bytes",
    "Token": "32 bytes",
    "Count": "integer, 0 to 2⁶³ − 1",
    "Attempt": "integer, 1 to 2⁶³ − 1",
    "Reason": "text, at most 500 characters",
    "Seconds": "float, 0 to 2,678,400",
    "Purpose": "text, at most 255 characters",
    "Where": "text, at most 500 characters",
    "ResetCode": "integer, a reset code",
    "CloseCode": "integer, a close code",
    "bool": "boolean",
    "Any": "anything",
}
"""What the annotations of the payloads' fields mean on the wire."""

SPOKEN_OF: Final = {
    "max_message", "window", "max_flows", "stalled_after", "handshake_timeout", "silent_timeout", "frame_timeout", "write_timeout", "close_timeout", "ack_delay",
    "heartbeat_interval", "dead_after", "resume_window", "tombstone_window", "preauth_bytes",
}  # fmt: skip
"""The limits that both ends of a line notice."""


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _table(head: list[str], rows: list[list[object]]) -> list[str]:
    return [_row(*head), _row(*(["---"] * len(head))), *(_row(*row) for row in rows)]


def frames() -> list[str]:
    """Every frame type, and who may receive it when."""

    def taken(role: Role, kind: FrameType) -> str:
        return (
            ", ".join(
                phase.value for phase in Phase if kind in ACCEPTED[role, phase] and _is_reached(role, phase)
            )
            or "never"
        )

    return _table(
        ["type", "frame", "counted", "a client takes it while", "a server takes it while"],
        [
            [
                f"`{kind:#04x}`",
                kind.name,
                "yes" if kind >= FIRST_COUNTED else "",
                taken(Role.CLIENT, kind),
                taken(Role.SERVER, kind),
            ]
            for kind in FrameType
        ],
    )


def _is_reached(role: Role, phase: Phase) -> bool:
    return (role, phase) != (Role.CLIENT, Phase.CONFIRMING)


def payloads() -> list[str]:
    """The fields of each msgpack payload, with what their docstrings say."""
    tree = ast.parse(inspect.getsource(handshake))
    lines: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            docstring = (ast.get_docstring(node) or "").splitlines()[0]
            rows: list[list[object]] = []
            for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    annotation = ast.unparse(field.annotation).removesuffix(" | None")
                    rows.append(
                        [
                            f"`{field.target.id}`",
                            TYPES[annotation],
                            "" if field.value is not None else "yes",
                            _words(after),
                        ]
                    )
            lines += [f"**{docstring}**", "", *_table(["field", "type", "required", "meaning"], rows), ""]
    return lines[:-1]


def _words(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).replace("``", "`").split())
    return ""


def codes() -> list[str]:
    """Every close code."""
    return _table(
        ["code", "name", "the session lives on", "meaning"],
        [[int(code), code.text, "yes" if code.resumable else "", CODES[code]] for code in CloseCode],
    )


def resets() -> list[str]:
    """Every reset code."""
    return _table(["code", "name", "meaning"], [[int(code), code.text, RESETS[code]] for code in ResetCode])


def states() -> list[str]:
    """The states of a session as a diagram and as a table."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.CONNECTING.value}"]
    for state, following in TRANSITIONS.items():
        ends = [after.value for after in State if after in following] or ["[*]"]
        lines += [f"    {state.value} --> {after}" for after in ends]
    rows: list[list[object]] = [
        [state.value, ", ".join(after.value for after in State if after in following) or "the end"]
        for state, following in TRANSITIONS.items()
    ]
    return [*lines, "```", "", *_table(["state", "then"], rows)]


def phases() -> list[str]:
    """What each end takes in each phase; what is not marked is a protocol error."""
    lines: list[str] = []
    for role in Role:
        reached = [phase for phase in Phase if phase is not Phase.CLOSED and _is_reached(role, phase)]
        rows: list[list[object]] = [
            [kind.name, *("+" if kind in ACCEPTED[role, phase] else "" for phase in reached)]
            for kind in FrameType
        ]
        lines += [*_table([f"a {role.value} takes", *(phase.value for phase in reached)], rows), ""]
    return lines[:-1]


def limits() -> list[str]:
    """The limits that both ends of a line notice, with their defaults."""
    return _table(
        ["limit", "default", "what it bounds"],
        [
            [
                f"`{limit.name}`",
                f"{limit.default:,g} {limit.unit}"
                if limit.default < 1000
                else f"{int(limit.default):,} {limit.unit}",
                limit.reason,
            ]
            for limit in LIMITS
            if limit.name in SPOKEN_OF
        ],
    )


def vectors() -> list[str]:
    """Whole frames in hexadecimal."""
    session, life = bytes(range(16)), bytes(range(16, 32))
    token = bytes(range(32))
    welcome = Welcome(
        session=session, token=token, life=life, received=2, resumed=True, window=589824, max_message=1048576,
        heartbeat=25.0, dead_after=8.0, resume_window=300.0,
    )  # fmt: skip
    hello = Hello(life=life, window=589824, max_message=1048576)
    resume = Resume(session=session, token=token, attempt=2, life=life, received=3)
    stale = Refusal(code=CloseCode.STALE, reason="a later attempt was accepted", attempt=7)
    samples = {
        "the magic": MAGIC,
        "HELLO, nothing but what is required": encode_payload(FrameType.HELLO, hello),
        "RESUME": encode_payload(FrameType.RESUME, resume),
        "WELCOME": encode_payload(FrameType.WELCOME, welcome),
        "REFUSE, stale": encode_payload(FrameType.REFUSE, stale),
        "CONFIRM": encode_frame(FrameType.CONFIRM, 0, token),
        "PING": encode_frame(FrameType.PING),
        "PONG": encode_frame(FrameType.PONG),
        "ACK, 3 received and 5 sent": encode_frame(FrameType.ACK, 0, COUNTS.pack(3, 5)),
        "HANDLED, 2 of flow 0": encode_frame(FrameType.HANDLED, 0, COUNT.pack(2)),
        "CREDIT, 589,824 of flow 0": encode_frame(FrameType.CREDIT, 0, COUNT.pack(589824)),
        "ASK, for 4 of flow 0": encode_frame(FrameType.ASK, 0, COUNT.pack(4)),
        "WAITING, flow 0 for more than 589,824": encode_frame(FrameType.WAITING, 0, COUNT.pack(589824)),
        "CLOSE, normal": encode_payload(FrameType.CLOSE, Close(code=CloseCode.NORMAL)),
        "CLOSE, going away, back in 1.5 s": encode_payload(
            FrameType.CLOSE, Close(code=CloseCode.GOING_AWAY, retry_in=1.5)
        ),
        "BYTES, `00 ff`": encode_frame(FrameType.BYTES, 0, b"\x00\xff"),
        "TEXT, `Grüße`": encode_frame(FrameType.TEXT, 0, "Grüße".encode()),
        "PACKED, `[1, null]`": encode_frame(FrameType.PACKED, 0, b"\x92\x01\xc0"),
        "OPEN, flow 1": encode_payload(FrameType.OPEN, Open(purpose="prices", window=589824), 1),
        "END, flow 1": encode_frame(FrameType.END, 1),
        "DONE, flow 1": encode_frame(FrameType.DONE, 1),
        "RESET, flow 1": encode_payload(
            FrameType.RESET, Reset(code=ResetCode.CANCELLED, handled=2, taken=3, reason="enough"), 1
        ),
    }
    lines: list[str] = []
    for name, data in samples.items():
        lines += [f"- {name}:", "", "  ```text", *(f"  {line}" for line in _hex(data)), "  ```", ""]
    return lines[:-1]


def _hex(data: bytes) -> list[str]:
    return [data[at : at + 32].hex(" ") for at in range(0, len(data), 32)]


TABLES: Final[dict[str, Callable[[], list[str]]]] = {
    table.__name__: table for table in (frames, payloads, codes, resets, states, phases, limits, vectors)
}


def regenerate(text: str) -> str:
    """Return the document with every table made anew."""
    return MARKED.sub(lambda found: found[1] + "\n" + "\n".join(TABLES[found[2]]()) + "\n\n" + found[3], text)


def main() -> int:
    """Write the document, or with ``--check`` return 1 when it is not current."""
    text = DOCUMENT.read_text(encoding="utf-8")
    current = regenerate(text)
    if "--check" in sys.argv[1:]:
        return int(text != current)
    if text != current:
        DOCUMENT.write_text(current, encoding="utf-8")
        print(f"wrote {DOCUMENT.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
