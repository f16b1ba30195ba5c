"""The cases of the Autobahn test suite, both ends: some of each kind always, all that apply on request. Which pass is printed by
``python -m benchmarks.websocket.autobahn``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from benchmarks.websocket.autobahn import EXCLUDED, judge_client, judge_server, verdict

Judge = Callable[[list[str] | None, list[str]], Awaitable[list[Any]]]

SOME = [
    "1.1.8", "1.2.7", "2.4", "2.5", "2.10", "2.11", "3.3", "4.1.1", "4.2.3", "5.1", "5.3", "5.8", "5.15", "5.19", "6.3.1", "6.12.1",
    "7.1.1", "7.1.4", "7.3.2", "7.5.1", "7.7.9", "7.9.4", "10.1.1",
]  # fmt: skip
UNDEFINED = {"7.1.6", "7.13.1", "7.13.2"}
"""What follows a Close, and codes that are nobody's: either way is right."""


async def failed(judge: Judge, cases: list[str] | None, count: int) -> dict[str, str]:
    """Return the verdicts that are not fine; fewer cases than expected are none."""
    results = await judge(cases, EXCLUDED)
    assert len(results) == count
    return {result.case_id: verdict(result) for result in results if verdict(result) != "OK"}


@pytest.mark.parametrize("judge", [judge_server, judge_client])
async def test_some_of_each_kind_pass(judge: Judge) -> None:
    """Messages, pings, reserved bits and kinds, fragments, UTF-8, the Close."""
    assert await failed(judge, SOME, len(SOME)) == {}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("judge", [judge_server, judge_client])
async def test_every_case_passes_that_applies(judge: Judge) -> None:
    """All but those about compression, which we never agree on."""
    found = await failed(judge, None, 301)

    assert set(found) <= UNDEFINED
    assert set(found.values()) <= {"INFORMATIONAL, close OK", "INFORMATIONAL"}
