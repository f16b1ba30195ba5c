"""What most sessions have nothing in, they share: an empty list, dict and deque that are never filled.

A server holds sessions by the thousand, and an idle one would consist mostly of containers of its own that nothing is in. Whoever is the
first to put something in makes a new one.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

EMPTY_LIST: Final[list[Any]] = []
EMPTY_DICT: Final[dict[Any, Any]] = {}
EMPTY_DEQUE: Final[deque[Any]] = deque(maxlen=0)
