#!/usr/bin/env python3
"""Takes the README's picture: a real server, two real clients on real terminals, a dropped line, drawn as SVG from the terminals' cells.

Run it with the environment of ``make test``: ``.venv/bin/python scripts/screenshot.py docs/images/chat.svg``.
"""

from __future__ import annotations

import contextlib
import html
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pexpect
import pyte

ROWS, COLUMNS = 11, 62
WIDTH, HEIGHT = 8.4, 18.0
COLOURS = {
    "default": "#d8dee9", "black": "#4c566a", "red": "#e0707a", "green": "#a3be8c", "brown": "#ebcb8b", "blue": "#81a1c1",
    "magenta": "#c9a0c0", "cyan": "#88c0d0", "white": "#e5e9f0", "brightblack": "#8a93a6",
}  # fmt: skip
GROUND = "#20242c"
LANDLINE = [sys.executable, "-m", "landline"]


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *command: str) -> None:
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self._child = pexpect.spawn(command[0], list(command[1:]), dimensions=(ROWS, COLUMNS), timeout=10)

    def wait_for(self, text: str, seconds: float = 10) -> None:
        """Read until the screen shows ``text``."""
        until = time.monotonic() + seconds
        while text not in "\n".join(self.screen.display):
            if time.monotonic() > until:
                raise SystemExit(f"no {text!r} on the screen:\n" + "\n".join(self.screen.display))
            self.read(0.1)

    def read(self, seconds: float) -> None:
        """Take what is written meanwhile."""
        with contextlib.suppress(pexpect.TIMEOUT):
            self._stream.feed(self._child.read_nonblocking(65536, timeout=seconds))  # type: ignore[arg-type]  # bytes, without an encoding

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        self._child.send(line + "\r")

    def close(self) -> None:
        """Hang up."""
        self._child.close(force=True)


def draw(terminals: list[tuple[str, Terminal]]) -> str:
    """Return the screens side by side as SVG."""
    gap, top = 16.0, 28.0
    width, height = COLUMNS * WIDTH + gap, ROWS * HEIGHT + top + 12
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * len(terminals) - gap:.0f} {height:.0f}" '
            f'font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="13.5">'
        )
    ]
    for number, (title, terminal) in enumerate(terminals):
        left = number * width
        parts.append(f'<g transform="translate({left:.1f},0)">')
        parts.append(f'<rect width="{width - gap:.1f}" height="{height:.1f}" rx="8" fill="{GROUND}"/>')
        parts.append(
            f'<text x="12" y="19" fill="{COLOURS["brightblack"]}" font-size="12">{html.escape(title)}</text>'
        )
        for row in range(ROWS):
            parts.extend(_row(terminal.screen, row, top + (row + 0.75) * HEIGHT))
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _row(screen: pyte.Screen, row: int, y: float) -> list[str]:
    """Draw one row, a run of equal cells at a time."""
    parts, column = [], 0
    while column < COLUMNS:
        cell, start, text = screen.buffer[row][column], column, ""
        while column < COLUMNS and screen.buffer[row][column][1:] == cell[1:]:
            text += screen.buffer[row][column].data
            column += 1
        ink, ground = _colour(cell.fg), _colour(cell.bg, GROUND)
        if cell.reverse:
            ink, ground = ground, ink
        x = 8 + start * WIDTH
        if ground != GROUND:
            parts.append(
                f'<rect x="{x:.1f}" y="{y - 13.5:.1f}" width="{len(text) * WIDTH:.1f}" height="{HEIGHT}" fill="{ground}"/>'
            )
        if text.strip():
            weight = ' font-weight="bold"' if cell.bold else ""
            parts.append(
                f'<text x="{x:.1f}" y="{y:.1f}" fill="{ink}" textLength="{len(text) * WIDTH:.1f}" xml:space="preserve"{weight}>'
                f"{html.escape(text)}</text>"
            )
    return parts


def _colour(name: str, default: str = COLOURS["default"]) -> str:
    if name == "default":
        return default
    return COLOURS.get(name, f"#{name}" if re.fullmatch("[0-9a-f]{6}", name) else default)


def main(path: str) -> None:
    """Play the scene and write the picture."""
    with tempfile.TemporaryDirectory() as data:
        server = subprocess.Popen(
            [*LANDLINE, "serve", "--port", "0", "--data", data, "--no-operator"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        terminals: list[Terminal] = []
        try:
            address = _address(server)
            ana = Terminal(*LANDLINE, "chat", address, "--name", "ana")
            ana.wait_for("You are ana")
            ben = Terminal(*LANDLINE, "chat", address, "--name", "ben")
            terminals = [ana, ben]
            ben.wait_for("You are ben")
            ben.type("Morning! Did the parts arrive?")
            ana.wait_for("Did the parts")
            ana.type("/drop 4")
            ana.wait_for("down")
            ana.type("Yes, all nine boxes.")
            ben.type("Great. I will be there at ten.")
            ana.wait_for("there at ten")
            ben.wait_for("nine boxes")
            ana.read(0.5)
            ben.read(0.5)
            picture = draw(
                [("ana: landline chat, her line dropped for 4 s", ana), ("ben: landline chat", ben)]
            )
        finally:
            for terminal in terminals:
                terminal.close()
            server.terminate()
            server.wait(10)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(picture, encoding="utf-8")


def _address(server: subprocess.Popen[str]) -> str:
    """Return where the server says it listens."""
    assert server.stdout is not None
    for line in server.stdout:
        found = re.search(r"nc \S+ (\d+)", line)
        if found:
            return f"tcp://localhost:{found[1]}"
    raise SystemExit("the server did not say where it listens")


if __name__ == "__main__":
    main(*sys.argv[1:2])
