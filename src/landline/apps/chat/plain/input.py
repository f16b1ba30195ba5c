"""What a plain caller sends, cut into lines or whole messages: line ends, telnet's commands, and the bound on both.

The same bytes give the same lines however they were cut into chunks. Memory is bounded by one line and one chunk: of a line that is too
long only the fact is kept. Text is decoded by the caller of this module: a line that is not UTF-8 is the line's fault alone.
"""

from __future__ import annotations

import enum
import re
from typing import Final

import msgspec

from landline.apps.chat.limits import PLAIN

IAC: Final = 0xFF
_SE, _EOF, _INTERRUPT, _SB, _WILL, _DO, _DONT = 0xF0, 0xEC, 0xF4, 0xFA, 0xFB, 0xFD, 0xFE
_TAKEN_FOR_KEYS: Final = {0xF4: 0x83, 0xF5: 0x8F, 0xED: 0x9A, 0xF3: 0x9C}
"""Telnet's commands for Ctrl-C, Ctrl-O, Ctrl-Z and Ctrl-\\, and the bytes that GNU telnet takes for these keys inside a character."""
_TIMING_MARK: Final = 6
WILL_TIMING_MARK: Final = bytes([IAC, _WILL, _TIMING_MARK])
"""The one thing that telnet waits for: after Ctrl-C or Ctrl-O it shows nothing until this comes (RFC 860)."""

MAX_ENDLESS: Final = PLAIN.endless
MAX_COMMANDS: Final = PLAIN.commands
COMMANDS_A_LINE: Final = PLAIN.commands_a_line
MAX_SUBNEGOTIATION: Final = PLAIN.subnegotiation

_END_OF_TEXT, _END_OF_TRANSMISSION = 0x03, 0x04  # Ctrl-C and Ctrl-D, from a terminal that sends each key
_ENDS: Final = re.compile(rb"[\n\r\x03\x04]")


class InputLine(msgspec.Struct, frozen=True):
    """One complete line."""

    data: bytes
    """The line without its end; empty when it was too long."""
    end: int
    """The byte that ended it: LF, CR, or a key that means "enough" (then ``goodbye_key``)."""
    too_long: bool = False

    @property
    def goodbye_key(self) -> str:
        """Ctrl-C or Ctrl-D when that key ended it, and the line itself was given up; else empty."""
        return {_END_OF_TEXT: "Ctrl-C", _END_OF_TRANSMISSION: "Ctrl-D"}.get(self.end, "")


class PlainInput:
    """Cuts bytes into lines of at most ``max_line`` bytes, telnet's commands left out."""

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line
        self._buffer = bytearray()
        self._too_long = False
        self._dropped = 0
        self._after_cr = False
        self._telnet = _Telnet()

    def receive_data(self, data: bytes) -> None:
        """Take what arrived."""
        self._buffer += self._telnet.text_of(data)
        self._skip_after_cr()
        self._forget_too_long()

    def timing_marks(self) -> int:
        """Return how many times telnet asked for a timing mark since the last call."""
        count, self._telnet.timing_marks = self._telnet.timing_marks, 0
        return count

    @property
    def has_line(self) -> bool:
        """Whether a complete line is here."""
        return _ENDS.search(self._buffer) is not None

    @property
    def has_rest(self) -> bool:
        """Whether the beginning of a line is here whose end is not."""
        return (bool(self._buffer) or self._too_long) and not self.has_line

    @property
    def is_endless(self) -> bool:
        """Whether the line at hand, or what telnet has to say within it, is so long that its end is not worth waiting for."""
        return self._dropped > MAX_ENDLESS or self._telnet.dropped > MAX_COMMANDS

    def next_line(self) -> InputLine | None:
        """Return the next complete line, or None."""
        found = _ENDS.search(self._buffer)
        if found is None:
            return None
        data, end = bytes(self._buffer[: found.start()]), self._buffer[found.start()]
        del self._buffer[: found.end()]
        too_long, self._too_long = self._too_long or len(data) > self._max_line, False
        self._forget_dropped()
        # CR LF and telnet's CR NUL are one line end; the second half may still be on its way.
        self._after_cr = end == 0x0D
        self._skip_after_cr()
        self._forget_too_long()
        return InputLine(b"" if too_long else data, end, too_long)

    def take_rest(self) -> InputLine:
        """Return what is here although no line end came, as the line that it then is."""
        data, too_long = bytes(self._buffer), self._too_long
        self._buffer.clear()
        self._too_long = False
        self._forget_dropped()
        return InputLine(b"" if too_long else data, 0, too_long)

    def ends_inside_character(self) -> bool:
        """Whether the last character of what is here is not complete yet."""
        return _ends_inside_character(self._buffer)

    def _skip_after_cr(self) -> None:
        if self._after_cr and self._buffer:
            self._after_cr = False
            if self._buffer[0] in b"\n\0":
                del self._buffer[0]

    def _forget_dropped(self) -> None:
        self._dropped = 0
        # Not all of it: a chunk may hold a line and, behind it, as many commands as fit.
        self._telnet.dropped = max(0, self._telnet.dropped - COMMANDS_A_LINE)

    def _forget_too_long(self) -> None:
        if len(self._buffer) > self._max_line and not self.has_line:
            self._dropped += len(self._buffer)
            self._buffer.clear()
            self._too_long = True


class _Telnet:
    """Takes telnet's commands (RFC 854) out of a stream, wherever it is cut. No option is ever agreed to, so none needs an answer."""

    def __init__(self) -> None:
        self.timing_marks = 0
        self.dropped = 0  # bytes that were no text
        self._state = _State.TEXT
        self._verb = 0
        self._inside = 0
        self._before = b""  # the end of the text of earlier chunks: a character may be cut as well

    def text_of(self, data: bytes) -> bytes:
        text = data if self._state is _State.TEXT and IAC not in data else self._without_commands(data)
        self._before = (self._before + text[-3:])[-3:]
        return text

    def _without_commands(self, data: bytes) -> bytes:
        text = bytearray()
        at = 0
        while at < len(data):
            if self._state is _State.TEXT:
                at = self._pass_text(data, at, text)
                continue
            if self._state is _State.INSIDE:
                at = self._pass_inside(data, at)
                continue
            byte = data[at]
            at += 1
            if self._state is _State.COMMAND:
                self._command(byte, text)
            elif self._state is _State.OPTION:
                self._state = _State.TEXT
                self.timing_marks += self._verb == _DO and byte == _TIMING_MARK
            else:
                self._state = _State.TEXT if byte == _SE else _State.INSIDE
        self.dropped += len(data) - len(text)
        return bytes(text)

    def _pass_text(self, data: bytes, at: int, text: bytearray) -> int:
        """Take the text up to the next command; return where to go on."""
        end = data.find(IAC, at)
        if end < 0:
            text += data[at:]
            return len(data)
        text += data[at:end]
        self._state = _State.COMMAND
        return end + 1

    def _pass_inside(self, data: bytes, at: int) -> int:
        """Skip a subnegotiation up to the next command or its bound; return where to go on."""
        # The byte that is one too many is skipped as well.
        most = at + MAX_SUBNEGOTIATION + 1 - self._inside
        end = data.find(IAC, at, most)
        after = end + 1 if end >= 0 else min(most, len(data))
        self._inside += after - at
        if self._inside > MAX_SUBNEGOTIATION:
            self._state = _State.TEXT
        elif end >= 0:
            self._state = _State.INSIDE_COMMAND
        return after

    def _command(self, byte: int, text: bytearray) -> None:
        self._state = _State.TEXT
        if byte == IAC:
            text.append(IAC)
        elif byte in _TAKEN_FOR_KEYS and _ends_inside_character(self._before + text[-3:]):
            text.append(_TAKEN_FOR_KEYS[byte])
        elif byte == _SB:
            self._state, self._inside = _State.INSIDE, 0
        elif _WILL <= byte <= _DONT:
            self._state, self._verb = _State.OPTION, byte
        elif byte == _INTERRUPT:
            text.append(_END_OF_TEXT)
        elif byte == _EOF:
            text.append(_END_OF_TRANSMISSION)


def _ends_inside_character(text: bytes | bytearray) -> bool:
    tail = text[-3:]
    for back in range(1, len(tail) + 1):
        byte = tail[-back]
        if byte & 0xC0 == 0x80:
            continue
        return byte >= 0xC0 and (byte >= 0xF0) + (byte >= 0xE0) + 2 > back
    return False


class _State(enum.Enum):
    TEXT = enum.auto()
    COMMAND = enum.auto()
    OPTION = enum.auto()
    INSIDE = enum.auto()
    INSIDE_COMMAND = enum.auto()
