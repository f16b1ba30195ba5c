"""The line as a person knows it: how long it was gone, and that going down twice is going down once."""

from __future__ import annotations

from landline.apps.chat.client.line import Line


def test_gone_is_counted_from_the_first_moment() -> None:
    """A dial that fails meanwhile does not start the count anew."""
    line = Line()

    assert line.goes_down(10.0)
    assert not line.goes_down(12.0)
    assert line.is_down
    assert line.comes_up(14.5) == 4.5
    assert not line.is_down


def test_a_line_that_was_up_does_not_come_back() -> None:
    """There is nothing to tell then."""
    line = Line()

    assert line.comes_up(3.0) is None


def test_a_plan_to_redial_ends_with_the_state() -> None:
    """A countdown belongs to the state that it came with."""
    line = Line()
    line.change("reconnecting", 7.0)
    assert (line.state, line.redial_at) == ("reconnecting", 7.0)

    line.change("connected")

    assert (line.state, line.redial_at) == ("connected", None)
