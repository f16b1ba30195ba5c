"""A line over memory, and the recorder of the conformance suite, for the tests of single kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from landline.testing.transport_conformance import Line, Recorder, TransportConformance


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with TransportConformance().open_line("memory://line") as line:
        yield line


@pytest.fixture
def recorder() -> type[Recorder]:
    return Recorder
