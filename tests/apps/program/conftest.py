"""A server with topics, and files where standard input and output would be."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.program import lines, publish, rpc, subscribe
from landline.apps.program.opening import Server
from landline.apps.program.publish import Publish
from landline.apps.program.subscribe import Subscribe

from ..conftest import put_away

ADDRESS = "memory://programs"


class Standard:
    """What goes in and what came out."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._output = folder / "output"
        self._input = folder / "input"
        self._patch = patch
        self._open = [os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)]
        for app in (publish, subscribe, rpc):
            patch.setattr(app, "standard_output", lambda: self._open[0])
        self.give(b"")

    def give(self, data: bytes) -> None:
        """Have it read that."""
        self._input.write_bytes(data)
        self._open.append(os.open(self._input, os.O_RDONLY))
        self._patch.setattr(lines, "standard_input", lambda: self._open[-1])

    def said(self) -> list[dict[str, Any]]:
        """What was printed so far, line by line."""
        return [json.loads(line) for line in self.lines()]

    def lines(self) -> list[str]:
        """The same as text."""
        return self._output.read_text().splitlines()

    def close(self) -> None:
        for descriptor in self._open:
            put_away(
                descriptor
            )  # closed, its number would be the next test's file, and a late thread would read that


@pytest.fixture
def standard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standard]:
    made = Standard(tmp_path, monkeypatch)
    yield made
    made.close()


@pytest.fixture
async def server() -> AsyncIterator[landline.Server]:
    """Topics below ``prices``, without storage."""
    made = landline.Server()
    made.topic("prices.*", history=20_000)
    async with made.listen(ADDRESS):
        yield made


async def published(**asked: Any) -> int:
    """Run ``landline publish`` here."""
    return await publish.run(Publish(server=Server(address=ADDRESS), **asked), asyncio.Event())


async def subscribed(**asked: Any) -> int:
    """Run ``landline subscribe`` here."""
    asked = {"pattern": "prices.*", "after": "start", **asked}
    return await subscribe.run(Subscribe(server=Server(address=ADDRESS), **asked), asyncio.Event())
