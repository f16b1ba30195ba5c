"""docs/protocol.md is what the code does: its tables are current, its examples decode, its links to headings lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from landline.protocol.codec import decode_data
from landline.protocol.decoder import FrameDecoder
from landline.protocol.frames import FIRST_COUNTED, LAST_DATA, MAGIC, CloseCode, FrameType
from landline.protocol.handshake import Close, Hello, Open, Refusal, Reset, Resume, Welcome, decode_payload

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "protocol.md"

PAYLOADS: dict[int, type[Any]] = {
    FrameType.HELLO: Hello,
    FrameType.RESUME: Resume,
    FrameType.WELCOME: Welcome,
    FrameType.REFUSE: Refusal,
    FrameType.CLOSE: Close,
    FrameType.OPEN: Open,
    FrameType.RESET: Reset,
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("protocol_tables", ROOT / "scripts" / "protocol_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_current(script: ModuleType) -> None:
    """What the script would write is what is written; if not: ``python scripts/protocol_tables.py``."""
    text = DOCUMENT.read_text(encoding="utf-8")

    assert script.regenerate(text) == text


def test_every_table_is_in_the_document(script: ModuleType) -> None:
    """Once each, and every code has its meaning."""
    named = re.findall(r"<!-- table: (\w+) -->", DOCUMENT.read_text(encoding="utf-8"))

    assert sorted(named) == sorted(script.TABLES)
    assert set(script.CODES) == set(CloseCode)


def test_a_table_that_is_not_current_is_found(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``--check`` says so and writes nothing; without it the document is made current."""
    stale = tmp_path / "protocol.md"
    text = DOCUMENT.read_text(encoding="utf-8")
    stale.write_text(text.replace("| `0x06` | PING |", "| `0x99` | PING |"), encoding="utf-8")
    monkeypatch.setattr(script, "DOCUMENT", stale)

    monkeypatch.setattr("sys.argv", ["protocol_tables.py", "--check"])
    assert script.main() == 1
    assert "0x99" in stale.read_text(encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["protocol_tables.py"])
    assert script.main() == 0
    assert stale.read_text(encoding="utf-8") == text


def vectors() -> dict[str, bytes]:
    text = DOCUMENT.read_text(encoding="utf-8").partition("## Test vectors")[2]
    found = re.findall(r"^- (.*?):\n\n  ```text\n(.*?)  ```", text, re.MULTILINE | re.DOTALL)
    return {name: bytes.fromhex(data) for name, data in found}


def test_every_frame_type_has_a_vector_that_decodes() -> None:
    """To one whole frame of the type that it is named for."""
    seen = set()
    for name, data in vectors().items():
        if name == "the magic":
            assert data == MAGIC
            continue
        ((kind, number, payload),) = FrameDecoder(1 << 20).feed(data)
        assert number == (1 if kind >= FrameType.OPEN else 0)
        assert name.partition(",")[0] == FrameType(kind).name
        if kind in PAYLOADS:
            decode_payload(PAYLOADS[kind], payload)
        elif FIRST_COUNTED <= kind <= LAST_DATA:
            decode_data(kind, payload)
        seen.add(kind)

    assert seen == set(FrameType)
