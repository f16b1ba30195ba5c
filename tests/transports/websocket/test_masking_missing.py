"""Without the package that masks fast, WebSocket is slower and the same."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["websockets"] = None
from landline.transports.websocket import masking
from landline.transports.websocket.frames import BINARY, FrameReader, encode_frame
assert masking.fastest() is masking.xor
frame = encode_frame(BINARY, b"hello" * 1000, b"mask")
print(FrameReader(is_masked=True).feed(frame) == [(BINARY, b"hello" * 1000, True)])
"""


def test_nothing_is_needed_to_mask() -> None:
    """A program that installed landline alone."""
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)

    assert (ended.stdout, ended.stderr) == ("True\n", "")


def test_landline_loads_no_other_websocket() -> None:
    """It would take longer to import than all of landline."""
    script = "import sys, landline; print(sorted({'websockets', 'aiohttp'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (ended.stdout, ended.stderr) == ("[]\n", "")
