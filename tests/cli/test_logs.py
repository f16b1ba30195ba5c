"""The log: one safe line a record, in two forms, and a bounded number of them."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Iterator

import pytest

from landline.cli.logs import MAX_KINDS, MAX_LENGTH, MAX_LINES, StderrHandler, safe_line, set_up


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The root logger is as it was afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("landline")
    before = root.handlers[:], root.level, ours.level
    logging.captureWarnings(capture=False)  # where a command ran before in this process
    yield
    root.handlers[:], root.level, ours.level = before
    logging.captureWarnings(capture=False)


def record(
    message: str = "hello", *arguments: object, at: float = 1000.0, **more: object
) -> logging.LogRecord:
    """A record of the library, made at this moment."""
    made = logging.LogRecord("landline.server", logging.INFO, "", 0, message, arguments, None)
    made.created = at
    made.__dict__.update(more)
    return made


def written(form: str, *records: logging.LogRecord, close: bool = True) -> list[str]:
    """The lines that these records become."""
    handler = set_up("debug", form)
    screen, sys.stderr = sys.stderr, io.StringIO()
    try:
        for one in records:
            handler.handle(one)
        if close:
            handler.close()
        return sys.stderr.getvalue().splitlines()
    finally:
        sys.stderr = screen


def test_the_form_for_people_is_time_level_name_message() -> None:
    """One line."""
    (line,) = written("human", record("%s joined", "ana"))

    assert re.fullmatch(r"\d\d:\d\d:\d\d info landline\.server: ana joined", line)


def test_the_form_for_programs_is_one_object() -> None:
    """With the time in UTC."""
    (line,) = written("json", record("%s joined", "ana", at=1000.25))

    assert json.loads(line) == {
        "at": "1970-01-01T00:16:40.250Z",
        "level": "info",
        "logger": "landline.server",
        "message": "ana joined",
    }


@pytest.mark.parametrize("form", ["human", "json"])
def test_what_strangers_say_cannot_leave_its_line(form: str) -> None:
    """Escapes, line ends of every kind, C1, text that turns its direction, halves of surrogates."""
    hostile = "a\x1b[2J\r\nb\x85\u2028\u202e\x9b\ud800\x7f"

    (line,) = written(form, record("said %s", hostile))

    assert line.isprintable()
    message = json.loads(line)["message"] if form == "json" else line.partition(": ")[2]
    assert message == r"said a\x1b[2J\r\nb\x85\u2028\u202e\x9b\ud800\x7f"


@pytest.mark.limit("cli.log_message")
def test_a_long_message_is_cut() -> None:
    """What a stranger sends does not become megabytes of log."""
    assert len(safe_line("x" * 100_000)) == MAX_LENGTH
    assert safe_line("x" * MAX_LENGTH) == "x" * MAX_LENGTH


@pytest.mark.parametrize("form", ["human", "json"])
def test_a_traceback_follows(form: str) -> None:
    """Indented for people, as a field for programs; its text is as safe as the message."""
    try:
        raise ValueError("bad \x1b[2J")
    except ValueError:
        failed = record("failed", exc_info=sys.exc_info())

    lines = written(form, failed)

    assert all(line.isprintable() for line in lines)
    if form == "human":
        assert all(line.startswith("    ") for line in lines[1:])
        assert lines[-1] == r"    ValueError: bad \x1b[2J"
    else:
        assert json.loads(lines[0])["error"].endswith(r"ValueError: bad \x1b[2J")


def test_a_log_call_with_wrong_arguments_still_tells_something() -> None:
    """A mistake in a log line is no reason to lose it."""
    (line,) = written("human", record("%d joined", "ana"))

    assert line.endswith("%d joined ('ana',)")


@pytest.mark.limit("cli.log_lines")
def test_ten_lines_a_second_of_one_kind_and_the_rest_is_counted() -> None:
    """The count is told with the next line of that kind."""
    burst = [record("bad frame from %s", number) for number in range(MAX_LINES + 37)]

    lines = written("human", *burst, record("bad frame from %s", "later", at=1001.0))

    assert len(lines) == MAX_LINES + 2
    assert lines[MAX_LINES].endswith("left out 37 more like: bad frame from %s")
    assert lines[-1].endswith("bad frame from later")


def test_what_was_left_out_is_told_at_the_end() -> None:
    """Also when nothing of that kind follows."""
    lines = written("human", *[record("again")] * (MAX_LINES + 1))

    assert lines[-1].endswith("left out 1 more like: again")


@pytest.mark.limit("cli.log_lines")
def test_exactly_ten_leave_nothing_out() -> None:
    """The edge."""
    assert len(written("human", *[record("again")] * MAX_LINES)) == MAX_LINES


def test_the_next_second_has_all_its_lines() -> None:
    """And its own count."""
    first, second = ([record("again", at=at)] * (MAX_LINES + 1) for at in (1000.0, 1001.0))

    lines = written("human", *first, *second)

    assert [line.partition(": ")[2] for line in lines] == [
        *["again"] * MAX_LINES,
        "left out 1 more like: again",
        *["again"] * MAX_LINES,
        "left out 1 more like: again",
    ]


def test_one_kind_does_not_silence_another() -> None:
    """Nor one source another: the flood of one stranger hides nobody else."""
    flood = [record("bad frame", source="tcp://a") for _ in range(100)]

    lines = written("human", *flood, record("bad frame", source="tcp://b"), record("disk full"), close=False)

    assert [line.partition(": ")[2] for line in lines[MAX_LINES:]] == ["bad frame", "disk full"]


def test_a_clock_set_back_does_not_silence_the_log() -> None:
    """A second that never ends would."""
    lines = written("human", *[record("x", at=1000.0)] * MAX_LINES, record("x", at=10.0), close=False)

    assert len(lines) == MAX_LINES + 1


@pytest.mark.limit("cli.log_kinds")
def test_the_kinds_remembered_are_bounded() -> None:
    """And one that is forgotten tells its count first."""
    flood = [record("x", source="loud")] * (MAX_LINES + 5)

    lines = written(
        "human", *flood, *(record("x", source=str(number)) for number in range(MAX_KINDS)), close=False
    )

    assert sum("left out 5 more like: x" in line for line in lines) == 1


def test_a_kind_that_goes_on_is_not_forgotten() -> None:
    """The one unheard of longest goes first; else a stranger with many names would free the loud one."""
    others = [record("x", source=str(number)) for number in range(MAX_KINDS)]
    loud = [record("x", source="loud")]

    lines = written(
        "human",
        *loud * MAX_LINES,
        *others[: MAX_KINDS // 2],
        *loud,
        *others[MAX_KINDS // 2 :],
        *loud,
        close=False,
    )

    assert len(lines) == MAX_LINES + MAX_KINDS


def test_warnings_become_lines_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Python's own would be several lines, and not at a bounded rate."""
    with warnings.catch_warnings():  # gives back what set_up replaces
        warnings.simplefilter("always")
        set_up("info", "human")
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    (line,) = capsys.readouterr().err.splitlines()
    assert " warning py.warnings: " in line


def test_only_the_wanted_level_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Of ours by the setting, of other libraries warnings."""
    set_up("info", "human")

    logging.getLogger("landline.server").info("ours")
    logging.getLogger("landline.server").debug("ours in detail")
    logging.getLogger("other").info("theirs")
    logging.getLogger("other").warning("theirs, bad")

    assert [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "ours",
        "theirs, bad",
    ]


def test_setting_up_twice_writes_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The second form counts."""
    set_up("info", "human")
    set_up("info", "json")

    logging.getLogger("landline").warning("x")

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "x"


def test_a_stderr_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging never stops the program."""
    handler = StderrHandler(logging.Formatter())
    gone = io.StringIO()
    gone.close()
    for screen in (gone, None):
        monkeypatch.setattr(sys, "stderr", screen)

        handler.handle(record())
