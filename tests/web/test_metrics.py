"""Counts as text: what a scraper reads."""

from __future__ import annotations

from landline.web.metrics import Metric, metrics_text


def test_each_count_says_what_it_is() -> None:
    """One line of help, one of its kind, and one for each number; kinds in a steady order."""
    text = metrics_text(
        [
            Metric("landline_sessions", "sessions held", 3),
            Metric("landline_hits_total", "limits hit", {"b": 2, "a": 1}, "counter", "limit"),
            Metric("landline_none_total", "nothing yet", {}, "counter", "limit"),
        ]
    )

    assert text.decode().splitlines() == [
        "# HELP landline_sessions sessions held",
        "# TYPE landline_sessions gauge",
        "landline_sessions 3",
        "# HELP landline_hits_total limits hit",
        "# TYPE landline_hits_total counter",
        'landline_hits_total{limit="a"} 1',
        'landline_hits_total{limit="b"} 2',
        "# HELP landline_none_total nothing yet",
        "# TYPE landline_none_total counter",
    ]
    assert text.endswith(b"\n")


def test_what_would_end_a_line_or_a_value_is_escaped() -> None:
    """The help, and the kinds: whoever names them may not write counts."""
    text = metrics_text([Metric("a", "b\nc 1\\", {'d"} 2\ne\\': 1}, label="f")])

    assert text.decode().splitlines() == [
        "# HELP a b\\nc 1\\\\",
        "# TYPE a gauge",
        'a{f="d\\"} 2\\ne\\\\"} 1',
    ]
