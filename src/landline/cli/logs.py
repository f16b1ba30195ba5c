"""The log on stderr: one line a record, for people or as JSON, without control characters, and at a bounded rate.

What is logged often comes from strangers. So nothing in it can move the cursor or start a second line, and nobody fills a disk: of
each source and kind ten lines a second are written and the rest is counted.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import sys
import traceback
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import msgspec

from landline.apps.printable import printable
from landline.cli.limits import CLI

MAX_LINES: Final = CLI.log_lines
MAX_KINDS: Final = CLI.log_kinds
MAX_LENGTH: Final = CLI.log_message


def set_up(level: str, form: str) -> StderrHandler:
    """Send what landline and its dependencies log to stderr, and return the handler.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        form: ``human`` or ``json``.
    """
    handler = StderrHandler(HumanFormatter() if form == "human" else JsonFormatter())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, StderrHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("landline").setLevel(level.upper())
    logging.captureWarnings(capture=True)
    return handler


def safe_line(text: str) -> str:
    """Return ``text`` as one line of bounded length in which control and other unprintable characters are escaped."""
    text = text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"
    return printable(text)


@dataclass(slots=True)
class _Kind:
    """One source and kind: when its second began, and how many lines came in it."""

    began_at: float
    lines: int = 0
    left_out: int = 0


class StderrHandler(logging.Handler):
    """Writes to what ``sys.stderr`` is at that moment, so that a prompt on the terminal can stand aside for a line."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._kinds: OrderedDict[tuple[str, int, str], _Kind] = OrderedDict()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it when its kind has had its lines of this second."""
        key = (str(getattr(record, "source", record.name)), record.levelno, str(record.msg)[:200])
        kind = self._kinds.setdefault(key, _Kind(began_at=record.created))
        self._kinds.move_to_end(key)
        if not 0 <= record.created - kind.began_at < 1:
            left_out, kind.began_at, kind.lines, kind.left_out = kind.left_out, record.created, 0, 0
            self._summary(key, left_out, record.created)
        if len(self._kinds) > MAX_KINDS:
            oldest, gone = self._kinds.popitem(last=False)
            self._summary(oldest, gone.left_out, record.created)
        if kind.lines == MAX_LINES:
            kind.left_out += 1
            return
        kind.lines += 1
        self._write(record)

    def close(self) -> None:
        """Write how much was left out and not told yet."""
        while self._kinds:
            key, kind = self._kinds.popitem()
            self._summary(key, kind.left_out, kind.began_at)
        super().close()

    def _summary(self, key: tuple[str, int, str], left_out: int, at: float) -> None:
        if not left_out:
            return
        source, level, message = key
        name = source if source.startswith("landline") else "landline"
        text = "left out %d more like: %s"
        record = logging.LogRecord(name, level, "", 0, text, (left_out, message), None)
        record.created = at
        self._write(record)

    def _write(self, record: logging.LogRecord) -> None:
        # A log that cannot be written is no reason to stop.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()


class HumanFormatter(logging.Formatter):
    """``14:02:07 warning landline.server: …``; a traceback follows on lines of its own, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, or several when it carries a traceback."""
        at = dt.datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        line = f"{at} {record.levelname.lower()} {record.name}: {safe_line(_message(record))}"
        return "\n    ".join([line, *_traceback(record)])


class JsonFormatter(logging.Formatter):
    """One JSON object: ``at`` (RFC 3339, UTC), ``level``, ``logger``, ``message``, and ``error`` with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC)
        entry = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": safe_line(_message(record)),
        }
        if lines := _traceback(record):
            entry["error"] = "\n".join(lines)
        return msgspec.json.encode(entry).decode()


def _message(record: logging.LogRecord) -> str:
    try:
        message = record.getMessage()
    except (TypeError, ValueError):  # a log call with the wrong arguments still tells something
        message = f"{record.msg} {record.args!r}"
    return message


def _traceback(record: logging.LogRecord) -> list[str]:
    if not record.exc_info or record.exc_info[0] is None:
        return []
    return [safe_line(line) for line in "".join(traceback.format_exception(*record.exc_info)).splitlines()]
