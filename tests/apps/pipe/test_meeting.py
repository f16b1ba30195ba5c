"""What both commands share: limits, and the words about the line."""

from __future__ import annotations

import pytest

import landline
from landline.apps.limits import STANDARD
from landline.apps.pipe.limits import PIPE
from landline.apps.pipe.meeting import Pipe, pipe_limits

pytestmark = pytest.mark.timeout(20)


def test_the_limits_fit_a_fast_line_and_a_sleeping_caller() -> None:
    """More room than a chat needs, and the wait that was asked for; one message always fits."""
    limits = pipe_limits(7200)

    assert limits.resume_window == 7200
    assert limits.window > landline.Limits().window
    assert limits.outbox_bytes > landline.Limits().outbox_bytes


def test_a_quiet_pipe_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """And another one speaks on stderr, since stdout is for data."""
    Pipe(address="memory://x", is_quiet=True).say("hush")
    Pipe(address="memory://x").say("hello")

    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.limit(
    "pipe.window", "pipe.outbox_bytes", "pipe.close_timeout", "pipe.redial_max", "pipe.redial_reset"
)
def test_a_pipe_has_the_figures_of_its_table() -> None:
    """That a session holds to them at their edge is the library's to show."""
    limits = pipe_limits(1)

    for row in ("window", "outbox_bytes", "close_timeout", "redial_max", "redial_reset"):
        assert getattr(limits, row) == getattr(PIPE, row) != getattr(landline.Limits(), row)


@pytest.mark.limit("pipe.outbox_bytes")
async def test_so_much_of_a_pipe_waits_for_its_line() -> None:
    """While it is down: full chunks up to the limit, and then no more."""
    limits = pipe_limits(60)
    chunk = bytes(STANDARD.chunk)
    async with (
        landline.serve(landline.Session.wait_closed, "memory://full", limits=limits),
        landline.connect("memory://full", limits=limits, pause=lambda number: 3600.0) as session,
    ):
        session.drop(3600.0)
        async for change in session.states():
            if change.state is landline.State.RECONNECTING:
                break
        for _ in range(PIPE.outbox_bytes // len(chunk)):
            _ = session.send_nowait(chunk)
        with pytest.raises(landline.Full):
            _ = session.send_nowait(chunk)
        session._bare.end(landline.SessionClosed())
