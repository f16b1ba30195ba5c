"""Proof that the simulator can fail: each safeguard of the protocol is switched off in turn, and a seed must notice.

An ablation that another safeguard masks is marked as such in the table, with the test that tries the masked one alone.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from .run import Failure, find_fault, rarely_collecting
from .safeguards import ABLATIONS
from .schedule import shape_of
from .switched_off import Ablation, patched

_MISFITS: Final = ("TypeError:", "AttributeError:", "NameError:")
"""What worlds fail with where an ablation does not fit the protocol any more: they would fail without any safeguard missing."""


def applied(ablation: Ablation) -> AbstractContextManager[None]:
    """Run the protocol without the safeguard."""
    return patched(ablation.patches)


def seeds_to_find(ablation: Ablation, most: int, steps: int, *, first: int = 0) -> tuple[int, str] | None:
    """Return how many worlds it takes from the first seed until one fails, and how it does; None when ``most`` are not enough.

    Those in which the safeguard has nothing to guard are not played, and not counted.

    Raises:
        AssertionError: the ablation itself is broken, which proves nothing.
    """
    count = 0
    with applied(ablation), rarely_collecting():
        for seed in itertools.count(first):
            if not ablation.can_harm(shape_of(seed)):
                continue
            count += 1
            found = find_fault(seed, steps, is_shrunk=False)
            if isinstance(found, Failure):
                if found.what.startswith(_MISFITS):
                    raise AssertionError(f"{ablation.name!r} does not fit the protocol: {found.what}")
                return count, found.what
            if count == most:
                return None
    return None


def report_ablations(say: Callable[[str], None], most: int, steps: int) -> int:
    """Try all ablations and say what came of each; return the exit code."""
    taken: list[int] = []
    missed = []
    for ablation in ABLATIONS:
        found = seeds_to_find(ablation, most if not ablation.masked_by else min(most, 200), steps)
        if found is not None:
            taken.append(found[0])
            say(f"{ablation.name:<52} found in world {found[0]:>4}: {found[1]:.90}")
        elif ablation.masked_by:
            say(f"{ablation.name:<52} masked by {ablation.masked_by}; tested alone in {ablation.tested_in}")
        else:
            missed.append(ablation.name)
            say(f"{ablation.name:<52} NOT FOUND in {most} worlds")
    masked = len(ABLATIONS) - len(taken) - len(missed)
    median = statistics.median(taken) if taken else 0
    say(
        f"{len(taken)} of {len(ABLATIONS)} found, median {median:g} worlds, at most {max(taken, default=0)}; {masked} masked and tested alone; "
        f"{len(missed)} missed"
    )
    return 1 if missed else 0
