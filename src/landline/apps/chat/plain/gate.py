"""The gate of the plain-text door: where an invite is wanted, the first that a caller says is one.

It is looked at before there is a conversation, so that nobody without it reaches the chat.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final

import landline
from landline.apps.chat.limits import PLAIN, TEXT
from landline.apps.chat.plain.caller import Caller

TRIES: Final = PLAIN.bad_lines
SPLIT_WAIT: Final = PLAIN.split_wait
INVITE_TIMEOUT: Final = PLAIN.invite_timeout
_LONGEST: Final = 4 * TEXT.invite
"""Bytes of a first line: an invite, and what telnet says before it."""

_WELCOME: Final = "That is the invite. What you say now is said in the lobby.\n"
_WANTED: Final = "This chat wants an invite: send it as the first line, it is what stands behind #invite= in the address.\n"
_GOODBYE: Final = "That is not it, either. Goodbye.\n"

_LAST_WORD: Final = re.compile(rb"(?<![\w-])([\w-]+)\s*\Z", re.ASCII)


class Admitted:
    """A caller who was let in; what it said behind the invite comes first."""

    def __init__(self, caller: landline.Caller, rest: bytes) -> None:
        self.peer = caller.peer
        self.send = caller.send
        self.drain = caller.drain
        self.close = caller.close
        self._caller = caller
        self._rest = rest

    async def receive(self, timeout: float | None = None) -> bytes:
        """Return a chunk as it arrived, ``b""`` at the end."""
        rest, self._rest = self._rest, b""
        return rest or await self._caller.receive(timeout)


async def admit(
    caller: landline.Caller, admits: Callable[[str], bool], hit: Callable[[str, str], None]
) -> Caller | None:
    """Return the caller once it has shown the invite, or None when it has not, and was told.

    Args:
        caller: see above; not closed here.
        admits: says whether a text is the invite.
        hit: told of limits that it hit.
    """
    said = b""
    tries = 0
    try:
        async with asyncio.timeout(INVITE_TIMEOUT):
            while True:
                line, said = await _first(caller, said)
                if line is None:
                    return None
                word = _LAST_WORD.search(line)
                if word is not None and admits(word[1].decode()):
                    caller.send(_WELCOME.encode())
                    return Admitted(caller, said)
                tries += 1
                if tries == TRIES:
                    hit("chat.plain.bad_lines", f"{caller.peer} showed no invite")
                    caller.send(_GOODBYE.encode())
                    return None
                caller.send(_WANTED.encode())
    except TimeoutError:
        hit("chat.plain.invite_timeout", f"{caller.peer} showed no invite")
        return None


async def _first(caller: landline.Caller, said: bytes) -> tuple[bytes | None, bytes]:
    """Return the next line, or what a caller says that ends no lines, and what is left; None at the end."""
    while b"\n" not in said:
        if len(said) > _LONGEST:
            return b"", b""  # none of ours, however it goes on
        try:
            chunk = await caller.receive(SPLIT_WAIT if said else None)
        except TimeoutError:
            return said, b""
        if not chunk:
            return said or None, b""
        said += chunk
    line, _, rest = said.partition(b"\n")
    # One chunk may hold a line of any length: to look for a word in it would keep everybody else waiting.
    return (line if len(line) <= _LONGEST else b""), rest
