"""What every transport guarantees, asked of each kind: TCP, Unix sockets, memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from landline.testing.transport_conformance import TransportConformance


class TestTcp(TransportConformance):
    scheme = "tcp"

    @pytest.fixture
    def address(self) -> str:
        return "tcp://127.0.0.1:0"


class TestUnix(TransportConformance):
    scheme = "unix"

    @pytest.fixture
    def address(self, tmp_path: Path) -> str:
        return f"unix://{tmp_path}/line.sock"


class TestMemory(TransportConformance):
    scheme = "memory"
    has_halves = False

    @pytest.fixture
    def address(self) -> str:
        return "memory://line"
