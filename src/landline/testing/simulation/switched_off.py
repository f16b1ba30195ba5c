"""A safeguard switched off: what ``safeguards`` and ``flow_safeguards`` list, and ``ablations`` tries."""

from __future__ import annotations

from typing import Any

import msgspec

Patch = tuple[Any, str, Any]
"""An object, the name of an attribute of it, and what stands there instead."""


class Ablation(msgspec.Struct, frozen=True):
    """A safeguard switched off.

    Attributes:
        name: what is missing.
        patches: how.
        masked_by: what else stops the harm, when the simulator cannot see it; then ``tested_in`` tries it alone.
    """

    name: str
    patches: tuple[Patch, ...]
    masked_by: str = ""
    tested_in: str = ""
