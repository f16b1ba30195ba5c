"""The table and the price of a session: what stands in them, by figures that were made up."""

from __future__ import annotations

from benchmarks.peers import OVER
from benchmarks.table import price, table
from benchmarks.targets import Target, gate_table

CALLS = "calls, one after the other, 64 B"


def test_ratios_come_first_then_medians_and_their_spread() -> None:
    """A row for each peer that played; where we are ahead the ratio is bold, and a target stands beside it."""
    figures = {CALLS: {"landline": [3.0, 1.0, 2.0], "grpcio": [4.0, 4.0, 1500.0], "rpyc": [1.0]}}

    head, _, first, second = table(figures, OVER["tcp"])

    assert head == "| work | ours ÷ theirs | beside | theirs | ours | target |"
    assert first.startswith(
        f"| {CALLS}: µs ↓ | **0.50×** | grpcio | 4.0 (4.0–1,500) | 2.0 (1.0–3.0) | ≤ 0.111×"
    )
    assert second == "|  | 2.00× | rpyc | 1.0 | 2.0 (1.0–3.0) |  |"


def test_ours_has_a_row_where_nobody_else_plays() -> None:
    """And each of ours has its own, by its name."""
    job = "bulk with TLS, 256 KiB, one core"
    figures = {
        "idle, 10,000 connections": {"landline": [12.0]},
        job: {"landline with TLS": [2.0], "our TLS alone": [3.0], "raw loop with TLS": [4.0]},
    }

    _, _, alone, session, transport = table(figures, OVER["tcp"])

    assert alone.startswith("| idle, 10,000 connections: KiB ↓ | – | – | – | 12.0 | ≤ 6 KiB")
    assert session == f"| {job}: MB/s ↑ | 0.50× | raw loop with TLS | 4.0 | landline with TLS: 2.0 |  |"
    assert transport == "|  | 0.75× | raw loop with TLS | 4.0 | our TLS alone: 3.0 |  |"


def test_not_yet_is_said_only_where_this_run_did_not_reach_it_either() -> None:
    """Else the target stands alone."""
    targets = [Target("idle, 10,000 connections", None, 6, reached=7)]
    for ours, wanted in ((12.7, "≤ 6 KiB; not yet, had 7 KiB"), (6.1, "not yet"), (6.0, "| ≤ 6 KiB |")):
        *_, row = table({"idle, 10,000 connections": {"landline": [ours]}}, OVER["tcp"], targets)

        assert wanted in row


def test_a_row_says_the_size_that_was_played() -> None:
    """Wherever its name says one; the gate plays the short one."""
    figures = {
        "idle, 10,000 connections": {"landline": [12.0]},
        "durable topic to 1,000, 64 in flight": {"landline": [10.0]},
        "fan-out to 1,000": {"landline": [10.0]},
    }

    assert [line.partition(":")[0] for line in table(figures, OVER["tcp"], is_short=True)][2:] == [
        "| idle, 1,000 connections",
        "| durable topic to 100, 64 in flight",
        "| fan-out to 1,000",
    ]
    assert [line.partition(":")[0] for line in table(figures, OVER["tcp"])][2:] == [
        f"| {name}" for name in figures
    ]
    assert any(line.startswith("| idle, 1,000 connections |") for line in gate_table(figures))


def test_the_price_of_a_session_is_a_share_of_the_time() -> None:
    """Whether a job's figure is a time or a rate."""
    figures = {
        "round trip": {"landline": [30.0], "bare protocol": [20.0]},
        "pipelined": {"landline": [50.0], "bare protocol": [100.0]},
        CALLS: {"landline": [1.0]},
    }

    assert list(price(figures, "landline", "bare protocol", "sends")) == [
        "round trip: +50 %",
        "pipelined: +100 %",
    ]


def test_the_price_in_a_fan_out_is_that_of_a_send_to_each() -> None:
    """The bare protocol sends the same to each of its lines, too; a topic is told once, so beside it nothing is said."""
    figures = {"fan-out to 1,000": {"landline": [400.0], "bare protocol": [200.0]}}
    assert not list(price(figures, "landline", "bare protocol", "sends"))

    figures["fan-out to 1,000"]["sends"] = [100.0]
    assert list(price(figures, "landline", "bare protocol", "sends")) == ["fan-out to 1,000: +100 %"]
